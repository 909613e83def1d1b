"""Numbers of the report, split where a column lines up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvhkit.outputs.language import say
from dvhkit.outputs.number_format import number, signed, signed_pct
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from dvhkit.results.audit import MetricResult, RuleResult

_LONGEST_UNIT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberView:
    """A number split at its decimal point, so that a column lines up on it; `unit` and `band` may be empty."""

    whole: str
    decimals: str
    unit: str
    band: str = ""


def rule_value(rule: RuleResult) -> NumberView | None:
    """Return the value of `rule` with the digits that its margin needs, and its band; None without a value."""
    if rule.value is None:
        return None
    return _split(number(rule.value, rule.unit, margin=rule.margin), rule.unit, band=_band(rule))


def rule_margin(rule: RuleResult) -> NumberView | None:
    """Return the margin of `rule` with its sign, and what it is in percent of the goal; None where there is none."""
    if rule.margin is None:
        return None
    in_pct = signed_pct(rule.margin_pct).replace("-", "−")
    if rule.unit == "%" and rule.margin_pct is not None:
        in_pct = say("number.of_goal", share=in_pct)
    return _split(signed(rule.margin, rule.unit, value=rule.value), rule.unit, band=in_pct)


def metric_value(row: MetricResult) -> NumberView | None:
    """Return the value of `row` and its band; None without a value."""
    return None if row.value is None else _split(number(row.value, row.unit), row.unit, band=_band(row))


def _band(row: RuleResult | MetricResult) -> str:
    if row.low is None or row.high is None:
        return ""
    return say("number.to", low=number(row.low, row.unit), high=number(row.high, row.unit))


def _split(text: str, unit: str, *, band: str = "") -> NumberView:
    whole, point, decimals = text.replace("-", "−").partition(".")
    return NumberView(whole=whole, decimals=point + decimals, unit=clean(unit, longest=_LONGEST_UNIT), band=band)
