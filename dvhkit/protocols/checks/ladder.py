"""The rule on a ladder of prescriptions: the highest whose limits a structure keeps to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.findings import Level
from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.metrics.prescribed import prescriptions_for, the_prescription
from dvhkit.metrics.registry import index_spec
from dvhkit.protocols.checks.limits import Limit, parse_limit
from dvhkit.protocols.facts import CaseFacts
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.problems import Problems
from dvhkit.protocols.files.rules import Asked, Built, Check, Rule, Slip
from dvhkit.protocols.naming.select import Target, select
from dvhkit.protocols.naming.selector import StructureSelector
from dvhkit.protocols.verdict import decided_row, hold_back, plain_row, with_limits, withheld_row
from dvhkit.results.audit import MetricResult, RuleResult, Verdict
from dvhkit.targets.regions.expression import RoiRef
from dvhkit.units import Unit, number_text
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape

# No course has more; 5000 is cGy.
_MOST_GY = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One step of a ladder: the limits, a metric each, that a plan with this prescription must keep to."""

    prescription_gy: float
    limits: tuple[tuple[Metric, Limit], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderCheck(Check):
    """Find the highest prescription of a ladder whose limits a structure keeps to; the highest rung comes first."""

    KEY = "ladder"
    STRUCTURE = "must"
    BY_FRACTIONS = True
    structure: StructureSelector
    rungs: tuple[Rung, ...]

    @classmethod
    def shape(cls) -> Any:
        from pydantic import Field

        from dvhkit.protocols.files.shapes import Name, Spelled, Strict

        class RungModel(Strict):
            """One step of a ladder of prescriptions: what a plan with this one must keep to, by metric."""

            prescription_gy: Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)]
            limits: Annotated[dict[Name, Spelled], Field(min_length=1, max_length=10)]

        return Annotated[list[RungModel], Field(min_length=2, max_length=50)]

    @classmethod
    def build(cls, place: Place, model: RuleShape, parts: RuleParts) -> Built | None:
        """Return the ladder, its highest prescription first."""
        structure, problems = parts.structure((*place, "structure"), model.structure), parts.problems
        rungs = [_rung((*place, "ladder", i), rung, problems) for i, rung in enumerate(getattr(model, cls.KEY))]
        made = [rung for rung in rungs if rung is not None]
        if structure is None or len(made) < len(rungs):
            return None
        if any(a.prescription_gy <= b.prescription_gy for a, b in pairwise(made)):
            problems.add((*place, "ladder"), "the prescriptions of a ladder must fall from rung to rung")
        measured = {tuple(metric for metric, _ in rung.limits) for rung in made}
        if len(measured) > 1:
            problems.add((*place, "ladder"), "every rung of a ladder must limit the same metrics, in the same order")
        return Built(check=cls(structure=structure, rungs=tuple(made)), unit=Unit.GY)

    @classmethod
    def limits(
        cls, place: Place, model: RuleShape, parts: RuleParts, built: Built
    ) -> tuple[Limit, Limit | None] | None:
        """Return the goal of a ladder, which is what the plan prescribes."""
        if re.fullmatch(r"\s*(>=|≥)\s*prescription\s*", model.goal) is None:
            message = f"the goal {model.goal!r} of a ladder must be '>= prescription'"
            parts.problems.add((*place, "goal"), message)
            return None
        for key in ("variation", "score"):
            if getattr(model, key) is not None:
                parts.problems.add((*place, key), f"a ladder has no {key}")
        return Limit(low=0.0, high=None, unit=Unit.GY, of_prescription=True), None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured, the same on each rung."""
        return tuple(metric for metric, _ in self.rungs[0].limits)

    @property
    def quantity(self) -> str:
        """What is found, in words."""
        return "highest prescription by " + " and ".join(metric.canonical for metric in self.metrics)

    def data(self) -> dict[str, Any]:
        rungs = [
            {"prescription_gy": rung.prescription_gy, "limits": {m.canonical: str(limit) for m, limit in rung.limits}}
            for rung in self.rungs
        ]
        return {"structure": self.structure.data(), "ladder": rungs}

    def judged(self) -> StructureSelector:
        return self.structure

    def is_on_dose(self) -> bool:
        return True

    def title(self, goal: Limit) -> str:
        return f"{self.structure} {self.quantity}"

    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        """Yield, for each structure, the highest prescription of the ladder whose limits the plan would keep to.

        All doses are taken to scale with the prescription. The plan passes if that is no less than what it prescribes.
        """
        for target in select(self.structure, asked.protocol, asked.facts.structures()):
            try:
                row = _ladder_row(rule, self, target, asked.facts)
                found = (asked.facts.metric(target.region, metric) for metric in self.metrics)
                held = next((m for m in found if m.withheld), None)
                yield row if held is None else withheld_row(row, held.reason, held.withheld)
            except NotEvaluable as lack:
                roi = str(target.region)
                yield plain_row(rule, roi=roi, reason_code=lack.reason, reason=lack.message, note=target.note)

    def lint(self, rule: Rule) -> Iterator[Slip]:
        """Yield rungs in the wrong unit, and limits that allow more at a higher prescription."""
        for rung in self.rungs:
            if rung.prescription_gy > _MOST_GY:
                said = f"a prescription of {number_text(rung.prescription_gy)} Gy is that of no course; is it cGy?"
                yield Level.SERIOUS, "unit-slip", said
        for higher, lower in pairwise(self.rungs):
            for (metric, at_higher), (_, at_lower) in zip(higher.limits, lower.limits, strict=True):
                if None not in (at_higher.high, at_lower.high) and at_higher.is_looser_than(at_lower):
                    said = (
                        f"{metric} may be {at_higher} at {number_text(higher.prescription_gy)} Gy and {at_lower} at "
                        f"{number_text(lower.prescription_gy)} Gy; are the rungs swapped?"
                    )
                    yield Level.WARNING, "ladder-order", said


def _rung(place: Place, model: Any, problems: Problems) -> Rung | None:
    limits = []
    for text, limit_text in model.limits.items():
        at = (*place, "limits", text)
        metric = problems.attempt(at, partial(parse_metric, text))
        if metric is None:
            continue
        if metric.effect is not None or metric.unit not in (Unit.GY, Unit.PERCENT) or not _scales(metric):
            problems.add(at, f"{metric} does not scale with the prescription; a ladder takes doses and Veff")
            continue
        limit = problems.attempt(at, partial(parse_limit, limit_text, unit=metric.unit))
        if limit is not None:
            limits.append((metric, limit))
    whole = len(limits) == len(model.limits)
    return Rung(prescription_gy=model.prescription_gy, limits=tuple(limits)) if whole else None


def _scales(metric: Metric) -> bool:
    """Whether a metric grows with all doses in proportion, or as a share of the prescription not at all."""
    row = index_spec(metric.kind)
    if row is not None:
        at = dict(metric.arguments).get("at")
        return metric.kind == "Veff" and at is not None and at.unit is Unit.PERCENT
    return metric.kind in ("D", "DC", "Mean", "Max", "Min", "Median", "SD", "gEUD")


@dataclass(frozen=True, slots=True)
class _Measured:
    """A metric of a ladder on one structure, as it was planned."""

    metric: Metric
    row: MetricResult

    def scaled(self, value: float, factor: float) -> float:
        """Return a value of the metric if every dose were `factor` times as high; percent of the prescription stays."""
        return value * factor if self.metric.unit is Unit.GY else value


def _ladder_row(rule: Rule, check: LadderCheck, target: Target, facts: CaseFacts) -> RuleResult:
    number = target.region.number if isinstance(target.region, RoiRef) else None
    planned_gy = the_prescription(prescriptions_for(facts.prescriptions(), number)).dose_gy
    measured = [_measured(metric, target, facts) for metric in check.metrics]
    best = _achievable(check.rungs, measured, planned_gy, end=None)
    goal = Limit(low=planned_gy, high=None, unit=Unit.GY)
    rule = with_limits(rule, goal, None)
    planned = f"{number_text(planned_gy, digits=6)} Gy prescribed"
    found = ", ".join(f"{m.metric} {number_text(m.row.value or 0.0, digits=4)} {m.metric.unit.value}" for m in measured)
    note = "; ".join(part for part in (target.note, f"{planned}, {found}") if part)
    if best is None:
        lowest = check.rungs[-1]
        why = _binding(lowest, measured, planned_gy)
        reason = f"not even {number_text(lowest.prescription_gy)} Gy, the lowest of the ladder: {why}."
        failed = plain_row(rule, roi=str(target.region), verdict=Verdict.FAIL, reason=reason, note=note)
        return hold_back(failed, rule)
    ends = [_achievable(check.rungs, measured, planned_gy, end=end) for end in ("high", "low")]
    low, high = (0.0 if rung is None else rung.prescription_gy for rung in ends)
    note = f"{note}; {_step_above(check.rungs, best, measured, planned_gy)}".removesuffix("; ")
    return decided_row(rule, best.prescription_gy, roi=str(target.region), low=low, high=high, note=note)


def _measured(metric: Metric, target: Target, facts: CaseFacts) -> _Measured:
    row = facts.metric(target.region, metric)
    if row.value is None or not math.isfinite(row.value):
        reason = Reason(row.reason_code) if row.reason_code else Reason.NO_DOSE
        raise NotEvaluable(row.reason or f"{metric} has no value.", reason=reason)
    return _Measured(metric, row)


def _achievable(
    rungs: Sequence[Rung], measured: Sequence[_Measured], planned_gy: float, end: str | None
) -> Rung | None:
    """Return the highest rung whose limits all hold, by the values or by one end of their bands."""
    return next((rung for rung in rungs if not _broken(rung, measured, planned_gy, end)), None)


def _broken(rung: Rung, measured: Sequence[_Measured], planned_gy: float, end: str | None = None) -> list[str]:
    """Name the limits of a rung that the plan, scaled to its prescription, would not keep to."""
    factor = rung.prescription_gy / planned_gy
    broken = []
    for (metric, limit), one in zip(rung.limits, measured, strict=True):
        edge = one.row.value if end is None else one.row.low if end == "low" else one.row.high
        planned = one.row.value if edge is None else edge
        assert planned is not None  # a metric without a value came to a reason before
        value = one.scaled(planned, factor)
        if not limit.is_met(value):
            broken.append(f"{metric} would be {number_text(value, digits=4)}, not {limit}")
    return broken


def _binding(rung: Rung, measured: Sequence[_Measured], planned_gy: float) -> str:
    return " and ".join(_broken(rung, measured, planned_gy))


def _step_above(rungs: Sequence[Rung], best: Rung, measured: Sequence[_Measured], planned_gy: float) -> str:
    """Return why the prescription is not one rung higher; nothing at the top of the ladder."""
    above = rungs.index(best) - 1
    if above < 0:
        return ""
    return f"at {number_text(rungs[above].prescription_gy)} Gy {_binding(rungs[above], measured, planned_gy)}"
