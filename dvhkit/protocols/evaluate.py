"""A protocol held against a case: one verdict a rule and structure, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.checks.applies import (
    Fraction,
    fractionation_here,
    why_not_applicable,
    why_other_fractionation,
)
from dvhkit.protocols.checks.joint import with_joint_rows
from dvhkit.protocols.facts import (
    CaseFacts,
    DoseKindFacts,
    ImageFacts,
    LinkFacts,
    MarginFact,
    MarginFacts,
    StructureFact,
    SumFacts,
)
from dvhkit.protocols.files.rules import Asked, Protocol, Rule
from dvhkit.protocols.verdict import plain_row, withheld_reason, withheld_row
from dvhkit.results.audit import RuleResult, Verdict

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
        if rule.check.is_on_dose() and isinstance(self.facts, DoseKindFacts):
            foreign = self.facts.foreign_dose()
            if foreign:
                raise NotEvaluable(foreign, reason=Reason.EFFECTIVE_DOSE)
        asked = Asked(
            protocol=self.protocol,
            facts=self.facts,
            context=self.context,
            eqd2_alpha_beta_gy=applies.eqd2_alpha_beta_gy,
            why=applies.note,
        )
        yield from rule.check.rows(rule, asked)
