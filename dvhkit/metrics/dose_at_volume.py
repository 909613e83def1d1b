"""Dose that a part of the structure receives: the hottest part (D) or the coldest (DC)."""

from __future__ import annotations

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.registry import Dimension, metric
from dvhkit.model.dvh import Dvh
from dvhkit.units import number_text


@metric("D", takes=Dimension.VOLUME, gives=Dimension.DOSE, source="ICRU 83, sec. 3.3; AAPM TG-263, sec. 9.2")
def dose_to_hottest(dvh: Dvh, volume_cc: float) -> float:
    """Return the least dose in Gy to the hottest `volume_cc`.

    The whole volume gives the minimum, none gives the maximum; on a plateau the upper end, that is, the greatest dose
    that so much volume receives at least. Raises `NotEvaluable` if the structure is smaller: 1 cc has no D2cc.
    """
    return dvh.dose_to_hottest_gy(volume_cc)


@metric("DC", takes=Dimension.VOLUME, gives=Dimension.DOSE)
def dose_to_coldest(dvh: Dvh, volume_cc: float) -> float:
    """Return the greatest dose in Gy to the coldest `volume_cc`, the complement of D: ``D(V - volume_cc)``.

    On a plateau the lower end. Raises `NotEvaluable` if the structure is smaller.
    """
    return dvh.dose_to_coldest_gy(volume_cc)


def require_volume(dvh: Dvh, volume_cc: float, *, name: str) -> None:
    """Raise `NotEvaluable` if `dvh`'s structure is too small for a D or DC of `volume_cc`.

    The whole structure, covered by the dose grid or not, counts: too small is too small whatever the dose. A DC in cc
    also needs a rest: a liver of just 700 cc cannot spare 700 cc (QUANTEC asks for more than 700 cc).
    """
    slack_cc = dvh.volume_cc * 1e-9  # rounding of a sum of volumes
    too_small = dvh.volume_cc <= volume_cc + slack_cc if name == "DC" else dvh.volume_cc < volume_cc - slack_cc
    if too_small:
        relation = "not more than" if name == "DC" else "less than"
        raise NotEvaluable(
            f"insufficient volume: the structure has {number_text(dvh.volume_cc, digits=5)} cc, "
            f"{relation} the {number_text(volume_cc)} cc that the metric asks for.",
            reason=Reason.VOLUME_TOO_SMALL,
        )
