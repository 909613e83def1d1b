"""Rules on the dose of structures: a metric against its limit, and the highest prescription of a ladder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.expression import Effect, Metric, parse_metric
from dvhkit.metrics.prescribed import prescriptions_for, the_prescription
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.checks.one_of import best_row
from dvhkit.protocols.facts import CaseFacts
from dvhkit.protocols.files.rules import DoseCheck, LadderCheck, Protocol, Rule, Rung
from dvhkit.protocols.naming.regions import RoiRef
from dvhkit.protocols.naming.select import Target, select
from dvhkit.protocols.verdict import decided_row, hold_back, plain_row, with_limits, withheld_row
from dvhkit.results.audit import MetricResult, RuleResult, Verdict
from dvhkit.units import Unit, number_text

_VOLUME = parse_metric("Volume[cc]")


def dose_rows(
    rule: Rule, check: DoseCheck, protocol: Protocol, facts: CaseFacts, *, eqd2_alpha_beta_gy: float | None, why: str
) -> Iterator[RuleResult]:
    """Yield a row for each structure that the rule is about.

    Parameters
    ----------
    eqd2_alpha_beta_gy
        Measure in EQD2 with this alpha/beta: the limit is for conventional fractions and the plan has others.
    why
        What to say beside the value, such as why it is converted.
    """
    if eqd2_alpha_beta_gy is not None:
        check = replace(check, metric=_in_eqd2(check.metric, eqd2_alpha_beta_gy))
        rule = replace(rule, check=check)
    targets = select(check.structure, protocol, facts.structures())
    rows = [_dose_row(rule, check, target, facts, why) for target in targets]
    yield from [best_row(rows, check.structure)] if check.structure.need_one else rows


def _in_eqd2(metric: Metric, alpha_beta_gy: float) -> Metric:
    return replace(metric, effect=Effect(kind="EQD2", alpha_beta_gy=alpha_beta_gy))


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


@dataclass(frozen=True, slots=True)
class _Measured:
    """A metric of a ladder on one structure, as it was planned."""

    metric: Metric
    row: MetricResult

    def scaled(self, value: float, factor: float) -> float:
        """Return a value of the metric if every dose were `factor` times as high; percent of the prescription stays."""
        return value * factor if self.metric.unit is Unit.GY else value


def ladder_rows(rule: Rule, check: LadderCheck, protocol: Protocol, facts: CaseFacts) -> Iterator[RuleResult]:
    """Yield, for each structure, the highest prescription of the ladder whose limits the plan would keep to.

    All doses are taken to scale with the prescription. The plan passes if that is no less than what it prescribes.
    """
    for target in select(check.structure, protocol, facts.structures()):
        roi = str(target.region)
        try:
            row = _ladder_row(rule, check, target, facts)
            held = next((m for metric in check.metrics if (m := facts.metric(target.region, metric)).withheld), None)
            yield row if held is None else withheld_row(row, held.reason, held.withheld)
        except NotEvaluable as lack:
            yield plain_row(rule, roi=roi, reason_code=lack.reason, reason=lack.message, note=target.note)


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
