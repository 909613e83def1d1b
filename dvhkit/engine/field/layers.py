"""A solid as filled layers of a lattice: what the booking kernels eat, a few layers at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import PlaneStack
from dvhkit.engine.kernels.buffers import Intervals, Layers, Parts, Scratch, Slabs
from dvhkit.engine.kernels.coverage import fill_prisms, plane_excess
from dvhkit.engine.kernels.reconstruct import fill_intervals
from dvhkit.engine.lattice import SAME_HEIGHT_MM, Lattice, merge_near
from dvhkit.engine.options import Between
from dvhkit.engine.solid.parts import find_parts
from dvhkit.engine.solid.solid import Solid, by_depth
from dvhkit.engine.solid.window import (
    PlaneWindow,
    cover_scratch,
    interval_scratch,
    intervals_of,
    joined_rings,
    part_of,
    rules_of,
)
from dvhkit.model.arrays import FloatArray

IntArray = NDArray[np.int64]

# Planes and layers of one chunk stay in the processor's cache and bound the memory.
_CHUNK_BYTES = 4_000_000
_BYTES_A_NODE = 75
_BYTES_A_CELL = 48
# Slabs between two planes, and within a cap, at least.
_BETWEEN_PARTS = 4
_CAP_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filled:
    """Layers ``begin:stop`` of a lattice, complete in `layers`; whoever takes them hands them back empty."""

    layers: Layers
    begin: int
    stop: int


def fill(solids: Sequence[Solid], lattice: Lattice, excess: FloatArray) -> Iterator[tuple[int, Filled]]:
    """Yield the layers of solids from below, each with the solid's number.

    The solids stand for the same contours and differ in where they end and how they go on; what is known of the drawn
    planes is computed once for all. `excess` (planes,) is filled as kernel `coverage` says.
    """
    if solids[0].options.between is Between.SHAPE:
        yield from _shape_layers(solids, lattice, excess)
    else:
        for number, solid in enumerate(solids):
            yield from ((number, filled) for filled in _prism_layers(solid, lattice, excess))


def _layers(lattice: Lattice, slots: int) -> Layers:
    rows, columns = lattice.n_rows, lattice.n_columns
    span = np.empty((slots, rows, 2), np.int64)
    span[..., 0], span[..., 1] = columns, -1
    return Layers(
        part=np.zeros((slots, rows, columns)),
        moment=np.zeros((slots, rows, columns, 3)),
        run=np.zeros((slots, rows, columns + 1, 2)),
        span=span,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Slabs ``begin:stop`` of one chunk of planes, and the layers ``bottom:top`` that are complete after it."""

    begin: int
    stop: int
    bottom: int
    top: int


def _stretches(layer: IntArray, planes: IntArray, per_chunk: int) -> list[_Stretch]:
    """Cut slabs, given the plane of each, after every `per_chunk` planes."""
    # Slabs beyond the lattice go with their neighbours.
    layer = np.maximum.accumulate(layer)
    edges = np.searchsorted(planes, per_chunk * np.arange(int(planes[-1]) // per_chunk + 2))
    # Layers below the first slab and above the last hold nothing, and there may be more of them than slots.
    found, bottom = [], max(0, int(layer[0]))
    for begin, stop in itertools.pairwise(edges.tolist()):
        top = max(bottom, int(layer[min(stop, len(layer) - 1)]) + (stop == len(layer)))
        found.append(_Stretch(begin=begin, stop=stop, bottom=bottom, top=top))
        bottom = top
    return found


def _slots(stretches: list[_Stretch], layer: IntArray) -> int:
    """Return how many layers are open at the same time."""
    layer = np.maximum.accumulate(layer)
    return max((int(layer[s.stop - 1]) - s.bottom + 1 for s in stretches if s.stop > s.begin), default=1) + 1


def _planes_per_chunk(lattice: Lattice, stack: PlaneStack, copies: int, depths: int) -> int:
    """Return how many planes, with the layers around them, the cache holds."""
    cells = lattice.n_rows * lattice.n_columns
    layers_a_plane = (len(lattice.layer_edges_mm) - 1) / stack.n_planes
    size = cells * (depths * _BYTES_A_NODE + copies * layers_a_plane * _BYTES_A_CELL)
    return max(1, min(stack.n_planes, int(_CHUNK_BYTES / size)))


def _layer_of(lattice: Lattice, lo: FloatArray, hi: FloatArray) -> IntArray:
    index = np.searchsorted(lattice.layer_edges_mm, 0.5 * (lo + hi), side="right") - 1
    return np.where(index < len(lattice.layer_edges_mm) - 1, index, -1).astype(np.int64)


def _prism_layers(solid: Solid, lattice: Lattice, excess: FloatArray) -> Iterator[Filled]:
    cuts = merge_near(np.concatenate([lattice.layer_edges_mm, solid.lo_mm, solid.hi_mm]))
    middle = 0.5 * (cuts[:-1] + cuts[1:])
    plane = np.searchsorted(solid.lo_mm, middle) - 1
    layer = _layer_of(lattice, cuts[:-1], cuts[1:])
    real = (plane >= 0) & (middle < solid.hi_mm[plane]) & (layer >= 0)
    owner = plane[real]
    slabs = Slabs(lo_mm=cuts[:-1][real], hi_mm=cuts[1:][real], layer=layer[real])
    stack, points = solid.stack, lattice.to_cells(solid.stack.points_mm)
    scratch = cover_scratch(lattice)
    if len(np.unique(owner)) < stack.n_planes:
        # Planes without a slab in the lattice are looked at too.
        plane_excess(points, stack.ring_start, stack.plane_ring, *scratch, excess)
    if not real.any():
        return
    stretches = _stretches(slabs.layer, owner, _planes_per_chunk(lattice, stack, 1, 0))
    layers = _layers(lattice, _slots(stretches, slabs.layer))
    for stretch in stretches:
        here = slice(stretch.begin, stretch.stop)
        fill_prisms(
            points,
            stack.ring_start,
            stack.plane_ring,
            owner[here],
            slabs.lo_mm[here],
            slabs.hi_mm[here],
            slabs.layer[here],
            *scratch,
            excess,
            layers,
        )
        yield Filled(layers=layers, begin=stretch.bottom, stop=stretch.top)


class _Course:
    """One solid on its way through the planes: its intervals and slabs, cut into chunks, and its open layers."""

    def __init__(self, solid: Solid, groups: list[Solid], parts: Parts, lattice: Lattice, per_chunk: int) -> None:
        self._solid = solid
        self._rings = joined_rings(groups, float(np.prod(lattice.step_mm)))
        self._parts = parts
        self._intervals, self._slabs, self._owner = _intervals(solid, lattice)
        places = self._intervals.places
        first_plane = np.where(places[:, 0] >= 0, places[:, 0], places[:, 1])
        self.stretches = _stretches(self._slabs.layer, first_plane[self._owner], per_chunk)
        self._layers = _layers(lattice, _slots(self.stretches, self._slabs.layer))
        self.most_heights = int(np.diff(self._intervals.ranges).max())

    def fill(self, stretch: _Stretch, window: PlaneWindow, scratch: Scratch) -> Filled:
        """Add the slabs of one chunk of planes to the layers."""
        if stretch.stop > stretch.begin:
            here = slice(int(self._owner[stretch.begin]), int(self._owner[stretch.stop - 1]) + 1)
            fill_intervals(
                window.planes,
                self._rings,
                self._parts,
                part_of(self._intervals, here),
                self._slabs,
                self._solid.stack.offsets_mm,
                rules_of(self._solid, window.far_mm2),
                scratch,
                self._layers,
            )
        return Filled(layers=self._layers, begin=stretch.bottom, stop=stretch.top)


def _shape_layers(solids: Sequence[Solid], lattice: Lattice, excess: FloatArray) -> Iterator[tuple[int, Filled]]:
    depths = [by_depth(solid) for solid in solids]
    first = depths[0]
    if len(first) > 1:
        _note_excess(solids[0], lattice, excess)
    per_chunk = _planes_per_chunk(lattice, solids[0].stack, len(solids), len(first))
    # What goes on as what is the same whatever the options.
    parts = find_parts(first, float(np.prod(lattice.step_mm)))
    courses = [_Course(solid, groups, parts, lattice, per_chunk) for solid, groups in zip(solids, depths, strict=True)]
    bend_max = max(solid.options.bend_max for solid in solids)
    window = PlaneWindow(first, lattice, per_chunk, bend_max, excess if len(first) == 1 else np.zeros_like(excess))
    scratch = interval_scratch(len(first), lattice, max(course.most_heights for course in courses))
    for chunk in range(max(len(course.stretches) for course in courses)):
        window.move_to((chunk + 1) * per_chunk)
        for number, course in enumerate(courses):
            if chunk < len(course.stretches):
                yield number, course.fill(course.stretches[chunk], window, scratch)


def _note_excess(solid: Solid, lattice: Lattice, excess: FloatArray) -> None:
    """Find where rings of different depth cross: no depth on its own shows that."""
    stack = solid.stack
    points = lattice.to_cells(stack.points_mm)
    plane_excess(points, stack.ring_start, stack.plane_ring, *cover_scratch(lattice), excess)


def _intervals(solid: Solid, lattice: Lattice) -> tuple[Intervals, Slabs, IntArray]:
    """Return the intervals from below, where all their slabs begin and end, and the interval of each slab."""
    edges = lattice.layer_edges_mm
    # Slabs much thinner than the cells are wide add work, not truth.
    thick = float(min(lattice.step_mm.min(), np.diff(edges).max()))
    intervals, span = intervals_of(solid)
    place = intervals.places
    least = np.where(place[:, :2].min(axis=1) >= 0, _BETWEEN_PARTS, _CAP_PARTS)
    size = span[:, 1] - span[:, 0]
    parts = np.minimum(least, np.maximum(1, np.round(size / thick))).astype(np.int64)
    cuts, owner = _cut(span, parts, edges)
    same = owner[1:] == owner[:-1]
    lo_mm, hi_mm, owner = cuts[:-1][same], cuts[1:][same], owner[1:][same]
    slabs = Slabs(lo_mm=lo_mm, hi_mm=hi_mm, layer=_layer_of(lattice, lo_mm, hi_mm))
    bounds = np.searchsorted(owner, np.arange(len(span) + 1))
    ranges = np.column_stack([bounds[:-1], bounds[1:]]).astype(np.int64)
    return intervals._replace(ranges=ranges), slabs, owner


def _cut(spans: FloatArray, parts: IntArray, edges: FloatArray) -> tuple[FloatArray, IntArray]:
    """Cut each span into equal parts and at the edges inside it; return where, and of which span, ascending."""
    own = np.repeat(np.arange(len(spans)), parts)
    step = np.arange(len(own)) - np.repeat(np.cumsum(parts) - parts, parts)
    even = spans[own, 0] + (spans[own, 1] - spans[own, 0]) * step / parts[own]
    holder = np.searchsorted(spans[:, 0], edges) - 1
    inside = (holder >= 0) & (edges < spans[holder, 1])
    at = np.concatenate([even, edges[inside], spans[:, 1]])
    owner = np.concatenate([own, holder[inside], np.arange(len(spans))])
    order = np.lexsort((at, owner))
    at, owner = at[order], owner[order]
    apart = np.append(True, (np.diff(at) > SAME_HEIGHT_MM) | (owner[1:] != owner[:-1]))
    return at[apart], owner[apart]
