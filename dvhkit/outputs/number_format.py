"""Numbers as people read them: enough digits, and never so few that a verdict looks wrong."""

from __future__ import annotations

import math
import re

from dvhkit.outputs.language import say
from dvhkit.units import Unit

_BASE_DECIMALS = {
    Unit.GY.value: 2,
    Unit.PERCENT.value: 2,
    Unit.MM.value: 2,
    Unit.COUNT.value: 0,
    Unit.NONE.value: 3,
}
# A margin may be that small and real; a value below the second is rounding noise around 0.
_MOST_DECIMALS = 9
_NOISE = 1e-6
# A number without unit that is whole and at least this counts something; an index of just 1 or 0 keeps its decimals.
_COUNTS_FROM = 2.0
# No dose or volume is that large; written out it would only break the table.
_TOO_LONG = 1e9
_WHOLE_PCT = 10.0
_LARGE_CC = 100.0
_SIGNIFICANT_BELOW_1_CC = 3

_COMPARATORS = {"<=": "≤", ">=": "≥", "=<": "≤", "=>": "≥"}
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*\.\.\s*([-+]?\d+(?:\.\d+)?)")
_COMPARATOR = re.compile(r"<=|>=|=<|=>")


def decimals_for(value: float, unit: str, *, margin: float | None = None) -> int:
    """Return how many decimals show `value` honestly.

    A whole number without unit, such as a count of beams, gets none; other plain numbers 3.
    Doses, percentages and lengths get 2, volumes 1 from 100 cc on, 2 from 1 cc on and 3 significant digits below; a
    number too small for that gets one significant digit. With `margin`, the distance to a limit, as many as let a
    margin other than 0 be seen: 15.003 Gy is not shown as 15.00 Gy where the limit is 15 Gy.
    """
    decimals = _BASE_DECIMALS.get(unit, 3)
    if unit == Unit.CC.value:
        decimals = _volume_decimals(value)
    elif unit == Unit.COUNT.value and value != round(value):
        decimals = 2
    elif unit == Unit.NONE.value and abs(value) >= _COUNTS_FROM and float(value).is_integer():
        decimals = 0
    elif abs(value) >= _NOISE:
        decimals = max(decimals, -_exponent(value))
    if margin is not None and abs(margin) >= 10.0**-_MOST_DECIMALS:
        decimals = max(decimals, -_exponent(margin))
    return min(decimals, _MOST_DECIMALS)


def parted(count: int) -> str:
    """Return a count with narrow spaces between its groups of three digits, as pages show it."""
    return f"{count:,}".replace(",", "\u202f")


def number(value: float, unit: str, *, margin: float | None = None) -> str:
    """Return `value` without its unit, with the digits that `decimals_for` finds right."""
    if abs(value) >= _TOO_LONG:
        return f"{value:.4g}"
    text = f"{value:.{decimals_for(value, unit, margin=margin)}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def signed(margin: float, unit: str, *, value: float | None = None) -> str:
    """Return `margin` with its sign, with the decimals of the `value` it belongs to."""
    if abs(margin) >= _TOO_LONG:
        return f"{margin:+.4g}"
    decimals = decimals_for(margin if value is None else value, unit, margin=margin)
    text = f"{margin:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text


def signed_pct(percent: float | None) -> str:
    """Return a margin in percent with its sign, to a tenth below 10 %; empty without one."""
    if percent is None:
        return ""
    text = (
        f"{percent:+.1f}"
        if abs(percent) < _WHOLE_PCT
        else f"{percent:+.0f}"
        if abs(percent) < _TOO_LONG
        else f"{percent:+.3g}"
    )
    return f"{text[1:] if float(text) == 0 else text} %"


def with_unit(text: str, unit: str) -> str:
    """Return a number's text and its unit, with a space between where there is a unit."""
    return f"{text} {unit}" if unit else text


def limit_text(limit: str) -> str:
    """Return a limit as printed in books: ``<= 15 Gy`` becomes ``≤ 15 Gy``, and ``2..5 mm`` becomes ``2 to 5 mm``."""
    signs = _COMPARATOR.sub(lambda match: _COMPARATORS[match.group()], limit)
    return range_text(signs)


def range_text(text: str) -> str:
    """Return a text with ranges in words: ``1.8..2.0 Gy`` becomes ``1.8 to 2.0 Gy``."""
    return _RANGE.sub(lambda match: say("number.to", low=match[1], high=match[2]), text)


def _volume_decimals(value: float) -> int:
    size = abs(value)
    if size >= _LARGE_CC:
        return 1
    if size >= 1 or size < _NOISE:
        return 2
    return _SIGNIFICANT_BELOW_1_CC - 1 - _exponent(value)


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))
