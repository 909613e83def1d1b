"""Indices of a target in the grammar of metrics: each a plain number under its author's name."""

from __future__ import annotations

from dvhkit.metrics import conformity, homogeneity
from dvhkit.metrics.registry import IndexInput, index


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
