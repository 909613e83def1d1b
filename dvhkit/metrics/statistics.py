"""What sums a structure up: mean, extremes, median, spread, volume."""

from __future__ import annotations

import math

import numpy as np

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.registry import Dimension, metric
from dvhkit.model.dvh import Dvh
from dvhkit.units import Unit


@metric("Mean", gives=Dimension.DOSE, spellings=("dmean", "meandose", "average", "avg"))
def mean_dose(dvh: Dvh, _: float) -> float:
    """Return the mean dose in Gy, weighted by volume."""
    return dvh.mean_gy


@metric("Max", gives=Dimension.DOSE, spellings=("dmax", "maxdose", "maximum"))
def max_dose(dvh: Dvh, _: float) -> float:
    """Return the greatest dose in Gy anywhere in the structure, its surface included."""
    return _extreme(dvh.max_gy)


@metric("Min", gives=Dimension.DOSE, spellings=("dmin", "mindose", "minimum"))
def min_dose(dvh: Dvh, _: float) -> float:
    """Return the least dose in Gy anywhere in the structure, its surface included; zero dose counts."""
    return _extreme(dvh.min_gy)


@metric("Median", gives=Dimension.DOSE, spellings=("dmedian", "mediandose"), source="ICRU 83, sec. 3.3: D50%")
def median_dose(dvh: Dvh, _: float) -> float:
    """Return D50% in Gy."""
    return dvh.dose_to_hottest_gy(0.5 * dvh.covered_cc)


@metric("SD", gives=Dimension.DOSE, spellings=("std", "stdev", "stddev", "dsd"), source="ICRU 83, sec. 3.3")
def standard_deviation(dvh: Dvh, _: float) -> float:
    """Return the standard deviation of dose in Gy over the volume (of the population: no n - 1)."""
    weights = dvh.part_cc / dvh.covered_cc
    # About the mean, not as a difference of squares: a uniform dose must give 0, not a rounding error.
    return math.sqrt(float(np.dot(weights, (dvh.dose_gy - dvh.mean_gy) ** 2)))


@metric("Volume", gives=Dimension.VOLUME, needs_dose=False, gives_units=(Unit.CC,), spellings=("vol",))
def structure_volume(dvh: Dvh, _: float) -> float:
    """Return the volume of the structure in cc, wherever the dose grid ends."""
    return dvh.volume_cc


def _extreme(dose_gy: float | None) -> float:
    if dose_gy is None:
        raise NotEvaluable("no part of the structure lies inside the dose grid.", reason=Reason.OUTSIDE_DOSE_GRID)
    return dose_gy
