"""A solid as filled layers of a lattice: what the booking kernels eat, a few layers at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.kernels.buffers import Layers, Planes, Rings, Scratch
from dvhkit.engine.kernels.coverage import fill_prisms, plane_covers, plane_excess
from dvhkit.engine.kernels.level import plane_levels
from dvhkit.engine.kernels.reconstruct import fill_intervals
from dvhkit.engine.lattice import SAME_HEIGHT_MM, Lattice, merge_near
from dvhkit.engine.options import Between
from dvhkit.engine.parts import find_parts
from dvhkit.engine.planes import PlaneStack
from dvhkit.engine.solid import Solid, by_depth, gaps_mm
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Slabs:
    """Slabs in ascending order: where each begins and ends along w, its layer (-1 for none), its plane or interval."""

    lo_mm: FloatArray
    hi_mm: FloatArray
    layer: IntArray
    owner: IntArray

    def part(self, begin: int, stop: int) -> _Slabs:
        """Return slabs ``begin:stop``."""
        return _Slabs(**{f.name: getattr(self, f.name)[begin:stop] for f in fields(self)})


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


def _stretches(slabs: _Slabs, planes: IntArray, per_chunk: int) -> list[_Stretch]:
    """Cut slabs, given the plane of each, after every `per_chunk` planes."""
    # Slabs beyond the lattice go with their neighbours.
    layer = np.maximum.accumulate(slabs.layer)
    edges = np.searchsorted(planes, per_chunk * np.arange(int(planes[-1]) // per_chunk + 2))
    # Layers below the first slab and above the last hold nothing, and there may be more of them than slots.
    found, bottom = [], max(0, int(layer[0]))
    for begin, stop in itertools.pairwise(edges.tolist()):
        top = max(bottom, int(layer[min(stop, len(layer) - 1)]) + (stop == len(layer)))
        found.append(_Stretch(begin=begin, stop=stop, bottom=bottom, top=top))
        bottom = top
    return found


def _slots(stretches: list[_Stretch], slabs: _Slabs) -> int:
    """Return how many layers are open at the same time."""
    layer = np.maximum.accumulate(slabs.layer)
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
    slabs = _Slabs(lo_mm=cuts[:-1][real], hi_mm=cuts[1:][real], layer=layer[real], owner=plane[real])
    stack, points = solid.stack, lattice.to_cells(solid.stack.points_mm)
    scratch = _scratch(lattice)
    if len(np.unique(slabs.owner)) < stack.n_planes:
        # Planes without a slab in the lattice are looked at too.
        plane_excess(points, stack.ring_start, stack.plane_ring, *scratch, excess)
    if not real.any():
        return
    stretches = _stretches(slabs, slabs.owner, _planes_per_chunk(lattice, stack, 1, 0))
    layers = _layers(lattice, _slots(stretches, slabs))
    for stretch in stretches:
        part = slabs.part(stretch.begin, stretch.stop)
        fill_prisms(
            points,
            stack.ring_start,
            stack.plane_ring,
            part.owner,
            part.lo_mm,
            part.hi_mm,
            part.layer,
            *scratch,
            excess,
            layers,
        )
        yield Filled(layers=layers, begin=stretch.bottom, stop=stretch.top)


def _scratch(lattice: Lattice) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
    """Return what kernel `coverage` works in: sums, first and last columns, and a section."""
    rows, columns = lattice.n_rows, lattice.n_columns
    return (
        np.zeros((5, rows, columns)),
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.empty((3, rows, columns)),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Intervals:
    """The spaces between two planes of a run, or beyond its first or last.

    Attributes
    ----------
    places : (n, 4)
        The planes below and above (-1 for none), the first plane of the run, and one past its last.
    heights_mm : (n, 2)
        Where the two planes lie, or would.
    slab_range : (n, 2)
        First slab, and one past the last.
    """

    places: IntArray
    heights_mm: FloatArray
    slab_range: IntArray


class _Course:
    """One solid on its way through the planes: its intervals and slabs, cut into chunks, and its open layers."""

    def __init__(self, solid: Solid, groups: list[Solid], lattice: Lattice, per_chunk: int) -> None:
        self.options = solid.options
        self.offsets_mm = solid.stack.offsets_mm
        self.rings = _joined_rings(groups, float(np.prod(lattice.step_mm)))
        self.parts = find_parts(groups, float(np.prod(lattice.step_mm)))
        self.intervals, self.slabs = _intervals(solid, lattice)
        first_plane = np.where(
            self.intervals.places[:, 0] >= 0, self.intervals.places[:, 0], self.intervals.places[:, 1]
        )
        self.stretches = _stretches(self.slabs, first_plane[self.slabs.owner], per_chunk)
        self.layers = _layers(lattice, _slots(self.stretches, self.slabs))
        self.most_heights = int(np.diff(self.intervals.slab_range).max())

    def fill(self, stretch: _Stretch, planes: Planes, far: float, scratch: Scratch) -> Filled:
        """Add the slabs of one chunk of planes to the layers."""
        if stretch.stop > stretch.begin:
            owner = self.slabs.owner
            here = slice(int(owner[stretch.begin]), int(owner[stretch.stop - 1]) + 1)
            fill_intervals(
                planes,
                self.rings,
                self.intervals.places[here],
                self.intervals.heights_mm[here],
                self.intervals.slab_range[here],
                self.slabs.lo_mm,
                self.slabs.hi_mm,
                self.slabs.layer,
                self.offsets_mm,
                self.options.bend_max,
                self.options.round_stretch,
                far,
                self.parts,
                scratch,
                self.layers,
            )
        return Filled(layers=self.layers, begin=stretch.bottom, stop=stretch.top)


def _shape_layers(solids: Sequence[Solid], lattice: Lattice, excess: FloatArray) -> Iterator[tuple[int, Filled]]:
    depths = [by_depth(solid) for solid in solids]
    first = depths[0]
    if len(first) > 1:
        _note_excess(solids[0], lattice, excess)
    per_chunk = _planes_per_chunk(lattice, solids[0].stack, len(solids), len(first))
    courses = [_Course(solid, groups, lattice, per_chunk) for solid, groups in zip(solids, depths, strict=True)]
    bend_max = max(solid.options.bend_max for solid in solids)
    window = _PlaneWindow(first, lattice, per_chunk, bend_max, excess if len(first) == 1 else np.zeros_like(excess))
    scratch = _interval_scratch(len(first), lattice, max(course.most_heights for course in courses))
    far = max(window.far_mm2, 1e4)
    for chunk in range(max(len(course.stretches) for course in courses)):
        window.move_to((chunk + 1) * per_chunk)
        for number, course in enumerate(courses):
            if chunk < len(course.stretches):
                yield number, course.fill(course.stretches[chunk], window.planes, far, scratch)


def _interval_scratch(depths: int, lattice: Lattice, heights: int) -> Scratch:
    cells = (lattice.n_rows, lattice.n_columns)
    nodes = (lattice.n_rows + 1, lattice.n_columns + 1)
    return Scratch(
        state=np.empty(nodes, np.int8),
        kind=np.empty((depths, *cells), np.int8),
        whole=np.empty(cells, np.int8),
        done=np.empty(nodes, np.bool_),
        cells=np.empty((cells[0] * cells[1], 2), np.int32),
        nodes=np.empty((nodes[0] * nodes[1], 2), np.int32),
        phi=np.empty((*nodes, heights)),
    )


def _note_excess(solid: Solid, lattice: Lattice, excess: FloatArray) -> None:
    """Find where rings of different depth cross: no depth on its own shows that."""
    stack = solid.stack
    points = lattice.to_cells(stack.points_mm)
    plane_excess(points, stack.ring_start, stack.plane_ring, *_scratch(lattice), excess)


class _PlaneWindow:
    """Levels and exact coverage of the planes that a chunk needs, each computed once, in a ring of slots."""

    def __init__(
        self, groups: list[Solid], lattice: Lattice, per_chunk: int, bend_max: float, excess: FloatArray
    ) -> None:
        self._groups = groups
        self._lattice = lattice
        self._points = [lattice.to_cells(group.stack.points_mm) for group in groups]
        self._edges = [np.empty((len(points), 6)) for points in self._points]
        self._bands_mm = [group.bands_mm() for group in groups]
        self._sure_mm2 = 0.25 * bend_max * np.maximum(*gaps_mm(groups[0].stack, groups[0].runs)) ** 2
        self._excess = excess
        self._scratch = _scratch(lattice)
        self._top = 0
        rows, columns = lattice.n_rows, lattice.n_columns
        # Three planes beyond the interval, and two before it, may have a say.
        self.n_slots = per_chunk + 6
        self._bases = _first_rings(groups)
        cells = (len(groups), self.n_slots, rows, columns)
        nodes = (len(groups), self.n_slots, rows + 1, columns + 1)
        self._nodes = (np.empty(nodes[2:], np.int64), np.empty(nodes[2:]), np.empty(nodes[2:], np.int32))
        self.planes = Planes(
            level=np.empty(nodes),
            radius=np.empty(nodes),
            ring=np.empty(nodes, np.int32),
            sign=np.empty(nodes, np.int8),
            cover=np.empty(cells, np.int8),
            area=np.empty((*cells[:2], 3, rows, columns)),
            rest=np.empty((*cells, 4)),
            known=np.empty(cells, np.bool_),
        )

    @property
    def far_mm2(self) -> float:
        """The level of what is farther than any distance known."""
        return max(float(bands.max()) for bands in self._bands_mm) ** 2

    def move_to(self, plane: int) -> None:
        """Make available what the intervals below `plane` need: where a ring begins on it, two planes beyond count."""
        top = min(self._groups[0].stack.n_planes, plane + 3)
        for depth, group in enumerate(self._groups):
            self._compute(depth, group, self._top, top)
        self._top = max(self._top, top)

    def _compute(self, depth: int, solid: Solid, start: int, stop: int) -> None:
        stack, lattice, links, planes = solid.stack, self._lattice, solid.links, self.planes
        assert links is not None
        plane_levels(
            self._points[depth],
            links.following,
            stack.ring_start,
            links.point_ring,
            self._bases[depth],
            stack.plane_ring,
            start,
            stop,
            float(lattice.step_mm[0]),
            float(lattice.step_mm[1]),
            self._bands_mm[depth],
            self._sure_mm2,
            links.x_mm - lattice.origin_mm[0],
            links.y_mm - lattice.origin_mm[1],
            links.size_mm,
            links.thick_mm,
            self._edges[depth],
            *self._nodes,
            planes.level[depth],
            planes.radius[depth],
            planes.ring[depth],
            planes.sign[depth],
        )
        plane_covers(
            self._points[depth],
            stack.ring_start,
            stack.plane_ring,
            start,
            stop,
            *self._scratch[:3],
            planes.cover[depth],
            planes.area[depth],
            self._excess,
        )
        planes.known[depth, np.arange(start, stop) % self.n_slots] = False


def _first_rings(groups: list[Solid]) -> list[int]:
    """Return the number of each depth's first ring when all are numbered through."""
    counts = [len(group.stack.ring_start) - 1 for group in groups]
    return [sum(counts[:n]) for n in range(len(groups))]


def _joined_rings(groups: list[Solid], cell_mm2: float) -> Rings:
    """Return how the rings of all depths go on, numbered through."""
    bases = _first_rings(groups)
    links = [g.links for g in groups if g.links is not None]
    onward = {
        name: [np.where(getattr(own, name) >= 0, getattr(own, name) + base, getattr(own, name)) for own, base in pairs]
        for pairs in [list(zip(links, bases, strict=True))]
        for name in ("above", "below")
    }
    reaches = ("up_mm", "up_order", "down_mm", "down_order")
    up_mm, up_order, down_mm, down_order = (np.concatenate([getattr(own, name) for own in links]) for name in reaches)
    return Rings(
        above=np.concatenate(onward["above"]),
        below=np.concatenate(onward["below"]),
        up_height=up_mm,
        up_order=up_order,
        down_height=down_mm,
        down_order=down_order,
        ends_up=np.logical_or.reduce([_ends_on_plane(g, g.links.above) for g in groups if g.links is not None]),
        ends_down=np.logical_or.reduce([_ends_on_plane(g, g.links.below) for g in groups if g.links is not None]),
        # The half-thickness of a disc is half the side of the square of its area.
        round2=4.0 / np.pi * np.concatenate([own.thick_mm for own in links]) ** 2,
        ball=0.25 / cell_mm2,
    )


def _ends_on_plane(solid: Solid, onward: IntArray) -> NDArray[np.bool_]:
    """Return for each plane whether any of its rings ends there."""
    found = np.zeros(solid.stack.n_planes, np.bool_)
    plane_of_ring = np.repeat(np.arange(solid.stack.n_planes), np.diff(solid.stack.plane_ring))
    found[plane_of_ring[onward == -1]] = True
    return found


def _intervals(solid: Solid, lattice: Lattice) -> tuple[_Intervals, _Slabs]:
    """Return the intervals from below, and where all their slabs begin and end."""
    offsets = solid.stack.offsets_mm
    edges = lattice.layer_edges_mm
    # Slabs much thinner than the cells are wide add work, not truth.
    thick = float(min(lattice.step_mm.min(), np.diff(edges).max()))
    places, heights, spans = [], [], []
    for (first, stop), (below, above) in zip(solid.runs.bounds, solid.runs.end_gap_mm, strict=True):
        z = offsets[first:stop]
        planes = np.arange(first - 1, stop)
        lower, upper = np.where(planes < first, -1, planes), np.where(planes + 1 < stop, planes + 1, -1)
        places.append(np.column_stack([lower, upper, np.full(len(z) + 1, first), np.full(len(z) + 1, stop)]))
        heights.append(np.column_stack([np.append(z[0] - below, z), np.append(z, z[-1] + above)]))
        starts, ends = np.append(solid.lo_mm[first], z), np.append(z, solid.hi_mm[stop - 1])
        spans.append(np.column_stack([starts, ends]))
    place, span = np.concatenate(places), np.concatenate(spans)
    real = span[:, 1] > span[:, 0]
    place, span = place[real], span[real]
    least = np.where(place[:, :2].min(axis=1) >= 0, _BETWEEN_PARTS, _CAP_PARTS)
    size = span[:, 1] - span[:, 0]
    parts = np.minimum(least, np.maximum(1, np.round(size / thick))).astype(np.int64)
    cuts, owner = _cut(span, parts, edges)
    same = owner[1:] == owner[:-1]
    lo_mm, hi_mm, owner = cuts[:-1][same], cuts[1:][same], owner[1:][same]
    slabs = _Slabs(lo_mm=lo_mm, hi_mm=hi_mm, layer=_layer_of(lattice, lo_mm, hi_mm), owner=owner)
    bounds = np.searchsorted(owner, np.arange(len(span) + 1))
    intervals = _Intervals(
        places=np.ascontiguousarray(place, np.int64),
        heights_mm=np.ascontiguousarray(np.concatenate(heights)[real]),
        slab_range=np.column_stack([bounds[:-1], bounds[1:]]).astype(np.int64),
    )
    return intervals, slabs


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
