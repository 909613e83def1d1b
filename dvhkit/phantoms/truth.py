"""True DVHs of solids in doses that have a formula: volume at a dose, dose at a volume, mean, least, greatest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dvhkit.errors import GeometryError
from dvhkit.phantoms.closed_forms import centroid_mm, extent_mm, volume_beyond_cc
from dvhkit.phantoms.dose_fields import LinearDose, RadialDose
from dvhkit.phantoms.shapes import Hollow, Solid
from dvhkit.phantoms.solids import Ellipsoid, Vector

# Halvings of the dose range in the search for a dose at a volume: 30 Gy become 1e-10 Gy.
_BISECTIONS = 38
# Panels of the mean over a radial dose, whose edge is steep.
_MEAN_NODES = 4000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """A DVH without a grid.

    Attributes
    ----------
    volume_at_least_cc
        Volume that receives at least a dose (Gy): continuous and falling.
    """

    volume_cc: float
    min_gy: float
    max_gy: float
    mean_gy: float
    volume_at_least_cc: Callable[[float], float]

    def dose_to_hottest_gy(self, volume_cc: float) -> float:
        """Return the least dose to the hottest `volume_cc`; refuses more volume than there is."""
        if not 0 <= volume_cc <= self.volume_cc * (1 + 1e-12):
            raise GeometryError(f"there are {self.volume_cc:.4g} cc, not {volume_cc:.4g} cc.")
        low, high = self.min_gy, self.max_gy
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.volume_at_least_cc(middle) >= volume_cc else (low, middle)
        return (low + high) / 2

    def dose_at_pct_gy(self, volume_pct: float) -> float:
        """Return the least dose to the hottest `volume_pct` percent."""
        return self.dose_to_hottest_gy(self.volume_cc * volume_pct / 100)

    def volume_at_least_pct(self, dose_gy: float) -> float:
        """Return the percent of the volume that receives at least `dose_gy`."""
        return 100 * self.volume_at_least_cc(dose_gy) / self.volume_cc


def truth_in_linear_dose(solid: Solid, dose: LinearDose) -> Truth:
    """Return the DVH of a solid in a linear dose."""

    def level_mm(dose_gy: float) -> float:
        return (dose_gy - dose.at_origin_gy) / dose.gradient_gy_per_mm

    low, high = extent_mm(solid, dose.direction)
    return Truth(
        volume_cc=solid.volume_cc,
        min_gy=dose.at_origin_gy + dose.gradient_gy_per_mm * low,
        max_gy=dose.at_origin_gy + dose.gradient_gy_per_mm * high,
        mean_gy=_linear_at(dose, centroid_mm(solid)),
        volume_at_least_cc=lambda d: volume_beyond_cc(solid, dose.direction, level_mm(d)),
    )


def truth_in_radial_dose(solid: Solid, dose: RadialDose) -> Truth:
    """Return the DVH of a sphere, or of a shell between two, around the centre of a round dose."""
    inner_mm, outer_mm = _radii_mm(solid, dose.centre_mm)

    def ball_cc(radius_mm: float) -> float:
        return 4 / 3 * np.pi * radius_mm**3 / 1000

    def volume_at_least_cc(dose_gy: float) -> float:
        reach = float(np.clip(dose.radius_mm(dose_gy), inner_mm, outer_mm))
        return ball_cc(reach) - ball_cc(inner_mm)

    # Midpoints of shells of equal volume: the mean of dose over volume.
    shells = inner_mm**3 + (outer_mm**3 - inner_mm**3) * (np.arange(_MEAN_NODES) + 0.5) / _MEAN_NODES
    radii = np.cbrt(shells)
    cx, cy, cz = dose.centre_mm
    mean_gy = float(np.mean(dose(radii + cx, np.full_like(radii, cy), np.full_like(radii, cz))))
    return Truth(
        volume_cc=solid.volume_cc,
        min_gy=dose.at_radius_gy(outer_mm),
        max_gy=dose.at_radius_gy(inner_mm),
        mean_gy=mean_gy,
        volume_at_least_cc=volume_at_least_cc,
    )


def _linear_at(dose: LinearDose, point: np.ndarray) -> float:
    return float(dose(*(np.asarray(c) for c in point)))


def _radii_mm(solid: Solid, centre_mm: Vector) -> tuple[float, float]:
    if isinstance(solid, Hollow):
        inner, outer = _radii_mm(solid.inner, centre_mm)[1], _radii_mm(solid.outer, centre_mm)[1]
        return inner, outer
    if isinstance(solid, Ellipsoid) and len(set(solid.semi_axes_mm)) == 1 and solid.centre_mm == centre_mm:
        return 0.0, solid.semi_axes_mm[0]
    raise GeometryError("a round dose has a closed DVH only in spheres around its centre and shells between them.")
