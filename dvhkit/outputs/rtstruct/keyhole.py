"""How holes are stored: as a keyhole, as CLOSEDPLANAR_XOR, or nested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import shapely
from shapely.geometry.polygon import orient

from dvhkit.model.arrays import FloatArray
from dvhkit.model.slices import SAME_PLANE_MM
from dvhkit.model.structure import Contour, ContourKind, Structure

Holes = Literal["keyhole", "xor", "nested"]


def stored_rings(structure: Structure, holes: Holes) -> list[tuple[FloatArray, ContourKind]]:
    """Return the (n, 3) points of each contour to store, and its kind.

    Only contours of kind CLOSEDPLANAR_XOR are rearranged; others are stored as they are. Rings of one slice may be
    nested to any depth: each outline with its holes becomes one keyhole, islands in holes become their own.
    """
    drawn = structure.closed_contours
    is_xor = bool(drawn) and all(c.kind is ContourKind.CLOSEDPLANAR_XOR for c in drawn)
    if not is_xor or holes != "keyhole":
        kind = {"xor": ContourKind.CLOSEDPLANAR_XOR}.get(holes, ContourKind.CLOSED_PLANAR)
        return [(c.points_mm, kind if is_xor else c.kind) for c in drawn]
    return [
        (ring, ContourKind.CLOSED_PLANAR)
        for plane in _planes(drawn)
        for ring in _keyholes([c.points_mm for c in plane])
    ]


def _planes(contours: Sequence[Contour]) -> list[list[Contour]]:
    """Return the contours slice by slice."""
    normal = _normal(contours)
    heights = [float(c.points_mm.mean(axis=0) @ normal) for c in contours]
    planes: list[list[Contour]] = []
    last = -np.inf
    for n in np.argsort(heights, kind="stable"):
        if heights[n] - last > SAME_PLANE_MM:
            planes.append([])
        planes[-1].append(contours[n])
        last = heights[n]
    return planes


def _normal(contours: Sequence[Contour]) -> FloatArray:
    total = np.zeros(3)
    for contour in contours:
        ring = contour.points_mm - contour.points_mm[0]
        vector = np.cross(ring, np.roll(ring, -1, axis=0)).sum(axis=0)
        total += vector if vector @ total >= 0 else -vector
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12))


def _keyholes(rings: list[FloatArray]) -> list[FloatArray]:
    if len(rings) == 1:
        return rings
    normal = _normal([Contour(points_mm=ring) for ring in rings])
    u = np.cross(normal, np.eye(3)[int(np.abs(normal).argmin())])
    axes = np.array([u / np.linalg.norm(u), np.cross(normal, u / np.linalg.norm(u))])
    origin = rings[0][0]
    section = shapely.Polygon()
    for ring in rings:
        section = section.symmetric_difference(shapely.Polygon((ring - origin) @ axes.T).buffer(0))
    parts = [p for p in shapely.get_parts(section) if p.geom_type == "Polygon" and p.area > 0]
    return [_one_outline(part) @ axes + origin for part in parts]


def _one_outline(part: Any) -> FloatArray:  # noqa: ANN401 -- a shapely polygon
    """Return a polygon with holes as one ring that enters each hole, and leaves it, by the same shortest way."""
    part = orient(part, sign=1.0)
    outline = np.asarray(part.exterior.coords)[:-1, :2]
    left = [np.asarray(hole.coords)[:-1, :2] for hole in part.interiors]
    while left:
        ways = [_shortest(outline, hole) for hole in left]
        n = int(np.argmin([way[0] for way in ways]))
        _, at, start = ways[n]
        hole = np.roll(left.pop(n), -start, axis=0)
        outline = np.concatenate([outline[: at + 1], hole, hole[:1], outline[at:]])
    return outline


def _shortest(outline: FloatArray, hole: FloatArray) -> tuple[float, int, int]:
    distance = np.hypot(*(outline[:, None] - hole[None]).transpose(2, 0, 1))
    at, start = np.unravel_index(int(distance.argmin()), distance.shape)
    return float(distance[at, start]), int(at), int(start)
