"""Sections between and beyond the drawn slices: the surface that runs smoothly through the contours.

In each gap the parts that overlap from slice to slice are joined. A part's field is ``(d + r)^2 - r^2`` with d the
signed distance to its contour and r its inradius: interpolated quadratically along w it reproduces spheres, cylinders
and boxes at any phase of the slices. A part that goes on nowhere is closed where its inradius says that it ends, if
that is before the slice on which it would have been drawn; else it is taken to end half way to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import ceil, sqrt
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.kernels.distance import edge_distance, fill_inside, signed_distance
from dvhkit.engine.planes import PlaneStack, Runs
from dvhkit.engine.repair import rings_of
from dvhkit.engine.trace import trace_zero
from dvhkit.model.arrays import FloatArray

# How far a straight line between two source planes may leave the surface.
_SAG_MM = (0.004, 0.02)
_SAG_FRAC = 5e-4
# Two faces at one height, one with and one without tissue, are kept this far apart.
_STEP_MM = 1e-6
_SECTIONS_MAX = 12
# Greatest curvature along w that one set of three slices may suggest: an ellipsoid three times as wide as high.
_CURVATURE_MAX = 9.0
# The last section drawn of a rounded cap, in parts of the inradius it starts from.
_TIP_FRAC = 0.1
_CORNERS_FEW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effort:
    """Grid on which sections are traced, and how far straight lines between them may leave the surface."""

    step_mm: float
    sag_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """The rings of a structure at one height: outer ones anticlockwise, holes clockwise, each (n, 2)."""

    w_mm: float
    rings: tuple[FloatArray, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """Pieces of one slice that are treated together."""

    shape: Any

    @cached_property
    def polygons(self) -> tuple[Any, ...]:
        return tuple(p for p in shapely.get_parts(self.shape) if p.geom_type == "Polygon")

    @cached_property
    def radii_mm(self) -> tuple[float, ...]:
        """Inradius of each polygon."""
        return tuple(
            float(shapely.length(shapely.maximum_inscribed_circle(p, tolerance=0.005 * sqrt(p.area))))
            for p in self.polygons
        )

    @property
    def radius_mm(self) -> float:
        return max(self.radii_mm)

    @cached_property
    def reach_mm(self) -> float:
        """Radius of the circle of the same area: a cheap measure of size."""
        return sqrt(self.shape.area / np.pi)

    def field_at(self, window: _Window, wanted: NDArray[np.bool_]) -> FloatArray:
        """Return ``(d + r)^2 - r^2`` at the wanted nodes; the least of all polygons."""
        nodes = np.argwhere(wanted)[:, ::-1].astype(np.float64)
        best = np.full(len(nodes), np.inf)
        for polygon, radius in zip(self.polygons, self.radii_mm, strict=True):
            points, starts = flat_rings(window.to_nodes(ring) for ring in rings_of(polygon))
            inside = np.zeros(wanted.shape, np.bool_)
            fill_inside(points, starts, inside)
            distance = np.empty(len(nodes))
            signed_distance(points, starts, nodes, inside[wanted], distance)
            distance *= window.step_mm
            best = np.minimum(best, distance * (distance + 2.0 * radius))
        return best


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Window:
    """Nodes of a square grid over some parts."""

    origin_mm: FloatArray
    step_mm: float
    shape: tuple[int, int]

    def to_nodes(self, points_uv: FloatArray) -> FloatArray:
        return np.asarray((points_uv - self.origin_mm) / self.step_mm)

    def inside(self, shape: Any) -> NDArray[np.bool_]:  # noqa: ANN401
        points, starts = flat_rings(self.to_nodes(ring) for ring in rings_of(shape))
        inside = np.zeros(self.shape, np.bool_)
        fill_inside(points, starts, inside)
        return inside


def _window(shapes: Sequence[Any], step_mm: float) -> _Window:
    bounds = np.array([shape.bounds for shape in shapes])
    low = bounds[:, :2].min(axis=0) - 4 * step_mm
    size = np.ceil((bounds[:, 2:].max(axis=0) + 4 * step_mm - low) / step_mm).astype(int) + 1
    return _Window(origin_mm=low, step_mm=step_mm, shape=(int(size[1]), int(size[0])))


def _without_repeats(ring: FloatArray) -> FloatArray:
    """Return the ring without points that repeat the one before."""
    return np.asarray(ring[np.abs(ring - np.roll(ring, 1, axis=0)).max(axis=1) > 1e-9])


def flat_rings(rings: Any) -> tuple[FloatArray, NDArray[np.int64]]:  # noqa: ANN401 -- any iterable of (n, 2) arrays
    """Return rings as one array of points and the index of each ring's first point, as kernels take them."""
    rings = [clean for clean in map(_without_repeats, rings) if len(clean) >= 3]
    starts = np.concatenate([[0], np.cumsum([len(r) for r in rings])]).astype(np.int64)
    points = np.ascontiguousarray(np.concatenate(rings)) if rings else np.empty((0, 2))
    return points, starts


def loft(stack: PlaneStack, runs: Runs, *, step_mm: float) -> list[Section]:
    """Return sections so close that straight lines between neighbours follow the surface to 0.004 mm (large ones 0.02).

    Parameters
    ----------
    stack, runs
        The drawn slices, and where slices are missing: nothing is bridged there.
    step_mm
        Grid on which sections between slices are traced.

    Returns
    -------
    list of Section
        Ascending; the drawn slices are among them with their contours as drawn. A section without rings stands just
        beyond each end.
    """
    size_mm = float(np.ptp(stack.points_mm, axis=0).max()) / 2
    sag_mm = float(np.clip(_SAG_FRAC * size_mm, *_SAG_MM))
    sections: list[Section] = []
    for (first, stop), (below, above) in zip(runs.bounds, runs.end_gap_mm, strict=True):
        planes = [_Plane.of(stack, p) for p in range(first, stop)]
        sections += _run_sections(planes, below, above, _Effort(step_mm=step_mm, sag_mm=sag_mm))
    return sections


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plane:
    """One drawn slice, its separate parts, and how they hang together with the slices beside it."""

    w_mm: float
    shape: Any
    parts: tuple[_Part, ...] = field(default=())

    @staticmethod
    def of(stack: PlaneStack, plane: int) -> _Plane:
        shape = _section(stack, plane)
        parts = tuple(_Part(shape=p) for p in shapely.get_parts(shape) if p.geom_type == "Polygon")
        return _Plane(w_mm=float(stack.offsets_mm[plane]), shape=shape, parts=parts)

    def touching(self, shape: Any) -> _Part | None:  # noqa: ANN401
        """Return all parts that overlap `shape`, as one; None if none does."""
        hits = [p.shape for p in self.parts if p.shape.intersects(shape)]
        if not hits:
            return None
        if len(hits) == 1:
            return next(p for p in self.parts if p.shape is hits[0])
        return _Part(shape=shapely.MultiPolygon(hits))


def _section(stack: PlaneStack, plane: int) -> Any:  # noqa: ANN401
    rings = stack.rings(plane)
    if len(rings) == 1:
        simple = shapely.Polygon(rings[0])
        if simple.is_valid:
            return simple
    return stack.section(plane)


def _run_sections(planes: list[_Plane], below: float, above: float, effort: _Effort) -> list[Section]:
    gaps = [_Gap(planes, -1, planes[0].w_mm - below, planes[0].w_mm, effort)]
    gaps += [_Gap(planes, k, a.w_mm, b.w_mm, effort) for k, (a, b) in enumerate(pairwise(planes))]
    last = len(planes) - 1
    gaps.append(_Gap(planes, last, planes[last].w_mm, planes[last].w_mm + above, effort))
    sections: list[Section] = []
    for k, gap in enumerate(gaps):
        sections += gap.sections()
        if k < len(planes):
            sections.append(Section(w_mm=planes[k].w_mm, rings=tuple(rings_of(planes[k].shape))))
    return sections


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """Where a part that goes on nowhere ends: its inradius squared along the way, and the height of the cap."""

    square_mm2: float
    slope_mm: float
    curvature: float
    height_mm: float

    def square_at(self, t: float) -> float:
        return self.square_mm2 + self.slope_mm * t + self.curvature * t * t

    @property
    def ends_flat(self) -> bool:
        return self.square_at(self.height_mm) > (_TIP_FRAC * _TIP_FRAC + 1e-6) * self.square_mm2


class _Gap:
    """The space between two slices `k` and `k + 1`, or beyond an end (k = -1, or the last)."""

    def __init__(self, planes: list[_Plane], k: int, low: float, high: float, effort: _Effort) -> None:
        self.planes, self.k, self.low, self.high = planes, k, low, high
        self.step_mm, self.sag_mm = effort.step_mm, effort.sag_mm

    def plane(self, k: int) -> _Plane | None:
        return self.planes[k] if 0 <= k < len(self.planes) else None

    def sections(self) -> list[Section]:
        below, above = self.plane(self.k), self.plane(self.k + 1)
        bridges, ended_low, ended_high = _linked(below, above)
        members: list[_Bridge | _Cap] = [_Bridge(self, *pair) for pair in bridges]
        members += [_Cap(self, part, upward=True) for part in ended_low]
        members += [_Cap(self, part, upward=False) for part in ended_high]
        heights = sorted({w for m in members for w in m.heights() if self.low < w < self.high})
        heights = [w for w, before in zip(heights, [self.low, *heights], strict=False) if w - before >= 0.5 * _STEP_MM]
        result = []
        for w in heights:
            rings = [ring for m in members for ring in m.rings_at(w)]
            result.append(Section(w_mm=w, rings=tuple(rings)))
        if below is None or above is None:
            result = self._closed(result)
        return result

    def _closed(self, sections: list[Section]) -> list[Section]:
        """Beyond an end: an empty section outside the last one with rings."""
        filled = [s for s in sections if s.rings]
        if self.k < 0:
            edge = min((s.w_mm for s in filled), default=self.high)
            return [Section(w_mm=edge - _STEP_MM, rings=()), *filled]
        edge = max((s.w_mm for s in filled), default=self.low)
        return [*filled, Section(w_mm=edge + _STEP_MM, rings=())]


def _linked(below: _Plane | None, above: _Plane | None) -> tuple[list[tuple[_Part, _Part]], list[_Part], list[_Part]]:
    """Return the groups of parts that overlap across a gap, and the parts on either side that overlap none."""
    low, high = (below.parts if below else ()), (above.parts if above else ())
    group = list(range(len(low) + len(high)))

    def root(n: int) -> int:
        while group[n] != n:
            n = group[n]
        return n

    for i, a in enumerate(low):
        for j, b in enumerate(high):
            if a.shape.intersects(b.shape):
                group[root(i)] = root(len(low) + j)
    bridges, ended = [], ([], [])  # type: ignore[var-annotated]
    for r in sorted({root(n) for n in range(len(group))}):
        mine = [p for n, p in enumerate(low) if root(n) == r]
        theirs = [p for n, p in enumerate(high) if root(len(low) + n) == r]
        if mine and theirs:
            bridges.append((_joined(mine), _joined(theirs)))
        else:
            ended[0].extend(mine)
            ended[1].extend(theirs)
    return bridges, ended[0], ended[1]


def _joined(parts: list[_Part]) -> _Part:
    return parts[0] if len(parts) == 1 else _Part(shape=shapely.MultiPolygon([p.shape for p in parts]))


class _Bridge:
    """Parts that go on from one slice to the next."""

    def __init__(self, gap: _Gap, a: _Part, b: _Part) -> None:
        self.gap, self.a, self.b = gap, a, b
        self._fields: tuple[_Window, NDArray[np.bool_], FloatArray, FloatArray, FloatArray] | None = None

    def _beyond(self) -> tuple[_Part | None, _Part | None]:
        """Return the parts one slice further on either side, where they are as many as here."""
        before, after = self.gap.plane(self.gap.k - 1), self.gap.plane(self.gap.k + 2)
        p = before.touching(self.a.shape) if before else None
        n = after.touching(self.b.shape) if after else None
        p = p if p is not None and len(p.polygons) == len(self.a.polygons) else None
        n = n if n is not None and len(n.polygons) == len(self.b.polygons) else None
        return p, n

    def _curvature(self, values: list[Any]) -> Any:  # noqa: ANN401 -- numbers or arrays
        """Return half the second derivative along w from the values on four slices, of which the outer may be None."""
        wa, wb = self.gap.low, self.gap.high
        before, va, vb, after = values
        slope = (vb - va) / (wb - wa)
        found = []
        if before is not None:
            w = self.gap.planes[self.gap.k - 1].w_mm
            found.append((slope - (va - before) / (wa - w)) / (wb - w))
        if after is not None:
            w = self.gap.planes[self.gap.k + 2].w_mm
            found.append(((after - vb) / (w - wb) - slope) / (w - wa))
        if not found:
            return np.ones_like(va)
        if len(found) == 1:
            return np.clip(found[0], -_CURVATURE_MAX, _CURVATURE_MAX)
        # The smaller of the two where they agree in sign: a step two slices away must not bulge here.
        same = np.sign(found[0]) == np.sign(found[1])
        return np.where(same, np.sign(found[0]) * np.minimum(np.abs(found[0]), np.abs(found[1])), 0.0)

    def heights(self) -> list[float]:
        wa, wb = self.gap.low, self.gap.high
        parts = [self._beyond()[0], self.a, self.b, self._beyond()[1]]
        squares = [None if p is None else np.float64(-(p.reach_mm**2)) for p in parts]
        half = 0.5 * (wb - wa)
        middle = 0.5 * (self.a.reach_mm**2 + self.b.reach_mm**2) + float(self._curvature(squares)) * half * half
        sag = abs(sqrt(max(middle, 0.0)) - 0.5 * (self.a.reach_mm + self.b.reach_mm))
        size = max(self.a.reach_mm, self.b.reach_mm)
        shift = shapely.distance(self.a.shape.centroid, self.b.shape.centroid)
        sag = max(sag, shift * shift / (8.0 * size), self._misfit())
        pieces = min(_SECTIONS_MAX, ceil(sqrt(sag / self.gap.sag_mm)))
        return [wa + (wb - wa) * n / pieces for n in range(1, pieces)]

    def _misfit(self) -> float:
        """Return a sag for outlines that differ in shape rather than in size or place."""
        if len(self.a.polygons) == len(self.b.polygons) == 1:
            return 0.0
        return 4 * self.gap.sag_mm

    def _prepared(self) -> tuple[_Window, NDArray[np.bool_], FloatArray, FloatArray, FloatArray]:
        if self._fields is None:
            smallest = min(*self.a.radii_mm, *self.b.radii_mm)
            step = max(min(self.gap.step_mm, smallest / 6), self.gap.step_mm / 4)
            if _has_few_corners(self.a.shape):
                # Tracing cuts a corner by up to half a cell.
                step = min(step, self.gap.step_mm / 3)
            window = _window([self.a.shape, self.b.shape], step)
            in_a, in_b = window.inside(self.a.shape), window.inside(self.b.shape)
            wanted = _near_change(in_a, in_b)
            parts = [self._beyond()[0], self.a, self.b, self._beyond()[1]]
            values = [None if p is None else p.field_at(window, wanted) for p in parts]
            base = np.where(in_a & in_b, -1.0, 1.0)
            self._fields = (window, wanted, base, np.array(values[1:3]), self._curvature(values))
        return self._fields

    def rings_at(self, w: float) -> list[FloatArray]:
        window, wanted, base, (va, vb), curvature = self._prepared()
        wa, wb = self.gap.low, self.gap.high
        t = (w - wa) / (wb - wa)
        values = base.copy()
        values[wanted] = (1 - t) * va + t * vb + curvature * (w - wa) * (w - wb)
        return trace_zero(values, origin_uv=window.origin_mm, step_mm=window.step_mm)


def _has_few_corners(shape: Any) -> bool:  # noqa: ANN401
    """Whether an outline is smooth but for a few sharp corners, as a box or a cut cylinder is."""
    corners = 0
    for ring in rings_of(shape):
        along = np.roll(ring, -1, axis=0) - ring
        along = along / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
        corners += int((np.sum(along * np.roll(along, 1, axis=0), axis=1) < 0.7).sum())
    return 0 < corners <= _CORNERS_FEW


def _near_change(in_a: NDArray[np.bool_], in_b: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the nodes where a section between two can change: where they differ, near their rims, and two nodes on."""
    wanted = in_a != in_b
    for inside in (in_a, in_b):
        wanted[:, 1:] |= inside[:, 1:] != inside[:, :-1]
        wanted[1:] |= inside[1:] != inside[:-1]
    for _ in range(2):
        grown = wanted.copy()
        grown[1:] |= wanted[:-1]
        grown[:-1] |= wanted[1:]
        grown[:, 1:] |= wanted[:, :-1]
        grown[:, :-1] |= wanted[:, 1:]
        wanted = grown
    wanted[[0, -1]] = False
    wanted[:, [0, -1]] = False
    return np.asarray(wanted)


class _Cap:
    """A part that goes on nowhere: it is closed within the gap."""

    def __init__(self, gap: _Gap, part: _Part, *, upward: bool) -> None:
        self.gap, self.part, self.upward = gap, part, upward
        self.before = self._chain()
        self.profile = self._profile()
        self._fields: tuple[_Window, NDArray[np.bool_], FloatArray, list[tuple[float, FloatArray]]] | None = None

    def _chain(self) -> list[tuple[float, _Part]]:
        """Return the part and those it grew from, nearest first, with the distance of their slices; at most three."""
        k, step = (self.gap.k, -1) if self.upward else (self.gap.k + 1, 1)
        chain = [(0.0, self.part)]
        for n in (1, 2):
            plane = self.gap.plane(k + n * step)
            found = plane.touching(chain[-1][1].shape) if plane else None
            if plane is None or found is None or len(found.polygons) != len(self.part.polygons):
                break
            chain.append((abs(plane.w_mm - self.gap.planes[k].w_mm), found))
        return chain

    def _profile(self) -> _Profile:
        gap = self.gap.high - self.gap.low
        square = self.part.radius_mm**2
        flat = _Profile(square, 0.0, 0.0, 0.5 * gap)
        if len(self.before) == 1:
            return flat
        t = np.array([-d for d, _ in self.before])
        s = np.array([p.radius_mm**2 for _, p in self.before])
        first = (s[1] - s[0]) / t[1]
        # Two slices leave the curvature open: that of a sphere.
        curvature = -1.0 if len(t) == 2 else float(((s[2] - s[0]) / t[2] - first) / (t[2] - t[1]))
        slope = float(first - curvature * t[1])
        root = _first_root(square, slope, curvature)
        if root is None or root > 2 * gap:
            return flat
        # A shape that would reach well past the next slice was cut off before it: half way, as seen from far.
        height = root if root <= gap else gap - 0.5 * (root - gap)
        tip = _first_root(square * (1 - _TIP_FRAC**2), slope, curvature)
        return _Profile(square, slope, curvature, min(height, tip if tip is not None else height))

    def heights(self) -> list[float]:
        """Return heights at which the section's inradius falls in even steps."""
        p = self.profile
        end = p.square_at(p.height_mm)
        steps = 1
        if p.slope_mm or p.curvature:
            steps = max(2, min(_SECTIONS_MAX, ceil(sqrt(0.25 * p.height_mm / self.gap.sag_mm))))
        r0, r1 = sqrt(p.square_mm2), sqrt(max(end, 0.0))
        rises = [p.height_mm]
        for n in range(1, steps):
            radius = r0 + (r1 - r0) * n / steps
            root = _first_root(p.square_mm2 - radius * radius, p.slope_mm, p.curvature)
            if root is not None and root < p.height_mm:
                rises.append(root)
        beyond = [p.height_mm + _STEP_MM]
        sign = 1.0 if self.upward else -1.0
        start = self.gap.low if self.upward else self.gap.high
        return [start + sign * t for t in rises + beyond]

    def rings_at(self, w: float) -> list[FloatArray]:
        p = self.profile
        t = w - self.gap.low if self.upward else self.gap.high - w
        if t > p.height_mm + 0.5 * _STEP_MM:
            return []
        if not (p.slope_mm or p.curvature):
            return rings_of(self.part.shape)
        window, inside, rim, classes = self._prepared()
        inset = sqrt(p.square_mm2) - sqrt(max(p.square_at(t), 0.0))
        left = np.min([distance - share * inset for share, distance in classes], axis=0)
        return trace_zero(np.where(inside, -left, rim), origin_uv=window.origin_mm, step_mm=window.step_mm)

    def _prepared(self) -> tuple[_Window, NDArray[np.bool_], FloatArray, list[tuple[float, FloatArray]]]:
        """Return the nodes inside, all distances to the outline, and those to each set of edges that recede alike.

        An edge goes on receding as it receded from the slice before: a face that stood still stands still.
        """
        if self._fields is None:
            radius = min(self.part.radii_mm)
            step = max(min(self.gap.step_mm, radius / 14), self.gap.step_mm / 8)
            window = _window([self.part.shape], step)
            nodes = np.argwhere(np.ones(window.shape, np.bool_))[:, ::-1].astype(np.float64)
            edges, shares = self._receding()
            edges = ((edges.reshape(-1, 2, 2) - window.origin_mm) / step).reshape(-1, 4)
            classes = []
            for share in np.unique(shares):
                distance = np.empty(len(nodes))
                edge_distance(np.ascontiguousarray(edges[shares == share]), nodes, distance)
                classes.append((float(share), step * distance.reshape(window.shape)))
            rim = np.min([distance for _, distance in classes], axis=0)
            self._fields = (window, window.inside(self.part.shape), rim, classes)
        return self._fields

    def _receding(self) -> tuple[FloatArray, FloatArray]:
        """Return the outline's edges (n, 4), and how far each receded from the slice before, in units of the inradius.

        Measured along the edge's normal, in steps of an eighth, from 0 to 3.
        """
        rings = rings_of(self.part.shape)
        edges = np.concatenate([np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in rings])
        edges = edges[np.hypot(edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]) > 1e-6]
        before = self.before[1][1]
        usual = before.radius_mm - self.part.radius_mm
        if usual < 0.05 * self.part.radius_mm:
            return edges, np.ones(len(edges))
        along = edges[:, 2:] - edges[:, :2]
        normal = np.column_stack([along[:, 1], -along[:, 0]]) / np.hypot(*along.T)[:, None]
        middle = 0.5 * (edges[:, 2:] + edges[:, :2])
        rays = shapely.linestrings(np.stack([middle, middle + 3.0 * usual * normal], axis=1))
        shapely.prepare(before.shape)
        receded = shapely.length(shapely.intersection(rays, before.shape)) / usual
        return edges, np.clip(np.round(8 * receded) / 8, 0.0, 3.0)


def _first_root(square: float, slope: float, curvature: float) -> float | None:
    """Return the least t > 0 where ``square + slope t + curvature t^2`` is 0; a near miss counts."""
    if square <= 0:
        return 0.0
    disc = slope * slope - 4 * curvature * square
    if disc < 0:
        turning = -slope / (2 * curvature) if curvature > 0 and slope < 0 else None
        # A cone touches zero at its tip; rounding of the contours may lift it off.
        misses = turning is None or square + 0.5 * slope * turning > 0.02 * square
        return None if misses else turning
    # Citardauq: stable for either sign of the curvature, zero included.
    if slope <= 0:
        low = -slope + sqrt(disc)
        return 2 * square / low if low > 0 else None
    return None if curvature >= 0 else (slope + sqrt(disc)) / (-2 * curvature)
