"""Whether a rule applies to a case: by its clinical context and its fractionation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dvhkit.errors import MetricSyntaxError, NotEvaluable, Reason
from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.model.case import SummedDose
from dvhkit.model.plan import Prescription
from dvhkit.protocols.files.rules import Condition, Fractionation, Protocol, Rule
from dvhkit.protocols.naming.names import nearest
from dvhkit.units import number_text

# 2 Gy is typed as 2.0 and computed as 60 / 30; the limits of a range are themselves rounded to 0.1 Gy.
_DOSE_PER_FRACTION_ATOL_GY = 1e-6
# EQD2 is a dose in fractions of just this.
_CONVENTIONAL_GY = 2.0
_OF_SUM = "of the sum of courses"


def why_not_applicable(rule: Rule, context: Mapping[str, object], protocol: Protocol) -> str | None:
    """Return why the clinical context rules `rule` out, or None if it applies.

    Raises
    ------
    NotEvaluable
        NO_CONTEXT where the context does not say, and nothing else rules it out.
    """
    missing: list[Condition] = []
    for condition in rule.when:
        stated = context.get(condition.key)
        if stated is None or not _same_kind(stated, condition.value):
            missing.append(condition)
        elif _folded(stated) != _folded(condition.value):
            return f"it applies where {condition}; the clinical context says otherwise."
    if missing:
        raise NotEvaluable(_missing_text(missing[0], context, protocol), reason=Reason.NO_CONTEXT)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraction:
    """Whether a limit is for the fractions of a case.

    Attributes
    ----------
    why_not
        Why it is not, or None if it is.
    eqd2_alpha_beta_gy
        The alpha/beta to convert the dose with, so that it can be held against the limit; None where that is not
        needed.
    note
        What to say beside the value.
    way_out
        What would let a limit for other fractions be held against the dose; empty where nothing would.
    other_fractions
        Whether it is the fractions of the plan that the limit is not for.
    """

    why_not: str | None = None
    eqd2_alpha_beta_gy: float | None = None
    note: str = ""
    way_out: str = ""
    other_fractions: bool = False


# How to have a limit for conventional fractions judged on a plan of others.
CONVERT = "--eqd2 ALPHA_BETA"


def fractionation_here(
    rule: Rule,
    *,
    fractions: int | None,
    prescriptions: Sequence[Prescription],
    summed: SummedDose | None = None,
    eqd2_alpha_beta_gy: float | None = None,
) -> Fraction:
    """Return whether the limit of `rule` is for the fractions of the case.

    Parameters
    ----------
    summed
        What the dose is the sum of, where it is one of several courses.
    eqd2_alpha_beta_gy
        Convert where the limit is for conventional fractions and the case has others; a rule's own alpha/beta comes
        first. None: convert only what the rule says.

    Raises
    ------
    NotEvaluable
        NO_FRACTIONS or a reason of the prescription where the fractionation of the case is not known.
    """
    if summed is not None:
        return _of_sum(rule, summed)
    if rule.fractionation is None:
        return Fraction()
    alpha_beta_gy = rule.alpha_beta_gy or eqd2_alpha_beta_gy
    can_convert = alpha_beta_gy is not None and is_convertible(rule)
    try:
        why_not = why_other_fractionation(rule.fractionation, fractions, prescriptions)
    except NotEvaluable:
        # Of several prescriptions, some may be conventional and others not: converted, all of them count.
        if not can_convert or fractions is None:
            raise
        why_not = "the prescriptions of this plan are of unlike doses per fraction."
    if why_not is None:
        return Fraction()
    if not can_convert:
        return Fraction(why_not=why_not, way_out=CONVERT if is_convertible(rule) else "", other_fractions=True)
    note = f"converted, since the limit is for {rule.fractionation}"
    return Fraction(eqd2_alpha_beta_gy=alpha_beta_gy, note=note)


def is_convertible(rule: Rule) -> bool:
    """Whether a limit says what is allowed in fractions of 2 Gy, so that a dose in EQD2 can be held against it.

    A limit for a number of fractions, or one on percent of the prescription, does not.
    """
    wanted = rule.fractionation
    if wanted is None or wanted.counts or wanted.dose_per_fraction_gy is None or rule.metric is None:
        return False
    low, high = wanted.dose_per_fraction_gy
    return low <= _CONVENTIONAL_GY <= high and can_be_in_eqd2(rule.metric)


def can_be_in_eqd2(metric: Metric) -> bool:
    """Whether a metric has a meaning in converted dose; one that is converted already is not converted again."""
    if metric.effect is not None or metric.model:
        return False
    try:
        parse_metric(f"EQD2_2:{metric.canonical}")
    except MetricSyntaxError:
        return False
    return True


def _of_sum(rule: Rule, summed: SummedDose) -> Fraction:
    """Return whether the limit is for a sum of courses; a limit for a number of fractions is for one course."""
    wanted = rule.fractionation
    if rule.per_course:
        return Fraction(why_not="the limit is for one course; the dose is a sum of several.")
    if summed.eqd2_alpha_beta_gy is not None:
        return _of_eqd2_sum(wanted, summed.eqd2_alpha_beta_gy)
    if wanted is None:
        return Fraction(note=_OF_SUM)
    if summed.dose_per_fraction_gy is None or summed.fractions is None:
        return Fraction(why_not=f"the limit is for {wanted}; the courses of the sum are of unlike fractions.")
    total = Prescription(dose_gy=summed.dose_per_fraction_gy * summed.fractions, roi_number=None, origin="sum")
    return Fraction(why_not=why_other_fractionation(wanted, summed.fractions, [total]), note=_OF_SUM)


def _of_eqd2_sum(wanted: Fractionation | None, alpha_beta_gy: float) -> Fraction:
    said = f"in EQD2 with alpha/beta {number_text(alpha_beta_gy)} Gy"
    per_fraction = None if wanted is None else wanted.dose_per_fraction_gy
    conventional = per_fraction is not None and per_fraction[0] <= _CONVENTIONAL_GY <= per_fraction[1]
    if wanted is None or (conventional and not wanted.counts):
        return Fraction(note=f"of the sum of courses {said}")
    return Fraction(why_not=f"the limit is for {wanted}; the dose is a sum {said}.")


def why_other_fractionation(
    wanted: Fractionation | None, fractions: int | None, prescriptions: Sequence[Prescription]
) -> str | None:
    """Return why the case's fractionation is not the one a limit is for, or None if it is.

    Raises
    ------
    NotEvaluable
        NO_FRACTIONS or a reason of the prescription where the fractionation of the case is not known.
    """
    if wanted is None:
        return None
    if fractions is None:
        raise NotEvaluable(
            f"the limit is for {wanted}, and nobody states the number of fractions of this plan.",
            reason=Reason.NO_FRACTIONS,
        )
    if wanted.counts and fractions not in wanted.counts:
        return f"the limit is for {wanted}; this plan has {fractions}."
    if wanted.dose_per_fraction_gy is None:
        return None
    return _why_other_dose(wanted, fractions, prescriptions)


def _why_other_dose(wanted: Fractionation, fractions: int, prescriptions: Sequence[Prescription]) -> str | None:
    """Compare dose per fraction; several targets of unlike dose are fine if they agree on the answer."""
    assert wanted.dose_per_fraction_gy is not None
    low, high = wanted.dose_per_fraction_gy
    doses_gy = sorted({p.dose_gy / fractions for p in prescriptions if p.dose_gy > 0})
    inside = [low - _DOSE_PER_FRACTION_ATOL_GY <= dose_gy <= high + _DOSE_PER_FRACTION_ATOL_GY for dose_gy in doses_gy]
    if not doses_gy:
        raise NotEvaluable(
            f"the limit is for {wanted}, and nobody states the prescribed dose of this plan.",
            reason=Reason.NO_PRESCRIPTION,
        )
    listed = " and ".join(number_text(dose_gy, digits=4) for dose_gy in doses_gy)
    if any(inside) and not all(inside):
        raise NotEvaluable(
            f"the limit is for {wanted}; the prescriptions of this plan come to {listed} Gy per fraction: "
            "say yourself which one counts.",
            reason=Reason.AMBIGUOUS_PRESCRIPTION,
        )
    if all(inside):
        return None
    return f"the limit is for {wanted}; this plan has {listed} Gy per fraction."


def _same_kind(stated: object, wanted: object) -> bool:
    """Whether both are true/false, both numbers, or both texts; Python takes True for 1."""
    if isinstance(stated, bool) or isinstance(wanted, bool):
        return isinstance(stated, bool) and isinstance(wanted, bool)
    return isinstance(stated, str) == isinstance(wanted, str)


def _folded(value: object) -> object:
    return value.strip().casefold() if isinstance(value, str) else value


def _missing_text(condition: Condition, context: Mapping[str, object], protocol: Protocol) -> str:
    key = condition.key
    meaning = next((declared.meaning for declared in protocol.context if declared.name == key), "")
    said = f" ({meaning.rstrip('.')})" if meaning else ""
    if key in context:
        return f"the clinical context states {key} as {context[key]!r:.60}, but the rule asks for {condition}{said}."
    known = [declared.name for declared in protocol.context]
    near = nearest(key, [stated for stated in context if stated not in known])
    slip = f" It has {near!r}: is that meant?" if near else ""
    return f"the clinical context does not state {key}{said}.{slip}"
