"""A protocol held against a case: one verdict a rule and structure, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.checks.applies import (
    Fraction,
    fractionation_here,
    why_not_applicable,
    why_other_fractionation,
)
from dvhkit.protocols.checks.dose_rules import dose_rows, ladder_rows
from dvhkit.protocols.checks.joint import with_joint_rows
from dvhkit.protocols.checks.margins import margin_rows
from dvhkit.protocols.checks.plan_words import in_words, judged_words, plan_texts, plan_values
from dvhkit.protocols.checks.prescription_rules import prescription_rows
from dvhkit.protocols.checks.properties import dose_value, image_value
from dvhkit.protocols.facts import (
    CaseFacts,
    ContainmentFacts,
    DoseGridFacts,
    DoseKindFacts,
    ImageFacts,
    LinkFacts,
    MarginFact,
    MarginFacts,
    PlanFacts,
    StructureFact,
    SumFacts,
)
from dvhkit.protocols.files.rules import (
    ContainmentCheck,
    DoseCheck,
    LadderCheck,
    MarginCheck,
    PropertyCheck,
    Protocol,
    Rule,
)
from dvhkit.protocols.verdict import (
    LENGTH_ATOL_MM,
    decided_row,
    hold_back,
    plain_row,
    withheld_reason,
    withheld_row,
)
from dvhkit.results.audit import RuleResult, Verdict
from dvhkit.units import number_text

__all__ = ["CaseFacts", "ImageFacts", "MarginFact", "MarginFacts", "StructureFact", "evaluate_protocol"]


def evaluate_protocol(
    protocol: Protocol,
    facts: CaseFacts,
    context: Mapping[str, object] | None = None,
    *,
    exclude_unverified: bool = False,
    eqd2_alpha_beta_gy: float | None = None,
) -> tuple[RuleResult, ...]:
    """Return the verdicts of all rules, in the protocol's order.

    Parameters
    ----------
    facts
        The case: computes each number when a rule first asks for it.
    context
        What the clinical context says, by key (`dvhkit.protocols.files.context.load_context`).
    exclude_unverified
        Leave out rules whose limit was not checked against its source. Otherwise they are measured, but come to
        "not evaluable": nobody should pass or fail a plan on a number that nobody read.
    eqd2_alpha_beta_gy
        Where a limit is for conventional fractions and the plan has others, measure in EQD2 with this alpha/beta (a
        rule's own comes first) instead of calling the rule not applicable.

    Notes
    -----
    Never raises for what the case lacks. A rule on several structures or prescriptions gives a row for each. Rules that
    must hold together are followed by a row for all of them.
    """
    judge = _Judge(
        protocol=protocol,
        facts=facts,
        context=context or {},
        eqd2_alpha_beta_gy=eqd2_alpha_beta_gy,
        has_own_fractions=_has_own_fractions(protocol, facts),
    )
    rules = (r for r in protocol.rules if not (exclude_unverified and r.is_unverified))
    return with_joint_rows(protocol, [result for rule in rules for result in judge.results(rule)])


def _has_own_fractions(protocol: Protocol, facts: CaseFacts) -> bool:
    """Whether any rule of the protocol is for just the fractions of the case: those for others are then no loss."""
    for rule in protocol.rules:
        try:
            wanted = rule.fractionation
            if wanted and why_other_fractionation(wanted, facts.fractions(), facts.prescriptions()) is None:
                return True
        except NotEvaluable:
            continue
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    protocol: Protocol
    facts: CaseFacts
    context: Mapping[str, object]
    eqd2_alpha_beta_gy: float | None
    has_own_fractions: bool = False

    def results(self, rule: Rule) -> Iterator[RuleResult]:
        """Yield the rule's rows; a rule that cannot be judged, or does not apply, yields one that says why."""
        try:
            applies = self._applies(rule)
            if applies.why_not:
                reason = applies.why_not
                code = Reason.NOT_APPLICABLE
                row = plain_row(rule, verdict=Verdict.NOT_APPLICABLE, reason_code=code, reason=reason)
                yield replace(row, way_out=self._way_out(applies))
                return
            for row in self._judged(rule, applies):
                yield self._as_linked(row)
        except NotEvaluable as lack:
            yield plain_row(rule, reason_code=lack.reason, reason=lack.message)

    def _way_out(self, applies: Fraction) -> str:
        """Return what would let a rule be judged: conversion, or another protocol where none of this one's is meant."""
        if applies.way_out or not applies.other_fractions or self.has_own_fractions:
            return applies.way_out
        return f"a protocol for {self.facts.fractions()} fractions"

    def _as_linked(self, row: RuleResult) -> RuleResult:
        """Return the row without its verdict where the files of the case may not belong together."""
        why = self.facts.withheld_links() if isinstance(self.facts, LinkFacts) else ()
        return withheld_row(row, withheld_reason(why), tuple(dict.fromkeys(f.code for f in why))) if why else row

    def _applies(self, rule: Rule) -> Fraction:
        """Return whether the rule applies; what is known to rule it out counts before what is not known."""
        lack: NotEvaluable | None = None
        try:
            why_not = why_not_applicable(rule, self.context, self.protocol)
        except NotEvaluable as unknown:
            why_not, lack = None, unknown
        if why_not is not None:
            return Fraction(why_not=why_not)
        summed = self.facts.summed() if isinstance(self.facts, SumFacts) else None
        here = fractionation_here(
            rule,
            fractions=self.facts.fractions(),
            prescriptions=self.facts.prescriptions(),
            summed=summed,
            eqd2_alpha_beta_gy=self.eqd2_alpha_beta_gy,
        )
        if here.why_not is None and lack is not None:
            raise lack
        return here

    def _judged(self, rule: Rule, applies: Fraction) -> Iterator[RuleResult]:
        check = rule.check
        if isinstance(check, DoseCheck | LadderCheck) and isinstance(self.facts, DoseKindFacts):
            foreign = self.facts.foreign_dose()
            if foreign and _is_on_dose(check):
                raise NotEvaluable(foreign, reason=Reason.EFFECTIVE_DOSE)
        if isinstance(check, DoseCheck):
            convert, why = applies.eqd2_alpha_beta_gy, applies.note
            yield from dose_rows(rule, check, self.protocol, self.facts, eqd2_alpha_beta_gy=convert, why=why)
        elif isinstance(check, LadderCheck):
            yield from ladder_rows(rule, check, self.protocol, self.facts)
        elif isinstance(check, MarginCheck):
            yield from margin_rows(rule, check, self.protocol, self.facts)
        elif isinstance(check, ContainmentCheck):
            yield from self._containment_rows(rule, check)
        else:
            yield from self._property_rows(rule, check)

    def _property_rows(self, rule: Rule, check: PropertyCheck) -> Iterator[RuleResult]:
        if check.name.startswith("image."):
            value, note = image_value(check.name, self.facts.image())
            yield decided_row(rule, value, atol=LENGTH_ATOL_MM, note=note)
        elif check.name.startswith("dose."):
            facts = self.facts
            value, note = dose_value(facts.dose_spacing_mm() if isinstance(facts, DoseGridFacts) else None)
            yield decided_row(rule, value, atol=LENGTH_ATOL_MM, note=note)
        elif check.name.startswith("plan."):
            yield from self._plan_rows(rule, check)
        elif check.name.startswith("prescription."):
            yield from prescription_rows(rule, check, self.protocol, self.facts)
        else:
            yield decided_row(rule, self._context_number(check))

    def _containment_rows(self, rule: Rule, check: ContainmentCheck) -> Iterator[RuleResult]:
        """Yield a row for each target; a failure names the pair and the place."""
        facts = self.facts.containment(check.between) if isinstance(self.facts, ContainmentFacts) else None
        if facts is None:
            raise NotEvaluable("how targets lie in each other is not yet evaluable.", reason=Reason.NOT_IMPLEMENTED)
        if not facts:
            kind = "target" if check.between is None else check.between[0]
            raise NotEvaluable(f"no {kind} is drawn.", reason=Reason.NO_STRUCTURE)
        for fact in facts:
            if fact.outside_cc is None:
                yield plain_row(rule, roi=fact.roi, reason_code=fact.reason_code, reason=fact.reason, note=fact.note)
                continue
            row = decided_row(rule, fact.outside_cc, roi=fact.roi, note=fact.note)
            if row.verdict in (Verdict.FAIL, Verdict.VARIATION):
                inner, _, outer = fact.roi.partition(" in ")
                said = f"{number_text(fact.outside_cc, digits=3)} cc of {inner} lie outside {outer}, {fact.place}."
                row = replace(row, reason=said)
            yield row

    def _plan_rows(self, rule: Rule, check: PropertyCheck) -> Iterator[RuleResult]:
        plan = self.facts.plan() if isinstance(self.facts, PlanFacts) else None
        if not check.is_text:
            for value, note in plan_values(check.name, plan):
                yield decided_row(rule, value, note=note)
            return
        found = plan_texts(check.name, plan)
        verdict, reason = judged_words(found, rule.goal, rule.variation)
        code = Reason.NO_PLAN if verdict is Verdict.NOT_EVALUABLE else None
        note = f"the plan: {in_words(found)}"
        yield hold_back(plain_row(rule, verdict=verdict, reason_code=code, reason=reason, note=note), rule)

    def _context_number(self, check: PropertyCheck) -> float:
        key = check.name.removeprefix("context.")
        stated = self.context.get(key)
        if isinstance(stated, bool) or not isinstance(stated, int | float) or not math.isfinite(stated):
            meaning = next((k.meaning for k in self.protocol.context if k.name == key), "")
            raise NotEvaluable(
                f"the clinical context does not state {key} as a number ({meaning.rstrip('.')}).",
                reason=Reason.NO_CONTEXT,
            )
        return float(stated)


def _is_on_dose(check: DoseCheck | LadderCheck) -> bool:
    """Whether a check looks at dose at all: a volume is what it is."""
    return isinstance(check, LadderCheck) or check.metric.kind != "Volume"
