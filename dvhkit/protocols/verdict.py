"""From a rule and a value to a row: verdict, margin, points, and why where it is no plain pass or fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dvhkit.errors import Reason
from dvhkit.findings import Finding
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.files.rules import STATUS_MEANING, Rule
from dvhkit.results.audit import MetricResult, RuleResult, Verdict

# DICOM stores lengths as decimal text: 2.999999 is 3 and 0.9765625 is what it says. 3.04 is not 3.
LENGTH_ATOL_MM = 1e-3


def plain_row(
    rule: Rule,
    *,
    roi: str | None = None,
    verdict: Verdict = Verdict.NOT_EVALUABLE,
    reason_code: str | None = None,
    reason: str | None = None,
    note: str = "",
) -> RuleResult:
    """Return the row of a rule without a value."""
    structure = rule.structure
    return RuleResult(
        rule_id=rule.id,
        title=rule.title,
        roi=roi if roi is not None else str(structure or ""),
        quantity=rule.quantity,
        goal=str(rule.goal),
        variation=str(rule.variation) if rule.variation else "",
        value=None,
        unit=rule.goal.unit.value,
        verdict=verdict,
        reason_code=None if reason_code is None else str(reason_code),
        reason=reason,
        source=rule.source,
        status=rule.weakest_status,
        priority=rule.priority,
        note="; ".join(part for part in (_doubt(rule), note, rule.note) if part),
        score_max=rule.score.most if rule.score is not None else None,
        group=rule.group,
    )


def _doubt(rule: Rule) -> str:
    """Return what marks a limit that nobody checked, wherever its row is printed and whatever its verdict."""
    return STATUS_MEANING[rule.weakest_status] if rule.is_unverified else ""


def decided_row(
    rule: Rule,
    value: float,
    *,
    roi: str | None = None,
    low: float | None = None,
    high: float | None = None,
    atol: float = 0.0,
    note: str = "",
    open_to: Verdict | None = None,
) -> RuleResult:
    """Return the row of a rule whose value is known; `open_to` is what a reading without a value comes to."""
    row = replace(plain_row(rule, roi=roi, note=note), value=value, low=low, high=high, margin=rule.goal.margin(value))
    row = replace(row, margin_pct=rule.goal.margin_pct(value), score=rule.score(value) if rule.score else None)
    verdict = _verdict(rule, value, atol)
    reached = {_verdict(rule, other, atol).value for other in _band_values(rule, low, high)}
    reached |= {open_to.value} if open_to is not None else set()
    others = sorted(reached - {verdict.value})
    if others:
        reason = f"the value alone would be a {verdict.value}, but its band reaches {' and '.join(others)}."
        return hold_back(replace(row, verdict=Verdict.INDETERMINATE, reason=reason), rule)
    return hold_back(replace(row, verdict=verdict), rule)


def hold_back(row: RuleResult, rule: Rule) -> RuleResult:
    """Return the row without its verdict if nobody has checked the limit: value and margin stay."""
    if not rule.is_unverified or row.verdict is Verdict.NOT_EVALUABLE:
        return row
    return replace(
        row,
        score=None,
        verdict=Verdict.NOT_EVALUABLE,
        reason_code=Reason.UNVERIFIED.value,
        reason=f"the limit was not checked against its source (status {rule.weakest_status}); "
        f"if it were right, this would be {_in_words(row.verdict)}.",
    )


def withheld_reason(why: Sequence[Finding]) -> str:
    """Return why numbers are withheld: the finding in its first sentence, its code, and how to vouch for it."""
    first = why[0]
    others = len({f.code for f in why}) - 1
    more = f" ({others} more in the findings)" if others else ""
    return f"withheld: {first.gist}{more}; whoever knows it to be right: --accept {first.code}."


def withheld_metric(row: MetricResult, why: Sequence[Finding]) -> MetricResult:
    """Return a metric marked as withheld, with the reason beside its value."""
    codes = tuple(dict.fromkeys(f.code for f in why))
    return replace(row, reason_code=Reason.WITHHELD.value, reason=withheld_reason(why), withheld=codes)


def withheld_row(row: RuleResult, reason: str | None, codes: tuple[str, ...]) -> RuleResult:
    """Return the row without its verdict, its distance to the goal and its points: what was measured stays."""
    if not codes or row.verdict in (Verdict.NOT_EVALUABLE, Verdict.NOT_APPLICABLE):
        return row
    return replace(
        row,
        verdict=Verdict.NOT_EVALUABLE,
        margin=None,
        margin_pct=None,
        score=None,
        reason_code=Reason.WITHHELD.value,
        reason=reason,
        withheld=codes,
    )


def _in_words(verdict: Verdict) -> str:
    is_noun = verdict in (Verdict.PASS, Verdict.FAIL, Verdict.VARIATION)
    return f"a {verdict.value}" if is_noun else verdict.value


def with_limits(rule: Rule, goal: Limit, variation: Limit | None) -> Rule:
    """Return the rule with the limits that it comes to in this case, such as those for a target of this volume."""
    return replace(rule, goal=goal, variation=variation)


def _verdict(rule: Rule, value: float, atol: float) -> Verdict:
    if rule.goal.is_met(value, atol=atol):
        return Verdict.PASS
    if rule.variation is not None and rule.variation.is_met(value, atol=atol):
        return Verdict.VARIATION
    return Verdict.FAIL


def _band_values(rule: Rule, low: float | None, high: float | None) -> list[float]:
    """Return the values of a band that the verdict may turn on: its ends, and every limit that lies inside.

    The ends alone do not do: a range such as 2..5 mm fails on both sides, and a band round it all holds passes, too.
    """
    ends = [edge for edge in (low, high) if edge is not None]
    limits = [rule.goal] if rule.variation is None else [rule.goal, rule.variation]
    bounds = [bound for limit in limits for bound in (limit.low, limit.high) if bound is not None]
    if low is None or high is None:
        return ends
    # Just at a bound both sides of it are within the band, and a value at a non-strict bound is good: for a range this
    # is the point that the ends may miss. One-sided limits are told by the ends alone.
    inside = [bound for bound in bounds if low < bound < high and any(limit.is_range for limit in limits)]
    return [*ends, *inside]
