"""How even the dose in a target is: indices that share a name and not a formula, so each bears its author's."""

from __future__ import annotations

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.dvh import Dvh


def icru83_hi(dvh: Dvh) -> float:
    """Return (D2% - D98%) / D50%; ideal 0 (ICRU 83, sec. 3.7)."""
    return _ratio(_d(dvh, 2) - _d(dvh, 98), _d(dvh, 50), "D50%")


def rtog_hi(dvh: Dvh, *, prescribed_gy: float) -> float:
    """Return Max / prescription; ideal 1 (Shaw 1993, IJROBP 27:1231)."""
    return _ratio(_extremes(dvh)[1], prescribed_gy, "the prescription")


def icru62_hi(dvh: Dvh) -> float:
    """Return Max / Min; ideal 1 (after ICRU 62)."""
    low, high = _extremes(dvh)
    return _ratio(high, low, "the minimum")


def d5_d95_hi(dvh: Dvh) -> float:
    """Return D5% / D95%; ideal 1."""
    return _ratio(_d(dvh, 5), _d(dvh, 95), "D95%")


def max_min_mean_hi(dvh: Dvh) -> float:
    """Return (Max - Min) / Mean; ideal 0."""
    low, high = _extremes(dvh)
    return _ratio(high - low, dvh.mean_gy, "the mean dose")


def spread_hi(dvh: Dvh, *, hot_cc: float, cold_cc: float, over_gy: float) -> float:
    """Return the dose to the hottest `hot_cc` less that to the hottest `cold_cc`, over a dose; ideal 0.

    With 1 % and 99 % over the prescription it is what scorecards call the homogeneity index.
    """
    return _ratio(dvh.dose_to_hottest_gy(hot_cc) - dvh.dose_to_hottest_gy(cold_cc), over_gy, "the reference dose")


def _d(dvh: Dvh, percent: float) -> float:
    return dvh.dose_to_hottest_gy(percent / 100 * dvh.covered_cc)


def _extremes(dvh: Dvh) -> tuple[float, float]:
    if dvh.min_gy is None or dvh.max_gy is None:
        raise NotEvaluable(f"{dvh.roi} lies outside the dose grid.", reason=Reason.OUTSIDE_DOSE_GRID)
    return dvh.min_gy, dvh.max_gy


def _ratio(above: float, below: float, what: str) -> float:
    if not below > 0:
        raise NotEvaluable(f"{what} is 0 Gy.", reason=Reason.NO_DOSE)
    return above / below
