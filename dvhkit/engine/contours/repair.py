"""Sections whose rings cross themselves or each other, put right with shapely; and rings from sections and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry.polygon import orient

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray

# Rings are texts rounded to about a hundredth of a millimetre; less than this is touching, not crossing.
_TOUCH_MM = 1e-3
# Each crossing takes a tenth of a millisecond and two kilobytes. The longest drawn outlines, of lung vessels, would
# come to some hundreds by their length; they cross themselves a few times.
_MOST_CROSSINGS = 10_000


def compose(rings: Sequence[FloatArray], *, xor: bool) -> Any:  # noqa: ANN401 -- a shapely geometry
    """Return the section that closed (n, 2) rings bound, as a valid shapely geometry.

    A ring that crosses itself encloses every point that it winds round. With `xor` all rings are combined by
    exclusive or; otherwise a ring inside another cuts a hole (an island inside a hole fills it again), equal rings
    count once, and rings that overlap without lying inside one another are united.
    """
    shapes = [shape for shape in (_enclosed(ring) for ring in rings) if not shape.is_empty]
    if xor:
        section = shapely.Polygon()
        for shape in shapes:
            section = section.symmetric_difference(shape)
        return section
    return _nest(shapes)


def _nest(shapes: list[Any]) -> Any:  # noqa: ANN401
    shapes = sorted(shapes, key=lambda s: -s.area)
    kept: list[Any] = []
    depths: list[int] = []
    for shape in shapes:
        around = [(other, depth) for other, depth in zip(kept, depths, strict=True) if _holds(other, shape)]
        if any(shapely.hausdorff_distance(other, shape) <= _TOUCH_MM for other, _ in around):
            continue
        kept.append(shape)
        depths.append(1 + max((depth for _, depth in around), default=-1))
    section = shapely.Polygon()
    for level in range(max(depths, default=-1) + 1):
        here = shapely.union_all([s for s, d in zip(kept, depths, strict=True) if d == level])
        section = section.union(here) if level % 2 == 0 else section.difference(here)
    return section


def _holds(outer: Any, inner: Any) -> bool:  # noqa: ANN401
    return outer.area >= inner.area and bool(outer.buffer(_TOUCH_MM).contains(inner))


def _enclosed(ring: FloatArray) -> Any:  # noqa: ANN401
    """Return all that one ring winds round."""
    if len(ring) < 3:
        return shapely.Polygon()
    plain = shapely.Polygon(ring)
    if plain.is_valid:
        return plain
    if _expected_crossings(ring) > _MOST_CROSSINGS:
        raise GeometryError(
            f"a contour of {len(ring)} points crosses itself thousands of times: it is a scribble and bounds nothing.",
            remedy="Draw it again.",
        )
    lines = shapely.node(shapely.LineString(np.vstack([ring, ring[:1]])))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    inside = [face for face in faces if _winding(ring, face.representative_point()) != 0]
    return shapely.union_all(inside)


def _expected_crossings(ring: FloatArray) -> float:
    """Return how often a ring would cross itself if its edges lay at random within its box (Buffon, Crofton)."""
    length = float(np.hypot(*(np.roll(ring, -1, axis=0) - ring).T).sum())
    area = float(np.prod(np.ptp(ring, axis=0)))
    return length**2 / (np.pi * area) if area > 0 else 0.0


def _winding(ring: FloatArray, point: Any) -> int:  # noqa: ANN401
    start = ring - np.array([point.x, point.y])
    stop = np.roll(start, -1, axis=0)
    side = start[:, 0] * stop[:, 1] - stop[:, 0] * start[:, 1]
    upward = (start[:, 1] <= 0) & (stop[:, 1] > 0) & (side > 0)
    downward = (start[:, 1] > 0) & (stop[:, 1] <= 0) & (side < 0)
    return int(upward.sum() - downward.sum())


def rings_of(section: Any) -> list[FloatArray]:  # noqa: ANN401
    """Return the rings of a section: outer ones anticlockwise, holes clockwise, without the repeated last point."""
    rings: list[FloatArray] = []
    for part in shapely.get_parts(section):
        if part.geom_type != "Polygon" or part.area <= 0:
            continue
        turned = orient(part, sign=1.0)
        rings.extend(np.asarray(ring.coords)[:-1, :2] for ring in (turned.exterior, *turned.interiors))
    return rings
