"""The surface of a solid from its dense sections: strips between rings, and level faces where rings begin or end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.kernels.surface.stitch import stitch
from dvhkit.engine.kernels.surface.triangle_tree import areas
from dvhkit.engine.solid.sampled import Section
from dvhkit.model.arrays import FloatArray
from dvhkit.targets.compare.sections import Sections

# Rings keep their points but for those that leave a straight line by less than this.
_STRAIGHT_MM = 0.003
_SAME_MM = 1e-4
_SLIVER_MM2 = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """A ring that goes on as another: points that belong together, (n, 2) each, closed."""

    lower: FloatArray
    upper: FloatArray

    def at(self, share: float) -> FloatArray:
        """Return the ring at a share of the way up."""
        return self.lower + share * (self.upper - self.lower)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What lies between two neighbouring sections: strips, and rings of either that go on as none or as several."""

    low_mm: float
    high_mm: float
    strips: tuple[Strip, ...]
    ended: tuple[FloatArray, ...]
    begun: tuple[FloatArray, ...]

    def rings_at(self, w_mm: float) -> list[FloatArray]:
        """Return the rings at a height: what ends or begins here does so half way."""
        share = (w_mm - self.low_mm) / (self.high_mm - self.low_mm)
        return [strip.at(share) for strip in self.strips] + list(self.ended if share < 0.5 else self.begun)


@dataclass(frozen=True, kw_only=True, eq=False)
class Skin:
    """A solid that can be cut at any height and measured from any point.

    `runs`: the layers of each stretch without a missing slice, ascending.
    """

    sections: Sections
    runs: tuple[tuple[Layer, ...], ...]

    @property
    def name(self) -> str:
        """The structure's name."""
        return self.sections.name

    def cut(self, w_mm: float) -> Any:  # noqa: ANN401 -- a shapely geometry
        """Return the section at a height as a valid shapely geometry, empty where the solid does not reach."""
        shapes = [shape for run in self._tops for shape in self._cut_run(run, w_mm)]
        if not shapes:
            return shapely.Polygon()
        return shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)

    @cached_property
    def _tops(self) -> tuple[tuple[FloatArray, tuple[Layer, ...]], ...]:
        return tuple((np.array([layer.high_mm for layer in run]), run) for run in self.runs if run)

    def _cut_run(self, run: tuple[FloatArray, tuple[Layer, ...]], w_mm: float) -> list[Any]:
        tops, layers = run
        if not layers[0].low_mm <= w_mm <= layers[-1].high_mm:
            return []
        layer = layers[min(int(np.searchsorted(tops, w_mm)), len(layers) - 1)]
        shape = polygon_of(layer.rings_at(w_mm))
        return [] if shape.is_empty else [shape]

    def ends_mm(self) -> tuple[float, float]:
        """Return the lowest and the highest height that the solid reaches."""
        return min(run[0].low_mm for run in self.runs if run), max(run[-1].high_mm for run in self.runs if run)

    def breaks_mm(self) -> FloatArray:
        """Return the heights between which the section changes smoothly: slices, ends, and where parts join."""
        found = [s.w_mm for s in self.sections.drawn]
        for run in self.runs:
            found += [0.5 * (x.low_mm + x.high_mm) for x in run if x.ended or x.begun]
            found += [x.low_mm for x in run if x.high_mm - x.low_mm < _SAME_MM]
        return np.unique(found)

    @cached_property
    def triangles_mm(self) -> FloatArray:
        """The surface as triangles (n, 3, 3) in patient coordinates."""
        pieces = [piece for run in self.runs for layer in run for piece in _layer_triangles(layer)]
        uvw = np.concatenate(pieces) if pieces else np.empty((0, 3, 3))
        return np.ascontiguousarray(self.sections.frame.to_patient(uvw.reshape(-1, 3)).reshape(-1, 3, 3))

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
    return Skin(sections=sections, runs=tuple(_layers(run) for run in sections.runs))


def _layers(run: Sequence[Section]) -> tuple[Layer, ...]:
    cleaned = [[_straightened(ring) for ring in s.rings if len(ring) >= 3] for s in run]
    links = _links(cleaned)
    made = []
    for k in range(len(run) - 1):
        if run[k + 1].w_mm > run[k].w_mm:
            made.append(_layer(run[k].w_mm, run[k + 1].w_mm, cleaned[k], cleaned[k + 1], links[k]))
    return tuple(layer for layer in made if layer.strips or layer.ended or layer.begun)


def _straightened(ring: FloatArray) -> FloatArray:
    if len(ring) <= 12:
        return ring
    line = shapely.simplify(shapely.linearrings(ring), _STRAIGHT_MM)
    points = shapely.get_coordinates(line)[:-1]
    return points if len(points) >= 3 else ring


def _links(levels: Sequence[Sequence[FloatArray]]) -> list[list[tuple[int, int]]]:
    """Return for each pair of neighbouring levels which rings overlap that run the same way round."""
    shapes = [[shapely.Polygon(ring) for ring in rings] for rings in levels]
    turns = [[signed_area(ring) > 0 for ring in rings] for rings in levels]
    place, below, above = [], [], []
    for k in range(len(levels) - 1):
        for i in range(len(levels[k])):
            for j in range(len(levels[k + 1])):
                if turns[k][i] == turns[k + 1][j]:
                    place.append((k, i, j))
                    below.append(shapes[k][i])
                    above.append(shapes[k + 1][j])
    found: list[list[tuple[int, int]]] = [[] for _ in range(max(len(levels) - 1, 0))]
    if place:
        for (k, i, j), hit in zip(place, shapely.intersects(below, above), strict=True):
            if hit:
                found[k].append((i, j))
    return found


def _layer(
    low: float, high: float, below: Sequence[FloatArray], above: Sequence[FloatArray], links: list[tuple[int, int]]
) -> Layer:
    ups = np.bincount([i for i, _ in links], minlength=len(below)) if links else np.zeros(len(below), int)
    downs = np.bincount([j for _, j in links], minlength=len(above)) if links else np.zeros(len(above), int)
    pairs = [(i, j) for i, j in links if ups[i] == 1 and downs[j] == 1]
    on, off = {i for i, _ in pairs}, {j for _, j in pairs}
    return Layer(
        low,
        high,
        tuple(_strip(below[i], above[j]) for i, j in pairs),
        tuple(ring for i, ring in enumerate(below) if i not in on),
        tuple(ring for j, ring in enumerate(above) if j not in off),
    )


def _strip(below: FloatArray, above: FloatArray) -> Strip:
    if below.shape == above.shape and np.array_equal(below, above):
        closed = np.vstack([below, below[:1]])
        return Strip(closed, closed)
    path = np.empty((len(below) + len(above) + 1, 2), np.int64)
    stitch(np.ascontiguousarray(below), np.ascontiguousarray(above), path)
    return Strip(below[path[:, 0]], above[path[:, 1]])


def _layer_triangles(layer: Layer) -> list[FloatArray]:
    found = [_strip_triangles(s, layer.low_mm, layer.high_mm) for s in layer.strips]
    loose = [*layer.ended, *layer.begun]
    if not loose:
        return found
    middle = 0.5 * (layer.low_mm + layer.high_mm)
    if layer.high_mm - layer.low_mm > _SAME_MM:
        for rings, low, high in ((layer.ended, layer.low_mm, middle), (layer.begun, middle, layer.high_mm)):
            found += [_strip_triangles(Strip(r, r), low, high) for r in (np.vstack([q, q[:1]]) for q in rings)]
    for rings, others, upward in ((layer.ended, layer.begun, True), (layer.begun, layer.ended, False)):
        face = _odd_area(rings).difference(_odd_area(others))
        found.append(_face_triangles(face, middle, upward=upward))
    return found


def _face_triangles(face: Any, w_mm: float, *, upward: bool) -> FloatArray:  # noqa: ANN401
    """Return a level face as triangles whose normals point up or down."""
    flat = shapely.get_parts(shapely.constrained_delaunay_triangles(areas_of(face)))
    if not len(flat):
        return np.empty((0, 3, 3))
    corners = shapely.get_coordinates(flat).reshape(-1, 4, 2)[:, :3]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    wrong = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] > 0) != upward
    corners[wrong] = corners[wrong][:, ::-1]
    return np.concatenate([corners, np.full((len(corners), 3, 1), w_mm)], axis=2)


def _strip_triangles(strip: Strip, low: float, high: float) -> FloatArray:
    lower = np.column_stack([strip.lower, np.full(len(strip.lower), low)])
    upper = np.column_stack([strip.upper, np.full(len(strip.upper), high)])
    one = np.stack([lower[:-1], lower[1:], upper[:-1]], axis=1)
    two = np.stack([lower[1:], upper[1:], upper[:-1]], axis=1)
    flat_one = (strip.lower[:-1] == strip.lower[1:]).all(axis=1)
    flat_two = (strip.upper[:-1] == strip.upper[1:]).all(axis=1)
    return np.concatenate([one[~flat_one], two[~flat_two]])


def _odd_area(rings: Sequence[FloatArray]) -> Any:  # noqa: ANN401
    """Return what lies inside an odd number of rings: the level face between what ends and what begins."""
    area: Any = shapely.Polygon()
    for ring in rings:
        area = area.symmetric_difference(_valid(shapely.Polygon(ring)))
    return areas_of(area)


def areas_of(shape: Any) -> Any:  # noqa: ANN401
    """Return what of a geometry has an area."""
    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > _SLIVER_MM2]
    return shapely.MultiPolygon(parts)


def signed_area(ring: FloatArray) -> float:
    """Return the area of a ring, positive where it runs anticlockwise."""
    x, y = (ring - ring[0]).T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y))


def polygon_of(rings: Sequence[FloatArray]) -> Any:  # noqa: ANN401 -- a shapely geometry
    """Return rings, outer ones anticlockwise and holes clockwise, as a valid shapely geometry."""
    rings = [ring for ring in rings if len(ring) >= 3]
    if not rings:
        return shapely.Polygon()
    if len(rings) == 1:
        return _valid(shapely.Polygon(rings[0]))
    turned: NDArray[np.bool_] = np.array([signed_area(ring) > 0 for ring in rings])
    outer = _valid(shapely.union_all([_valid(shapely.Polygon(r)) for r, out in zip(rings, turned, strict=True) if out]))
    holes = [_valid(shapely.Polygon(r)) for r, out in zip(rings, turned, strict=True) if not out]
    if not holes:
        return outer
    # An island in a hole is an outer ring inside a clockwise one: what is wound round by more outer rings is filled.
    return _valid(outer.difference(shapely.union_all(holes))) if not _has_islands(rings, turned) else _odd_area(rings)


def _has_islands(rings: Sequence[FloatArray], outer: NDArray[np.bool_]) -> bool:
    holes = [shapely.Polygon(r) for r, out in zip(rings, outer, strict=True) if not out]
    inside = [shapely.Point(r[0]) for r, out in zip(rings, outer, strict=True) if out]
    return any(bool(hole.contains(point)) for hole in holes for point in inside)


def _valid(shape: Any) -> Any:  # noqa: ANN401
    return shape if shape.is_valid else shapely.make_valid(shape)
