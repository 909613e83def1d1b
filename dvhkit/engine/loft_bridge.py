"""Parts that go on from one slice to the next: sections in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.repair import rings_of
from dvhkit.engine.kernels.support import bend_between, merge_normals, reaches, shared_polygon
from dvhkit.engine.loft_parts import CURVATURE_MAX, SECTIONS_MAX, STEP_MM, Gap, Outline, Part, Window
from dvhkit.engine.trace import trace_zero
from dvhkit.model.arrays import FloatArray

_CORNERS_FEW = 8
_ALIKE_FRAC = 0.8


def evenly(gap: Gap, sag_mm: float) -> list[float]:
    """Return heights in a gap so close that a straight line that would sag by `sag_mm` follows the surface."""
    pieces = min(SECTIONS_MAX, ceil(sqrt(sag_mm / gap.sag_mm)))
    return [gap.low + (gap.high - gap.low) * n / pieces for n in range(1, pieces)]


def merged_normals(a: Outline, b: Outline) -> FloatArray:
    """Return the normals of two outlines in the order of their angles."""
    normals = np.empty((len(a.angles) + len(b.angles), 2))
    return normals[: merge_normals(a.normals, a.angles, b.normals, b.angles, normals)]


def convex_ring(normals: FloatArray, offsets: FloatArray) -> list[FloatArray]:
    """Return what half planes share as a list of one ring, or none."""
    corners = np.empty((len(offsets) + 1, 2))
    count = shared_polygon(normals, offsets, np.empty(len(offsets), np.int64), corners)
    return [corners[:count]] if count else []


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bend:
    """How the reach in each direction runs across a gap, about a middle that moves straight."""

    normals: FloatArray
    place: FloatArray
    squares: FloatArray
    curvature: FloatArray
    stepped: NDArray[np.bool_]
    sag_mm: float
    has_step: bool


class ConvexBridge:
    """Two convex outlines, one above the other: what each direction reaches, squared, goes quadratically."""

    def __init__(self, gap: Gap, a: Part, b: Part, around: tuple[Part | None, Part | None]) -> None:
        self.gap, self.a, self.b, self._around = gap, a, b, around

    @cached_property
    def _bend(self) -> _Bend:
        before, after = (p.outline if p is not None else None for p in self._around)
        low, high = self.a.outline, self.b.outline
        assert low is not None
        assert high is not None
        normals = merged_normals(low, high)
        gaps = np.array(self.gap.widths_mm)
        drift = (self.b.middle - self.a.middle) / gaps[1]
        middles = [self.a.middle - drift * gaps[0], self.a.middle, self.b.middle, self.b.middle + drift * gaps[2]]
        reach = np.zeros((4, len(normals)))
        for row, outline, middle in zip(reach, (before, low, high, after), middles, strict=True):
            if outline is not None:
                reaches(outline.points, middle, normals, row)
        place = reach + np.array(middles) @ normals.T
        squares, curvature = np.empty((2, len(normals))), np.empty(len(normals))
        stepped = np.empty(len(normals), np.bool_)
        sag, has_step = bend_between(
            reach, place, gaps, CURVATURE_MAX, before is not None, after is not None, squares, curvature, stepped
        )
        return _Bend(
            normals=normals,
            place=place[1:3],
            squares=squares,
            curvature=curvature,
            stepped=stepped,
            sag_mm=sag,
            has_step=has_step,
        )

    def heights(self) -> list[float]:
        """Return where sections are needed."""
        shift = self.b.middle - self.a.middle
        # Gauges are interpolated from section to section, which shifts a round outline along a straight line only
        # as far as the outline is large.
        sag = float(shift @ shift) / (8.0 * max(self.a.reach_mm, self.b.reach_mm))
        if self._bend.has_step:
            middle = 0.5 * (self.gap.low + self.gap.high)
            return [middle - STEP_MM, middle + STEP_MM]
        return evenly(self.gap, max(sag, self._bend.sag_mm))

    def rings_at(self, w: float) -> list[FloatArray]:
        """Return the section at a height."""
        bend, low, high = self._bend, self.gap.low, self.gap.high
        t = (w - low) / (high - low)
        if bend.has_step:
            # Faces that step do so half way, the others go straight.
            ahead = np.where(bend.stepped, 0.0 if t < 0.5 else 1.0, t)
            return convex_ring(bend.normals, (1 - ahead) * bend.place[0] + ahead * bend.place[1])
        square = (1 - t) * bend.squares[0] + t * bend.squares[1] + bend.curvature * (w - low) * (w - high)
        reach = np.sign(square) * np.sqrt(np.abs(square))
        middle = (1 - t) * self.a.middle + t * self.b.middle
        return convex_ring(bend.normals, reach + bend.normals @ middle)


class FieldBridge:
    """Any parts: the field ``(d + r)^2 - r^2`` of each, with d the distance to its outline, goes quadratically."""

    def __init__(self, gap: Gap, a: Part, b: Part, around: tuple[Part | None, Part | None]) -> None:
        self.gap, self.a, self.b = gap, a, b
        self._parts = (around[0], a, b, around[1])

    def _curvature(self, values: Sequence[Any]) -> Any:  # noqa: ANN401 -- numbers or arrays
        """Return half the second derivative along w from the values on four slices, of which the outer may be None."""
        before, va, vb, after = values
        gaps = self.gap.widths_mm
        slope = (vb - va) / gaps[1]
        found = []
        if before is not None:
            found.append((slope - (va - before) / gaps[0]) / (gaps[0] + gaps[1]))
        if after is not None:
            found.append(((after - vb) / gaps[2] - slope) / (gaps[1] + gaps[2]))
        if not found:
            return np.ones_like(va)
        if len(found) == 1:
            return np.clip(found[0], -CURVATURE_MAX, CURVATURE_MAX)
        # Their mean where they agree in sign, but no more than twice the smaller one: a step two slices away must not
        # bulge here.
        same = np.sign(found[0]) == np.sign(found[1])
        low, high = np.abs(found[0]), np.abs(found[1])
        return np.where(same, np.sign(found[0]) * np.minimum(0.5 * (low + high), 2.0 * np.minimum(low, high)), 0.0)

    def heights(self) -> list[float]:
        """Return where sections are needed."""
        half = 0.5 * (self.gap.high - self.gap.low)
        squares = [None if p is None else np.float64(-(p.reach_mm**2)) for p in self._parts]
        a, b = self.a.reach_mm, self.b.reach_mm
        middle = 0.5 * (a * a + b * b) + float(self._curvature(squares)) * half * half
        sag = abs(sqrt(max(middle, 0.0)) - 0.5 * (a + b)) * 2 * half / sqrt(4 * half * half + (a - b) ** 2)
        shift = self.b.middle - self.a.middle
        sag = max(sag, float(shift @ shift) / (8.0 * max(a, b)))
        if len(self.a.polygons) > 1 or len(self.b.polygons) > 1:
            # Outlines that differ in shape rather than in size or place.
            sag = max(sag, 4 * self.gap.sag_mm)
        return evenly(self.gap, sag)

    @cached_property
    def _fields(self) -> tuple[Window, NDArray[np.bool_], FloatArray, FloatArray, FloatArray]:
        smallest = min(*self.a.radii_mm, *self.b.radii_mm)
        step = max(min(self.gap.step_mm, smallest / 6), self.gap.step_mm / 4)
        if _has_few_corners(self.a.shape):
            # Tracing cuts a corner by up to half a cell.
            step = min(step, self.gap.step_mm / 3)
        window = Window.over([self.a.shape, self.b.shape], step)
        in_a, in_b = window.inside(self.a.shape), window.inside(self.b.shape)
        wanted = _near_change(in_a, in_b)
        values = [None if p is None else p.field_at(window, wanted) for p in self._parts]
        base = np.where(in_a & in_b, -1.0, 1.0)
        return window, wanted, base, np.array(values[1:3]), self._curvature(values)

    def rings_at(self, w: float) -> list[FloatArray]:
        """Return the section at a height."""
        window, wanted, base, (va, vb), curvature = self._fields
        low, high = self.gap.low, self.gap.high
        t = (w - low) / (high - low)
        values = base.copy()
        values[wanted] = (1 - t) * va + t * vb + curvature * (w - low) * (w - high)
        return trace_zero(values, origin_uv=window.origin_mm, step_mm=window.step_mm)


class HoleBridge:
    """A hole that goes on: the section of its filling, turned round."""

    def __init__(self, filling: ConvexBridge) -> None:
        self._filling = filling

    def heights(self) -> list[float]:
        """Return where sections are needed."""
        return self._filling.heights()

    def rings_at(self, w: float) -> list[FloatArray]:
        """Return the hole's ring at a height."""
        return [ring[::-1] for ring in self._filling.rings_at(w)]


def matched_holes(a: Part, b: Part) -> tuple[list[tuple[Part, Part]], list[Part], list[Part]] | None:
    """Return the holes of `a` with those of `b` that they go on in, and those that end in what is filled beyond.

    None if they do not fall into pairs and ends: one forks, opens to the outside, or jumps to another place.
    """
    pairs, rest = [], list(b.holes)
    ended = []
    for hole in a.holes:
        hits = [other for other in b.holes if hole.shape.intersects(other.shape)]
        if not hits:
            ended.append(hole)
            continue
        if len(hits) > 1 or hits[0] not in rest or not _alike(hole, hits[0]):
            return None
        rest.remove(hits[0])
        pairs.append((hole, hits[0]))
    if not all(b.shape.contains(h.shape) for h in ended) or not all(a.shape.contains(h.shape) for h in rest):
        return None
    return pairs, ended, rest


def _alike(a: Part, b: Part) -> bool:
    """Whether two holes share most of their area."""
    return bool(a.shape.intersection(b.shape).area > _ALIKE_FRAC * max(a.shape.area, b.shape.area))


def _has_few_corners(shape: Any) -> bool:  # noqa: ANN401
    """Whether an outline is smooth but for a few sharp corners, as a box or a cut cylinder is."""
    corners = 0
    for ring in rings_of(shape):
        along = np.roll(ring, -1, axis=0) - ring
        along = along / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
        corners += int((np.sum(along * np.roll(along, 1, axis=0), axis=1) < 0.7).sum())
    return 0 < corners <= _CORNERS_FEW


def _near_change(in_a: NDArray[np.bool_], in_b: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the nodes where a section between two can change: where they differ, near their rims, and two nodes on."""
    wanted = in_a != in_b
    for inside in (in_a, in_b):
        wanted[:, 1:] |= inside[:, 1:] != inside[:, :-1]
        wanted[1:] |= inside[1:] != inside[:-1]
    for _ in range(2):
        grown = wanted.copy()
        grown[1:] |= wanted[:-1]
        grown[:-1] |= wanted[1:]
        grown[:, 1:] |= wanted[:, :-1]
        grown[:, :-1] |= wanted[:, 1:]
        wanted = grown
    wanted[[0, -1]] = False
    wanted[:, [0, -1]] = False
    return np.asarray(wanted)
