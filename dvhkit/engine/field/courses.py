"""One solid on its way through the drawn planes: its slabs, cut into chunks, and the layers that they fill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.field import room
from dvhkit.engine.kernels.buffers import Intervals, Layers, Parts, Rings, Scratch, Slabs
from dvhkit.engine.kernels.drawn.coverage import fill_prisms
from dvhkit.engine.kernels.solid.reconstruct import fill_intervals
from dvhkit.engine.lattice import SAME_HEIGHT_MM, Lattice
from dvhkit.engine.solid.solid import Solid
from dvhkit.engine.solid.window import PlaneWindow, intervals_of, joined_rings, part_of, rules_of
from dvhkit.model.arrays import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Slabs between two planes, and within a cap, at least; and of readings that differ only where solids end.
_BETWEEN_PARTS = 4
_CAP_PARTS = 8
_APART_PARTS = 2
_NO_SAMPLES = np.empty((0, 0, 0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CourseSlabs:
    """Slabs of a solid from below, one entry each.

    Attributes
    ----------
    lo_mm, hi_mm, layer
        Where each begins and ends along w, and the layer that holds it.
    owner
        Its interval; or the plane whose section it is.
    first_plane
        The lower plane of its interval; beyond the first of a run, that plane.
    is_end
        Whether any ring ends in its interval: what lies there depends on how ends are read.
    """

    lo_mm: FloatArray
    hi_mm: FloatArray
    layer: IntArray
    owner: IntArray
    first_plane: IntArray
    is_end: BoolArray

    def chosen(self, which: BoolArray) -> CourseSlabs:
        """Return some of the slabs."""
        return CourseSlabs(
            lo_mm=self.lo_mm[which],
            hi_mm=self.hi_mm[which],
            layer=self.layer[which],
            owner=self.owner[which],
            first_plane=self.first_plane[which],
            is_end=self.is_end[which],
        )


class Course(ABC):
    """One solid: which of its slabs belong to which chunk of planes, and its open layers."""

    def __init__(self, slabs: CourseSlabs) -> None:
        self.slabs = slabs
        self._edges: list[int] = []
        self._layers: Layers | None = None
        self._room: FloatArray | None = None

    def cut(self, n_chunks: int, per_chunk: int) -> None:
        """Cut the slabs after every `per_chunk` planes."""
        self._edges = np.searchsorted(self.slabs.first_plane, per_chunk * np.arange(n_chunks + 1)).tolist()

    def open_layers(self, lattice: Lattice, slots: int) -> Layers:
        """Make room for the layers that are open at the same time."""
        size = (lattice.n_rows, lattice.n_columns, slots)
        self._room = room.take(room.floats_of(*size))
        self._layers = room.empty_layers(*size, self._room)
        return self._layers

    def close_layers(self) -> None:
        """Give the room back: all that was filled was handed back empty."""
        if self._room is not None:
            room.hand_back(self._room)
        self._room = self._layers = None

    def least_layers(self, none: int) -> IntArray:
        """Return for each chunk, and one more, the lowest layer that it or a later one adds to; `none` after all."""
        least = np.append(np.minimum.accumulate(self.slabs.layer[::-1])[::-1], none)
        return np.asarray(least[self._edges])

    def greatest_layers(self) -> IntArray:
        """Return for each chunk the highest layer that it or an earlier one adds to; -1 before all."""
        most = np.insert(np.maximum.accumulate(self.slabs.layer), 0, -1)
        return np.asarray(most[self._edges[1:]])

    def fill(self, chunk: int, window: PlaneWindow, scratch: Scratch | None) -> None:
        """Add the slabs of one chunk of planes to the layers."""
        if self._edges[chunk + 1] > self._edges[chunk]:
            self._fill(chunk, window, scratch)

    @abstractmethod
    def _fill(self, chunk: int, window: PlaneWindow, scratch: Scratch | None) -> None: ...


class StepCourse(Course):
    """Upright walls: each drawn section, as far as its slab reaches."""

    def __init__(self, solid: Solid, lattice: Lattice) -> None:
        super().__init__(_step_slabs(solid, lattice))

    def _fill(self, chunk: int, window: PlaneWindow, scratch: Scratch | None) -> None:  # noqa: ARG002
        slabs, here = self.slabs, slice(*self._edges[chunk : chunk + 2])
        part = Slabs(lo_mm=slabs.lo_mm[here], hi_mm=slabs.hi_mm[here], layer=slabs.layer[here])
        fill_prisms(window.planes.cover, window.planes.area, slabs.owner[here], part, self._layers)


class ShapeCourse(Course):
    """A surface that runs through the contours: what lies between each two planes, and beyond the last."""

    def __init__(
        self, solid: Solid, groups: list[Solid], parts: Parts, lattice: Lattice, *, is_first: bool = True
    ) -> None:
        self._solid = solid
        self._rings = joined_rings(groups, float(np.prod(lattice.step_mm)))
        self._parts = parts
        self._intervals, slabs = _shape_slabs(solid, lattice, self._rings, is_first=is_first)
        self._filled, self._first = self._intervals, [0]
        self._slabs = Slabs(lo_mm=slabs.lo_mm, hi_mm=slabs.hi_mm, layer=slabs.layer)
        super().__init__(slabs)

    def part(self, which: BoolArray) -> ShapeCourse:
        """Return a course of some of the slabs: all of an interval, or none in a layer."""
        other = copy(self)
        other.slabs = self.slabs.chosen(which)
        return other

    @property
    def most_heights(self) -> int:
        """How many slabs an interval has at most."""
        return int(np.bincount(self.slabs.owner, minlength=1).max())

    def cut(self, n_chunks: int, per_chunk: int) -> None:
        """Cut the slabs, and with them the intervals, which no cut divides."""
        super().cut(n_chunks, per_chunk)
        slabs = self.slabs
        starts = np.flatnonzero(np.diff(slabs.owner, prepend=-1))
        ranges = np.column_stack([starts, np.append(starts, len(slabs.owner))[1:]]).astype(np.int64)
        self._filled = part_of(self._intervals, slabs.owner[starts])._replace(ranges=ranges)
        self._first = np.searchsorted(starts, self._edges).tolist()
        self._slabs = Slabs(lo_mm=slabs.lo_mm, hi_mm=slabs.hi_mm, layer=slabs.layer)

    def _fill(self, chunk: int, window: PlaneWindow, scratch: Scratch | None) -> None:
        fill_intervals(
            window.planes,
            self._rings,
            self._parts,
            part_of(self._filled, slice(*self._first[chunk : chunk + 2])),
            self._slabs,
            self._solid.stack.offsets_mm,
            rules_of(self._solid, window.far_mm2),
            scratch,
            self._layers,
            _NO_SAMPLES,
        )


def _step_slabs(solid: Solid, lattice: Lattice) -> CourseSlabs:
    """Return the slabs of upright walls: below and above each plane."""
    z = solid.stack.offsets_mm
    first = np.isin(np.arange(len(z)), [run[0] for run in solid.runs.bounds])
    last = np.isin(np.arange(len(z)), [run[1] - 1 for run in solid.runs.bounds])
    plane = np.repeat(np.arange(len(z)), 2)
    spans = np.column_stack([solid.lo_mm, z, z, solid.hi_mm]).reshape(-1, 2)
    below = np.arange(len(plane)) % 2 == 0
    lower = np.where(below & ~first[plane], plane - 1, plane)
    is_end = np.column_stack([first, last]).ravel()
    real = spans[:, 1] - spans[:, 0] > SAME_HEIGHT_MM
    spans, plane, lower, is_end = spans[real], plane[real], lower[real], is_end[real]
    slabs, own = _slabs(spans, np.ones(len(spans), np.int64), lattice)
    return replace(slabs, owner=plane[own].astype(np.int64), first_plane=lower[own], is_end=is_end[own])


def _shape_slabs(solid: Solid, lattice: Lattice, rings: Rings, *, is_first: bool) -> tuple[Intervals, CourseSlabs]:
    """Return the intervals from below, and their slabs."""
    # Slabs much thinner than the cells are wide add work, not truth.
    thick = float(min(lattice.step_mm.min(), np.diff(lattice.layer_edges_mm).max()))
    intervals, span = intervals_of(solid)
    lower, upper = intervals.places[:, 0], intervals.places[:, 1]
    is_cap = np.minimum(lower, upper) < 0
    least = np.where(is_cap, _CAP_PARTS, _BETWEEN_PARTS) if is_first else _APART_PARTS
    parts = np.minimum(least, np.maximum(1, np.round((span[:, 1] - span[:, 0]) / thick))).astype(np.int64)
    slabs, own = _slabs(span, parts, lattice)
    is_end = is_cap | rings.ends_up[lower] | rings.ends_down[upper]
    first_plane = np.where(lower >= 0, lower, upper)
    return intervals, replace(slabs, owner=own, first_plane=first_plane[own], is_end=is_end[own])


def _slabs(spans: FloatArray, parts: IntArray, lattice: Lattice) -> tuple[CourseSlabs, IntArray]:
    """Return spans cut into equal parts and at layers, without what lies beyond the lattice; and the span of each."""
    cuts, owner = _cut(spans, parts, lattice.layer_edges_mm)
    same = owner[1:] == owner[:-1]
    lo_mm, hi_mm, owner = cuts[:-1][same], cuts[1:][same], owner[1:][same]
    layer = np.searchsorted(lattice.layer_edges_mm, 0.5 * (lo_mm + hi_mm), side="right") - 1
    inside = (layer >= 0) & (layer < len(lattice.layer_edges_mm) - 1)
    owner = owner[inside]
    slabs = CourseSlabs(
        lo_mm=lo_mm[inside],
        hi_mm=hi_mm[inside],
        layer=layer[inside].astype(np.int64),
        owner=owner,
        first_plane=owner,
        is_end=np.zeros(len(owner), np.bool_),
    )
    return slabs, owner


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
