"""What the kernels between slices need of a solid's planes: levels, exact coverage, how rings go on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.kernels.buffers import Intervals, Planes, Rings, Rules, Scratch
from dvhkit.engine.kernels.drawn.coverage import plane_covers
from dvhkit.engine.kernels.solid.level import plane_levels
from dvhkit.engine.lattice import Lattice
from dvhkit.engine.options import Between
from dvhkit.engine.solid.links import gaps_mm
from dvhkit.engine.solid.solid import Solid
from dvhkit.model.arrays import FloatArray

IntArray = NDArray[np.int64]


def cover_scratch(lattice: Lattice) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
    """Return what kernel `coverage` works in: sums, first and last columns, and a section."""
    rows, columns = lattice.n_rows, lattice.n_columns
    return (
        np.zeros((5, rows, columns)),
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.empty((3, rows, columns)),
    )


def interval_scratch(depths: int, lattice: Lattice, heights: int) -> Scratch:
    """Return what the kernels of `reconstruct` work in, for so many `heights` of an interval at a time."""
    cells = (lattice.n_rows, lattice.n_columns)
    nodes = (lattice.n_rows + 1, lattice.n_columns + 1)
    return Scratch(
        state=np.empty((depths, *nodes), np.int8),
        kind=np.empty((depths, *cells), np.int8),
        whole=np.empty(cells, np.int8),
        done=np.empty(nodes, np.bool_),
        cells=np.empty((cells[0] * cells[1], 2), np.int32),
        nodes=np.empty((nodes[0] * nodes[1], 2), np.int32),
        phi=np.empty((*nodes, heights)),
    )


class PlaneWindow:
    """Levels and exact coverage of the planes that a chunk needs, each computed once, in a ring of slots."""

    def __init__(
        self,
        groups: list[Solid],
        lattice: Lattice,
        per_chunk: int,
        bend_max: float | None,
        excess: FloatArray,
        *,
        first_plane: int = 0,
        only_cover: int | None = None,
    ) -> None:
        self._groups = groups
        self._lattice = lattice
        self._points = [lattice.to_cells(group.stack.points_mm) for group in groups]
        self._edges = [np.empty((len(points), 6)) for points in self._points]
        # Upright walls ask for no levels.
        self._has_levels = bend_max is not None
        self._bands_mm = [group.bands_mm() for group in groups] if self._has_levels else []
        self._sure_mm2 = 0.25 * (bend_max or 0.0) * np.maximum(*gaps_mm(groups[0].stack, groups[0].runs)) ** 2
        self._excess = excess
        self._scratch = cover_scratch(lattice)
        self._top = first_plane
        self._only_cover = only_cover
        rows, columns = lattice.n_rows, lattice.n_columns
        # Three planes beyond the interval, and two before it, may have a say.
        self.n_slots = per_chunk + 6
        self._bases = _first_rings(groups)
        cells = (len(groups), self.n_slots, rows, columns)
        nodes = (len(groups), self.n_slots, rows + 1, columns + 1) if self._has_levels else (1, 1, 1, 1)
        rests = cells if self._has_levels else (1, 1, 1, 1)
        self._nodes = (np.empty(nodes[2:], np.int64), np.empty(nodes[2:]), np.empty(nodes[2:], np.int32))
        self.planes = Planes(
            level=np.empty(nodes),
            radius=np.empty(nodes),
            ring=np.empty(nodes, np.int32),
            sign=np.empty(nodes, np.int8),
            cover=np.empty(cells, np.int8),
            area=np.empty((*cells[:2], 3, rows, columns)),
            rest=np.empty((*rests, 4)),
            known=np.empty(rests, np.bool_),
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
        if self._has_levels:
            self._find_levels(depth, solid, start, stop)
        if self._only_cover is not None:
            # Others may reach out of the lattice.
            start, stop = max(start, self._only_cover), min(stop, self._only_cover + 1)
        stack, planes = solid.stack, self.planes
        plane_covers(
            self._points[depth],
            (stack.ring_start, stack.plane_ring),
            start,
            stop,
            self._scratch[:3],
            planes.cover[depth],
            planes.area[depth],
            self._excess,
        )
        if self._has_levels:
            self.planes.known[depth, np.arange(start, stop) % self.n_slots] = False

    def _find_levels(self, depth: int, solid: Solid, start: int, stop: int) -> None:
        stack, lattice, links, planes = solid.stack, self._lattice, solid.links, self.planes
        assert links is not None
        origin, step = lattice.origin_mm, lattice.step_mm
        plane_levels(
            (self._points[depth], links.following, stack.ring_start, links.point_ring, stack.plane_ring),
            (links.x_mm - origin[0], links.y_mm - origin[1], links.size_mm, links.thick_mm, links.wall_mm),
            self._bases[depth],
            start,
            stop,
            (float(step[0]), float(step[1])),
            (self._bands_mm[depth], self._sure_mm2),
            (self._edges[depth], *self._nodes),
            (planes.level[depth], planes.radius[depth], planes.ring[depth], planes.sign[depth]),
        )


def _first_rings(groups: list[Solid]) -> list[int]:
    """Return the number of each depth's first ring when all are numbered through."""
    counts = [len(group.stack.ring_start) - 1 for group in groups]
    return [sum(counts[:n]) for n in range(len(groups))]


def joined_rings(groups: list[Solid], cell_mm2: float) -> Rings:
    """Return how the rings of all depths go on, numbered through."""
    bases = _first_rings(groups)
    links = [g.links for g in groups if g.links is not None]
    onward = {
        name: [np.where(getattr(own, name) >= 0, getattr(own, name) + base, getattr(own, name)) for own, base in pairs]
        for pairs in [list(zip(links, bases, strict=True))]
        for name in ("above", "below")
    }
    reaches = ("up_mm", "up_order", "down_mm", "down_order", "up_stretch", "down_stretch")
    up_mm, up_order, down_mm, down_order, up_stretch, down_stretch = (
        np.concatenate([getattr(own, name) for own in links]) for name in reaches
    )
    return Rings(
        above=np.concatenate(onward["above"]),
        below=np.concatenate(onward["below"]),
        up_height=up_mm,
        up_order=up_order,
        down_height=down_mm,
        down_order=down_order,
        up_stretch=up_stretch,
        down_stretch=down_stretch,
        ends_up=np.logical_or.reduce([ends_on_planes(group, up=True) for group in groups]),
        ends_down=np.logical_or.reduce([ends_on_planes(group, up=False) for group in groups]),
        # The half-thickness of a disc is half the side of the square of its area.
        round2=4.0 / np.pi * np.concatenate([own.thick_mm for own in links]) ** 2,
        ball=0.25 / cell_mm2,
    )


def ends_on_planes(solid: Solid, *, up: bool) -> NDArray[np.bool_]:
    """Return for each plane whether any of its rings ends there, upwards or downwards."""
    assert solid.links is not None
    onward = solid.links.above if up else solid.links.below
    found = np.zeros(solid.stack.n_planes, np.bool_)
    plane_of_ring = np.repeat(np.arange(solid.stack.n_planes), np.diff(solid.stack.plane_ring))
    found[plane_of_ring[onward == -1]] = True
    return found


def rules_of(solid: Solid, far_mm2: float) -> Rules:
    """Return how a solid goes on where nothing was drawn, as the kernels take it."""
    options = solid.options
    return Rules(
        bend=options.bend_max,
        far=max(far_mm2, 1e4),
        all_step=options.between is Between.PRISM,
    )


def intervals_of(solid: Solid) -> tuple[Intervals, FloatArray]:
    """Return the intervals of all runs from below, ranges empty, and where the solid begins and ends in each (n, 2)."""
    offsets = solid.stack.offsets_mm
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
    intervals = Intervals(
        places=np.ascontiguousarray(place[real], np.int64),
        heights_mm=np.ascontiguousarray(np.concatenate(heights)[real]),
        ranges=np.zeros((int(real.sum()), 2), np.int64),
    )
    return intervals, span[real]


def part_of(intervals: Intervals, here: slice | IntArray) -> Intervals:
    """Return some of the intervals."""
    return Intervals(
        places=intervals.places[here], heights_mm=intervals.heights_mm[here], ranges=intervals.ranges[here]
    )
