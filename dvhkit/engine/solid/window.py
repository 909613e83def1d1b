"""What the kernels between slices need of a solid's planes: levels, exact coverage, how rings go on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import PlaneStack, plane_of_ring
from dvhkit.engine.contours.runs import Runs
from dvhkit.engine.kernels.buffers import Intervals, Planes, Rings, Rules, Scratch
from dvhkit.engine.kernels.drawn.coverage import plane_covers
from dvhkit.engine.kernels.solid.level import plane_levels
from dvhkit.engine.lattice import Lattice
from dvhkit.engine.options import Between
from dvhkit.engine.solid.links import as_drawn, gaps_mm
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Depth:
    """What kernels `plane_levels` and `plane_covers` are handed for one depth of nesting, in their order."""

    covered: tuple[Any, ...]
    step_mm: tuple[float, float]
    drawn: tuple[Any, ...] = ()
    worked: tuple[Any, ...] = ()


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
        # Upright walls ask for no levels.
        self._has_levels = bend_max is not None
        self._bands_mm = [group.bands_mm() for group in groups] if self._has_levels else []
        # The level of what is farther than any distance known.
        self.far_mm2 = max((float(bands.max()) for bands in self._bands_mm), default=0.0) ** 2
        self._sure_mm2 = 0.25 * (bend_max or 0.0) * np.maximum(*gaps_mm(groups[0].stack, groups[0].runs)) ** 2
        self._excess = excess
        self._scratch = cover_scratch(lattice)[:3]
        self._top = first_plane
        self._only_cover = only_cover
        rows, columns = lattice.n_rows, lattice.n_columns
        # Three planes beyond the interval, and two before it, may have a say.
        self.n_slots = per_chunk + 6
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
        self._depths = [self._at_depth(depth, base) for depth, base in enumerate(_first_rings(groups))]

    def move_to(self, plane: int) -> None:
        """Make available what the intervals below `plane` need: where a ring begins on it, two planes beyond count."""
        top = min(self._groups[0].stack.n_planes, plane + 3)
        if top > self._top:
            for depth in self._depths:
                self._compute(depth, self._top, top)
            self._top = top

    def _compute(self, depth: _Depth, start: int, stop: int) -> None:
        if self._has_levels:
            outlines, shapes, base = depth.drawn
            plane_levels(outlines, shapes, base, start, stop, depth.step_mm, *depth.worked)
        if self._only_cover is not None:
            # Others may reach out of the lattice.
            start, stop = max(start, self._only_cover), min(stop, self._only_cover + 1)
        points, rings, cover, area, known = depth.covered
        plane_covers(points, rings, start, stop, self._scratch, cover, area, self._excess)
        if self._has_levels:
            known[np.arange(start, stop) % self.n_slots] = False

    def _at_depth(self, depth: int, base: int) -> _Depth:
        """Return what the kernels are handed for a depth, put together once."""
        solid, lattice, planes = self._groups[depth], self._lattice, self.planes
        stack, links = solid.stack, solid.links
        points = lattice.to_cells(stack.points_mm)
        covered = (points, (stack.ring_start, stack.plane_ring), planes.cover[depth], planes.area[depth])
        origin, step = lattice.origin_mm, lattice.step_mm
        step_mm = (float(step[0]), float(step[1]))
        if not self._has_levels:
            return _Depth(covered=(*covered, planes.known[0]), step_mm=step_mm)
        assert links is not None
        outlines = (points, links.following, stack.ring_start, links.point_ring, stack.plane_ring)
        shapes = (links.x_mm - origin[0], links.y_mm - origin[1], links.size_mm, links.thick_mm, links.wall_mm)
        out = (planes.level[depth], planes.radius[depth], planes.ring[depth], planes.sign[depth])
        scratch = (np.empty((len(points), 6)), *self._nodes)
        return _Depth(
            covered=(*covered, planes.known[depth]),
            step_mm=step_mm,
            drawn=(outlines, shapes, base),
            worked=((self._bands_mm[depth], self._sure_mm2), scratch, out),
        )


def _first_rings(groups: list[Solid]) -> list[int]:
    """Return the number of each depth's first ring when all are numbered through."""
    counts = [len(group.stack.ring_start) - 1 for group in groups]
    return [sum(counts[:n]) for n in range(len(groups))]


def joined_rings(groups: list[Solid], cell_mm2: float) -> Rings:
    """Return how the rings of all depths go on, numbered through."""
    bases = _first_rings(groups)
    links = [g.links for g in groups if g.links is not None]
    ends = [ends_on_planes(group.stack, group.runs) for group in groups]

    def joined(name: str) -> NDArray[Any]:
        found = [getattr(own, name) for own in links]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def onward(name: str) -> IntArray:
        # The first depth keeps its numbers.
        base = np.repeat(bases, [len(own.x_mm) for own in links])
        return np.where(joined(name) >= 0, joined(name) + base, joined(name)) if len(links) > 1 else joined(name)

    return Rings(
        above=onward("above"),
        below=onward("below"),
        up_height=joined("up_mm"),
        up_order=joined("up_order"),
        down_height=joined("down_mm"),
        down_order=joined("down_order"),
        up_stretch=joined("up_stretch"),
        down_stretch=joined("down_stretch"),
        ends_up=np.logical_or.reduce([up for up, _ in ends]),
        ends_down=np.logical_or.reduce([down for _, down in ends]),
        # The half-thickness of a disc is half the side of the square of its area.
        round2=4.0 / np.pi * joined("thick_mm") ** 2,
        ball=0.25 / cell_mm2,
    )


@lru_cache(maxsize=32)
def ends_on_planes(stack: PlaneStack, runs: Runs) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for each plane whether any of its rings ends there, upwards and downwards."""
    drawn, found = as_drawn(stack, runs), np.zeros((2, stack.n_planes), np.bool_)
    for side, onward in enumerate((drawn.above, drawn.below)):
        found[side, plane_of_ring(stack)[onward == -1]] = True
    return found[0], found[1]


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
    z, (place, heights) = solid.stack.offsets_mm, all_places(solid.stack, solid.runs)
    lower, upper = place[:, 0], place[:, 1]
    starts = np.where(lower >= 0, z[lower], solid.lo_mm[upper])
    ends = np.where(upper >= 0, z[upper], solid.hi_mm[lower])
    real = ends > starts
    intervals = Intervals(
        places=place[real], heights_mm=heights[real], ranges=np.zeros((np.count_nonzero(real), 2), np.int64)
    )
    return intervals, np.stack([starts[real], ends[real]], axis=1)


@lru_cache(maxsize=32)
def all_places(stack: PlaneStack, runs: Runs) -> tuple[IntArray, FloatArray]:
    """Return `places` and `heights_mm` of all intervals from below, whether a solid reaches into them or not."""
    places, heights = [], []
    for (first, stop), (below, above) in zip(runs.bounds, runs.end_gap_mm, strict=True):
        z = stack.offsets_mm[first:stop]
        planes = np.arange(first - 1, stop)
        lower, upper = np.where(planes < first, -1, planes), np.where(planes + 1 < stop, planes + 1, -1)
        places.append(np.column_stack([lower, upper, np.full(len(z) + 1, first), np.full(len(z) + 1, stop)]))
        heights.append(np.column_stack([np.append(z[0] - below, z), np.append(z, z[-1] + above)]))
    return np.concatenate(places).astype(np.int64), np.concatenate(heights)


def part_of(intervals: Intervals, here: slice | IntArray) -> Intervals:
    """Return some of the intervals."""
    return Intervals(
        places=intervals.places[here], heights_mm=intervals.heights_mm[here], ranges=intervals.ranges[here]
    )
