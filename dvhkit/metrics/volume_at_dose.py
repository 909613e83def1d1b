"""Volume that receives at least a dose (V), or at most a dose (CV)."""

from __future__ import annotations

from dvhkit.metrics.registry import Dimension, metric
from dvhkit.model.dvh import Dvh
from dvhkit.units import Unit

# Published limits on V are in percent more often than in cc, so that is what a bare V20Gy means.
_PERCENT_FIRST = (Unit.PERCENT, Unit.CC)


@metric("V", takes=Dimension.DOSE, gives=Dimension.VOLUME, gives_units=_PERCENT_FIRST)
def volume_at_least(dvh: Dvh, dose_gy: float) -> float:
    """Return the volume in cc that receives `dose_gy` or more; 0 above the maximum."""
    return dvh.volume_at_least_cc(dose_gy)


@metric("CV", takes=Dimension.DOSE, gives=Dimension.VOLUME, gives_units=_PERCENT_FIRST)
def volume_at_most(dvh: Dvh, dose_gy: float) -> float:
    """Return the volume in cc that receives `dose_gy` or less.

    Both V and CV count a dose of just `dose_gy`, so that a uniform dose of 15 Gy has all its volume in CV15Gy.
    """
    return dvh.volume_at_most_cc(dose_gy)
