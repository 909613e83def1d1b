"""Distances between two surfaces of triangles, exact from any point to the nearest triangle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np

from dvhkit.engine.kernels.surface.triangle_tree import (
    farthest,
    farthest_within,
    fill_boxes,
    morton,
    nearest,
    pack,
    spread,
)
from dvhkit.model.arrays import FloatArray
from dvhkit.targets.compare.skin import Skin

# Triangles in a leaf of the tree at most: distances to several are found at once.
_LEAF, _AT_ONCE = 16, 4
# So many points stand for a surface. The share of a surface within a tolerance then errs by some 0.2 %.
_POINTS = 6_000
# Coordinates are texts rounded to a hundredth of a millimetre or less: what is shifted by just the tolerance is within.
_ROUNDED_MM = 1e-3
# The greatest distance is known to this, below it, unless that took more searches: on wide faces hardly apart.
_FAR_MM, _SEARCHES = 0.01, 400_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A surface with what it takes to measure to it and from it.

    Attributes
    ----------
    triangles_mm : (n, 3, 3)
        In an order in which neighbours in space follow each other.
    areas_mm2 : (n,)
        Of each triangle.
    corners_mm : (k, 3)
        All corners of the triangles.
    """

    triangles_mm: FloatArray
    areas_mm2: FloatArray
    corners_mm: FloatArray

    @staticmethod
    def of(skin: Skin) -> Measured:
        """Return the surface of a solid, its triangles sorted."""
        triangles = skin.triangles_mm
        order = _along_curve(triangles)
        return Measured(triangles_mm=triangles[order], areas_mm2=skin.areas_mm2[order], corners_mm=skin.corners_mm)

    @cached_property
    def _tree(self) -> tuple[FloatArray, FloatArray]:
        """The triangles by leaves as kernels take them, and a tree of boxes over these."""
        count, leaves = len(self.triangles_mm), 1
        while leaves * _LEAF < count:
            leaves *= 2
        in_leaf = _AT_ONCE * ceil(count / (_AT_ONCE * leaves))
        packed, boxes = np.empty((ceil(count / in_leaf), 17, in_leaf)), np.empty((2 * leaves, 6))
        pack(self.triangles_mm, packed)
        fill_boxes(self.triangles_mm, in_leaf, boxes)
        return packed, boxes

    @cached_property
    def _spread(self) -> tuple[FloatArray, np.ndarray]:
        total = float(self.areas_mm2.sum())
        points, which = np.empty((_POINTS + 2, 3)), np.empty(_POINTS + 2, np.int64)
        count = spread(self.triangles_mm, self.areas_mm2, total / _POINTS, points, which)
        return points[:count], which[:count]

    @property
    def points_mm(self) -> FloatArray:
        """Points that stand for equal areas."""
        return self._spread[0]

    def normals_at(self, every: int) -> FloatArray:
        """Return unit normals, outwards, of the triangles on which one in so many of the points lies."""
        corners = self.triangles_mm[self._spread[1][::every]]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)[:, None])

    def from_points(self, points_mm: FloatArray) -> FloatArray:
        """Return the distance of points (n, 3) from the surface."""
        out = np.empty(len(points_mm))
        nearest(np.ascontiguousarray(points_mm), *self._tree, out)
        return out

    def farthest_corner(self, other: Measured, least_mm: float) -> float:
        """Return how far the farthest corner of another surface is, or `least_mm` if none is farther."""
        return float(farthest(other.corners_mm, *self._tree, least_mm)[1])

    def farthest(self, other: Measured, least_mm: float) -> float:
        """Return how far the farthest point of another surface is: of a level face it may be one in its middle.

        `least_mm` if none is farther.
        """
        packed, boxes = other._tree
        within = (other.triangles_mm, packed.shape[2], boxes)
        return float(farthest_within(*within, *self._tree, least_mm, _FAR_MM, _SEARCHES))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distances:
    """How far the points of two surfaces are from each other.

    Attributes
    ----------
    from_a_mm, from_b_mm : (n,), (m,)
        From points of A, which stand for equal areas, to the surface of B; and from B to A.
    area_a_mm2, area_b_mm2
        The whole areas.
    hausdorff_mm
        The greatest distance of any point of either from the other.
    """

    from_a_mm: FloatArray
    from_b_mm: FloatArray
    area_a_mm2: float
    area_b_mm2: float
    hausdorff_mm: float

    @property
    def _weights(self) -> tuple[float, float]:
        return self.area_a_mm2 / len(self.from_a_mm), self.area_b_mm2 / len(self.from_b_mm)

    @property
    def mean_mm(self) -> float:
        """The mean over both surfaces, each part counted by its area."""
        both = self.area_a_mm2 * self.from_a_mm.mean() + self.area_b_mm2 * self.from_b_mm.mean()
        return float(both / (self.area_a_mm2 + self.area_b_mm2))

    def pooled_mm(self, share: float) -> float:
        """Return the distance within which so large a share of both surfaces together lies."""
        weight_a, weight_b = self._weights
        weights = np.concatenate([np.full(len(self.from_a_mm), weight_a), np.full(len(self.from_b_mm), weight_b)])
        return _quantile(np.concatenate([self.from_a_mm, self.from_b_mm]), weights, share)

    def directed_mm(self, share: float) -> float:
        """Return the greater of the distances within which so large a share of A, and of B, lies."""
        ones = [np.ones(len(d)) for d in (self.from_a_mm, self.from_b_mm)]
        return max(_quantile(self.from_a_mm, ones[0], share), _quantile(self.from_b_mm, ones[1], share))

    def surface_dice(self, tolerance_mm: float) -> float:
        """Return the share of both surfaces that lies within a tolerance of the other."""
        limit = tolerance_mm + _ROUNDED_MM
        within = self.area_a_mm2 * (self.from_a_mm <= limit).mean() + self.area_b_mm2 * (self.from_b_mm <= limit).mean()
        return float(within / (self.area_a_mm2 + self.area_b_mm2))


def distances_between(a: Measured, b: Measured) -> Distances:
    """Return the distances between two surfaces; none where both are one."""
    if a is b:
        none, area = np.zeros(len(a.points_mm)), float(a.areas_mm2.sum())
        return Distances(from_a_mm=none, from_b_mm=none, area_a_mm2=area, area_b_mm2=area, hausdorff_mm=0.0)
    from_a, from_b = b.from_points(a.points_mm), a.from_points(b.points_mm)
    return Distances(
        from_a_mm=from_a,
        from_b_mm=from_b,
        area_a_mm2=float(a.areas_mm2.sum()),
        area_b_mm2=float(b.areas_mm2.sum()),
        hausdorff_mm=_greatest(a, b, float(from_a.max()), float(from_b.max())),
    )


def _greatest(a: Measured, b: Measured, from_a_mm: float, from_b_mm: float) -> float:
    """Return the greatest distance of any point of either from the other; so much is known to be somewhere.

    From the side where more is known first: what was found there need not be looked for on the other.
    """
    sides = [(b, a), (a, b)] if from_a_mm >= from_b_mm else [(a, b), (b, a)]
    most = max(from_a_mm, from_b_mm)
    for to, of in sides:
        most = to.farthest_corner(of, most)
    for to, of in sides:
        most = to.farthest(of, most)
    return most


def _quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(share * weights.sum(), reached, values[order]))


def _along_curve(triangles_mm: FloatArray) -> np.ndarray:
    """Return an order in which neighbours follow each other: along Morton's curve."""
    code = np.empty(len(triangles_mm), np.uint32)
    morton(triangles_mm, code)
    # By the lower half, then by the upper one: numpy sorts numbers of 16 bits by counting.
    order = np.argsort((code & 0xFFFF).astype(np.uint16), kind="stable")
    return order[np.argsort((code[order] >> 16).astype(np.uint16), kind="stable")]
