"""A solid as a stream of thin slabs with exact sections: what the booking kernels eat, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.kernels.coverage import plane_sections
from dvhkit.engine.kernels.level import plane_levels
from dvhkit.engine.kernels.reconstruct import interval_sections, merge_sections
from dvhkit.engine.lattice import Lattice, merge_near
from dvhkit.engine.options import Between
from dvhkit.engine.solid import Solid, by_depth
from dvhkit.model.arrays import FloatArray

IntArray = NDArray[np.int64]

# Sections of one chunk stay in the processor's cache and bound the memory.
_CHUNK_BYTES = 6_000_000
# Slabs between two planes, and within a cap, at least.
_BETWEEN_PARTS = 4
_CAP_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Slabs in ascending order and the sections they have.

    Attributes
    ----------
    area : (s, 3, rows, columns)
        Covered area and its first moments in each cell, in cell units; valid for columns ``first..last`` of a row.
    first, last : (s, rows)
        First and last column that may be covered.
    section : (n,)
        The section of each slab.
    lo_mm, hi_mm : (n,)
        Where each slab begins and ends along w.
    layer : (n,)
        The lattice layer that holds it.
    is_last
        Whether nothing follows.
    """

    area: FloatArray
    first: IntArray
    last: IntArray
    section: IntArray
    lo_mm: FloatArray
    hi_mm: FloatArray
    layer: IntArray
    is_last: bool


def stream(solid: Solid, lattice: Lattice, excess: FloatArray) -> Iterator[Chunk]:
    """Yield the slabs of a solid from below; `excess` (planes,) is filled as kernel `coverage` says."""
    if solid.options.between is Between.SHAPE:
        yield from _shape_chunks(solid, lattice, excess)
    else:
        yield from _prism_chunks(solid, lattice, excess)


def _prism_chunks(solid: Solid, lattice: Lattice, excess: FloatArray) -> Iterator[Chunk]:
    cuts = merge_near(np.concatenate([lattice.layer_edges_mm, solid.lo_mm, solid.hi_mm]))
    middle = 0.5 * (cuts[:-1] + cuts[1:])
    plane = np.searchsorted(solid.lo_mm, middle) - 1
    real = (plane >= 0) & (middle < solid.hi_mm[plane])
    plane, lo, hi = plane[real], cuts[:-1][real], cuts[1:][real]
    layer = _layer_of(lattice, middle[real])
    n_planes = solid.stack.n_planes
    size = max(1, _CHUNK_BYTES // (24 * lattice.n_rows * lattice.n_columns))
    points = lattice.to_cells(solid.stack.points_mm)
    for start in range(0, n_planes, size):
        stop = min(n_planes, start + size)
        area, first, last = _exact(solid, lattice, points, (start, stop), excess)
        here = (plane >= start) & (plane < stop)
        yield Chunk(
            area=area,
            first=first,
            last=last,
            section=plane[here] - start,
            lo_mm=lo[here],
            hi_mm=hi[here],
            layer=layer[here],
            is_last=stop == n_planes,
        )


def _layer_of(lattice: Lattice, heights_mm: FloatArray) -> IntArray:
    return np.searchsorted(lattice.layer_edges_mm, heights_mm, side="right") - 1


def _exact(
    solid: Solid, lattice: Lattice, points: FloatArray, planes: tuple[int, int], excess: FloatArray
) -> tuple[FloatArray, IntArray, IntArray]:
    """Return coverage, first and last columns of planes ``start:stop``."""
    rows, columns = lattice.n_rows, lattice.n_columns
    start, stop = planes
    area = np.zeros((stop - start, 3, rows, columns))
    first = np.empty((stop - start, rows), np.int64)
    last = np.empty((stop - start, rows), np.int64)
    acc = np.zeros((5, rows, columns))
    stack = solid.stack
    plane_sections(points, stack.ring_start, stack.plane_ring, start, stop, acc, first, last, area, excess)
    return area, first, last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Interval:
    """The space between two planes of a run, or beyond its first or last (plane -1)."""

    lower: int
    upper: int
    run: tuple[int, int]
    lo_mm: float
    hi_mm: float
    mids_mm: FloatArray
    first_slab: int


def _shape_chunks(solid: Solid, lattice: Lattice, excess: FloatArray) -> Iterator[Chunk]:
    intervals, cuts = _intervals(solid, lattice)
    layer = _layer_of(lattice, 0.5 * (cuts[0] + cuts[1]))
    groups = by_depth(solid)
    if len(groups) > 1:
        _note_excess(solid, lattice, excess)
    planes = [_PlaneWindow(g, lattice, excess if len(groups) == 1 else np.zeros_like(excess)) for g in groups]
    plane_bytes = 52 * (lattice.n_rows + 1) * (lattice.n_columns + 1)
    slab_bytes = 32 * lattice.n_rows * lattice.n_columns
    start = 0
    while start < len(intervals):
        stop, used = start, 4 * plane_bytes
        while stop < len(intervals) and (stop == start or used < _CHUNK_BYTES):
            used += plane_bytes + slab_bytes * len(intervals[stop].mids_mm)
            stop += 1
        chunk = intervals[start:stop]
        n_slabs = sum(len(i.mids_mm) for i in chunk)
        area, first, last = _reconstruct(groups[0], lattice, planes[0], chunk, n_slabs)
        for depth in range(1, len(groups)):
            other = _reconstruct(groups[depth], lattice, planes[depth], chunk, n_slabs)
            merge_sections(area, first, last, *other, -1.0 if depth % 2 else 1.0)
        here = slice(chunk[0].first_slab, chunk[0].first_slab + n_slabs)
        yield Chunk(
            area=area,
            first=first,
            last=last,
            section=np.arange(n_slabs),
            lo_mm=cuts[0][here],
            hi_mm=cuts[1][here],
            layer=layer[here],
            is_last=stop == len(intervals),
        )
        start = stop


def _note_excess(solid: Solid, lattice: Lattice, excess: FloatArray) -> None:
    """Find where rings of different depth cross: no depth on its own shows that."""
    points = lattice.to_cells(solid.stack.points_mm)
    size = max(1, _CHUNK_BYTES // (24 * lattice.n_rows * lattice.n_columns))
    for start in range(0, solid.stack.n_planes, size):
        _exact(solid, lattice, points, (start, min(solid.stack.n_planes, start + size)), excess)


class _PlaneWindow:
    """Levels and exact coverage of the planes that a chunk needs, carried over from chunk to chunk."""

    def __init__(self, solid: Solid, lattice: Lattice, excess: FloatArray) -> None:
        self._solid = solid
        self._lattice = lattice
        self._points = lattice.to_cells(solid.stack.points_mm)
        self._excess = excess
        self.base = 0
        self._top = 0
        self.arrays: tuple[NDArray[np.generic], ...] = ()

    def move_to(self, chunk: list[_Interval]) -> None:
        """Make the planes of the chunk's intervals and two to either side available, from plane `base` on."""
        planes = [p for i in chunk for p in (i.lower, i.upper) if p >= 0]
        base = max(0, min(planes) - 2)
        top = min(self._solid.stack.n_planes, max(planes) + 3)
        fresh = self._compute(max(base, self._top), top)
        if self._top > base:
            old = [a[base - self.base : self._top - self.base] for a in self.arrays]
            fresh = tuple(np.concatenate(pair) for pair in zip(old, fresh, strict=True))
        self.arrays, self.base, self._top = fresh, base, top

    def _compute(self, start: int, stop: int) -> tuple[NDArray[np.generic], ...]:
        stop = max(start, stop)
        levels = _levels(self._solid, self._lattice, self._points, start, stop)
        return (*levels, *_exact(self._solid, self._lattice, self._points, (start, stop), self._excess))


def _intervals(solid: Solid, lattice: Lattice) -> tuple[list[_Interval], tuple[FloatArray, FloatArray]]:
    """Return the intervals from below, and where all their slabs begin and end."""
    offsets = solid.stack.offsets_mm
    edges = lattice.layer_edges_mm
    # Slabs much thinner than the cells are wide add work, not truth.
    thick = float(min(lattice.step_mm.min(), np.diff(edges).max()))
    intervals: list[_Interval] = []
    lows: list[FloatArray] = []
    highs: list[FloatArray] = []
    count = 0
    for run, (below, above) in zip(solid.runs.bounds, solid.runs.end_gap_mm, strict=True):
        first, stop = run
        spans = [(-1, first, offsets[first] - below, offsets[first], solid.lo_mm[first])]
        spans += [(p, p + 1, offsets[p], offsets[p + 1], offsets[p]) for p in range(first, stop - 1)]
        spans += [(stop - 1, -1, offsets[stop - 1], offsets[stop - 1] + above, offsets[stop - 1])]
        for lower, upper, lo, hi, start in spans:
            end = solid.hi_mm[stop - 1] if upper < 0 else hi
            least = _BETWEEN_PARTS if min(lower, upper) >= 0 else _CAP_PARTS
            parts = min(least, max(1, round((end - start) / thick)))
            inner = edges[np.searchsorted(edges, start, side="right") : np.searchsorted(edges, end)]
            cuts = merge_near(np.concatenate([start + (end - start) / parts * np.arange(parts + 1), inner]))
            mids = 0.5 * (cuts[:-1] + cuts[1:]) if end > start else np.empty(0)
            if mids.size:
                lows.append(cuts[:-1])
                highs.append(cuts[1:])
            intervals.append(
                _Interval(
                    lower=lower,
                    upper=upper,
                    run=run,
                    lo_mm=float(lo),
                    hi_mm=float(hi),
                    mids_mm=mids,
                    first_slab=count,
                )
            )
            count += mids.size
    return intervals, (np.concatenate(lows), np.concatenate(highs))


def _reconstruct(
    solid: Solid, lattice: Lattice, planes: _PlaneWindow, chunk: list[_Interval], n_slabs: int
) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the sections of a chunk's slabs: coverage, first and last columns."""
    planes.move_to(chunk)
    rows, columns = lattice.n_rows, lattice.n_columns
    area = np.empty((n_slabs, 3, rows, columns))
    first = np.empty((n_slabs, rows), np.int64)
    last = np.empty((n_slabs, rows), np.int64)
    phi = np.empty((max(len(i.mids_mm) for i in chunk), rows + 1, columns + 1))
    state = np.empty((rows + 1, columns + 1), np.int8)
    done = np.empty((rows + 1, columns + 1), np.bool_)
    kind = np.empty(columns, np.int8)
    links = solid.links
    assert links is not None
    start = 0
    for i in chunk:
        n = len(i.mids_mm)
        if n == 0:
            continue
        here = slice(start, start + n)
        interval_sections(  # type: ignore[call-arg]
            *planes.arrays[:4],
            planes.base,
            i.lower,
            i.upper,
            i.run[0],
            i.run[1],
            solid.stack.offsets_mm,
            links.above,
            links.below,
            links.up_mm,
            links.up_order,
            links.down_mm,
            links.down_order,
            links.is_hole,
            solid.options.bend_max,
            solid.options.round_stretch,
            max(solid.band_mm**2, 1e4),
            i.lo_mm,
            i.hi_mm,
            i.mids_mm,
            phi,
            state,
            done,
            kind,
            area[here],
            first[here],
            last[here],
        )
        start += n
    return area, first, last


def _levels(
    solid: Solid, lattice: Lattice, points: FloatArray, base: int, top: int
) -> tuple[FloatArray, FloatArray, NDArray[np.int32]]:
    """Return the level functions of planes ``base:top`` at the lattice's nodes, their radii, and the nearest rings."""
    nodes = (lattice.n_rows + 1, lattice.n_columns + 1)
    level = np.empty((top - base, *nodes))
    radius = np.empty_like(level)
    ring = np.empty((top - base, *nodes), np.int32)
    links = solid.links
    assert links is not None
    stack = solid.stack
    plane_levels(
        points,
        links.following,
        stack.ring_start,
        links.point_ring,
        stack.plane_ring,
        base,
        top,
        float(lattice.step_mm[0]),
        float(lattice.step_mm[1]),
        solid.band_mm,
        links.x_mm - lattice.origin_mm[0],
        links.y_mm - lattice.origin_mm[1],
        links.size_mm,
        links.thick_mm,
        links.is_hole,
        np.empty((len(points), 6)),
        np.empty(nodes, np.int32),
        np.empty(nodes),
        np.empty(nodes, np.int32),
        np.zeros(nodes, np.bool_),
        np.empty(nodes[0] * nodes[1] + 1, np.int64),
        level,
        radius,
        ring,
    )
    return level, radius, ring
