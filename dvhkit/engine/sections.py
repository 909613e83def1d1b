"""A solid as filled layers of a lattice: what the booking kernels eat, a few layers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.kernels.buffers import Layers, Planes, Rings, Scratch
from dvhkit.engine.kernels.coverage import fill_prisms, plane_covers, plane_excess
from dvhkit.engine.kernels.level import plane_levels
from dvhkit.engine.kernels.reconstruct import fill_intervals
from dvhkit.engine.lattice import Lattice, merge_near
from dvhkit.engine.options import Between
from dvhkit.engine.solid import Solid, by_depth, gaps_mm
from dvhkit.model.arrays import FloatArray

IntArray = NDArray[np.int64]

# Planes and layers of one chunk stay in the processor's cache and bound the memory.
_CHUNK_BYTES = 3_000_000
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


def fill(solid: Solid, lattice: Lattice, excess: FloatArray) -> Iterator[Filled]:
    """Yield the layers of a solid from below; `excess` (planes,) is filled as kernel `coverage` says."""
    if solid.options.between is Between.SHAPE:
        yield from _shape_layers(solid, lattice, excess)
    else:
        yield from _prism_layers(solid, lattice, excess)


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


def _chunks(slabs: _Slabs, n_layers: int, slots: int, owners: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut the slabs where `slots` layers would not do, or more than `owners` planes or intervals would be open.

    Yields first slab, one past the last, first layer, and one past the last layer that is complete.
    """
    # Slabs beyond the lattice go with their neighbours.
    layer = np.maximum.accumulate(slabs.layer)
    begin, first_layer = 0, 0
    while begin < len(layer):
        bottom = max(int(layer[begin]), 0)
        fits = (layer < bottom + slots) & (slabs.owner < slabs.owner[begin] + owners)
        stop = len(layer) if fits.all() else int(np.argmin(fits))
        # An owner is not split: its slabs share what is computed for it.
        if stop < len(layer):
            own = int(np.searchsorted(slabs.owner, slabs.owner[stop]))
            stop = own if own > begin else stop
        open_layer = int(layer[stop]) if stop < len(layer) else n_layers
        yield begin, stop, first_layer, max(first_layer, open_layer)
        begin, first_layer = stop, max(first_layer, open_layer)


def _slots(lattice: Lattice, most: int) -> int:
    """Return how many layers to keep open: as many as the cache holds, but `most` of one plane or interval at least."""
    fit = _CHUNK_BYTES // (_BYTES_A_CELL * lattice.n_rows * lattice.n_columns)
    return min(max(most + 1, fit), len(lattice.layer_edges_mm) + 1)


def _most_layers(slabs: _Slabs) -> int:
    """Return the greatest number of layers that one plane or interval fills."""
    starts = np.flatnonzero(np.diff(slabs.owner, prepend=-1))
    top, bottom = np.maximum.reduceat(slabs.layer, starts), np.minimum.reduceat(slabs.layer, starts)
    return int((top - np.maximum(bottom, 0)).max()) + 1


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
    slots = _slots(lattice, _most_layers(slabs))
    layers = _layers(lattice, slots)
    for begin, stop, bottom, top in _chunks(slabs, len(lattice.layer_edges_mm) - 1, slots, stack.n_planes):
        part = slabs.part(begin, stop)
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
        yield Filled(layers=layers, begin=bottom, stop=top)


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


def _shape_layers(solid: Solid, lattice: Lattice, excess: FloatArray) -> Iterator[Filled]:
    intervals, slabs = _intervals(solid, lattice)
    groups = by_depth(solid)
    if len(groups) > 1:
        _note_excess(solid, lattice, excess)
    window = _PlaneWindow(groups, lattice, excess if len(groups) == 1 else np.zeros_like(excess))
    slots = _slots(lattice, _most_layers(slabs))
    layers = _layers(lattice, slots)
    scratch = _interval_scratch(len(groups), lattice, int(np.diff(intervals.slab_range).max()))
    far = max(float(solid.bands_mm().max()) ** 2, 1e4)
    for begin, stop, bottom, top in _chunks(slabs, len(lattice.layer_edges_mm) - 1, slots, window.n_slots - 4):
        here = slice(int(slabs.owner[begin]), int(slabs.owner[stop - 1]) + 1)
        window.move_to(intervals.places[here, :2])
        fill_intervals(
            window.planes,
            window.rings,
            intervals.places[here],
            intervals.heights_mm[here],
            intervals.slab_range[here],
            slabs.lo_mm,
            slabs.hi_mm,
            slabs.layer,
            solid.stack.offsets_mm,
            solid.options.bend_max,
            solid.options.round_stretch,
            far,
            scratch,
            layers,
        )
        yield Filled(layers=layers, begin=bottom, stop=top)


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

    def __init__(self, groups: list[Solid], lattice: Lattice, excess: FloatArray) -> None:
        self._groups = groups
        self._lattice = lattice
        self._points = [lattice.to_cells(group.stack.points_mm) for group in groups]
        self._excess = excess
        self._scratch = _scratch(lattice)
        self._top = 0
        rows, columns = lattice.n_rows, lattice.n_columns
        fit = _CHUNK_BYTES // (len(groups) * _BYTES_A_NODE * rows * columns)
        self.n_slots = min(max(6, fit), groups[0].stack.n_planes + 4)
        self.rings, self._bases = _joined_rings(groups)
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

    def move_to(self, pairs: IntArray) -> None:
        """Make the planes of the chunk's intervals and the next to either side available."""
        top = min(self._groups[0].stack.n_planes, int(pairs.max()) + 3)
        for depth, group in enumerate(self._groups):
            self._compute(depth, group, self._top, top)
        self._top = max(self._top, top)

    def _compute(self, depth: int, solid: Solid, start: int, stop: int) -> None:
        stack, lattice, links, planes = solid.stack, self._lattice, solid.links, self.planes
        assert links is not None
        gaps = np.maximum(*gaps_mm(stack, solid.runs))
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
            solid.bands_mm(),
            0.25 * solid.options.bend_max * gaps**2,
            links.x_mm - lattice.origin_mm[0],
            links.y_mm - lattice.origin_mm[1],
            links.size_mm,
            links.thick_mm,
            np.empty((len(self._points[depth]), 6)),
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


def _joined_rings(groups: list[Solid]) -> tuple[Rings, list[int]]:
    """Return how the rings of all depths go on, numbered through, and the number of each depth's first."""
    counts = [len(g.stack.ring_start) - 1 for g in groups]
    bases = [sum(counts[:n]) for n in range(len(groups))]
    links = [g.links for g in groups if g.links is not None]
    onward = {
        name: [np.where(getattr(own, name) >= 0, getattr(own, name) + base, getattr(own, name)) for own, base in pairs]
        for pairs in [list(zip(links, bases, strict=True))]
        for name in ("above", "below")
    }
    reaches = ("up_mm", "up_order", "down_mm", "down_order")
    up_mm, up_order, down_mm, down_order = (np.concatenate([getattr(own, name) for own in links]) for name in reaches)
    rings = Rings(
        above=np.concatenate(onward["above"]),
        below=np.concatenate(onward["below"]),
        up_height=up_mm,
        up_order=up_order,
        down_height=down_mm,
        down_order=down_order,
        ends_up=np.logical_or.reduce([_ends_on_plane(g, g.links.above) for g in groups if g.links is not None]),
        ends_down=np.logical_or.reduce([_ends_on_plane(g, g.links.below) for g in groups if g.links is not None]),
    )
    return rings, bases


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
    places: list[tuple[int, int, int, int]] = []
    heights: list[tuple[float, float]] = []
    cuts: list[FloatArray] = []
    for run, (below, above) in zip(solid.runs.bounds, solid.runs.end_gap_mm, strict=True):
        first, stop = run
        spans = [(-1, first, offsets[first] - below, offsets[first], solid.lo_mm[first])]
        spans += [(p, p + 1, offsets[p], offsets[p + 1], offsets[p]) for p in range(first, stop - 1)]
        spans += [(stop - 1, -1, offsets[stop - 1], offsets[stop - 1] + above, offsets[stop - 1])]
        for lower, upper, lo, hi, start in spans:
            end = solid.hi_mm[stop - 1] if upper < 0 else hi
            if end <= start:
                continue
            least = _BETWEEN_PARTS if min(lower, upper) >= 0 else _CAP_PARTS
            parts = min(least, max(1, round((end - start) / thick)))
            inner = edges[np.searchsorted(edges, start, side="right") : np.searchsorted(edges, end)]
            cuts.append(merge_near(np.concatenate([start + (end - start) / parts * np.arange(parts + 1), inner])))
            places.append((lower, upper, first, stop))
            heights.append((lo, hi))
    lo_mm, hi_mm = np.concatenate([c[:-1] for c in cuts]), np.concatenate([c[1:] for c in cuts])
    counts = np.array([len(c) - 1 for c in cuts])
    last = np.cumsum(counts)
    slabs = _Slabs(
        lo_mm=lo_mm, hi_mm=hi_mm, layer=_layer_of(lattice, lo_mm, hi_mm), owner=np.repeat(np.arange(len(cuts)), counts)
    )
    intervals = _Intervals(
        places=np.array(places, np.int64),
        heights_mm=np.array(heights),
        slab_range=np.column_stack([last - counts, last]).astype(np.int64),
    )
    return intervals, slabs
