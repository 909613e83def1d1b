"""Whether a rule applies to a case: by its clinical context and its fractionation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.plan import Prescription
from dvhkit.protocols.names import nearest
from dvhkit.protocols.rules import Condition, Fractionation, Protocol, Rule
from dvhkit.units import number_text

# 2 Gy is typed as 2.0 and computed as 60 / 30; the limits of a range are themselves rounded to 0.1 Gy.
_DOSE_PER_FRACTION_ATOL_GY = 1e-6


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
