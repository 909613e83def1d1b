"""Which structures a rule on margins compares, and what it expects of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.facts import CaseFacts, MarginFacts, PairFact, StructureFact
from dvhkit.protocols.files.rules import MarginCheck, Protocol, Rule, StructureSelector
from dvhkit.protocols.naming.regions import RoiRef
from dvhkit.protocols.naming.select import select
from dvhkit.protocols.verdict import hold_back, margin_row, plain_row
from dvhkit.results.audit import RuleResult, Verdict
from dvhkit.units import number_text

# No expansion is wider.
_WIDEST_MM = 100.0


def margin_rows(rule: Rule, check: MarginCheck, protocol: Protocol, facts: CaseFacts) -> Iterator[RuleResult]:
    """Yield a row for each inner structure and the outer one that `dvhkit margin check` pairs it with.

    They come in the order of the outer ones; one that was drawn round none of the inner ones has a row that says so.

    Raises
    ------
    NotEvaluable
        NO_STRUCTURE, AMBIGUOUS_STRUCTURE where names may mean several, NOT_IMPLEMENTED for structures that are made of
        others, or where the case can tell no margins.
    """
    if not isinstance(facts, MarginFacts):
        raise NotEvaluable("drawn margins are not yet evaluable.", reason=Reason.NOT_IMPLEMENTED)
    inner, outer = (_drawn(selector, protocol, facts.structures()) for selector in (check.inner, check.outer))
    pairs = facts.pairs(inner, outer)
    for pair in sorted(pairs, key=lambda pair: len(outer) if pair.outer is None else outer.index(pair.outer)):
        yield _margin_row(rule, check, pair, facts)
    named = {pair.outer for pair in pairs} | {name for pair in pairs for name in pair.rivals}
    for alone in outer:
        if alone not in named and alone.name not in named:
            reason = f"none of {', '.join(ref.name for ref in inner)} is what {alone.name} was drawn round."
            yield plain_row(rule, roi=alone.name, reason_code=Reason.NO_STRUCTURE, reason=reason)


def _margin_row(rule: Rule, check: MarginCheck, pair: PairFact, facts: MarginFacts) -> RuleResult:
    if pair.outer is None:
        return plain_row(rule, roi=pair.inner.name, reason_code=Reason.NO_STRUCTURE, reason=f"{pair.how}.")
    roi = f"{pair.inner} to {pair.outer}"
    if pair.rivals:
        names = ", ".join((pair.outer.name, *pair.rivals))
        reason = f"it is not plain which of {names} was drawn round {pair.inner}; name them alike."
        return plain_row(rule, roi=roi, reason_code=Reason.AMBIGUOUS_STRUCTURE, reason=reason)
    fact = facts.margin(pair.inner, pair.outer, expected_margin(rule.goal, check.direction))
    if fact.verdict is Verdict.FAIL and rule.variation is not None:
        allowed = facts.margin(pair.inner, pair.outer, expected_margin(rule.variation, check.direction))
        if allowed.verdict is Verdict.PASS:
            fact = replace(fact, verdict=Verdict.VARIATION)
    return hold_back(margin_row(rule, roi, fact), rule)


def expected_margin(limit: Limit, direction: str) -> str:
    """Return a limit as a margin check reads it: ``2..5``, ``AP=6..8``; an open side becomes 0 or 100 mm."""
    low = number_text(0.0 if limit.low is None else limit.low)
    high = number_text(_WIDEST_MM if limit.high is None else limit.high)
    return f"{direction}={low}..{high}" if direction else f"{low}..{high}"


def _drawn(selector: StructureSelector, protocol: Protocol, structures: Sequence[StructureFact]) -> list[RoiRef]:
    regions = [target.region for target in select(selector, protocol, structures)]
    drawn = [region for region in regions if isinstance(region, RoiRef)]
    if len(drawn) != len(regions):
        raise NotEvaluable(
            f"the margin of {selector}, which is made of others, is not yet evaluable.", reason=Reason.NOT_IMPLEMENTED
        )
    return drawn
