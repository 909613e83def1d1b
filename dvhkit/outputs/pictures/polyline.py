"""Fewer points for the same line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray


def simplified_lines(lines: Sequence[FloatArray], *, tolerance: float) -> list[FloatArray]:
    """Return lines (each of shape (n, 2)) with as few of their points as keep them within `tolerance` of each.

    Ramer's and Douglas and Peucker's method (doi:10.1016/S0146-664X(72)80017-0), the distance being the one to the
    chord. Both ends stay. All spans of all lines are halved at once: by themselves they are too short for numpy.
    """
    if not lines:
        return []
    points = np.concatenate(lines)
    ends = np.cumsum([len(line) for line in lines])
    starts = np.concatenate([[0], ends[:-1]])
    kept = np.zeros(len(points), dtype=bool)
    first, last = (a[ends > starts] for a in (starts, ends - 1))
    kept[first] = kept[last] = True
    _keep_between(points, first, last, kept, tolerance)
    return [points[begin:end][kept[begin:end]] for begin, end in zip(starts, ends, strict=True)]


def _keep_between(
    points: FloatArray, first: NDArray[np.int64], last: NDArray[np.int64], kept: NDArray[np.bool_], tolerance: float
) -> None:
    """Mark the points between each `first` and `last` that a line needs."""
    while True:
        inside = last - first > 1
        first, last = first[inside], last[inside]
        if not len(first):
            return
        counts = last - first - 1
        begins = np.cumsum(counts) - counts
        span = np.repeat(np.arange(len(first)), counts)
        at = np.arange(len(span)) + (first + 1 - begins)[span]
        distances = _from_chord(points[at], points[first][span], points[last][span])
        farthest = np.maximum.reduceat(distances, begins)
        hits = np.flatnonzero(distances == farthest[span])
        index = at[hits[np.searchsorted(hits, begins)]]
        is_far = farthest > tolerance
        first, index, last = first[is_far], index[is_far], last[is_far]
        kept[index] = True
        first, last = np.concatenate([first, index]), np.concatenate([index, last])


def _from_chord(points: FloatArray, one: FloatArray, other: FloatArray) -> FloatArray:
    """Return how far points lie from their chords, or from the ends of chords without length."""
    chord, away = other - one, points - one
    length = np.hypot(chord[:, 0], chord[:, 1])
    across = np.abs(chord[:, 0] * away[:, 1] - chord[:, 1] * away[:, 0])
    return np.where(length > 0, across / np.where(length > 0, length, 1.0), np.hypot(away[:, 0], away[:, 1]))
