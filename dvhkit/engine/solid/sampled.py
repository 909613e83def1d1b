"""A solid at any height: its surface at the nodes of a lattice, and the rings of its sections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, sqrt

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import PlaneStack, plane_of_ring, width_mm
from dvhkit.engine.kernels.buffers import Layers, Slabs
from dvhkit.engine.kernels.drawn.coverage import plane_excess
from dvhkit.engine.kernels.solid.reconstruct import fill_intervals
from dvhkit.engine.lattice import Lattice
from dvhkit.engine.options import Between
from dvhkit.engine.solid.convex import Outlines, convex_outlines, rings_by_direction, star_outlines, stepped_mm
from dvhkit.engine.solid.links import Links, find_links, half_axes_mm
from dvhkit.engine.solid.parts import find_parts
from dvhkit.engine.solid.solid import Solid, by_depth, mended
from dvhkit.engine.solid.window import (
    PlaneWindow,
    cover_scratch,
    interval_scratch,
    intervals_of,
    joined_rings,
    part_of,
    rules_of,
)
from dvhkit.engine.trace import Tracer
from dvhkit.model.arrays import FloatArray

# Two faces at one height, one with and one without tissue, are kept this far apart.
STEP_MM = 1e-6
# Sections in one gap at most, and how far a straight line between two of them may leave the surface.
_SECTIONS_MAX = 12
_SAG_MM = (0.004, 0.02)
_SAG_FRAC = 5e-4
# The last section of a rounded end, in parts of the half-thickness that it starts from.
_TIP_FRAC = 0.1
# Nodes on which a dwindling section is traced at most.
_END_NODES = 160_000
_SLIVER_MM = 1e-9
# Intervals farther apart than this share few planes.
_AFAR = 8
# So many intervals are sampled in one call.
_BATCH = 8
# Sampling fills none.
_NO_LAYERS = Layers(
    part=np.zeros((1, 1, 1)),
    moment=np.zeros((1, 1, 1, 3)),
    run=np.zeros((1, 1, 2, 2)),
    span=np.zeros((1, 1, 2), np.int64),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """The rings of a solid at one height: outer ones anticlockwise, holes clockwise, each (n, 2)."""

    w_mm: float
    rings: tuple[FloatArray, ...]


def linked(solid: Solid) -> Solid:
    """Return the solid with the links that upright walls can do without."""
    if solid.links is not None:
        return solid
    return replace(solid, links=find_links(solid.stack, solid.runs, replace(solid.options, bend_max=0.0)))


def mended_solid(solid: Solid) -> Solid:
    """Return the solid with rings that cross or overlap put right, with a finding that says so."""
    stack = solid.stack
    if _is_simple(stack):
        return solid
    excess, lattice = np.zeros(stack.n_planes), window_over(solid, fine_step_mm(solid))
    points = lattice.to_cells(stack.points_mm)
    plane_excess(points, stack.ring_start, stack.plane_ring, *cover_scratch(lattice), excess)
    whole = mended(solid, excess) or solid
    return replace(whole, islands=tuple(mended_solid(island) for island in solid.islands))


def _is_simple(stack: PlaneStack) -> bool:
    """Whether each plane holds one ring that does not cross itself: nothing is to be mended."""
    if len(stack.ring_start) - 1 != stack.n_planes:
        return False
    owner = np.repeat(np.arange(stack.n_planes), np.diff(stack.ring_start))
    rings = shapely.linearrings(stack.points_mm, indices=owner)
    return bool(shapely.is_valid(shapely.polygons(rings)).all())


def fine_step_mm(solid: Solid) -> float:
    """Return a step of squares fine enough to show a solid's sections: a 300th of its width, from 0.1 to 1 mm."""
    return float(np.clip(width_mm(solid.stack) / 300.0, 0.1, 1.0))


def window_over(solid: Solid, step_mm: float, points_mm: FloatArray | None = None) -> Lattice:
    """Return a lattice of squares over all that a solid may reach, or does around some points, with nodes to spare."""
    points = solid.stack.points_mm if points_mm is None else points_mm
    beyond = linked(solid).margin_mm + 3.37 * step_mm
    origin = points.min(axis=0) - beyond
    counts = np.ceil((points.max(axis=0) + beyond - origin) / step_mm).astype(int) + 1
    heights = np.array([solid.lo_mm.min(), solid.hi_mm.max()])
    return Lattice(
        origin_mm=origin,
        step_mm=np.full(2, step_mm),
        n_rows=int(counts[1]),
        n_columns=int(counts[0]),
        layer_edges_mm=heights,
        nodes_mm=heights,
    )


def sampled(
    solid: Solid, lattice: Lattice, heights_mm: FloatArray, *, only: int | None = None
) -> Iterator[tuple[slice, FloatArray]]:
    """Yield the solid's surface at ascending heights: which, and (heights, node rows, node columns).

    Negative inside; about the distance from the surface within the plane. `only`: the one interval to look at, beyond
    an end; the lattice then need hold no more than its plane's rings.
    """
    solid = linked(solid)
    groups = by_depth(solid)
    intervals, spans = intervals_of(solid)
    first, stop = _ranges(spans, heights_mm)
    cell_mm2 = float(np.prod(lattice.step_mm))
    parts, rings = find_parts(groups, cell_mm2), joined_rings(groups, cell_mm2)
    none = np.zeros(solid.stack.n_planes)
    plane = None if only is None else int(intervals.places[only, :2].max())
    used = np.flatnonzero(stop > first) if only is None else np.array([only])
    if not used.size:
        return
    bend, offsets = solid.options.bend_max, solid.stack.offsets_mm
    batches = _batches(used, first, stop)
    scratch = interval_scratch(len(groups), lattice, max(1, int((stop - first).max())))
    before = -_AFAR
    for batch in batches:
        planes = intervals.places[batch, :2].max(axis=1)
        if batch[0] - before >= _AFAR:
            # Planes on the way to the next interval that is wanted need not be looked at.
            begin_at = max(0, int(planes[0]) - 3)
            window = PlaneWindow(groups, lattice, _BATCH, bend, none, first_plane=begin_at, only_cover=plane)
            rules = rules_of(solid, window.far_mm2)
        before = batch[-1]
        begin, end = int(first[batch[0]]), int(stop[batch[-1]])
        window.move_to(max(int(planes.max()), 0) + 1)
        ranges = np.column_stack([first[batch], stop[batch]]) - begin
        here = part_of(intervals, batch)._replace(ranges=ranges)
        out = np.empty((end - begin, lattice.n_rows + 1, lattice.n_columns + 1))
        mids = np.ascontiguousarray(heights_mm[begin:end])
        slabs = Slabs(lo_mm=mids, hi_mm=mids, layer=np.full(end - begin, -1))
        fill_intervals(window.planes, rings, parts, here, slabs, offsets, rules, scratch, _NO_LAYERS, out)
        yield slice(begin, end), out


def _batches(used: NDArray[np.int64], first: NDArray[np.int64], stop: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return intervals in groups that one call fills: neighbours, whose heights follow each other."""
    parted = (np.diff(used) != 1) | (first[used[1:]] != stop[used[:-1]])
    edges = [0, *(np.flatnonzero(parted) + 1).tolist(), len(used)]
    return [used[k : min(k + _BATCH, e)] for b, e in pairwise(edges) for k in range(b, e, _BATCH)]


def _ranges(spans_mm: FloatArray, heights_mm: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first height in each interval, and one past the last; one on a border belongs to the lower."""
    first = np.searchsorted(heights_mm, spans_mm[:, 0] - _SLIVER_MM)
    stop = np.searchsorted(heights_mm, spans_mm[:, 1] + _SLIVER_MM, side="right")
    first = np.maximum(first, np.concatenate([[0], np.maximum.accumulate(stop)[:-1]]))
    return first, np.maximum(first, stop)


def sections_at(solid: Solid, heights_mm: FloatArray, step_mm: float, *, by_direction: bool = False) -> list[Section]:
    """Return the sections at ascending heights: as drawn on drawn planes, else traced on squares of `step_mm`.

    Beyond the last slices, where sections dwindle, the squares are smaller. Where all outlines are convex, and with
    `by_direction` where all are seen whole from their middles, nothing is traced.
    """
    solid = linked(solid)
    found: list[tuple[FloatArray, ...]] = [()] * len(heights_mm)
    plane = np.abs(heights_mm[:, None] - solid.stack.offsets_mm).argmin(axis=1)
    is_drawn = np.abs(heights_mm - solid.stack.offsets_mm[plane]) <= _SLIVER_MM
    for n in np.flatnonzero(is_drawn):
        found[n] = tuple(solid.stack.rings(int(plane[n])))
    outlines = _outlines_of(solid, by_direction)
    if outlines is not None:
        others = np.flatnonzero(~is_drawn)
        for n, rings in zip(others, rings_by_direction(solid, outlines, heights_mm[others]), strict=True):
            found[n] = rings
        return [Section(w_mm=float(w), rings=rings) for w, rings in zip(heights_mm, found, strict=True)]
    places, spans = intervals_of(solid)[0].places, intervals_of(solid)[1]
    is_end = places[:, :2].min(axis=1) < 0
    beyond = np.zeros(len(heights_mm), bool)
    for n in np.flatnonzero(is_end):
        beyond |= ~is_drawn & (heights_mm >= spans[n, 0]) & (heights_mm <= spans[n, 1])
    between = np.flatnonzero(~is_drawn & ~beyond)
    if between.size:
        lattice = window_over(solid, step_mm)
        _trace(found, between, lattice, sampled(solid, lattice, heights_mm[between]))
    for n in np.flatnonzero(is_end):
        here = np.flatnonzero(beyond & (heights_mm >= spans[n, 0]) & (heights_mm <= spans[n, 1]))
        if here.size:
            _end_sections(found, here, solid, int(places[n, :2].max()), int(n), heights_mm, step_mm)
    return [Section(w_mm=float(w), rings=rings) for w, rings in zip(heights_mm, found, strict=True)]


def goes_by_direction(solid: Solid) -> bool:
    """Whether `by_direction` finds the sections of a solid, as `linked` returns it, without tracing."""
    return _outlines_of(solid, by_direction=True) is not None


def _outlines_of(solid: Solid, by_direction: bool) -> Outlines | None:
    return convex_outlines(solid) or (star_outlines(solid) if by_direction else None)


def _trace(
    found: list[tuple[FloatArray, ...]],
    which: NDArray[np.int64],
    lattice: Lattice,
    layers: Iterator[tuple[slice, FloatArray]],
) -> None:
    """Write to `found` the rings at the heights numbered `which`."""
    tracer = Tracer((lattice.n_rows + 1, lattice.n_columns + 1))
    step = float(lattice.step_mm[0])
    for part, values in layers:
        for row, n in zip(values, which[part], strict=True):
            found[n] = tuple(tracer.rings(row, origin_uv=lattice.origin_mm, step_mm=step))


def _end_sections(  # noqa: PLR0917 -- one step of sections_at, cut out for its length
    found: list[tuple[FloatArray, ...]],
    which: NDArray[np.int64],
    solid: Solid,
    plane: int,
    interval: int,
    heights_mm: FloatArray,
    step_mm: float,
) -> None:
    """Write to `found` the rings beyond an end plane: as drawn on upright walls, else traced on finer squares."""
    stack, links = solid.stack, solid.links
    assert links is not None
    rings = slice(*stack.plane_ring[plane : plane + 2])
    at = float(stack.offsets_mm[plane])
    upward = heights_mm[which[0]] > at
    height, order = (links.up_mm, links.up_order) if upward else (links.down_mm, links.down_order)
    if not order[rings].any():
        _keep_drawn(found, which, stack.rings(plane), np.abs(heights_mm - at), height[rings])
        return
    points = np.concatenate(stack.rings(plane))
    room = np.ptp(points, axis=0) + 2 * solid.margin_mm
    tips = order[rings] >= 2
    thin = float(links.thick_mm[rings][tips].min()) if tips.any() else np.inf
    finest = float(np.sqrt(np.prod(room) / _END_NODES))
    step = min(step_mm, max(thin * _TIP_FRAC / 1.5, finest))
    lattice = window_over(solid, step, points)
    _trace(found, which, lattice, sampled(solid, lattice, heights_mm[which], only=interval))


def _keep_drawn(
    found: list[tuple[FloatArray, ...]],
    which: NDArray[np.int64],
    rings: list[FloatArray],
    beyond_mm: FloatArray,
    reach_mm: FloatArray,
) -> None:
    """Write to `found` the rings of an end slice as far as each reaches, with upright walls."""
    for n in which:
        found[n] = tuple(ring for ring, reach in zip(rings, reach_mm, strict=True) if beyond_mm[n] <= reach)


def all_sections(solid: Solid, step_mm: float, *, by_direction: bool = False) -> list[Section]:
    """Return sections so close that straight lines between neighbours follow the surface, traced on squares of a step.

    Ascending; the drawn slices are among them as drawn. An empty section stands just beyond each end. `by_direction` as
    in `sections_at`.
    """
    solid = linked(solid)
    heights, ends = _heights(solid, by_direction)
    inside = [
        s
        for s in sections_at(solid, heights, step_mm, by_direction=by_direction)
        if s.rings or _is_drawn(solid, s.w_mm)
    ]
    empty = [Section(w_mm=float(w), rings=()) for w in ends]
    return sorted([*inside, *empty], key=lambda s: s.w_mm)


def _is_drawn(solid: Solid, w_mm: float) -> bool:
    return bool(np.abs(solid.stack.offsets_mm - w_mm).min() <= _SLIVER_MM)


def _heights(solid: Solid, by_direction: bool) -> tuple[FloatArray, list[float]]:
    """Return where sections are needed, and where the solid has just ended."""
    stack, links = solid.stack, solid.links
    assert links is not None
    size = width_mm(stack) / 2
    sag_mm = float(np.clip(_SAG_FRAC * size, *_SAG_MM))
    bends = _sags(solid)
    found: list[FloatArray] = [stack.offsets_mm]
    ends: list[float] = []
    for first, stop in solid.runs.bounds:
        for plane in range(first, stop):
            rings = slice(*stack.plane_ring[plane : plane + 2])
            z = float(stack.offsets_mm[plane])
            for height, order, sign in (
                (links.up_mm[rings], links.up_order[rings], 1.0),
                (links.down_mm[rings], links.down_order[rings], -1.0),
            ):
                found += [z + sign * _rises(h, int(o), sag_mm) for h, o in zip(height, order, strict=True) if h > 0]
            if plane + 1 < stop:
                gap = float(stack.offsets_mm[plane + 1]) - z
                pieces = min(_SECTIONS_MAX, ceil(sqrt(max(bends[plane], _SLIVER_MM) / sag_mm)))
                if solid.options.between is Between.PRISM:
                    found.append(z + 0.5 * gap + STEP_MM * np.array([-1.0, 1.0]))
                else:
                    found.append(z + gap * np.arange(1, pieces) / pieces)
        low, high = float(solid.lo_mm[first]), float(solid.hi_mm[stop - 1])
        ends += [low - STEP_MM, high + STEP_MM]
    outlines = _outlines_of(solid, by_direction)
    if outlines is not None:
        at = stepped_mm(solid, outlines)
        found.append(np.concatenate([at - STEP_MM, at + STEP_MM]))
    heights = np.sort(np.concatenate(found))
    return heights[np.append(True, np.diff(heights) > 0.5 * STEP_MM)], ends


def _rises(height_mm: float, order: int, sag_mm: float) -> FloatArray:
    """Return how far above its plane sections of a cap are needed: so that its half-thickness falls evenly."""
    if order not in {2, 3}:
        # Beyond it, other rings of the gap go on without this one.
        return np.array([height_mm - STEP_MM, height_mm + STEP_MM])
    pieces = max(2, min(_SECTIONS_MAX, ceil(sqrt(0.25 * height_mm / sag_mm))))
    left = 1.0 - np.arange(1, pieces) / pieces
    return np.concatenate([height_mm * (1.0 - left**2), height_mm * (1.0 - np.array([_TIP_FRAC**2, 1e-4]))])


def _sags(solid: Solid) -> FloatArray:
    """Return how far, in mm, a straight line across the gap above each plane would leave the surface."""
    stack, links = solid.stack, solid.links
    assert links is not None
    offsets = stack.offsets_mm
    plane = plane_of_ring(stack)
    sag = np.zeros(stack.n_planes)
    np.maximum.at(sag, plane[links.above == -2], 4.0 * _SAG_MM[1])
    ring = np.flatnonzero(links.above >= 0)
    if not ring.size:
        return sag
    half = half_axes_mm(stack)
    onward = links.above[ring]
    gap = offsets[plane[onward]] - offsets[plane[ring]]
    drift = np.hypot(links.x_mm[onward] - links.x_mm[ring], links.y_mm[onward] - links.y_mm[ring])
    own = drift**2 / (8.0 * np.maximum(links.size_mm[ring], links.size_mm[onward]))
    for axis in range(2):
        a, b = half[ring, axis], half[onward, axis]
        bend = _bend(half[:, axis] ** 2, links, ring, onward, offsets[plane])
        middle = np.sqrt(np.maximum(0.5 * (a * a + b * b) + 0.25 * bend * gap**2, 0.0))
        own = np.maximum(own, np.abs(middle - 0.5 * (a + b)) * gap / np.hypot(gap, b - a))
    np.maximum.at(sag, plane[ring], own)
    return sag


def _bend(
    square: FloatArray, links: Links, ring: NDArray[np.int64], onward: NDArray[np.int64], w: FloatArray
) -> FloatArray:
    """Return by how much squares of half-axes bulge between two planes: half the greater curvature of both sides."""
    gap = w[onward] - w[ring]
    slope = (square[onward] - square[ring]) / gap
    before, after = links.below[ring], links.above[onward]
    bend = np.where((before < 0) & (after < 0), 1.0, 0.0)
    for far, near, sign in ((before, ring, 1.0), (after, onward, -1.0)):
        known = far >= 0
        other = np.where(known, far, near)
        distance = np.where(known, np.abs(w[near] - w[other]), 1.0)
        beside = sign * (square[near] - square[other]) / distance
        found = sign * (beside - slope) / (distance + gap)
        bend = np.where(known & (np.abs(found) > np.abs(bend)), found, bend)
    return np.asarray(np.clip(bend, -9.0, 9.0))
