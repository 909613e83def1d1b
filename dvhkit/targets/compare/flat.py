"""Rings as kernels take them: one array of points, and where each ring begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray

_REPEAT_MM = 1e-9

# Points below and above (n, 2), where strips start, and heights between which each runs (s, 2).
Strips = tuple[FloatArray, FloatArray, NDArray[np.int64], FloatArray]


def flat_rings(rings: Iterable[FloatArray]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return all points (n, 2) of cleaned rings, and the index of each ring's first point and one past the last."""
    return stacked(clean_rings(rings))


def clean_rings(rings: Iterable[FloatArray]) -> list[FloatArray]:
    """Return rings without points that repeat the one before; those of which fewer than three are left are left out."""
    kept = []
    for ring in rings:
        change = np.empty_like(ring)
        np.subtract(ring[1:], ring[:-1], out=change[1:])
        np.subtract(ring[0], ring[-1], out=change[0])
        repeats = (np.abs(change) <= _REPEAT_MM).all(axis=1)
        clean = ring[~repeats] if repeats.any() else ring
        if len(clean) >= 3:
            kept.append(clean)
    return kept


def stacked(rings: Sequence[FloatArray]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return all points (n, 2), and the index of each ring's first point and one past the last."""
    starts = np.zeros(len(rings) + 1, np.int64)
    np.cumsum([len(r) for r in rings], out=starts[1:])
    return (np.ascontiguousarray(np.concatenate(rings)) if len(rings) else np.empty((0, 2))), starts


def as_strips(rings: Sequence[FloatArray]) -> Strips:
    """Return one ring each slice as `slices_as_strips` does."""
    points, ring_start = stacked(rings)
    return slices_as_strips(points, ring_start, np.arange(len(rings) + 1))


def slices_as_strips(points: FloatArray, ring_start: NDArray[np.int64], slice_start: NDArray[np.int64]) -> Strips:
    """Return rings as kernels of sections take them: upright strips, closed, those of slice k around height k.

    `slice_start`: which ring each slice begins with, and one past the last.
    """
    counts = np.diff(ring_start)
    start = np.concatenate([[0], np.cumsum(counts + 1)])
    # Each ring is closed: its first point follows its last.
    place = np.arange(start[-1]) - np.repeat(np.arange(len(counts)), counts + 1)
    place[start[1:] - 1] = ring_start[:-1]
    height = np.repeat(np.arange(len(slice_start) - 1), np.diff(slice_start))
    return points[place], points[place], start, np.column_stack([height - 0.5, height + 0.5])
