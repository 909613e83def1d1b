"""A rule in three lines at most, for terminals too narrow for a table: verdict and title, numbers, reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from dvhkit.outputs.number_format import limit_text, number, signed, signed_pct, with_unit
from dvhkit.outputs.text import clean, clean_name, sentence_case
from dvhkit.outputs.verdict_words import look_of, points_text, short_reason

if TYPE_CHECKING:
    from dvhkit.results.audit import RuleResult

_INDENT = "  "
# Numbers come before names where a line is too short for both.
_LEAST_NAME = 12


def rule_lines(rule: RuleResult, *, width: int, style: str, ascii_only: bool) -> Group:
    """Return the rule in one to three lines of at most `width` columns; what is cut off is in the report."""
    look = look_of(rule.verdict.value)
    sign = look.ascii_symbol if ascii_only else look.symbol
    first = Text(f"{sign} {look.word}", style=style)
    first.append(f"  {_plain(clean(rule.title or rule.rule_id, longest=400), ascii_only)}", style="not bold default")
    lines = [first]
    numbers = _numbers(rule, ascii_only=ascii_only)
    subject = "  ".join(filter(None, (clean_name(rule.roi, longest=60), clean_name(rule.quantity, longest=80))))
    room = max(_LEAST_NAME, width - len(_INDENT) - len(numbers) - 2)
    named = _cut(_plain(subject, ascii_only), room, ascii_only=ascii_only)
    if named or numbers:
        lines.append(Text(_INDENT + ": ".join(part for part in (named, numbers) if part)))
    told = short_reason(rule.reason, rule.withheld)
    if told and look.tone != "good":
        reason = _plain(sentence_case(clean(told, longest=600)), ascii_only)
        lines.append(Text(_INDENT + reason, style="dim" if look.tone == "mute" else "italic"))
    return Group(*(_fitted(line, width, ascii_only=ascii_only) for line in lines))


def _numbers(rule: RuleResult, *, ascii_only: bool) -> str:
    """Return value with band, goal and margin of a rule."""
    parts = []
    unit = clean(rule.unit, longest=8)
    if rule.value is not None:
        value = with_unit(number(rule.value, rule.unit, margin=rule.margin), unit)
        if rule.low is not None and rule.high is not None:
            value += f" ({number(rule.low, rule.unit)} to {number(rule.high, rule.unit)})"
        parts.append(value)
    goal, variation = (text if ascii_only else limit_text(text) for text in (rule.goal, rule.variation))
    if goal:
        parts.append(
            f"goal {clean(goal, longest=40)}" + (f", var. {clean(variation, longest=40)}" if variation else "")
        )
    if rule.margin is not None:
        margin = signed(rule.margin, rule.unit, value=rule.value)
        if rule.margin_pct is not None:
            margin += f" ({signed_pct(rule.margin_pct)}{' of goal' if rule.unit == '%' else ''})"
        parts.append(margin)
    if rule.score is not None:
        parts.append(f"{points_text(rule.score, rule.score_max)} points")
    return _plain("; ".join(parts), ascii_only)


def _plain(text: str, ascii_only: bool) -> str:
    return text.replace("…", "...").encode("ascii", "replace").decode("ascii") if ascii_only else text


def _cut(text: str, width: int, *, ascii_only: bool) -> str:
    return _fitted(Text(text), width, ascii_only=ascii_only).plain


def _fitted(line: Text, width: int, *, ascii_only: bool) -> Text:
    """Return the line cut to `width` columns, with dots where something is missing."""
    if line.cell_len <= width:
        return line
    dots = "..." if ascii_only else "…"
    line.truncate(max(1, width - len(dots)), overflow="crop")
    line.append(dots)
    return line
