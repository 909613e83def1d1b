"""Biologically effective dose, equivalent uniform dose, and outcome models: formulas with their sources.

For research only. The linear-quadratic model is disputed above some 10 Gy per fraction; outcome models hold for the
fractionation that their parameters were fitted to, so convert doses first (`eqd2_dvh`). Planned and delivered courses
are different things: give the fractions that the dose belongs to.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import overload

import numpy as np

from dvhkit.errors import InputError, NotEvaluable, Reason
from dvhkit.metrics.registry import Dimension, metric
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dvh import Dvh

# Above this dose per fraction the linear-quadratic model is disputed: say so beside the number.
LQ_DISPUTED_ABOVE_GY = 10.0
# Below this share the gap is rounding of the volume sums, not a part of the structure.
_ROUNDING_FRAC = 1e-9


@overload
def bed_gy(dose_gy: float, fractions: int, alpha_beta_gy: float) -> float: ...
@overload
def bed_gy(dose_gy: FloatArray, fractions: int, alpha_beta_gy: float) -> FloatArray: ...
def bed_gy(dose_gy: float | FloatArray, fractions: int, alpha_beta_gy: float) -> float | FloatArray:
    """Return the biologically effective dose ``D (1 + d / (alpha/beta))`` with ``d = D / n``.

    Parameters
    ----------
    dose_gy
        Total dose, one or an array of any shape: in an array each voxel has its own dose per fraction.
    fractions
        Number of equal fractions n.
    alpha_beta_gy
        Of the tissue.

    Raises
    ------
    InputError
        If the fractions are no whole number from 1, or alpha/beta is not positive.

    Notes
    -----
    Fowler 1989, Br J Radiol 62:679. 35 Gy in 5 fractions at 10 Gy is 59.5 Gy.
    """
    _check(fractions, alpha_beta_gy)
    return dose_gy * (1 + dose_gy / fractions / alpha_beta_gy)


@overload
def eqd2_gy(dose_gy: float, fractions: int, alpha_beta_gy: float) -> float: ...
@overload
def eqd2_gy(dose_gy: FloatArray, fractions: int, alpha_beta_gy: float) -> FloatArray: ...
def eqd2_gy(dose_gy: float | FloatArray, fractions: int, alpha_beta_gy: float) -> float | FloatArray:
    """Return the dose in 2 Gy fractions of the same effect, ``BED / (1 + 2 / (alpha/beta))``; as `bed_gy`."""
    return bed_gy(dose_gy, fractions, alpha_beta_gy) / (1 + 2 / alpha_beta_gy)


def eqd2_dvh(dvh: Dvh, fractions: int, alpha_beta_gy: float) -> Dvh:
    """Return the DVH in EQD2: each dose is converted by its own dose per fraction, volumes stay.

    The conversion is monotone, so D and V of the result are those of the converted dose grid; its mean is *not* the
    converted mean.
    """
    return bed_dvh(dvh, fractions, alpha_beta_gy, scale=1 / (1 + 2 / alpha_beta_gy))


def bed_dvh(dvh: Dvh, fractions: int, alpha_beta_gy: float, *, scale: float = 1.0) -> Dvh:
    """Return the DVH in BED (times `scale`), converted dose by dose as in `eqd2_dvh`."""

    def converted(dose_gy: float | None) -> float | None:
        return None if dose_gy is None else scale * bed_gy(dose_gy, fractions, alpha_beta_gy)

    return replace(
        dvh,
        dose_gy=scale * bed_gy(dvh.dose_gy, fractions, alpha_beta_gy),
        min_gy=converted(dvh.min_gy),
        max_gy=converted(dvh.max_gy),
        face_gy=converted(dvh.face_gy),
    )


def geud_gy(dvh: Dvh, a: float) -> float:
    """Return the generalised equivalent uniform dose ``(sum v_i D_i^a)^(1/a)`` over the covered volume.

    a = 1 is the mean, a towards +infinity the maximum, towards -infinity the minimum; with a < 0 any zero dose makes
    it 0 (Niemierko 1999, Med Phys 26:1100). Computed relative to the largest term, so that no power overflows.

    Raises
    ------
    InputError
        If a is 0 or not finite.
    NotEvaluable
        If nothing is covered by dose.
    """
    if a == 0 or not math.isfinite(a):
        raise InputError(
            f"gEUD has no a = {a:g}.", remedy="Use a = 1 for the mean, a > 1 for organs, a < 0 for targets."
        )
    if not dvh.covered_cc > 0:
        raise NotEvaluable(f"{dvh.roi} lies outside the dose grid.", reason=Reason.OUTSIDE_DOSE_GRID)
    with_volume = dvh.part_cc > 0
    dose, part = dvh.dose_gy[with_volume], dvh.part_cc[with_volume] / dvh.covered_cc
    reference = float(dose.max() if a > 0 else dose.min())
    if reference <= 0:
        return 0.0
    positive = dose > 0
    # The difference of logarithms: a ratio of doses may fall below the least number there is.
    terms = a * (np.log(dose[positive]) - math.log(reference))
    return float(reference * math.exp(math.log(float(np.dot(part[positive], np.exp(terms)))) / a))


def effective_volume_frac(dvh: Dvh, *, at_gy: float, n: float) -> float:
    """Return the effective volume ``sum v_i (D_i / at)^(1/n)``, as a share of the covered volume.

    The part of the structure that would do the same harm if it alone received `at_gy` (Kutcher and Burman 1989, IJROBP
    16:1623). With n = 1 it is the mean dose over `at_gy`. Above 1 where most of the structure gets more than `at_gy`.
    """
    if not (at_gy > 0 and n > 0):
        raise InputError("the effective volume needs a reference dose and an n above 0.")
    return float((geud_gy(dvh, 1 / n) / at_gy) ** (1 / n))


@metric("gEUD", takes=Dimension.NUMBER, gives=Dimension.DOSE, source="Niemierko 1999, Med Phys 26:1100")
def generalised_equivalent_uniform_dose(dvh: Dvh, a: float) -> float:
    """Return the generalised equivalent uniform dose in Gy with the exponent `a`, as `geud_gy`."""
    return geud_gy(dvh, a)


def ntcp_lkb(geud: float, *, td50_gy: float, m: float) -> float:
    """Return the complication probability of the Lyman-Kutcher-Burman model, 0 to 1.

    ``Phi((gEUD - TD50) / (m TD50))`` with gEUD at ``a = 1/n`` (Lyman 1985, Radiat Res 104:S13; Kutcher and Burman
    1989, IJROBP 16:1623).
    """
    if td50_gy <= 0 or m <= 0:
        raise InputError("TD50 and m must be positive.")
    return 0.5 * math.erfc(-(geud - td50_gy) / (m * td50_gy * math.sqrt(2)))


def probability_logistic(geud: float, *, d50_gy: float, gamma50: float) -> float:
    """Return ``1 / (1 + (D50/EUD)^(4 gamma50))``: NTCP or TCP (Niemierko 1999, Med Phys 26:1100); 0 at no dose."""
    if d50_gy <= 0 or gamma50 <= 0:
        raise InputError("D50 and gamma50 must be positive.")
    if geud <= 0:
        return 0.0
    # As a logistic of the logarithm: powers of a dose ratio would overflow.
    exponent = 4 * gamma50 * math.log(geud / d50_gy)
    return 1 / (1 + math.exp(-exponent)) if exponent > -700 else 0.0


def probability_poisson(geud: float, *, d50_gy: float, gamma50: float) -> float:
    """Return ``2^(-exp(e gamma50 (1 - EUD/D50)))``: NTCP or TCP of the Poisson model, 0 to 1."""
    if d50_gy <= 0 or gamma50 <= 0:
        raise InputError("D50 and gamma50 must be positive.")
    exponent = math.e * gamma50 * (1 - geud / d50_gy)
    return 2.0 ** -math.exp(exponent) if exponent < 700 else 0.0


def probability_logit(score: float) -> float:
    """Return ``1 / (1 + exp(-score))``: NTCP of a logistic regression whose `score` is ``b0 + b1 x1 + ...``.

    As fitted to clinical risk factors, such as mean dose and chemotherapy; coefficients are the user's, with the
    fractionation that they were fitted to.
    """
    return 1 / (1 + math.exp(-score)) if score > -700 else 0.0


def tcp_poisson(dvh: Dvh, *, d50_gy: float, gamma50: float) -> float:
    """Return the control probability of a target, ``prod P(D_i)^v_i`` with the Poisson P of each part.

    Independent clonogens of uniform density: each part must be controlled, so a cold spot weighs by its volume
    (Webb and Nahum 1993, Phys Med Biol 38:653). A uniform dose gives `probability_poisson`.

    Raises
    ------
    NotEvaluable
        If part of the target lies outside the dose grid: nobody knows whether that part is controlled.
    """
    if not dvh.covered_cc > 0 or dvh.uncovered_frac > _ROUNDING_FRAC:
        raise NotEvaluable(f"{dvh.roi} lies, at least in part, outside the dose grid.", reason=Reason.OUTSIDE_DOSE_GRID)
    if d50_gy <= 0 or gamma50 <= 0:
        raise InputError("D50 and gamma50 must be positive.")
    # In logarithms: log2 P = -exp(e gamma50 (1 - D/D50)), which sums by volume where products would underflow.
    exponents = np.minimum(math.e * gamma50 * (1 - dvh.dose_gy / d50_gy), 700.0)
    return float(2.0 ** -np.dot(dvh.part_cc / dvh.covered_cc, np.exp(exponents)))


def tcp_lq(dvh: Dvh, fractions: int, *, alpha_per_gy: float, alpha_beta_gy: float, clonogens_per_cc: float) -> float:
    """Return the control probability ``exp(-sum N_i exp(-alpha BED_i))`` with N_i clonogens in each part.

    Linear-quadratic survival without repopulation (Webb and Nahum 1993, Phys Med Biol 38:653).

    Raises
    ------
    NotEvaluable
        If part of the target lies outside the dose grid.
    """
    if not dvh.covered_cc > 0 or dvh.uncovered_frac > _ROUNDING_FRAC:
        raise NotEvaluable(f"{dvh.roi} lies, at least in part, outside the dose grid.", reason=Reason.OUTSIDE_DOSE_GRID)
    if alpha_per_gy <= 0 or clonogens_per_cc <= 0:
        raise InputError("alpha and the density of clonogens must be positive.")
    surviving = np.exp(-alpha_per_gy * bed_gy(dvh.dose_gy, fractions, alpha_beta_gy))
    return math.exp(-float(np.dot(clonogens_per_cc * dvh.part_cc, surviving)))


def ntcp_relative_seriality(dvh: Dvh, *, d50_gy: float, gamma50: float, s: float) -> float:
    """Return ``[1 - prod (1 - P(D_i)^s)^v_i]^(1/s)`` with the Poisson P (Kallman 1992, Int J Radiat Biol 62:249)."""
    if s <= 0:
        raise InputError("the relative seriality s must be positive.")
    if d50_gy <= 0 or gamma50 <= 0:
        raise InputError("D50 and gamma50 must be positive.")
    share = dvh.part_cc / dvh.covered_cc
    exponents = np.minimum(math.e * gamma50 * (1 - dvh.dose_gy / d50_gy), 700.0)
    each = 2.0 ** -np.exp(exponents)  # as `probability_poisson`, for all parts at once
    with np.errstate(divide="ignore"):  # P = 1 gives log 0 = -inf, and the product 0
        spared = float(np.exp(np.sum(share * np.log1p(-(each**s)), where=share > 0)))
    return float((1 - spared) ** (1 / s))


def _check(fractions: int, alpha_beta_gy: float) -> None:
    if isinstance(fractions, bool) or fractions != int(fractions) or fractions < 1:
        raise InputError(f"the number of fractions must be a whole number from 1, not {fractions!r}.")
    if not (alpha_beta_gy > 0 and math.isfinite(alpha_beta_gy)):
        raise InputError(f"alpha/beta must be a positive number of Gy, not {alpha_beta_gy!r}.")
