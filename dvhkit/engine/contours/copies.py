"""Near copies: a ring that follows the one around it at a fraction of a millimetre is no hole, whatever it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray

# No wall is drawn so thinly: half a millimetre is the finest pixel of a planning CT, and texts round a tenth of it off.
_NEAR_MM = 0.55
# Along so much of its length, and with so much of the area, a ring is a copy of the one around it.
_FOLLOWS_FRAC = 0.6
_AREA_FRAC = 0.5
# Where so many holes are copies, those that are not come of the same slip: slices that fell onto one plane.
_MOST = 0.5


def near_copies(
    points_mm: FloatArray,
    ring_start: NDArray[np.int64],
    plane_ring: NDArray[np.int64],
    depth: NDArray[np.int64],
    area: FloatArray,
) -> NDArray[np.bool_]:
    """Return which rings only repeat the ring around them; arguments as of kernel `orient`."""
    copy = _side_by_side(points_mm, ring_start, plane_ring, area)
    inner = np.flatnonzero(depth > 0)
    if inner.size == 0:
        return copy
    plane = np.searchsorted(plane_ring, inner, side="right") - 1
    closest = np.zeros(len(depth), np.bool_)
    for ring, at in zip(inner, plane, strict=True):
        around = np.arange(plane_ring[at], plane_ring[at + 1])
        around = around[(depth[around] == depth[ring] - 1) & (area[around] >= area[ring])]
        around = around[area[around] * _AREA_FRAC <= area[ring]]
        own = points_mm[ring_start[ring] : ring_start[ring + 1]]
        for other in around[np.argsort(area[around])]:
            outline = points_mm[ring_start[other] : ring_start[other + 1]]
            closest[ring] |= bool(area[ring] >= 0.5 * area[other])
            if _thickness(outline, area[other] - area[ring]) > 2 * _NEAR_MM:
                continue
            if _follows(own, outline):
                copy[ring] = True
                break
    if copy.any() and copy.sum() >= _MOST * inner.size:
        copy |= closest
    return copy


def _side_by_side(
    points_mm: FloatArray, ring_start: NDArray[np.int64], plane_ring: NDArray[np.int64], area: FloatArray
) -> NDArray[np.bool_]:
    """Return which rings follow a larger one that crosses them: a copy that was shifted."""
    copy = np.zeros(len(area), np.bool_)
    low, high = (f.reduceat(points_mm, ring_start[:-1], axis=0) for f in (np.minimum, np.maximum))
    box = np.hstack([low, high])
    for plane in np.flatnonzero(np.diff(plane_ring) > 1):
        members = np.arange(plane_ring[plane], plane_ring[plane + 1])
        members = members[np.argsort(-area[members], kind="stable")]
        for n, ring in enumerate(members):
            near = members[:n][np.abs(box[members[:n]] - box[ring]).max(axis=1) < 2 * _NEAR_MM]
            for other in near[~copy[near]]:
                own, outline = (points_mm[ring_start[r] : ring_start[r + 1]] for r in (ring, other))
                if not _same(own, outline) and _follows(own, outline):
                    copy[ring] = True
                    break
    return copy


def _same(ring: FloatArray, other: FloatArray) -> bool:
    """Whether two rings are equal to a thousandth: such count once, and are told elsewhere."""
    return bool(shapely.hausdorff_distance(shapely.LinearRing(ring), shapely.LinearRing(other)) < 2e-3)


def _thickness(outline: FloatArray, area_mm2: float) -> float:
    around = float(np.hypot(*(np.roll(outline, -1, axis=0) - outline).T).sum())
    return area_mm2 / around if around > 0 else np.inf


def _follows(ring: FloatArray, outline: FloatArray) -> bool:
    onward = np.roll(ring, -1, axis=0)
    lengths = np.hypot(*(onward - ring).T)
    line: Any = shapely.LinearRing(outline)
    far = shapely.distance(shapely.points(0.5 * (ring + onward)), line)
    return bool(lengths[far < _NEAR_MM].sum() >= _FOLLOWS_FRAC * lengths.sum())


def told(name: str, count: int, planes: int) -> Finding:
    """Return the finding on near copies."""
    return Finding(
        level=Level.SERIOUS,
        code="contour-near-copy",
        message=f"On {planes} slices {count} contours follow another one at less than {_NEAR_MM:g} mm: copies "
        "left behind, or slices that fell onto one. By the letter they are holes and leave hardly a volume; "
        "they were left out, and the bands reach to the other reading. Remove them.",
        where=name,
    )
