"""Sections of solids that are one convex outline on every slice, or one seen whole from its middle: by directions.

The squares of how far outlines reach run quadratically along w, as the levels of `kernels.reconstruct` do at each node;
every direction is known, so that corners stay as sharp between slices as they were drawn. A convex outline reaches as
far as its lines that bound it, any other as far as it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import shapely

from dvhkit.engine.kernels.solid.star import radii, toward_points
from dvhkit.engine.kernels.solid.support import (
    bend_between,
    edge_normals,
    is_convex,
    merge_normals,
    reaches,
    shared_polygon,
)
from dvhkit.engine.options import Between
from dvhkit.engine.solid.solid import Solid
from dvhkit.model.arrays import FloatArray

# Greatest curvature along w that one set of three slices may suggest: an ellipsoid three times as wide as high.
_CURVATURE_MAX = 9.0
# Outlines are texts rounded to a hundredth of a millimetre: dents of less than this on average are rounding.
_DENT_MM = 0.005
# A section half way may exceed what the slopes of the areas on either side say by this share: they are no parabolas.
_EXCESS_FRAC = 0.02
# An edge that is seen from the middle at an angle of less than 12 degrees says little of how far it is away.
_SEEN_SIN = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class Outline:
    """A convex ring, anticlockwise, with the normals of its edges in the order of their angles, and its centroid."""

    points: FloatArray
    normals: FloatArray
    angles: FloatArray
    middle: FloatArray

    @staticmethod
    def of(points: FloatArray, middle: FloatArray) -> Outline | None:
        """Return the outline of an anticlockwise ring that is convex, as far as rounding can tell; else None."""
        points = np.ascontiguousarray(points)
        if not is_convex(points):
            ring = shapely.Polygon(points)
            hull = shapely.convex_hull(ring)
            if hull.geom_type != "Polygon" or hull.area - ring.area > _DENT_MM * hull.length:
                return None
            points = shapely.get_coordinates(hull.exterior)[:-1]
            points = np.ascontiguousarray(points if hull.exterior.is_ccw else points[::-1])
        normals, angles = np.empty_like(points), np.empty(len(points))
        count = edge_normals(points, normals, angles)
        return Outline(points=points, normals=normals[:count], angles=angles[:count], middle=middle)

    def reach(self, middle: FloatArray, normals: FloatArray, out: FloatArray) -> None:
        """Write how far the outline reaches from a middle along each normal."""
        reaches(self.points, middle, normals, out)

    @staticmethod
    def rings(normals: FloatArray, reach: FloatArray, middles: FloatArray) -> list[tuple[FloatArray, ...]]:
        """Return the ring, or none, of each row (n, k): what half planes share that lie so far off its middle."""
        found: list[tuple[FloatArray, ...]] = []
        for row, middle in zip(reach, middles, strict=True):
            corners = np.empty((len(normals) + 1, 2))
            offsets = row + normals @ middle
            count = shared_polygon(normals, offsets, np.empty(len(offsets), np.int64), corners)
            found.append((corners[:count],) if count else ())
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Star(Outline):
    """A ring that is seen whole from its centroid, with the directions of its points; it reaches as far as drawn."""

    @staticmethod
    def of(points: FloatArray, middle: FloatArray) -> Star | None:
        """Return the outline of an anticlockwise ring, or None if an edge is hidden, or seen too much aslant."""
        points = np.ascontiguousarray(points)
        normals, angles = np.empty_like(points), np.empty(len(points))
        count = toward_points(points, middle, _SEEN_SIN, normals, angles)
        return Star(points=points, normals=normals[:count], angles=angles[:count], middle=middle) if count else None

    def reach(self, middle: FloatArray, normals: FloatArray, out: FloatArray) -> None:  # noqa: ARG002
        """Write how far the outline lies off its own centroid in each direction."""
        radii(self.points, self.middle, normals, out)

    @staticmethod
    def rings(normals: FloatArray, reach: FloatArray, middles: FloatArray) -> list[tuple[FloatArray, ...]]:
        """Return the one ring, or none, so far off each middle; where nothing is left it runs through the middle."""
        points = middles[:, None] + np.maximum(reach, 0.0)[:, :, None] * normals
        there = reach > 0.0
        count = np.count_nonzero(there, axis=1).tolist()
        found: list[tuple[FloatArray, ...]] = []
        for n, ring in enumerate(points):
            if count[n] == len(normals):
                found.append((ring,))
            elif count[n] < 2:
                found.append(())
            else:
                found.append((ring[there[n] | np.roll(there[n], 1)],))
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """The outline of each plane, and how each goes on as the next in its run, by the lower plane."""

    planes: tuple[Outline, ...]
    bridges: dict[int, _Bridge]


def convex_outlines(solid: Solid) -> Outlines | None:
    """Return the outlines of a solid if all are convex, one a plane, and go on smoothly; else None."""
    return _outlines(solid, Outline)


def star_outlines(solid: Solid) -> Outlines | None:
    """Return the outlines of a solid if all are seen whole from their centroids, one a plane, and go on smoothly."""
    found = _outlines(solid, Star)
    return None if found is None or any(bridge.has_step for bridge in found.bridges.values()) else found


@lru_cache(maxsize=8)
def _outlines(solid: Solid, kind: type[Outline]) -> Outlines | None:
    stack, links = solid.stack, solid.links
    if links is None or solid.options.between is not Between.SHAPE or solid.options.bend_max < 1.0:
        return None
    if len(stack.ring_start) - 1 != stack.n_planes:
        return None
    middles = np.column_stack([links.x_mm, links.y_mm])
    found = []
    for plane in range(stack.n_planes):
        outline = kind.of(stack.rings(plane)[0], middles[plane])
        if outline is None:
            return None
        found.append(outline)
    bridges = {
        low: _Bridge(solid, found, low, (first, stop))
        for first, stop in solid.runs.bounds
        for low in range(first, stop - 1)
    }
    made = Outlines(planes=tuple(found), bridges=bridges)
    return made if _goes_on_smoothly(solid, made) else None


def _goes_on_smoothly(solid: Solid, outlines: Outlines) -> bool:
    """Whether no section half way is larger than the slopes of the areas on either side say.

    Outlines that jump or turn with the pen are joined to what is larger than either of them.
    """
    area, offsets = np.abs(solid.stack.areas_mm2()), solid.stack.offsets_mm
    for first, stop in solid.runs.bounds:
        for low, high in pairwise(range(first, stop)):
            half = 0.5 * (offsets[high] - offsets[low])
            ends = []
            if low - 1 >= first:
                ends.append(area[low] + half * (area[low] - area[low - 1]) / (offsets[low] - offsets[low - 1]))
            if high + 1 < stop:
                ends.append(area[high] + half * (area[high] - area[high + 1]) / (offsets[high + 1] - offsets[high]))
            if not ends:
                continue
            (rings,) = outlines.bridges[low].rings_at(np.array([0.5 * float(offsets[low] + offsets[high])]))
            most = max(area[low], area[high], min(ends))
            if sum(_area_mm2(ring) for ring in rings) > (1.0 + _EXCESS_FRAC) * most:
                return False
    return True


def _area_mm2(ring: FloatArray) -> float:
    # The first point lies at the origin.
    x, y = (ring - ring[0]).T
    return 0.5 * float(x[:-1] @ y[1:] - x[1:] @ y[:-1])


def rings_by_direction(solid: Solid, outlines: Outlines, heights_mm: FloatArray) -> list[tuple[FloatArray, ...]]:
    """Return the one ring, or none, at each of ascending heights."""
    found: list[tuple[FloatArray, ...]] = [()] * len(heights_mm)
    offsets = solid.stack.offsets_mm
    # What lies between each plane and the next one, neither on the one nor on the other.
    begins = np.searchsorted(heights_mm, offsets, side="right").tolist()
    ends = np.searchsorted(heights_mm, offsets, side="left").tolist()
    for first, stop in solid.runs.bounds:
        for low, high in pairwise(range(first, stop)):
            if begins[low] < ends[high]:
                between = slice(begins[low], ends[high])
                found[between] = outlines.bridges[low].rings_at(heights_mm[between])
        for plane, sign in ((first, -1.0), (stop - 1, 1.0)):
            end = float(solid.hi_mm[plane] if sign > 0 else solid.lo_mm[plane])
            here = np.flatnonzero((sign * (heights_mm - offsets[plane]) > 0) & (sign * (end - heights_mm) >= 0))
            if here.size:
                cap = _Cap(solid, outlines.planes, plane, (first, stop), upward=sign > 0)
                rings = cap.rings_at(sign * (heights_mm[here] - offsets[plane]))
                for n, ring in zip(here.tolist(), rings, strict=True):
                    found[n] = ring
    return found


def stepped_mm(solid: Solid, outlines: Outlines) -> FloatArray:
    """Return the heights half way between slices at which a face lies level."""
    offsets = solid.stack.offsets_mm
    return np.array([0.5 * (offsets[k] + offsets[k + 1]) for k, bridge in outlines.bridges.items() if bridge.has_step])


class _Bridge:
    """Two outlines, one above the other: what each direction reaches, squared, goes quadratically."""

    def __init__(self, solid: Solid, outlines: Sequence[Outline], plane: int, run: tuple[int, int]) -> None:
        offsets = solid.stack.offsets_mm
        self._low, self._high = float(offsets[plane]), float(offsets[plane + 1])
        has_before, has_after = plane - 1 >= run[0], plane + 2 < run[1]
        a, b = outlines[plane], outlines[plane + 1]
        around = (outlines[plane - 1] if has_before else None, a, b, outlines[plane + 2] if has_after else None)
        gaps = np.array(
            [
                self._low - offsets[plane - 1] if has_before else 1.0,
                self._high - self._low,
                offsets[plane + 2] - self._high if has_after else 1.0,
            ]
        )
        self._normals = normals = _merged(a, b)
        drift = (b.middle - a.middle) / gaps[1]
        self._middles = middles = [a.middle - drift * gaps[0], a.middle, b.middle, b.middle + drift * gaps[2]]
        reach = np.zeros((4, len(normals)))
        for row, outline, middle in zip(reach, around, middles, strict=True):
            if outline is not None:
                outline.reach(middle, normals, row)
        self._rings = a.rings
        place = reach + np.array(middles) @ normals.T
        self._place = place[1:3]
        self._squares, self._curvature = np.empty((2, len(normals))), np.empty(len(normals))
        self._stepped = np.empty(len(normals), np.bool_)
        _, self.has_step = bend_between(
            reach, place, gaps, _CURVATURE_MAX, has_before, has_after, self._squares, self._curvature, self._stepped
        )

    def rings_at(self, w_mm: FloatArray) -> list[tuple[FloatArray, ...]]:
        """Return the sections at heights (n,)."""
        w = w_mm[:, None]
        t = (w - self._low) / (self._high - self._low)
        if self.has_step:
            # Faces that step do so half way, the others go straight.
            ahead = np.where(self._stepped, np.where(t < 0.5, 0.0, 1.0), t)
            place = (1 - ahead) * self._place[0] + ahead * self._place[1]
            return self._rings(self._normals, place, np.zeros((len(w), 2)))
        bulge = self._curvature * (w - self._low) * (w - self._high)
        square = (1 - t) * self._squares[0] + t * self._squares[1] + bulge
        middles = (1 - t) * self._middles[1] + t * self._middles[2]
        return self._rings(self._normals, np.sign(square) * np.sqrt(np.abs(square)), middles)


class _Cap:
    """What an outline goes on as beyond the last slice: each direction as it went."""

    def __init__(
        self, solid: Solid, outlines: Sequence[Outline], plane: int, run: tuple[int, int], *, upward: bool
    ) -> None:
        links, offsets = solid.links, solid.stack.offsets_mm
        assert links is not None
        back = -1 if upward else 1
        order = int((links.up_order if upward else links.down_order)[plane])
        chain = [plane + n * back for n in range(3) if run[0] <= plane + n * back < run[1]]
        self._own = solid.stack.rings(plane)[0]
        self._stretch = float((links.up_stretch if upward else links.down_stretch)[plane])
        self._outlines = [outlines[k] for k in chain[: {0: 1, 1: 2, 2: 2}.get(order, 3)]]
        self._at = [-abs(float(offsets[k] - offsets[plane])) for k in chain]
        if len(self._outlines) < 2:
            return
        self._normals = normals = _merged(self._outlines[0], self._outlines[1])
        reach = np.empty((len(self._outlines), len(normals)))
        for row, outline in zip(reach, self._outlines, strict=True):
            outline.reach(outline.middle, normals, row)
        square, t = reach * np.abs(reach), self._at
        first = (square[1] - square[0]) / t[1]
        # Two slices leave the curvature of a rounded end open: that of a sphere.
        self._curvature = np.full(len(normals), -1.0 if order == 2 else 0.0)
        if len(reach) == 3:
            bend = ((square[2] - square[0]) / t[2] - first) / (t[2] - t[1])
            self._curvature = np.clip(bend, -_CURVATURE_MAX, _CURVATURE_MAX)
        self._square, self._slope = square[0], first - self._curvature * t[1]
        # What has been growing goes on at most as fast.
        self._most = np.maximum(0.0, (reach[0] - reach[1]) / -t[1])

    def rings_at(self, rises_mm: FloatArray) -> list[tuple[FloatArray, ...]]:
        """Return the sections so far (n,) beyond the slice."""
        if len(self._outlines) < 2:
            return [(self._own,)] * len(rises_mm)
        t = rises_mm[:, None] / self._stretch
        value = self._square + t * (self._slope + t * self._curvature)
        reach = np.minimum(np.sign(value) * np.sqrt(np.abs(value)), np.sqrt(self._square) + t * self._most)
        return self._outlines[0].rings(self._normals, reach, self._middles_at(t))

    def _middles_at(self, t: FloatArray) -> FloatArray:
        """Return where the middle goes, (n, 2) for (n, 1): on as it went, and no further than where it would turn."""
        middles, t1 = [outline.middle for outline in self._outlines], self._at[1]
        first = (middles[1] - middles[0]) / t1
        if len(middles) == 2:
            return np.asarray(middles[0] + t * first)
        t2 = self._at[2]
        bend = ((middles[2] - middles[0]) / t2 - first) / (t2 - t1)
        slope = first - bend * t1
        slows = slope * bend < 0
        at = np.minimum(t, np.where(slows, -0.5 * slope / np.where(bend == 0, 1.0, bend), np.inf))
        return np.asarray(middles[0] + at * (slope + np.where(slows, bend, 0.0) * at))


def _merged(a: Outline, b: Outline) -> FloatArray:
    """Return the normals of two outlines in the order of their angles."""
    normals = np.empty((len(a.angles) + len(b.angles), 2))
    return normals[: merge_normals(a.normals, a.angles, b.normals, b.angles, normals)]
