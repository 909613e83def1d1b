"""Outcome models in the grammar of metrics: probabilities of a complication or of control, in percent.

For research only. ``NTCP_LKB(TD50=45.8Gy,m=0.12,n=0.97)`` states its parameters; ``NTCP(liver-rild-metastases)`` takes
those of a model that is shipped with its source (`dvhkit.metrics.radiobiology.outcome_models`). A model holds for the
fractionation that it was fitted to: convert the dose first, as in ``EQD2_3:NTCP_LKB(...)``; the shipped ones do so by
themselves.
"""

from __future__ import annotations

from dvhkit.metrics.radiobiology import biology
from dvhkit.metrics.registry import IndexInput, Parameter, index
from dvhkit.units import Quantity, Unit

_PERCENT = (Unit.PERCENT,)
_GY, _PLAIN = (Unit.GY,), (Unit.NONE,)
_TD50 = Parameter(name="TD50", units=_GY)
_D50 = Parameter(name="D50", units=_GY)
_GAMMA50 = Parameter(name="gamma50", units=_PLAIN)
# The exponent of the equivalent uniform dose; 1 is the mean dose.
_A = Parameter(name="a", units=_PLAIN, default=Quantity(1.0, Unit.NONE), may_be_negative=True)


@index(
    "NTCP_LKB",
    spellings=("NTCP_Lyman", "LKB"),
    units=_PERCENT,
    parameters=(_TD50, Parameter(name="m", units=_PLAIN), Parameter(name="n", units=_PLAIN)),
    convertible=True,
    source="Lyman 1985, Radiat Res 104:S13; Kutcher and Burman 1989, IJROBP 16:1623",
)
def ntcp_lkb(given: IndexInput) -> float:
    """Return ``Phi((gEUD - TD50) / (m TD50))`` in %, with gEUD at the exponent 1/n."""
    geud_gy = biology.geud_gy(given.target, 1 / given.number("n"))
    return 100 * biology.ntcp_lkb(geud_gy, td50_gy=given.dose_gy("TD50"), m=given.number("m"))


@index(
    "NTCP_Logistic",
    spellings=("NTCP_Niemierko",),
    units=_PERCENT,
    parameters=(_TD50, _GAMMA50, _A),
    convertible=True,
    source="Niemierko 1999, Med Phys 26:1100",
)
def ntcp_logistic(given: IndexInput) -> float:
    """Return ``1 / (1 + (TD50/gEUD)^(4 gamma50))`` in %, with gEUD at the exponent a."""
    return _logistic(given, "TD50")


@index(
    "NTCP_LogitMean",
    units=_PERCENT,
    parameters=(
        Parameter(name="b0", units=_PLAIN, may_be_negative=True),
        Parameter(name="b1", units=_PLAIN, may_be_negative=True),
    ),
    convertible=True,
    source="logistic regression",
)
def ntcp_logit_mean(given: IndexInput) -> float:
    """Return ``1 / (1 + exp(-(b0 + b1 Mean)))`` in %, with the mean dose in Gy."""
    return 100 * biology.probability_logit(given.number("b0") + given.number("b1") * given.target.mean_gy)


@index(
    "NTCP_Seriality",
    spellings=("NTCP_Kallman",),
    units=_PERCENT,
    parameters=(_D50, _GAMMA50, Parameter(name="s", units=_PLAIN)),
    convertible=True,
    source="Kallman 1992, Int J Radiat Biol 62:249",
)
def ntcp_seriality(given: IndexInput) -> float:
    """Return ``[1 - prod (1 - P(D_i)^s)^v_i]^(1/s)`` in %, with the Poisson P."""
    return 100 * biology.ntcp_relative_seriality(
        given.target, d50_gy=given.dose_gy("D50"), gamma50=given.number("gamma50"), s=given.number("s")
    )


@index(
    "TCP_Poisson",
    units=_PERCENT,
    parameters=(_D50, _GAMMA50),
    convertible=True,
    source="Webb and Nahum 1993, Phys Med Biol 38:653",
)
def tcp_poisson(given: IndexInput) -> float:
    """Return ``prod P(D_i)^v_i`` in %, with the Poisson P of each part."""
    return 100 * biology.tcp_poisson(given.target, d50_gy=given.dose_gy("D50"), gamma50=given.number("gamma50"))


@index(
    "TCP_Logistic",
    spellings=("TCP_Niemierko",),
    units=_PERCENT,
    parameters=(_D50, _GAMMA50, _A),
    convertible=True,
    source="Niemierko 1999, Med Phys 26:1100",
)
def tcp_logistic(given: IndexInput) -> float:
    """Return ``1 / (1 + (D50/gEUD)^(4 gamma50))`` in %, with gEUD at the exponent a."""
    return _logistic(given, "D50")


@index(
    "TCP_LQ",
    units=_PERCENT,
    parameters=(
        Parameter(name="alpha", units=_PLAIN),
        Parameter(name="ab", units=_GY),
        Parameter(name="density", units=_PLAIN),
    ),
    source="Webb and Nahum 1993, Phys Med Biol 38:653",
)
def tcp_lq(given: IndexInput) -> float:
    """Return ``exp(-sum N_i exp(-alpha BED_i))`` in %: alpha per Gy, `ab` is alpha/beta, `density` clonogens per cc."""
    return 100 * biology.tcp_lq(
        given.target,
        given.counted_fractions(),
        alpha_per_gy=given.number("alpha"),
        alpha_beta_gy=given.dose_gy("ab"),
        clonogens_per_cc=given.number("density"),
    )


@index(
    "Veff",
    spellings=("EffectiveVolume",),
    units=_PERCENT,
    parameters=(
        Parameter(name="n", units=_PLAIN, default=Quantity(1.0, Unit.NONE)),
        Parameter(name="at", units=(Unit.GY, Unit.PERCENT), default=Quantity(100.0, Unit.PERCENT)),
    ),
    source="Kutcher and Burman 1989, IJROBP 16:1623",
)
def effective_volume(given: IndexInput) -> float:
    """Return the part that, at the dose `at` alone, would do the same harm: ``sum v_i (D_i/at)^(1/n)`` in %."""
    return 100 * biology.effective_volume_frac(given.target, at_gy=given.dose_gy("at"), n=given.number("n"))


def _logistic(given: IndexInput, name: str) -> float:
    geud_gy = biology.geud_gy(given.target, given.number("a"))
    return 100 * biology.probability_logistic(geud_gy, d50_gy=given.dose_gy(name), gamma50=given.number("gamma50"))
