"""The rule on how targets lie in each other: GTV in CTV in PTV in the body."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.roi_kinds import OUTER_KINDS
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.facts import ContainmentFacts
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.rules import Asked, Built, Check, Rule
from dvhkit.protocols.verdict import decided_row, plain_row
from dvhkit.results.audit import RuleResult, Verdict
from dvhkit.units import Unit, number_text
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainmentCheck(Check):
    """Measure how much of each target lies outside the structure that was drawn round it.

    `between` is the kinds of inner and outer, such as ``("GTV", "CTV")``; None takes the whole chain, up to the body.
    """

    KEY = "target"
    between: tuple[str, str] | None = None

    @classmethod
    def shape(cls) -> Any:
        from pydantic import Field

        return Annotated[str, Field(pattern=r"^(containment|(GTV|CTV|ITV|PTV) in (CTV|ITV|PTV|EXTERNAL))$")]

    @classmethod
    def build(cls, place: Place, model: RuleShape, parts: RuleParts) -> Built | None:
        text = getattr(model, cls.KEY)
        inner, _, outer = text.partition(" in ")
        if outer and outer not in OUTER_KINDS[inner]:
            message = f"{text!r}: what is drawn round a {inner} is {' or '.join(OUTER_KINDS[inner])}"
            parts.problems.add((*place, "target"), message)
        return Built(check=cls(between=(inner, outer) if outer else None), unit=Unit.CC)

    @property
    def link(self) -> str:
        """What is asked for, as protocols write it."""
        return "containment" if self.between is None else " in ".join(self.between)

    @property
    def quantity(self) -> str:
        """What is measured, in words."""
        return "outside volume"

    def data(self) -> dict[str, Any]:
        return {"target": self.link}

    def title(self, goal: Limit) -> str:
        return f"{self.link}: {self.quantity} {goal}"

    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        """Yield a row for each target; a failure names the pair and the place."""
        facts = asked.facts.containment(self.between) if isinstance(asked.facts, ContainmentFacts) else None
        if facts is None:
            raise NotEvaluable("how targets lie in each other is not yet evaluable.", reason=Reason.NOT_IMPLEMENTED)
        if not facts:
            kind = "target" if self.between is None else self.between[0]
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
