"""The surface of a solid from its dense sections: strips between rings, and level faces where rings begin or end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.engine.contours.frame import Frame
from dvhkit.engine.kernels.surface.stitch import stitch, straighten, strip_triangles
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
        return self.cuts(np.array([w_mm]))[0]

    def cuts(self, heights_mm: FloatArray) -> NDArray[Any]:
        """Return the sections at heights (n,) as valid shapely geometries; empty where the solid does not reach."""
        found = np.full(len(heights_mm), shapely.Polygon(), dtype=object)
        for tops, layers in self._tops:
            here = np.flatnonzero((heights_mm >= layers[0].low_mm) & (heights_mm <= layers[-1].high_mm))
            at = np.minimum(np.searchsorted(tops, heights_mm[here]), len(layers) - 1)
            shapes = polygons_of([layers[k].rings_at(float(heights_mm[n])) for n, k in zip(here, at, strict=True)])
            taken = ~shapely.is_empty(found[here])
            # Two stretches may overlap where a slice is missing between them.
            shapes[taken] = shapely.union(shapes[taken], found[here][taken])
            found[here] = shapes
        return found

    @cached_property
    def _tops(self) -> tuple[tuple[FloatArray, tuple[Layer, ...]], ...]:
        return tuple((np.array([layer.high_mm for layer in run]), run) for run in self.runs if run)

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
        layers = [layer for run in self.runs for layer in run]
        frame = self.sections.frame
        level = [frame.to_patient(f.reshape(-1, 3)).reshape(-1, 3, 3) for x in layers for f in _level_faces(x)]
        return np.concatenate([_upright_faces(layers, frame), *level])

    @cached_property
    def corners_mm(self) -> FloatArray:
        """The corners of the surface (n, 3) in patient coordinates: no point of it is farther from a convex solid."""
        layers = [layer for run in self.runs for layer in run]
        rings = [(ring, x.low_mm) for x in layers for ring in (*(s.lower for s in x.strips), *x.ended)]
        rings += [(ring, x.high_mm) for x in layers for ring in (*(s.upper for s in x.strips), *x.begun)]
        rings += [(ring, 0.5 * (x.low_mm + x.high_mm)) for x in layers for ring in (*x.ended, *x.begun)]
        uv = np.concatenate([ring for ring, _ in rings])
        w = np.repeat([w for _, w in rings], [len(ring) for ring, _ in rings])
        uvw = np.column_stack([uv, w])
        # Strips repeat a point for each triangle that it is a corner of.
        other = np.append(True, (np.diff(uvw, axis=0) != 0).any(axis=1))
        return np.ascontiguousarray(self.sections.frame.to_patient(uvw[other]))

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
    kept = np.empty(len(ring), np.int64)
    count = straighten(np.ascontiguousarray(ring), _STRAIGHT_MM, kept)
    return ring[kept[:count]] if count >= 3 else ring


def _links(levels: Sequence[Sequence[FloatArray]]) -> list[list[tuple[int, int]]]:
    """Return for each pair of neighbouring levels which rings overlap that run the same way round."""
    first = np.cumsum([0, *(len(rings) for rings in levels)])
    rings = [ring for level in levels for ring in level]
    shapes, turns = polygons(rings), [signed_area(ring) > 0 for ring in rings]
    place, pairs = [], []
    for k in range(len(levels) - 1):
        for i in range(len(levels[k])):
            for j in range(len(levels[k + 1])):
                one, two = int(first[k]) + i, int(first[k + 1]) + j
                if turns[one] == turns[two]:
                    place.append((k, i, j))
                    pairs.append((one, two))
    found: list[list[tuple[int, int]]] = [[] for _ in range(max(len(levels) - 1, 0))]
    if place:
        below, above = np.array(pairs).T
        for (k, i, j), hit in zip(place, shapely.intersects(shapes[below], shapes[above]), strict=True):
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


def _upright_faces(layers: Sequence[Layer], frame: Frame) -> FloatArray:
    """Return all faces but level ones as triangles (n, 3, 3) in patient coordinates."""
    lower, upper, heights = [], [], []
    for x in layers:
        middle = 0.5 * (x.low_mm + x.high_mm)
        lower += [s.lower for s in x.strips]
        upper += [s.upper for s in x.strips]
        heights += [(x.low_mm, x.high_mm)] * len(x.strips)
        if x.high_mm - x.low_mm > _SAME_MM:
            # What goes on as nothing, or as several, does so half way.
            loose = [np.vstack([ring, ring[:1]]) for ring in (*x.ended, *x.begun)]
            lower += loose
            upper += loose
            heights += [(x.low_mm, middle)] * len(x.ended) + [(middle, x.high_mm)] * len(x.begun)
    start = np.cumsum([0, *(len(ring) for ring in lower)])
    out = np.empty((2 * int(start[-1]), 3, 3))
    if not lower:
        return out
    spans = np.array(heights, float)
    count = strip_triangles(
        np.concatenate(lower), np.concatenate(upper), start, spans, frame.axes, frame.origin_mm, out
    )
    return out[:count]


def _level_faces(layer: Layer) -> list[FloatArray]:
    """Return what lies level half way, (u, v, w) of triangles: where rings end or begin."""
    if not layer.ended and not layer.begun:
        return []
    middle = 0.5 * (layer.low_mm + layer.high_mm)
    ended, begun = _odd_area(layer.ended), _odd_area(layer.begun)
    return [
        _face_triangles(face, middle, upward=upward)
        for face, upward in ((ended.difference(begun), True), (begun.difference(ended), False))
        if not face.is_empty
    ]


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


def _odd_area(rings: Sequence[FloatArray]) -> Any:  # noqa: ANN401
    """Return what lies inside an odd number of rings: the level face between what ends and what begins."""
    if not rings:
        return shapely.MultiPolygon()
    return areas_of(reduce(shapely.symmetric_difference, _all_valid(polygons(rings))))


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


def polygons_of(sections: Sequence[Sequence[FloatArray]]) -> NDArray[Any]:
    """Return rings at several heights as `polygon_of` does, at once."""
    found = np.full(len(sections), shapely.Polygon(), dtype=object)
    rings = [[ring for ring in section if len(ring) >= 3] for section in sections]
    alone = [n for n, section in enumerate(rings) if len(section) == 1]
    if alone:
        found[alone] = _all_valid(polygons([rings[n][0] for n in alone]))
    for n, section in enumerate(rings):
        if len(section) > 1:
            found[n] = polygon_of(section)
    return found


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
    return _odd_area(rings) if islands else _all_valid(np.array([outer.difference(shapely.union_all(holes))]))[0]


def _all_valid(shapes: NDArray[Any]) -> NDArray[Any]:
    wrong = ~shapely.is_valid(shapes)
    if wrong.any():
        shapes[wrong] = shapely.make_valid(shapes[wrong])
    return shapes
