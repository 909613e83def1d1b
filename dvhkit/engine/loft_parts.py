"""What sections between slices are made from: parts of a slice, their outlines, and the space between two slices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import PlaneStack
from dvhkit.engine.contours.repair import rings_of
from dvhkit.engine.kernels.outline import fill_inside, signed_distance
from dvhkit.engine.kernels.support import edge_normals, is_convex
from dvhkit.model.arrays import FloatArray

# Two faces at one height, one with and one without tissue, are kept this far apart.
STEP_MM = 1e-6
SECTIONS_MAX = 12
# Greatest curvature along w that one set of three slices may suggest: an ellipsoid three times as wide as high.
CURVATURE_MAX = 9.0
# Outlines are texts rounded to a hundredth of a millimetre: dents of less than this on average are rounding.
_DENT_MM = 0.005
_REPEAT_MM = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """The rings of a structure at one height: outer ones anticlockwise, holes clockwise, each (n, 2)."""

    w_mm: float
    rings: tuple[FloatArray, ...]


def flat_rings(rings: Iterable[FloatArray]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return rings as one array of points and the index of each ring's first point, as kernels take them.

    Points that repeat the one before are left out, and rings of which fewer than three are left.
    """
    kept = [clean for clean in map(_without_repeats, rings) if len(clean) >= 3]
    starts = np.zeros(len(kept) + 1, np.int64)
    np.cumsum([len(r) for r in kept], out=starts[1:])
    if len(kept) == 1:
        return np.ascontiguousarray(kept[0]), starts
    return (np.concatenate(kept) if kept else np.empty((0, 2))), starts


def _without_repeats(ring: FloatArray) -> FloatArray:
    change = np.empty_like(ring)
    change[0] = ring[0] - ring[-1]
    np.subtract(ring[1:], ring[:-1], out=change[1:])
    repeats = (np.abs(change) <= _REPEAT_MM).all(axis=1)
    return ring[~repeats] if repeats.any() else ring


def ring_polygons(stack: PlaneStack) -> NDArray[np.object_]:
    """Return each ring of a stack as a shapely polygon of its own, valid or not."""
    index = np.repeat(np.arange(len(stack.ring_start) - 1), np.diff(stack.ring_start))
    return np.asarray(shapely.polygons(shapely.linearrings(stack.points_mm, indices=index)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Outline:
    """A convex ring, anticlockwise, with the normals of its edges in the order of their angles."""

    points: FloatArray
    normals: FloatArray
    angles: FloatArray

    @staticmethod
    def of(ring: Any) -> Outline | None:  # noqa: ANN401 -- a shapely linear ring
        """Return the outline of a ring that is convex, as far as rounding can tell; else None."""
        points = np.ascontiguousarray(shapely.get_coordinates(ring)[:-1])
        if not shapely.is_ccw(ring):
            points = np.ascontiguousarray(points[::-1])
        if not is_convex(points):
            hull = shapely.convex_hull(ring)
            if hull.geom_type != "Polygon" or hull.area - shapely.Polygon(ring).area > _DENT_MM * hull.length:
                return None
            points = shapely.get_coordinates(hull.exterior)[:-1]
            points = np.ascontiguousarray(points if hull.exterior.is_ccw else points[::-1])
        normals, angles = np.empty_like(points), np.empty(len(points))
        count = edge_normals(points, normals, angles)
        return Outline(points=points, normals=normals[:count], angles=angles[:count])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Nodes of a square grid over some parts."""

    origin_mm: FloatArray
    step_mm: float
    shape: tuple[int, int]

    @staticmethod
    def over(shapes: Sequence[Any], step_mm: float) -> Window:
        """Return a window over shapely geometries with some nodes to spare."""
        bounds = np.array([shape.bounds for shape in shapes])
        low = bounds[:, :2].min(axis=0) - 4 * step_mm
        size = np.ceil((bounds[:, 2:].max(axis=0) + 4 * step_mm - low) / step_mm).astype(int) + 1
        return Window(origin_mm=low, step_mm=step_mm, shape=(int(size[1]), int(size[0])))

    def to_nodes(self, points_uv: FloatArray) -> FloatArray:
        """Return points as (column, row)."""
        return np.asarray((points_uv - self.origin_mm) / self.step_mm)

    def inside(self, shape: Any) -> NDArray[np.bool_]:  # noqa: ANN401
        """Return the nodes inside a shapely geometry."""
        points, starts = flat_rings(self.to_nodes(ring) for ring in rings_of(shape))
        inside = np.zeros(self.shape, np.bool_)
        fill_inside(points, starts, inside)
        return inside


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Pieces of one slice that are treated together."""

    shape: Any

    @cached_property
    def polygons(self) -> tuple[Any, ...]:
        """The pieces."""
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
        """Greatest inradius."""
        return max(self.radii_mm)

    @cached_property
    def reach_mm(self) -> float:
        """Radius of the circle of the same area: a cheap measure of size."""
        return sqrt(self.shape.area / np.pi)

    @cached_property
    def middle(self) -> FloatArray:
        """Centroid."""
        return np.asarray(shapely.get_coordinates(shapely.centroid(self.shape))[0])

    @cached_property
    def outline(self) -> Outline | None:
        """The outer ring, where the part is one piece with a convex one."""
        return Outline.of(self.polygons[0].exterior) if len(self.polygons) == 1 else None

    @cached_property
    def holes(self) -> tuple[Part, ...]:
        """The holes of its pieces as parts of their own."""
        return tuple(Part(shape=shapely.Polygon(ring)) for p in self.polygons for ring in p.interiors)

    @property
    def filled(self) -> Part:
        """The part with its holes filled."""
        if not self.holes:
            return self
        return Part(shape=shapely.union_all([shapely.Polygon(p.exterior) for p in self.polygons]))

    def field_at(self, window: Window, wanted: NDArray[np.bool_]) -> FloatArray:
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


def joined(parts: Sequence[Part]) -> Part:
    """Return parts of one slice as one."""
    return parts[0] if len(parts) == 1 else Part(shape=shapely.MultiPolygon([q for p in parts for q in p.polygons]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """One drawn slice and its separate parts."""

    w_mm: float
    rings: tuple[FloatArray, ...]
    parts: tuple[Part, ...] = field(default=())

    @staticmethod
    def all_of(stack: PlaneStack) -> list[Plane]:
        """Return a stack's planes; rings that do not cross are kept as they were drawn."""
        polygons = ring_polygons(stack)
        simple = shapely.is_valid(polygons)
        planes = []
        for k, w in enumerate(stack.offsets_mm.tolist()):
            first, stop = stack.plane_ring[k : k + 2]
            if stop - first == 1 and simple[first]:
                planes.append(Plane(w_mm=w, rings=tuple(stack.rings(k)), parts=(Part(shape=polygons[first]),)))
                continue
            shape = stack.section(k)
            parts = tuple(Part(shape=p) for p in shapely.get_parts(shape) if p.geom_type == "Polygon")
            planes.append(Plane(w_mm=w, rings=tuple(rings_of(shape)), parts=parts))
        return planes

    def touching(self, shape: Any) -> Part | None:  # noqa: ANN401
        """Return all parts that overlap `shape`, as one; None if none does."""
        hits = [p for p in self.parts if p.shape.intersects(shape)]
        return joined(hits) if hits else None

    def hole_over(self, shape: Any) -> Part | None:  # noqa: ANN401
        """Return the one hole that overlaps `shape`; None for none or several."""
        hits = [h for p in self.parts for h in p.holes if h.shape.intersects(shape)]
        return hits[0] if len(hits) == 1 else None


@dataclass(frozen=True, kw_only=True, eq=False)
class Gap:
    """The space between slices `k` and `k + 1`, or beyond an end (k = -1, or the last).

    `step_mm`: the grid on which sections are traced; `sag_mm`: how far straight lines between them may leave the
    surface.
    """

    planes: Sequence[Plane]
    k: int
    low: float
    high: float
    step_mm: float
    sag_mm: float

    def plane(self, k: int) -> Plane | None:
        """Return a slice by number; None beyond the ends."""
        return self.planes[k] if 0 <= k < len(self.planes) else None

    def around(self, a: Part, b: Part) -> tuple[Part | None, Part | None]:
        """Return the parts one slice further on either side of two that bridge the gap, if they are as many pieces."""
        before, after = self.plane(self.k - 1), self.plane(self.k + 2)
        p = before.touching(a.shape) if before else None
        n = after.touching(b.shape) if after else None
        p = p if p is not None and len(p.polygons) == len(a.polygons) else None
        n = n if n is not None and len(n.polygons) == len(b.polygons) else None
        return p, n

    @property
    def widths_mm(self) -> tuple[float, float, float]:
        """The distances of the slices before, here and after; 1 where there is none."""
        before, after = self.plane(self.k - 1), self.plane(self.k + 2)
        return (
            self.low - before.w_mm if before else 1.0,
            self.high - self.low,
            after.w_mm - self.high if after else 1.0,
        )
