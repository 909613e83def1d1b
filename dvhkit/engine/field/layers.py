"""Solids as filled layers of a lattice: what the booking kernels eat, a few layers at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.field.alike import stands_for
from dvhkit.engine.field.courses import Course, ShapeCourse, StepCourse
from dvhkit.engine.kernels.buffers import Layers
from dvhkit.engine.kernels.drawn.coverage import plane_excess
from dvhkit.engine.kernels.field.shared import add_layers
from dvhkit.engine.lattice import Lattice
from dvhkit.engine.options import Between
from dvhkit.engine.solid.parts import find_parts
from dvhkit.engine.solid.solid import Solid, by_depth
from dvhkit.engine.solid.window import PlaneWindow, cover_scratch, ends_on_planes, interval_scratch, intervals_of
from dvhkit.model.arrays import FloatArray

# Planes and layers of one chunk stay in the processor's cache and bound the memory.
_CHUNK_BYTES = 4_000_000
_BYTES_A_NODE = 75
_BYTES_A_CELL = 48
_BYTES_A_COVER = 25


Group = tuple[int, frozenset[int]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filled:
    """Layers ``begin:stop`` of a lattice, complete; whoever takes them hands them back empty.

    Attributes
    ----------
    layers
        Of each solid that was filled anywhere, by its number.
    groups
        Each a solid that was filled in these layers, and all solids that are as it is there, itself included.
    """

    layers: dict[int, Layers]
    begin: int
    stop: int
    groups: tuple[Group, ...]


def fill(solids: Sequence[Solid], lattice: Lattice, excess: FloatArray) -> Iterator[Filled]:
    """Yield the layers of solids from below.

    They stand for the same contours; what is known of the drawn planes is computed once for all. The first is filled
    everywhere, and so is one of upright walls. All others differ from the first only where rings end: what lies
    elsewhere is filled once for all, and their ends are added to it, one of those that end alike. `excess` (planes,) is
    filled as kernel `coverage` says.
    """
    first = solids[0]
    is_shape = any(solid.links is not None for solid in solids)
    shape = next((solid for solid in solids if solid.links is not None), first)
    groups = by_depth(shape) if is_shape else [shape]
    if len(groups) > 1:
        _note_excess(first, lattice, excess)
    leads = stands_for(solids, lattice)
    courses, apart = _courses(solids, groups, lattice, leads)
    per_chunk = _planes_per_chunk(lattice, first, min(len(solids), 2), len(groups) if is_shape else 0)
    n_chunks = -(-first.stack.n_planes // per_chunk)
    every = [course for solid in courses.values() for course in solid]
    for course in every:
        course.cut(n_chunks, per_chunk)
    stretches, slots = _stretches(every)
    layers = {n: [course.open_layers(lattice, slots) for course in solid] for n, solid in courses.items()}
    bend_max = max(solid.options.bend_max for solid in solids) if is_shape else None
    window = PlaneWindow(groups, lattice, per_chunk, bend_max, excess if len(groups) == 1 else np.zeros_like(excess))
    heights = [course.most_heights for course in every if isinstance(course, ShapeCourse)]
    scratch = interval_scratch(len(groups), lattice, max(heights)) if heights else None
    ending = frozenset(n for n, own in courses.items() if isinstance(own[-1], ShapeCourse))
    changes = (np.flatnonzero((leads[1:] != leads[:-1]).any(axis=1) | (apart[1:] != apart[:-1])) + 1).tolist()
    for chunk, (bottom, top) in enumerate(stretches):
        window.move_to((chunk + 1) * per_chunk)
        for course in every:
            course.fill(chunk, window, scratch)
        edges = [bottom, *changes[bisect_right(changes, bottom) : bisect_left(changes, top)], top]
        for begin, stop in pairwise(edges):
            if stop > begin:
                yield _complete(layers, ending if apart[begin] else frozenset(), leads[begin].tolist(), begin, stop)
    # Not where whoever took the layers gave up on them: they are not empty then.
    for course in every:
        course.close_layers()


def _courses(
    solids: Sequence[Solid], groups: list[Solid], lattice: Lattice, leads: NDArray[np.int64]
) -> tuple[dict[int, list[Course]], NDArray[np.bool_]]:
    """Return the courses of each solid that leads anywhere, and the layers in which solids are apart.

    Where there are others, the first has one between its ends, which all share, and one of its ends; they have that of
    their ends alone. Where solids are not apart, `leads` is set to the first.
    """
    # What goes on as what is the same whatever the options.
    parts = find_parts(groups, float(np.prod(lattice.step_mm))) if groups[0].links is not None else None
    found: dict[int, list[Course]] = {}
    shapes: dict[int, ShapeCourse] = {}
    for n, solid in enumerate(solids):
        if solid.options.between is Between.PRISM or parts is None:
            found[n] = [StepCourse(solid, lattice)]
        elif (leads[:, n] == n).any():
            shapes[n] = ShapeCourse(solid, by_depth(solid), parts, lattice, is_first=n == 0)
    apart = np.zeros(len(leads), np.bool_)
    if len(shapes) == 1:
        return found | {n: [course] for n, course in shapes.items()}, apart
    for course in [*shapes.values(), *(own[0] for own in found.values())]:
        apart[course.slabs.layer[course.slabs.is_end]] = True
    leads[np.ix_(~apart, np.array([solid.links is not None for solid in solids]))] = 0
    for n, course in shapes.items():
        slabs = course.slabs
        ends = course.part(slabs.is_end & (leads[slabs.layer, n] == n))
        found[n] = [course.part(~slabs.is_end), ends] if n == 0 else [ends]
    return found, apart


def _complete(
    layers: dict[int, list[Layers]], ending: frozenset[int], leads: list[int], begin: int, stop: int
) -> Filled:
    """Return complete layers: where solids end, what all share is added to the ends of each that leads, and emptied."""
    leading = sorted(set(leads))
    ends = [n for n in leading if n in ending]
    for n in ends:
        add_layers(layers[0][0], layers[n][-1], begin, stop, n == ends[-1])
    return Filled(
        layers={n: found[-1 if ends else 0] for n, found in layers.items()},
        begin=begin,
        stop=stop,
        groups=tuple((n, frozenset(m for m, lead in enumerate(leads) if lead == n)) for n in leading),
    )


def ending_frac(solid: Solid) -> float:
    """Return about which part of a solid lies beyond its last slices, or between two where any ring ends."""
    intervals, spans = intervals_of(solid)
    lower, upper = intervals.places[:, 0], intervals.places[:, 1]
    ends_up, ends_down = ends_on_planes(solid.stack, solid.runs)
    is_end = (np.minimum(lower, upper) < 0) | ends_up[lower] | ends_down[upper]
    size = solid.stack.sizes_mm2()[np.maximum(lower, upper)] * (spans[:, 1] - spans[:, 0])
    return float(size[is_end].sum() / max(float(size.sum()), 1e-12))


def _stretches(courses: list[Course]) -> tuple[list[tuple[int, int]], int]:
    """Return which layers are complete after each chunk, and how many are open at the same time at most."""
    highest = np.max([course.greatest_layers() for course in courses], axis=0)
    lowest = np.min([course.least_layers(int(highest[-1]) + 1) for course in courses], axis=0)
    open_now = int((highest - lowest[:-1]).max(initial=0)) + 2
    return list(pairwise(lowest.tolist())), open_now


def _planes_per_chunk(lattice: Lattice, solid: Solid, copies: int, depths: int) -> int:
    """Return how many planes, with the layers around them, the cache holds."""
    cells = lattice.n_rows * lattice.n_columns
    layers_a_plane = (len(lattice.layer_edges_mm) - 1) / solid.stack.n_planes
    size = cells * (max(depths * _BYTES_A_NODE, _BYTES_A_COVER) + copies * layers_a_plane * _BYTES_A_CELL)
    return max(1, min(solid.stack.n_planes, int(_CHUNK_BYTES / size)))


def _note_excess(solid: Solid, lattice: Lattice, excess: FloatArray) -> None:
    """Find where rings of different depth cross: no depth on its own shows that."""
    stack = solid.stack
    points = lattice.to_cells(stack.points_mm)
    plane_excess(points, stack.ring_start, stack.plane_ring, *cover_scratch(lattice), excess)
