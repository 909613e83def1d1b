"""How well the prescription isodose fits the target: indices from three volumes, each under its author's name.

TV is the target's volume, PIV the volume of the prescription isodose in the whole body (not in the target alone), TVp
the part of the target inside that isodose. In a plan with several targets PIV must be that of one lesion, or the
indices of all of them are meaningless.
"""

from __future__ import annotations

import math

from dvhkit.errors import NotEvaluable, Reason


def rtog_ci(*, target_cc: float, isodose_cc: float) -> float:
    """Return PIV / TV (Shaw 1993, IJROBP 27:1231); ideal 1, but blind to where the isodose lies."""
    return _ratio(isodose_cc, target_cc, "the target")


def coverage(*, target_cc: float, covered_target_cc: float) -> float:
    """Return TVp / TV: the share of the target that gets the prescription; ideal 1."""
    return _ratio(covered_target_cc, target_cc, "the target")


def lomax_selectivity(*, isodose_cc: float, covered_target_cc: float) -> float:
    """Return TVp / PIV: the share of the isodose that lies in the target; ideal 1 (Lomax 2003, IJROBP 55:1409)."""
    return _ratio(covered_target_cc, isodose_cc, "the prescription isodose")


def paddick_ci(*, target_cc: float, isodose_cc: float, covered_target_cc: float) -> float:
    """Return TVp^2 / (TV PIV), never above 1: coverage times selectivity (Paddick 2000, J Neurosurg 93 Suppl 3:219).

    The same as the conformation number of van't Riet (1997, IJROBP 37:731). 0 where isodose and target do not meet.
    """
    if covered_target_cc == 0 and target_cc > 0:
        return 0.0
    return coverage(target_cc=target_cc, covered_target_cc=covered_target_cc) * lomax_selectivity(
        isodose_cc=isodose_cc, covered_target_cc=covered_target_cc
    )


def new_ci(*, target_cc: float, isodose_cc: float, covered_target_cc: float) -> float:
    """Return TV PIV / TVp^2, 1 or more: the reciprocal of `paddick_ci` (Nakamura 2001, IJROBP 51:1313)."""
    return _ratio(target_cc, covered_target_cc, "the covered part of the target") * _ratio(
        isodose_cc, covered_target_cc, "the covered part of the target"
    )


def volume_ratio(*, above_cc: float, below_cc: float) -> float:
    """Return one volume at a dose over another."""
    return _ratio(above_cc, below_cc, "the part at the second dose")


def paddick_gi(*, isodose_cc: float, half_isodose_cc: float) -> float:
    """Return PIV50 / PIV: how far half the prescription reaches (Paddick and Lippitz 2006, J Neurosurg 105 Suppl:194).

    Low is good. Where the half isodoses of two targets merge, it says nothing of either.
    """
    return _ratio(half_isodose_cc, isodose_cc, "the prescription isodose")


def r50(*, target_cc: float, half_isodose_cc: float) -> float:
    """Return PIV50 / TV, low is good (RTOG 0813, RTOG 0915)."""
    return _ratio(half_isodose_cc, target_cc, "the target")


def modified_gi(*, covered_target_cc: float, half_isodose_cc: float) -> float:
    """Return PIV50 / TVp, low is good (UK SABR Consortium)."""
    return _ratio(half_isodose_cc, covered_target_cc, "the covered part of the target")


def spill_pct(*, target_cc: float, hot_cc: float, hot_target_cc: float) -> float:
    """Return the part of a hot volume that lies outside the target, in % of the target's volume; ideal 0.

    With 105 % of the prescription this is the high-dose spillage of RTOG 0813 and RTOG 0915. A target that reaches
    beyond the body counts as no spill.
    """
    return 100 * _ratio(max(0.0, hot_cc - hot_target_cc), target_cc, "the target")


def gradient_distance_mm(*, isodose_cc: float, half_isodose_cc: float) -> float:
    """Return the distance between the spheres that are as large as the half and the whole isodose, in mm."""
    return _radius_mm(half_isodose_cc) - _radius_mm(isodose_cc)


def _radius_mm(volume_cc: float) -> float:
    return math.cbrt(3 * volume_cc * 1000 / (4 * math.pi))


def _ratio(above: float, below: float, what: str) -> float:
    if not below > 0:
        raise NotEvaluable(f"{what} has no volume.", reason=Reason.NO_VOLUME)
    return above / below
