"""The rule on a metric of a structure: D95%, V20Gy, a mean, an index, held against its limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.expression import Effect, Metric, parse_metric
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.facts import CaseFacts
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.rules import Asked, Built, Check, Rule, Slip
from dvhkit.protocols.lint.limits import metric_slips
from dvhkit.protocols.naming.select import Target, select
from dvhkit.protocols.naming.selector import StructureSelector
from dvhkit.protocols.verdict import decided_row, hold_back, plain_row, with_limits, withheld_row
from dvhkit.results.audit import MetricResult, RuleResult, Verdict
from dvhkit.units import Unit, number_text, parse_unit
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape

_VOLUME = parse_metric("Volume[cc]")
# Of several structures of which one suffices, the row that settles it comes first; an open one before a failed one,
# since it might have passed.
_SETTLES = (Verdict.PASS, Verdict.VARIATION, Verdict.INDETERMINATE, Verdict.NOT_EVALUABLE, Verdict.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseCheck(Check):
    """Measure a metric on a structure."""

    KEY = "metric"
    STRUCTURE = "must"
    BY_FRACTIONS = True
    structure: StructureSelector
    metric: Metric

    @classmethod
    def shape(cls) -> Any:
        from dvhkit.protocols.files.shapes import Name

        return Name

    @classmethod
    def build(cls, place: Place, model: RuleShape, parts: RuleParts) -> Built | None:
        text = getattr(model, cls.KEY)
        metric = parts.problems.attempt((*place, "metric"), lambda: parse_metric(text))
        structure = parts.structure((*place, "structure"), model.structure)
        if metric is None or structure is None:
            return None
        check = cls(structure=structure, metric=metric)
        return Built(check=check, unit=metric.unit, bare_ok=_is_in_own_unit(text, metric))

    @property
    def quantity(self) -> str:
        """What is measured, in canonical form."""
        return self.metric.canonical

    def data(self) -> dict[str, Any]:
        return {"structure": self.structure.data(), "metric": self.metric.canonical}

    def judged(self) -> StructureSelector:
        return self.structure

    def measured(self) -> Metric:
        return self.metric

    def is_on_dose(self) -> bool:
        return self.metric.kind != "Volume"  # which is what it is, whatever the dose

    def title(self, goal: Limit) -> str:
        return f"{self.structure} {self.quantity} {goal}"

    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        """Yield a row for each structure that the rule is about."""
        check: DoseCheck = self
        if asked.eqd2_alpha_beta_gy is not None:
            effect = Effect(kind="EQD2", alpha_beta_gy=asked.eqd2_alpha_beta_gy)
            check = replace(self, metric=replace(self.metric, effect=effect))
            rule = replace(rule, check=check)
        targets = select(self.structure, asked.protocol, asked.facts.structures())
        rows = [_dose_row(rule, check, target, asked.facts, asked.why) for target in targets]
        yield from [_best_row(rows, self.structure)] if self.structure.need_one else rows

    def lint(self, rule: Rule) -> Iterator[Slip]:
        yield from metric_slips(rule, self.metric)


def _best_row(rows: list[RuleResult], selector: StructureSelector) -> RuleResult:
    """Return the row that decides where one of several structures suffices."""
    best = min(rows, key=lambda row: (_SETTLES.index(row.verdict), -(row.margin or 0.0)))
    missing = len(selector.any_of) - len(rows)
    if missing > 0 and best.verdict is Verdict.FAIL:
        reason = f"{missing} of {', '.join(selector.any_of)} are not drawn and might keep to it."
        best = replace(best, verdict=Verdict.NOT_EVALUABLE, reason_code=Reason.NO_STRUCTURE.value, reason=reason)
    note = f"one of {', '.join(selector.any_of)} is enough"
    return replace(best, note="; ".join(part for part in (note, best.note) if part))


def _dose_row(rule: Rule, check: DoseCheck, target: Target, facts: CaseFacts, why: str) -> RuleResult:
    measured = facts.metric(target.region, check.metric)
    roi = str(target.region)
    note = "; ".join(part for part in (target.note, why, measured.note) if part)
    try:
        rule, by_volume = _limits_here(rule, target, facts)
    except NotEvaluable as lack:
        return plain_row(rule, roi=roi, reason_code=lack.reason, reason=lack.message, note=note)
    note = "; ".join(part for part in (note, by_volume) if part)
    if measured.value is None:
        return _without_value(rule, check, measured, roi, note)
    open_to = None
    if measured.band_open_code is not None:
        fails = _is_insufficient(check, rule, measured.band_open_code)
        open_to = Verdict.FAIL if fails else Verdict.NOT_EVALUABLE
    row = decided_row(rule, measured.value, roi=roi, low=measured.low, high=measured.high, note=note, open_to=open_to)
    return withheld_row(row, measured.reason, measured.withheld)


def _without_value(rule: Rule, check: DoseCheck, measured: MetricResult, roi: str, note: str) -> RuleResult:
    """Return the row of a metric that has no value: a failure where a volume was to be spared that is not there.

    So it is even where the slices can be read such that the volume suffices: who cannot show it has not spared it.
    """
    row = plain_row(rule, roi=roi, reason_code=measured.reason_code, reason=measured.reason, note=note)
    if not _is_insufficient(check, rule, row.reason_code):
        return row
    otherwise = " As the slices may be read otherwise, the volume suffices." if measured.band_open_code else ""
    return hold_back(replace(row, verdict=Verdict.FAIL, reason=f"{row.reason}{otherwise}"), rule)


def _limits_here(rule: Rule, target: Target, facts: CaseFacts) -> tuple[Rule, str]:
    """Return the rule with the limits for a structure of this volume, and what to say beside it."""
    if not rule.goal.by_volume:
        return rule, ""
    volume = facts.metric(target.region, _VOLUME)
    if volume.value is None:
        reason = Reason(volume.reason_code) if volume.reason_code else Reason.NO_VOLUME
        raise NotEvaluable(volume.reason or "the volume of the structure is not known.", reason=reason)
    goal = rule.goal.at_volume(volume.value)
    variation = rule.variation.at_volume(volume.value) if rule.variation is not None else None
    return with_limits(rule, goal, variation), f"limits for {number_text(volume.value, digits=4)} cc"


def _is_insufficient(check: DoseCheck, rule: Rule, reason_code: str | None) -> bool:
    """Whether a volume was to be spared that the structure does not even have: that is a failure, no lack of data.

    So a liver of 690 cc fails `DC700cc[Gy] <= 15`: 700 cc of it cannot stay below any dose.
    """
    at = check.metric.at
    asks_to_spare = check.metric.kind == "DC" and at is not None and at.unit is Unit.CC and rule.goal.is_upper
    return asks_to_spare and reason_code == Reason.VOLUME_TOO_SMALL


def _is_in_own_unit(text: str, metric: Metric) -> bool:
    """Whether the metric's result unit is written as dvhkit prints it, so that a bare number is in it too."""
    match = re.search(r"(?:\[|_)\s*([^\[\]_]*?)\s*\]?\s*$", text)
    parsed = parse_unit(match[1]) if match else None
    return parsed is None or parsed == (metric.unit, 1.0)
