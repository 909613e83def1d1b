"""True DVHs of what was really drawn: each polygon a prism, half a slice to either side.

A planning system that extends contours by half a slice can at best reach this; what is left between it and the solid is
the drawing's fault, not the calculator's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.phantoms.dose_fields import LinearDose
from dvhkit.phantoms.shapes import Ring, ring_area_mm2
from dvhkit.phantoms.truth import Truth

# A direction cosine below this counts as along, or across, the slices.
_ALIGNED = 1e-9

Plane = tuple[float, Sequence[Ring]]


def truth_of_stack(planes: Sequence[Plane], slice_mm: float, dose: LinearDose) -> Truth:
    """Return the DVH of prisms in a dose that grows along the slices' normal or across it.

    Parameters
    ----------
    planes
        Height and outlines of each slice; neighbours `slice_mm` apart.
    """
    n = np.asarray(dose.direction) / np.linalg.norm(dose.direction)
    if not any(rings for _, rings in planes):
        raise GeometryError("nothing is drawn in the stack.")
    if abs(n[2]) < _ALIGNED:
        return _truth_across(planes, slice_mm, dose, n)
    if np.hypot(n[0], n[1]) < _ALIGNED:
        return _truth_along(planes, slice_mm, dose, float(np.sign(n[2])))
    raise GeometryError("the DVH of a stack has a closed form only along its slices' normal or across it.")


def _truth_along(planes: Sequence[Plane], slice_mm: float, dose: LinearDose, sign: float) -> Truth:
    """Sum slabs: each prism is a piece of even dose density."""
    drawn = [(z, _net_area_mm2(rings)) for z, rings in planes if rings]
    height = sign * np.array([z for z, _ in drawn])
    area = np.array([a for _, a in drawn])

    def volume_at_least_cc(dose_gy: float) -> float:
        level = (dose_gy - dose.at_origin_gy) / dose.gradient_gy_per_mm
        beyond = np.clip(height + slice_mm / 2 - level, 0.0, slice_mm)
        return float(area @ beyond) / 1000

    ends = np.array([height.min() - slice_mm / 2, height.max() + slice_mm / 2])
    low, high = dose.at_origin_gy + dose.gradient_gy_per_mm * ends
    mean = dose.at_origin_gy + dose.gradient_gy_per_mm * float(area @ height) / float(area.sum())
    return Truth(
        volume_cc=float(area.sum()) * slice_mm / 1000,
        min_gy=float(low),
        max_gy=float(high),
        mean_gy=mean,
        volume_at_least_cc=volume_at_least_cc,
    )


def _truth_across(planes: Sequence[Plane], slice_mm: float, dose: LinearDose, n: FloatArray) -> Truth:
    """Sum over polygon sides: the area beyond a line is the integral of v du along what lies beyond it."""
    turn = np.array([[n[0], n[1]], [-n[1], n[0]]])
    sides = np.concatenate([_sides(ring, turn) for _, rings in planes for ring in rings])
    u1, v1, u2, v2 = sides.T

    def area_beyond_mm2(level: float) -> float:
        a, b = np.maximum(u1, level), np.maximum(u2, level)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(u1 == u2, 0.0, (v2 - v1) / (u2 - u1))
        return -float(np.sum((b - a) * (v1 + slope * ((a + b) / 2 - u1))))

    def volume_at_least_cc(dose_gy: float) -> float:
        level = (dose_gy - dose.at_origin_gy) / dose.gradient_gy_per_mm
        return area_beyond_mm2(level) * slice_mm / 1000

    low, high = float(u1.min()), float(u1.max())
    total = area_beyond_mm2(low)
    # ∫ u dA = ½ ∮ u² dv, by Simpson's rule, exact for the quadratic along a side.
    moment = float(np.sum((v2 - v1) * (u1**2 + 4 * ((u1 + u2) / 2) ** 2 + u2**2))) / 12
    return Truth(
        volume_cc=total * slice_mm / 1000,
        min_gy=dose.at_origin_gy + dose.gradient_gy_per_mm * low,
        max_gy=dose.at_origin_gy + dose.gradient_gy_per_mm * high,
        mean_gy=dose.at_origin_gy + dose.gradient_gy_per_mm * moment / total,
        volume_at_least_cc=volume_at_least_cc,
    )


def _sides(ring: Ring, turn: FloatArray) -> FloatArray:
    """Return a ring's sides as rows u1, v1, u2, v2 in the dose's frame, the material on their left."""
    points = ring.points_mm
    if (ring_area_mm2(points) > 0) == ring.is_hole:
        points = points[::-1]
    turned = points @ turn.T
    return np.concatenate([turned, np.roll(turned, -1, axis=0)], axis=1)


def _net_area_mm2(rings: Sequence[Ring]) -> float:
    return sum(abs(ring_area_mm2(r.points_mm)) * (-1.0 if r.is_hole else 1.0) for r in rings)
