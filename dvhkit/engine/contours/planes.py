"""A structure as a stack of sections: contours sorted into planes, oriented by nesting, gaps found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours import copies
from dvhkit.engine.contours.frame import Frame, find_frame
from dvhkit.engine.contours.heights import SAME_PLANE_FRAC, Along, along, placed
from dvhkit.engine.contours.keyholes import open_rings
from dvhkit.engine.contours.repair import compose, rings_of
from dvhkit.engine.kernels.drawn.rings import orient
from dvhkit.errors import GeometryError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray, frozen_array, median
from dvhkit.model.grid import Grid
from dvhkit.model.slices import Slices
from dvhkit.model.structure import Contour, ContourKind, Structure

# A ring whose net area is less than this part of its box is a sliver, or crosses itself so that its lobes cancel.
_CANCELLED_FRAC = 1e-3
# The number of structures that were computed from others.
_COMPUTED = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneStack:
    """The sections of a structure in its own plane system.

    Attributes
    ----------
    offsets_mm : (n,)
        Position w of each plane, ascending.
    points_mm : (m, 2)
        The (u, v) of all ring points; outer rings anticlockwise, holes clockwise.
    ring_start : (r + 1,)
        First point of each ring.
    plane_ring : (n + 1,)
        First ring of each plane.
    plane_xor : (n,)
        Whether the plane's rings are all CLOSEDPLANAR_XOR.
    slices
        The slices that there are along w, as far as image or structure set tell.
    island
        Which part of the structure this is, in words; empty for the whole.
    parted_w : tuple
        Positions w at which a computed structure is parted by intent.
    by_letter
        The other reading, where near copies of outlines were left out that are holes by the letter.
    """

    name: str
    frame: Frame
    offsets_mm: FloatArray
    points_mm: FloatArray
    ring_start: NDArray[np.int64]
    plane_ring: NDArray[np.int64]
    plane_xor: NDArray[np.bool_]
    findings: tuple[Finding, ...] = ()
    slices: Along | None = None
    island: str = ""
    parted_w: tuple[float, ...] = ()
    by_letter: PlaneStack | None = None

    @property
    def n_planes(self) -> int:
        """Number of planes."""
        return len(self.offsets_mm)

    def rings(self, plane: int) -> list[FloatArray]:
        """Return the rings of one plane, each (n, 2)."""
        return [
            self.points_mm[self.ring_start[r] : self.ring_start[r + 1]]
            for r in range(self.plane_ring[plane], self.plane_ring[plane + 1])
        ]

    def areas_mm2(self) -> FloatArray:
        """Return the signed area of each plane's rings."""
        return _areas_mm2(self)

    def sizes_mm2(self) -> FloatArray:
        """Return a measure of each plane's section that crossing rings cannot bring to nothing."""
        return np.maximum(np.abs(self.areas_mm2()), outline_lengths_mm(self) ** 2 / 100.0)

    def section(self, plane: int) -> object:
        """Return the section in one plane as a valid shapely geometry."""
        return compose(self.rings(plane), xor=bool(self.plane_xor[plane]))


# What follows is asked of a stack by every reading of it. Nobody writes to what is returned.
@lru_cache(maxsize=32)
def next_in_ring(stack: PlaneStack) -> NDArray[np.int64]:
    """Return for each point the index of the next one of its ring."""
    following = np.arange(1, len(stack.points_mm) + 1)
    following[stack.ring_start[1:] - 1] = stack.ring_start[:-1]
    return following


@lru_cache(maxsize=32)
def plane_of_ring(stack: PlaneStack) -> NDArray[np.int64]:
    """Return the plane of each ring."""
    return np.repeat(np.arange(stack.n_planes), np.diff(stack.plane_ring))


@lru_cache(maxsize=32)
def _areas_mm2(stack: PlaneStack) -> FloatArray:
    if len(stack.points_mm) == 0:
        return np.zeros(stack.n_planes)
    x, y = stack.points_mm.T
    following = next_in_ring(stack)
    # Relative to each ring's first point, so that a ring far from the origin loses no digits.
    counts = np.diff(stack.ring_start)
    x = x - np.repeat(x[stack.ring_start[:-1]], counts)
    y = y - np.repeat(y[stack.ring_start[:-1]], counts)
    rings = 0.5 * np.add.reduceat(x * y[following] - x[following] * y, stack.ring_start[:-1])
    return np.asarray(np.add.reduceat(rings, stack.plane_ring[:-1]))


@lru_cache(maxsize=32)
def outline_lengths_mm(stack: PlaneStack) -> FloatArray:
    """Return how long the outlines of each plane are together."""
    edges = np.hypot(*(stack.points_mm[next_in_ring(stack)] - stack.points_mm).T)
    return np.asarray(np.add.reduceat(edges, stack.ring_start[stack.plane_ring[:-1]]))


@lru_cache(maxsize=32)
def box_mm(stack: PlaneStack) -> tuple[FloatArray, FloatArray]:
    """Return the least and the greatest (u, v) that was drawn."""
    # numpy takes twenty times as long for both columns at once.
    low = np.array([stack.points_mm[:, axis].min() for axis in range(2)])
    high = np.array([stack.points_mm[:, axis].max() for axis in range(2)])
    return frozen_array(low), frozen_array(high)


def width_mm(stack: PlaneStack) -> float:
    """Return how wide a structure is in its planes."""
    low, high = box_mm(stack)
    return float((high - low).max())


@lru_cache(maxsize=32)
def usual_gap_mm(stack: PlaneStack) -> float:
    """Return the usual distance between planes; 0 for a lone one."""
    return median(np.diff(stack.offsets_mm)) if stack.n_planes > 1 else 0.0


def stack_planes(structure: Structure, grid: Grid | None = None) -> PlaneStack | None:
    """Sort a structure's closed contours into planes; None if nothing was drawn that bounds an area.

    Raises
    ------
    GeometryError
        Coordinates that are not numbers, or contours that do not lie in parallel planes.
    """
    is_computed = structure.number == _COMPUTED
    return _stacked(structure.name, structure.contours, structure.slices, structure.parted_at_mm, is_computed, grid)


@lru_cache(maxsize=16)
def _stacked(  # noqa: PLR0917 -- what counts of a structure, so that one that is like it has the same stack
    name: str,
    drawn: tuple[Contour, ...],
    drawn_on: Slices | None,
    parted_at_mm: tuple[tuple[float, float, float], ...],
    is_computed: bool,
    grid: Grid | None,
) -> PlaneStack | None:
    structure = Structure(
        number=_COMPUTED if is_computed else 0, name=name, contours=drawn, slices=drawn_on, parted_at_mm=parted_at_mm
    )
    contours = structure.closed_contours
    if not contours:
        return None
    counts = np.array([len(c.points_mm) for c in contours])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    points = np.concatenate([c.points_mm for c in contours])
    if not np.isfinite(points).all():
        raise GeometryError(
            f"a contour of {structure.name} holds a coordinate that is not a number.",
            remedy="Export the structure set again.",
        )
    frame, findings = find_frame(points, starts, grid, name=structure.name)
    uvw = frame.to_frame(points)
    heights = np.add.reduceat(uvw[:, 2], starts) / counts
    findings += _ignored(structure, len(contours))
    slices = along(structure.slices, frame)
    heights, slices, odd = placed(heights, [c.image_uid for c in contours], frame, slices, structure.name)
    findings += odd
    points, starts, counts, owner = open_rings(uvw[:, :2], starts, counts)
    contours = tuple(contours[ring] for ring in owner)
    stack = _sorted_stack(
        structure.name, frame, contours, points, starts, counts, heights[owner], findings, slices, _is_made(structure)
    )
    parted = frame.to_frame(np.array(structure.parted_at_mm).reshape(-1, 3))[:, 2]
    return stack if stack is None else replace(stack, slices=slices, parted_w=tuple(parted.tolist()))


def _sorted_stack(  # noqa: PLR0917 -- one step of stack_planes, cut out for its length
    name: str,
    frame: Frame,
    contours: tuple[Contour, ...],
    points: FloatArray,
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    heights: FloatArray,
    findings: list[Finding],
    slices: Along | None,
    is_made: bool,
) -> PlaneStack | None:
    order = np.argsort(heights, kind="stable")
    rising = heights[order]
    new_plane = _plane_starts(rising, SAME_PLANE_FRAC * _usual_gap_mm(rising, slices))
    plane_ring = np.append(np.flatnonzero(new_plane), len(order)).astype(np.int64)
    spread = np.maximum.reduceat(rising, plane_ring[:-1]) - np.minimum.reduceat(rising, plane_ring[:-1])
    if spread.max() > 0.01:
        findings.append(_merged(name, float(spread.max())))
    ring_start = np.concatenate([[0], np.cumsum(counts[order])]).astype(np.int64)
    index = np.concatenate([np.arange(starts[c], starts[c] + counts[c]) for c in order])
    is_xor = np.array([contours[c].kind is ContourKind.CLOSEDPLANAR_XOR for c in order])
    stack = PlaneStack(
        name=name,
        frame=frame,
        offsets_mm=np.add.reduceat(rising, plane_ring[:-1]) / np.diff(plane_ring),
        points_mm=np.ascontiguousarray(points[index]),
        ring_start=ring_start,
        plane_ring=plane_ring,
        plane_xor=np.logical_and.reduceat(is_xor, plane_ring[:-1]),
    )
    return _oriented(stack, findings, has_copies=not is_made)


def _is_made(structure: Structure) -> bool:
    """Whether a structure was computed from others: a hole in it is one, however thin the wall round it."""
    closed = structure.closed_contours
    return structure.number == _COMPUTED and all(c.kind is ContourKind.CLOSEDPLANAR_XOR for c in closed)


def _usual_gap_mm(rising: FloatArray, slices: Along | None) -> float:
    """Return about how far slices are apart: contours of one slice, rounded differently, count for nothing in it."""
    gaps = np.diff(rising)
    gaps = gaps[gaps > 1e-3]
    if slices is not None:
        return median(slices.gap_mm)
    if gaps.size == 0:
        return 1.0
    return median(gaps[gaps > SAME_PLANE_FRAC * np.quantile(gaps, 0.9)])


def _plane_starts(rising: FloatArray, same_mm: float) -> NDArray[np.bool_]:
    """Mark where a new plane starts in ascending heights; nearer than `same_mm` they are one."""
    starts = np.concatenate([[True], np.diff(rising) > same_mm])
    first = rising[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    if np.any(rising - first > same_mm):
        # A creeping chain of heights: cut it wherever it leaves its first member.
        anchor = rising[0]
        for i, height in enumerate(rising):
            if height - anchor > same_mm:
                starts[i] = True
            if starts[i]:
                anchor = height
    return np.asarray(starts)


def _oriented(stack: PlaneStack, findings: list[Finding], *, has_copies: bool = True) -> PlaneStack | None:
    n_rings = len(stack.ring_start) - 1
    depth = np.zeros(n_rings, np.int64)
    area = np.zeros(n_rings)
    box = np.zeros((n_rings, 4))
    points = stack.points_mm.copy()
    orient(points, stack.ring_start, stack.plane_ring, ~stack.plane_xor, depth, area, box)
    if np.any(depth < 0):
        findings.append(_twins(stack.name, int((depth < 0).sum())))
    stack = replace(stack, points_mm=points, findings=tuple(findings))
    width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
    keep = (depth >= 0) & (width > 0) & (height > 0)
    # A ring whose signed areas cancel, such as a figure of eight, may still bound something: put it right at once,
    # since a section without net area has no size to go on from.
    cancelled = keep & (np.abs(area) <= _CANCELLED_FRAC * width * height)
    kept = stack if keep.all() else _without(stack, keep)
    repeats = np.zeros(n_rings, np.bool_)
    if has_copies and np.any(np.diff(stack.plane_ring) > 1):
        repeats = copies.near_copies(points, stack.ring_start, stack.plane_ring, depth, area) & keep
    if kept is not None and repeats.any():
        return _without_copies(kept, stack, keep & ~repeats, repeats)
    if kept is None or not cancelled.any():
        return kept
    planes = np.searchsorted(stack.plane_ring, np.flatnonzero(cancelled), side="right") - 1
    return repaired(kept, np.unique(np.searchsorted(kept.offsets_mm, stack.offsets_mm[planes])))


def _without_copies(
    by_letter: PlaneStack, stack: PlaneStack, keep: NDArray[np.bool_], repeats: NDArray[np.bool_]
) -> PlaneStack | None:
    """Return the stack without near copies of outlines, which remembers what it is by the letter."""
    left = _without(stack, keep)
    if left is None:
        return by_letter
    planes = np.unique(np.searchsorted(stack.plane_ring, np.flatnonzero(repeats), side="right"))
    finding = copies.told(stack.name, int(repeats.sum()), len(planes))
    plain = _oriented(left, list(left.findings))
    if plain is None:
        return by_letter
    return replace(plain, findings=(*plain.findings, finding), by_letter=by_letter)


def _without(stack: PlaneStack, keep: NDArray[np.bool_]) -> PlaneStack | None:
    """Drop rings, and the planes that are left with none."""
    if not keep.any():
        return None
    planes = [
        [
            ring
            for ring, r in zip(stack.rings(p), range(stack.plane_ring[p], stack.plane_ring[p + 1]), strict=True)
            if keep[r]
        ]
        for p in range(stack.n_planes)
    ]
    return with_rings(stack, planes)


def with_rings(stack: PlaneStack, planes: list[list[FloatArray]]) -> PlaneStack | None:
    """Return the stack with other rings, one list a plane; planes without rings fall away."""
    kept = [p for p, rings in enumerate(planes) if rings]
    if not kept:
        return None
    rings = [ring for p in kept for ring in planes[p]]
    return replace(
        stack,
        offsets_mm=stack.offsets_mm[kept],
        points_mm=np.ascontiguousarray(np.concatenate(rings)),
        ring_start=np.concatenate([[0], np.cumsum([len(r) for r in rings])]).astype(np.int64),
        plane_ring=np.concatenate([[0], np.cumsum([len(planes[p]) for p in kept])]).astype(np.int64),
        plane_xor=stack.plane_xor[kept],
    )


def repaired(stack: PlaneStack, planes: NDArray[np.int64]) -> PlaneStack | None:
    """Return the stack with the named planes' rings made free of crossings and overlaps, and a finding that says so."""
    all_rings = [stack.rings(p) for p in range(stack.n_planes)]
    before = stack.areas_mm2()
    changed: list[float] = []
    for plane in planes:
        all_rings[plane] = rings_of(stack.section(int(plane)))
        after = sum(_area(ring) for ring in all_rings[plane])
        if abs(after - before[plane]) > max(0.01, 1e-3 * after):
            changed.append(float(stack.offsets_mm[plane]))
    mended = with_rings(stack, all_rings)
    if mended is None or not changed:
        return mended
    return replace(mended, findings=(*stack.findings, _crossing(stack.name, changed)))


def _area(ring: FloatArray) -> float:
    x, y = (ring - ring[0]).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _ignored(structure: Structure, closed: int) -> list[Finding]:
    ignored = len(structure.contours) - closed
    if not ignored:
        return []
    return [
        Finding(
            level=Level.INFO,
            code="contours-ignored",
            message=f"{ignored} of {len(structure.contours)} contours bound no area (points or open lines) and were "
            "left out of the volume.",
            where=structure.name,
        )
    ]


def _merged(name: str, spread_mm: float) -> Finding:
    return Finding(
        level=Level.INFO,
        code="planes-merged",
        message=f"Contours whose planes differ by up to {spread_mm:.3f} mm were taken to lie on one slice.",
        where=name,
    )


def _twins(name: str, count: int) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="contour-repeated",
        message=f"{count} contours repeat another one on their slice and were counted once.",
        where=name,
    )


def _crossing(name: str, offsets_mm: list[float]) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="contours-cross",
        message=f"Contours cross themselves or overlap on {len(offsets_mm)} slices; everything they enclose was "
        "counted once. Check the drawing.",
        where=name,
    )
