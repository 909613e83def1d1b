"""Indices of a structure in the grammar of metrics: each a number under its author's name."""

from __future__ import annotations

import math

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.plan_indices import conformity, homogeneity
from dvhkit.metrics.registry import IndexInput, Parameter, index
from dvhkit.units import Quantity, Unit

_D2CM_MM = 20.0
_DOSE = (Unit.GY, Unit.PERCENT)
_VOLUME = (Unit.PERCENT, Unit.CC)
_PRESCRIPTION = Quantity(100.0, Unit.PERCENT)
# The isodose that an index of conformity is of: the prescription's, unless it is asked for another.
_SHARE = (0.0, 1.0)
_AT = Parameter(name="at", units=_DOSE, default=_PRESCRIPTION)


@index("CI_RTOG", spellings=("PITV", "RTOG_CI"), needs_body=True, parameters=(_AT,), source="Shaw 1993")
def ci_rtog(given: IndexInput) -> float:
    """Return the prescription isodose volume over the target volume."""
    return conformity.rtog_ci(target_cc=given.target.covered_cc, isodose_cc=given.isodose_cc())


@index(
    "CI_Paddick",
    spellings=("Paddick_CI", "PCI", "CN", "CN_vantRiet", "CI_vantRiet", "ConformationNumber"),
    needs_body=True,
    parameters=(_AT,),
    within=_SHARE,
    source="Paddick 2000; van't Riet 1997",
)
def ci_paddick(given: IndexInput) -> float:
    """Return Paddick's index, the same as van't Riet's conformation number."""
    return conformity.paddick_ci(
        target_cc=given.target.covered_cc,
        isodose_cc=given.isodose_cc(),
        covered_target_cc=given.covered_target_cc(),
    )


@index(
    "nCI_Nakamura", spellings=("nCI", "NewConformityIndex"), needs_body=True, parameters=(_AT,), within=(1.0, math.inf)
)
def nci_nakamura(given: IndexInput) -> float:
    """Return the reciprocal of Paddick's index, 1 or more."""
    return conformity.new_ci(
        target_cc=given.target.covered_cc,
        isodose_cc=given.isodose_cc(),
        covered_target_cc=given.covered_target_cc(),
    )


@index("Coverage", spellings=("TargetCoverage",), parameters=(_AT,), within=_SHARE)
def coverage(given: IndexInput) -> float:
    """Return the share of the target that gets the prescription, 0 to 1."""
    return conformity.coverage(target_cc=given.target.covered_cc, covered_target_cc=given.covered_target_cc())


@index(
    "Selectivity_Lomax",
    spellings=("Lomax_Selectivity",),
    needs_body=True,
    parameters=(_AT,),
    within=_SHARE,
    source="Lomax 2003",
)
def selectivity_lomax(given: IndexInput) -> float:
    """Return the share of the prescription isodose that lies in the target."""
    return conformity.lomax_selectivity(isodose_cc=given.isodose_cc(), covered_target_cc=given.covered_target_cc())


@index(
    "GI_Paddick",
    spellings=("Paddick_GI",),
    needs_body=True,
    within=(1.0, math.inf),
    source="Paddick and Lippitz 2006",
)
def gi_paddick(given: IndexInput) -> float:
    """Return the half-prescription isodose volume over the prescription isodose volume."""
    return conformity.paddick_gi(isodose_cc=given.isodose_cc(), half_isodose_cc=given.isodose_cc(50))


@index("R50", needs_body=True, source="RTOG 0813, RTOG 0915")
def r50(given: IndexInput) -> float:
    """Return the half-prescription isodose volume over the target volume."""
    return conformity.r50(target_cc=given.target.covered_cc, half_isodose_cc=given.isodose_cc(50))


@index("GI_UKSABR", spellings=("Modified_GI", "mGI"), needs_body=True, source="UK SABR Consortium")
def gi_uksabr(given: IndexInput) -> float:
    """Return the half-prescription isodose volume over the covered part of the target."""
    return conformity.modified_gi(covered_target_cc=given.covered_target_cc(), half_isodose_cc=given.isodose_cc(50))


@index("GradientDistance", needs_body=True, units=(Unit.MM,))
def gradient_distance(given: IndexInput) -> float:
    """Return how far apart the spheres as large as the half and the whole isodose are, in mm."""
    return conformity.gradient_distance_mm(isodose_cc=given.isodose_cc(), half_isodose_cc=given.isodose_cc(50))


@index("Spill105", needs_body=True, units=(Unit.PERCENT,), source="RTOG 0813, RTOG 0915")
def spill_105(given: IndexInput) -> float:
    """Return the volume outside the target that gets 105 % of the prescription or more, in % of the target's volume."""
    above_gy = 1.05 * given.prescribed_gy()
    return conformity.spill_pct(
        target_cc=given.target.covered_cc,
        hot_cc=given.body().volume_at_least_cc(above_gy),
        hot_target_cc=given.target.volume_at_least_cc(above_gy),
    )


@index(
    "Regret",
    spellings=("VolumeOfRegret",),
    needs_body=True,
    units=(Unit.CC,),
    parameters=(Parameter(name="at", units=_DOSE),),
)
def regret(given: IndexInput) -> float:
    """Return the volume of the body that gets `at` or more and lies outside the structure, in cc."""
    return given.isodose_cc() - given.covered_target_cc()


@index("D2cm", needs_body=True, units=_DOSE, on_variants=False, source="RTOG 0813, RTOG 0915")
def d2cm(given: IndexInput) -> float:
    """Return the greatest dose in the body 2 cm or more from the target, in Gy."""
    found = given.beyond(_D2CM_MM)
    if found.max_gy is None:
        raise NotEvaluable("nothing of the body with dose is 2 cm from the target.", reason=Reason.OUTSIDE_DOSE_GRID)
    return found.max_gy


@index("HI_ICRU83", spellings=("ICRU83_HI",), convertible=True, source="ICRU 83, sec. 3.7")
def hi_icru83(given: IndexInput) -> float:
    """Return (D2% - D98%) / D50%."""
    return homogeneity.icru83_hi(given.target)


@index("HI_RTOG", spellings=("RTOG_HI",), source="Shaw 1993")
def hi_rtog(given: IndexInput) -> float:
    """Return the maximum over the prescription."""
    return homogeneity.rtog_hi(given.target, prescribed_gy=given.prescribed_gy())


@index("HI_D5D95", spellings=("D5_D95_HI",), within=(1.0, math.inf), convertible=True)
def hi_d5_d95(given: IndexInput) -> float:
    """Return D5% / D95%."""
    return homogeneity.d5_d95_hi(given.target)


@index("HI_ICRU62", spellings=("ICRU62_HI",), within=(1.0, math.inf), convertible=True, source="after ICRU 62")
def hi_icru62(given: IndexInput) -> float:
    """Return the maximum over the minimum."""
    return homogeneity.icru62_hi(given.target)


@index("HI_MaxMinMean", spellings=("InhomogeneityIndex", "IHI"), convertible=True)
def hi_max_min_mean(given: IndexInput) -> float:
    """Return (maximum - minimum) / mean; scorecards call it the inhomogeneity index."""
    return homogeneity.max_min_mean_hi(given.target)


@index(
    "HI_Spread",
    parameters=(
        Parameter(name="hot", units=_VOLUME),
        Parameter(name="cold", units=_VOLUME),
        Parameter(name="over", units=_DOSE, default=_PRESCRIPTION),
    ),
    within=(-math.inf, math.inf),
    convertible=True,
)
def hi_spread(given: IndexInput) -> float:
    """Return (D hot - D cold) / `over`, such as ``HI_Spread(hot=2%,cold=98%,over=60Gy)``."""
    return homogeneity.spread_hi(
        given.target,
        hot_cc=given.volume_cc("hot"),
        cold_cc=given.volume_cc("cold"),
        over_gy=given.dose_gy("over"),
    )


@index(
    "VRange",
    units=(Unit.PERCENT, Unit.CC),
    parameters=(Parameter(name="from", units=_DOSE), Parameter(name="to", units=_DOSE)),
    within=(0.0, 100.0),
    convertible=True,
)
def volume_in_range(given: IndexInput) -> float:
    """Return the volume that gets `from` or more and `to` or less, in % of the structure."""
    low_gy, high_gy = given.dose_gy("from"), given.dose_gy("to")
    if low_gy > high_gy:
        raise NotEvaluable("the range of doses runs backwards.", reason=Reason.NOT_APPLICABLE)
    dvh = given.target
    inside_cc = dvh.volume_at_least_cc(low_gy) + dvh.volume_at_most_cc(high_gy) - dvh.covered_cc
    return 100 * max(0.0, inside_cc) / dvh.covered_cc


@index(
    "VRatio",
    parameters=(Parameter(name="at", units=_DOSE), Parameter(name="over", units=_DOSE)),
    convertible=True,
)
def volume_ratio(given: IndexInput) -> float:
    """Return the volume at `at` or more over that at `over` or more, both in the structure itself."""
    return conformity.volume_ratio(
        above_cc=given.target.volume_at_least_cc(given.dose_gy("at")),
        below_cc=given.target.volume_at_least_cc(given.dose_gy("over")),
    )
