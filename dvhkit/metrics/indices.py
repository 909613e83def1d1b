"""Indices of a target in the grammar of metrics: each a number under its author's name."""

from __future__ import annotations

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics import conformity, homogeneity
from dvhkit.metrics.registry import IndexInput, index
from dvhkit.units import Unit

_D2CM_MM = 20.0


@index("CI_RTOG", spellings=("pitv", "rtog_ci"), needs_body=True)
def ci_rtog(given: IndexInput) -> float:
    """Return the prescription isodose volume over the target volume."""
    return conformity.rtog_ci(target_cc=given.target.covered_cc, isodose_cc=given.isodose_cc())


@index("CI_Paddick", spellings=("paddick_ci", "pci", "cn_vantriet"), needs_body=True)
def ci_paddick(given: IndexInput) -> float:
    """Return Paddick's index, the same as van't Riet's conformation number."""
    return conformity.paddick_ci(
        target_cc=given.target.covered_cc,
        isodose_cc=given.isodose_cc(),
        covered_target_cc=given.covered_target_cc(),
    )


@index("Selectivity_Lomax", spellings=("lomax_selectivity",), needs_body=True)
def selectivity_lomax(given: IndexInput) -> float:
    """Return the share of the prescription isodose that lies in the target."""
    return conformity.lomax_selectivity(isodose_cc=given.isodose_cc(), covered_target_cc=given.covered_target_cc())


@index("GI_Paddick", spellings=("paddick_gi",), needs_body=True)
def gi_paddick(given: IndexInput) -> float:
    """Return the half-prescription isodose volume over the prescription isodose volume."""
    return conformity.paddick_gi(isodose_cc=given.isodose_cc(), half_isodose_cc=given.isodose_cc(50))


@index("R50", needs_body=True)
def r50(given: IndexInput) -> float:
    """Return the half-prescription isodose volume over the target volume."""
    return conformity.r50(target_cc=given.target.covered_cc, half_isodose_cc=given.isodose_cc(50))


@index("HI_ICRU83", spellings=("icru83_hi",))
def hi_icru83(given: IndexInput) -> float:
    """Return (D2% - D98%) / D50%."""
    return homogeneity.icru83_hi(given.target)


@index("HI_RTOG", spellings=("rtog_hi",))
def hi_rtog(given: IndexInput) -> float:
    """Return the maximum over the prescription."""
    return homogeneity.rtog_hi(given.target, prescribed_gy=given.prescribed_gy())


@index("HI_D5D95", spellings=("d5_d95_hi",))
def hi_d5_d95(given: IndexInput) -> float:
    """Return D5% / D95%."""
    return homogeneity.d5_d95_hi(given.target)


@index("HI_ICRU62", spellings=("icru62_hi",))
def hi_icru62(given: IndexInput) -> float:
    """Return the maximum over the minimum."""
    return homogeneity.icru62_hi(given.target)


@index("GI_UKSABR", spellings=("modified_gi", "mgi"), needs_body=True)
def gi_uksabr(given: IndexInput) -> float:
    """Return the half-prescription isodose volume over the covered part of the target."""
    return conformity.modified_gi(covered_target_cc=given.covered_target_cc(), half_isodose_cc=given.isodose_cc(50))


@index("GradientDistance", needs_body=True, units=(Unit.MM,))
def gradient_distance(given: IndexInput) -> float:
    """Return how far apart the spheres as large as the half and the whole isodose are, in mm."""
    return conformity.gradient_distance_mm(isodose_cc=given.isodose_cc(), half_isodose_cc=given.isodose_cc(50))


@index("Spill105", needs_body=True, units=(Unit.PERCENT,))
def spill_105(given: IndexInput) -> float:
    """Return the volume outside the target that gets 105 % of the prescription or more, in % of the target's volume."""
    above_gy = 1.05 * given.prescribed_gy()
    return conformity.spill_pct(
        target_cc=given.target.covered_cc,
        hot_cc=given.body().volume_at_least_cc(above_gy),
        hot_target_cc=given.target.volume_at_least_cc(above_gy),
    )


@index("D2cm", needs_body=True, units=(Unit.GY, Unit.PERCENT))
def d2cm(given: IndexInput) -> float:
    """Return the greatest dose in the body 2 cm or more from the target, in Gy (RTOG 0813, RTOG 0915)."""
    found = given.beyond(_D2CM_MM)
    if found.max_gy is None:
        raise NotEvaluable("nothing of the body with dose is 2 cm from the target.", reason=Reason.OUTSIDE_DOSE_GRID)
    return found.max_gy
