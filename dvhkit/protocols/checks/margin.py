"""The rule on the margin that was drawn between two structures, all round or along one axis of the patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.findings import Level
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.facts import MarginFact, MarginFacts, PairFact, StructureFact
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.rules import Asked, Built, Check, Protocol, Rule, Slip
from dvhkit.protocols.naming.select import select
from dvhkit.protocols.naming.selector import StructureSelector, given
from dvhkit.protocols.verdict import hold_back, plain_row
from dvhkit.results.audit import RuleResult, Verdict
from dvhkit.targets.regions.expression import RoiRef
from dvhkit.units import Unit, number_text
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape

# No expansion is wider; nobody draws one that is half as wide.
_WIDEST_MM = 100.0
_WIDEST_DRAWN_MM = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginCheck(Check):
    """Measure the margin that was drawn between two structures, all round or along one axis of the patient.

    `direction` is AP, LR or CC (cranio-caudal), each way by itself; empty for all round.
    """

    KEY = "margin"
    inner: StructureSelector
    outer: StructureSelector
    direction: str = ""

    @classmethod
    def shape(cls) -> Any:
        from pydantic import Field

        from dvhkit.protocols.files.shapes import Strict, Structure

        class MarginModel(Strict):
            """From which structure to which a margin was drawn."""

            from_: Structure = Field(alias="from")
            to: Structure
            direction: Literal["AP", "LR", "CC"] | None = None

        return MarginModel

    @classmethod
    def build(cls, place: Place, model: RuleShape, parts: RuleParts) -> Built | None:
        asked = getattr(model, cls.KEY)
        inner = parts.structure((*place, "margin", "from"), asked.from_)
        outer = parts.structure((*place, "margin", "to"), asked.to)
        if inner is None or outer is None:
            return None
        return Built(check=cls(inner=inner, outer=outer, direction=asked.direction or ""), unit=Unit.MM)

    @property
    def quantity(self) -> str:
        """What is measured, in words."""
        along = f" along {self.direction}" if self.direction else ""
        return f"margin from {self.inner} to {self.outer}{along}"

    def data(self) -> dict[str, Any]:
        ends = {"from": self.inner.data(), "to": self.outer.data()}
        return {"margin": given(**ends, direction=self.direction)}

    def selectors(self) -> tuple[StructureSelector, ...]:
        return self.inner, self.outer

    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        """Yield a row for each inner structure and the outer one that `dvhkit margin check` pairs it with.

        They come in the order of the outer ones; one that was drawn round none of the inner ones has a row that says
        so. Structures that are made of others have no drawn margin.
        """
        if not isinstance(asked.facts, MarginFacts):
            raise NotEvaluable("drawn margins are not yet evaluable.", reason=Reason.NOT_IMPLEMENTED)
        facts = asked.facts
        inner, outer = (_drawn(selector, asked.protocol, facts.structures()) for selector in (self.inner, self.outer))
        pairs = facts.pairs(inner, outer)
        for pair in sorted(pairs, key=lambda pair: len(outer) if pair.outer is None else outer.index(pair.outer)):
            yield _margin_row(rule, self.direction, pair, facts)
        named = {pair.outer for pair in pairs} | {name for pair in pairs for name in pair.rivals}
        for alone in outer:
            if alone not in named and alone.name not in named:
                reason = f"none of {', '.join(ref.name for ref in inner)} is what {alone.name} was drawn round."
                yield plain_row(rule, roi=alone.name, reason_code=Reason.NO_STRUCTURE, reason=reason)

    def lint(self, rule: Rule) -> Iterator[Slip]:
        for bound in rule.bounds:
            if bound > _WIDEST_DRAWN_MM:
                yield Level.WARNING, "unit-slip", f"{number_text(bound)} mm is no margin that anybody draws."


def _margin_row(rule: Rule, direction: str, pair: PairFact, facts: MarginFacts) -> RuleResult:
    if pair.outer is None:
        return plain_row(rule, roi=pair.inner.name, reason_code=Reason.NO_STRUCTURE, reason=f"{pair.how}.")
    roi = f"{pair.inner} to {pair.outer}"
    if pair.rivals:
        names = ", ".join((pair.outer.name, *pair.rivals))
        reason = f"it is not plain which of {names} was drawn round {pair.inner}; name them alike."
        return plain_row(rule, roi=roi, reason_code=Reason.AMBIGUOUS_STRUCTURE, reason=reason)
    fact = facts.margin(pair.inner, pair.outer, expected_margin(rule.goal, direction))
    if fact.verdict is Verdict.FAIL and rule.variation is not None:
        allowed = facts.margin(pair.inner, pair.outer, expected_margin(rule.variation, direction))
        if allowed.verdict is Verdict.PASS:
            fact = replace(fact, verdict=Verdict.VARIATION)
    return hold_back(_row_of_fact(rule, roi, fact), rule)


def _row_of_fact(rule: Rule, roi: str, fact: MarginFact) -> RuleResult:
    """Return the row of a drawn margin, whose verdict is that of the margin check: it knows what slices can show."""
    return replace(
        plain_row(rule, roi=roi, reason_code=fact.reason_code, reason=fact.reason, note=fact.note),
        verdict=fact.verdict,
        value=fact.value_mm,
        low=fact.low_mm,
        high=fact.high_mm,
        margin=None if fact.value_mm is None else rule.goal.margin(fact.value_mm),
        margin_pct=None if fact.value_mm is None else rule.goal.margin_pct(fact.value_mm),
    )


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
