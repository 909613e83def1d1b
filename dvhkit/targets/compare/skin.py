"""The surface of a solid from its dense sections: strips between rings, and level faces where rings begin or end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.kernels.surface.stitch import corners, join_levels, strip_triangles
from dvhkit.engine.kernels.surface.sweep import holds_points, level_triangles
from dvhkit.engine.kernels.surface.triangle_tree import areas
from dvhkit.engine.solid.sampled import Section
from dvhkit.model.arrays import FloatArray
from dvhkit.targets.compare.flat import stacked
from dvhkit.targets.compare.sections import Sections

# Rings keep their points but for those that leave a straight line by less than this share of the structure's width,
# which takes 0.05 % off a round section, and by no more than so much.
_STRAIGHT_FRAC, _STRAIGHT_MM = 2e-4, 0.01
_SAME_MM = 1e-4
_SLIVER_MM2 = 1e-6
_GOES_ON, _ENDS, _BEGINS = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strips:
    """How the rings of all sections go on as those of the next, in (u, v, w), ascending in each run.

    Attributes
    ----------
    lower, upper : (n, 2)
        Points that belong together; each strip is closed: its last pair is its first again.
    start : (s + 1,)
        Where strips start.
    spans_mm : (s, 2)
        Heights between which each runs.
    kind : (s,)
        0 for what goes on as another ring, 1 for what ends half way to the next section, 2 for what begins there.
    layer : (s,)
        Those of one number lie between the same two sections.
    """

    lower: FloatArray
    upper: FloatArray
    start: NDArray[np.int64]
    spans_mm: FloatArray
    kind: NDArray[np.int64]
    layer: NDArray[np.int64]

    @property
    def table(self) -> tuple[FloatArray, FloatArray, NDArray[np.int64], FloatArray]:
        """What kernels of sections take: each strip holds at its lower height, and no longer at its upper one."""
        return self.lower, self.upper, self.start, self.spans_mm

    def rings_at(self, w_mm: float) -> list[FloatArray]:
        """Return the rings at a height, each (n, 2)."""
        found = []
        for s in np.flatnonzero((self.spans_mm[:, 0] <= w_mm) & (w_mm < self.spans_mm[:, 1])):
            low, high = self.spans_mm[s]
            here = slice(self.start[s], self.start[s + 1] - 1)
            lower = self.lower[here]
            found.append(lower + (w_mm - low) / (high - low) * (self.upper[here] - lower))
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Skin:
    """A solid that can be cut at any height and measured from any point."""

    sections: Sections
    strips: Strips

    @property
    def name(self) -> str:
        """The structure's name."""
        return self.sections.name

    def cut(self, w_mm: float) -> Any:  # noqa: ANN401 -- a shapely geometry
        """Return the section at a height as a valid shapely geometry, empty where the solid does not reach."""
        return polygon_of(self.strips.rings_at(w_mm))

    def holds(self, points_mm: FloatArray) -> NDArray[np.bool_]:
        """Return which points (n, 3), in patient coordinates, lie inside the solid."""
        inside = np.zeros(len(points_mm), np.bool_)
        holds_points(np.ascontiguousarray(self.sections.frame.to_frame(points_mm)), self.strips.table, inside)
        return inside

    def ends_mm(self) -> tuple[float, float]:
        """Return the lowest and the highest height that the solid reaches."""
        return float(self.strips.spans_mm.min()), float(self.strips.spans_mm.max())

    def breaks_mm(self) -> FloatArray:
        """Return the heights between which the section changes smoothly: slices, ends, and where parts join."""
        strips = self.strips
        sudden = strips.spans_mm[(strips.kind == _GOES_ON) & (np.ptp(strips.spans_mm, axis=1) < _SAME_MM), 0]
        ends = [strips.spans_mm[strips.kind == _ENDS, 1], strips.spans_mm[strips.kind == _BEGINS, 0]]
        return np.unique(np.concatenate([np.array([s.w_mm for s in self.sections.drawn]), *ends, sudden]))

    @cached_property
    def triangles_mm(self) -> FloatArray:
        """The surface as triangles (n, 3, 3) in patient coordinates, turned outwards."""
        strips, frame = self.strips, self.sections.frame
        upright = np.empty((2 * len(strips.lower), 3, 3))
        walls = strip_triangles(
            strips.lower, strips.upper, strips.start, strips.kind, strips.spans_mm, frame.axes, frame.origin_mm, upright
        )
        level = np.empty((4 * int((np.diff(strips.start) * (strips.kind != _GOES_ON)).sum()), 3, 3))
        how = (strips.table, strips.kind, strips.layer, frame.axes, frame.origin_mm)
        faces = level_triangles(*how, level)
        if faces > len(level):
            level = np.empty((faces, 3, 3))
            level_triangles(*how, level)
        return np.concatenate([upright[:walls], level[:faces]])

    @cached_property
    def corners_mm(self) -> FloatArray:
        """The corners of the surface (n, 3) in patient coordinates: no point of it is farther from a convex solid."""
        strips, frame = self.strips, self.sections.frame
        out = np.empty((2 * len(strips.lower), 3))
        count = corners(
            strips.lower, strips.upper, strips.start, strips.kind, strips.spans_mm, frame.axes, frame.origin_mm, out
        )
        return out[:count]

    @cached_property
    def areas_mm2(self) -> FloatArray:
        """The area of each triangle."""
        out = np.empty(len(self.triangles_mm))
        areas(self.triangles_mm, out)
        return out

    @property
    def surface_cm2(self) -> float:
        """The area of the whole surface, ends and cavities included."""
        return float(self.areas_mm2.sum()) / 100.0


def skin_of(sections: Sections) -> Skin:
    """Return the surface of a solid."""
    runs, layers = [], 0
    for run in sections.runs:
        runs.append(_joined(run, layers))
        layers += len(run)
    if len(runs) == 1:
        return Skin(sections=sections, strips=runs[0])
    counts = np.concatenate([np.diff(run.start) for run in runs])
    strips = Strips(
        lower=np.concatenate([run.lower for run in runs]),
        upper=np.concatenate([run.upper for run in runs]),
        start=np.concatenate([[0], np.cumsum(counts)]),
        spans_mm=np.concatenate([run.spans_mm for run in runs]),
        kind=np.concatenate([run.kind for run in runs]),
        layer=np.concatenate([run.layer for run in runs]),
    )
    return Skin(sections=sections, strips=strips)


def _joined(run: Sequence[Section], first_layer: int) -> Strips:
    """Return the strips of one run, whose layers are numbered from `first_layer` on."""
    levels = [[ring for ring in section.rings if len(ring) >= 3] for section in run]
    points, ring_start = stacked([ring for rings in levels for ring in rings])
    level_start = np.cumsum([0, *(len(rings) for rings in levels)])
    heights = np.array([section.w_mm for section in run])
    n_rings = len(ring_start) - 1
    straight_mm = min(_STRAIGHT_MM, _STRAIGHT_FRAC * float(np.ptp(points, axis=0).max())) if len(points) else 0.0
    lower, upper = np.empty((2, 2 * (len(points) + n_rings), 2))
    start, kind, layer = (np.empty(2 * n_rings + 1, np.int64) for _ in range(3))
    n = join_levels(points, ring_start, level_start, heights, straight_mm, lower, upper, start, kind, layer)
    used, kind, layer = int(start[n]), kind[:n], layer[:n]
    low, high = heights[layer], heights[layer + 1]
    middle = 0.5 * (low + high)
    spans = np.column_stack([np.where(kind == _BEGINS, middle, low), np.where(kind == _ENDS, middle, high)])
    return Strips(
        lower=lower[:used],
        upper=upper[:used],
        start=start[: n + 1],
        spans_mm=spans,
        kind=kind,
        layer=layer + first_layer,
    )


def areas_of(shape: Any) -> Any:  # noqa: ANN401
    """Return what of a geometry has an area."""
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > _SLIVER_MM2]
    return shapely.MultiPolygon(parts)


def signed_area(ring: FloatArray) -> float:
    """Return the area of a ring, positive where it runs anticlockwise."""
    x, y = (ring - ring[0]).T
    # The first point lies at the origin.
    return 0.5 * float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))


def polygons(rings: Sequence[FloatArray]) -> NDArray[Any]:
    """Return each ring of three points or more as a shapely polygon, valid or not."""
    if not len(rings):
        return np.empty(0, object)
    owner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    return np.asarray(shapely.polygons(shapely.linearrings(np.concatenate(rings), indices=owner)))


def polygon_of(rings: Sequence[FloatArray]) -> Any:  # noqa: ANN401 -- a shapely geometry
    """Return rings, outer ones anticlockwise and holes clockwise, as a valid shapely geometry."""
    rings = [ring for ring in rings if len(ring) >= 3]
    if not rings:
        return shapely.Polygon()
    shapes = _all_valid(polygons(rings))
    if len(rings) == 1:
        return shapes[0]
    turned: NDArray[np.bool_] = np.array([signed_area(ring) > 0 for ring in rings])
    outer, holes = shapely.union_all(shapes[turned]), shapes[~turned]
    if not len(holes):
        return outer
    # An island in a hole is an outer ring inside a clockwise one: what is wound round by more outer rings is filled.
    inside = shapely.points(np.array([ring[0] for ring, out in zip(rings, turned, strict=True) if out]))
    islands = bool(shapely.contains(holes[:, None], inside).any())
    if islands:
        return areas_of(reduce(shapely.symmetric_difference, shapes))
    return _all_valid(np.array([outer.difference(shapely.union_all(holes))]))[0]


def _all_valid(shapes: NDArray[Any]) -> NDArray[Any]:
    wrong = ~shapely.is_valid(shapes)
    if wrong.any():
        shapes[wrong] = shapely.make_valid(shapes[wrong])
    return shapes
