"""How far two cumulative DVHs lie apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.model.dvh import Dvh

# To which part of volume and dose it is searched for.
_TO_FRAC = 1e-4

Curve = Callable[[FloatArray], FloatArray]


def curve_of(dvh: Dvh) -> Curve:
    """Return a function from doses in Gy to the volume in cc that receives at least each.

    What lies outside the dose grid counts at dose 0 alone.
    """
    return curve_of_atoms(np.asarray(dvh.dose_gy), np.asarray(dvh.part_cc), whole_cc=dvh.volume_cc)


def curve_of_atoms(dose_gy: FloatArray, part_cc: FloatArray, *, whole_cc: float | None = None) -> Curve:
    """Return the cumulative curve of volumes at doses that ascend; at dose 0 and below it is the whole."""
    beyond = np.concatenate([np.cumsum(part_cc[::-1])[::-1], [0.0]])
    whole = float(beyond[0]) if whole_cc is None else whole_cc

    def at_least_cc(doses: FloatArray) -> FloatArray:
        doses = np.asarray(doses, dtype=np.float64)
        found = beyond[np.searchsorted(dose_gy, doses - 1e-7 * np.abs(doses), side="left")]
        return np.where(doses <= 0, whole, found)

    return at_least_cc


def distance(curve: Curve, dose_gy: FloatArray, share: FloatArray, *, whole_cc: float, scale_gy: float) -> float:
    """Return the Lévy distance of points from a curve: the smallest box that reaches it from each point.

    Parameters
    ----------
    curve
        Volume in cc at least at each dose.
    dose_gy, share : (n,)
        Points of the other curve, volumes in parts of `whole_cc`.
    whole_cc, scale_gy
        What counts as 1 along both axes.

    Notes
    -----
    A steep curve is judged along dose and a level one along volume, so that neither a fall in a target's dose nor a
    plateau turns a trifle into a large number.
    """
    # Within its distance along volume alone a point is reached in any case, for a curve only falls.
    off = np.abs(curve(dose_gy) / whole_cc - share)
    low, high = 0.0, min(float(off.max(initial=0.0)), 1.0)
    if high <= 1e-9:
        return 0.0
    while high - low > _TO_FRAC:
        e = (low + high) / 2
        asked = off > e
        dose, wanted = dose_gy[asked], share[asked]
        above = curve(dose - e * scale_gy) / whole_cc + e >= wanted
        if above.all() and (curve(dose + e * scale_gy) / whole_cc - e <= wanted).all():
            high = e
        else:
            low = e
    return high
