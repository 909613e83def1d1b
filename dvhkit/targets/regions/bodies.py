"""Which of the structures drawn are the body's outline."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import numpy as np
import shapely

from dvhkit.model.roi_kinds import body_rank
from dvhkit.model.structure import Structure

# Outlines fill most of their hull, limbs apart; a rind of 5 mm under the skin a tenth.
_LEAST_FILLED_FRAC = 0.3


def bodies_of(structures: Iterable[Structure]) -> list[Structure]:
    """Return the structures that are the body's outline: those of type EXTERNAL, else those of the surest name.

    What is only named as one and hollow, as a rind under the skin is, encloses nothing and is none.
    """
    ranked = [(rank, s) for s in structures if (rank := body_rank(s.name, s.rt_roi_type)) is not None]
    drawn = [(rank, s) for rank, s in ranked if not s.is_empty and (rank == 0 or not _is_hollow(s))]
    surest = min((rank for rank, _ in drawn), default=0)
    return [s for rank, s in drawn if rank == surest]


def _is_hollow(structure: Structure) -> bool:
    """Whether the outlines leave most of what they go round outside."""
    planes: dict[tuple[int, float], list[shapely.Geometry]] = {}
    for contour in structure.closed_contours:
        points = contour.points_mm
        across = int(np.ptp(points, axis=0).argmin())
        ring = shapely.make_valid(shapely.Polygon(np.delete(points, across, axis=1)))
        planes.setdefault((across, round(float(points[:, across].mean()), 1)), []).append(ring)
    # Even-odd, so that an inner ring is a hole; the inner side of a keyhole is one already.
    filled = sum(reduce(shapely.symmetric_difference, rings).area for rings in planes.values())
    around = sum(shapely.GeometryCollection(rings).convex_hull.area for rings in planes.values())
    return bool(filled < _LEAST_FILLED_FRAC * around)
