"""Results in the terminal, with rich: good at 80 columns, without colour, and in ASCII.

Everything is built from `rich.text.Text`, so that nothing out of DICOM is ever read as markup.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from dvhkit.findings import Level
from dvhkit.outputs.identity_words import accepted_words, plan_words
from dvhkit.outputs.number_format import limit_text, number, signed, signed_pct, with_unit
from dvhkit.outputs.second_check import check_lines
from dvhkit.outputs.terminal.folding import FOLDED_FROM, folded_runs, missing_names
from dvhkit.outputs.terminal.rule_lines import rule_lines
from dvhkit.outputs.text import clean, clean_name, sentence_case
from dvhkit.outputs.verdict_words import (
    count_phrases,
    headline,
    idle_groups,
    look_of,
    points_text,
    score_text,
    short_reason,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from dvhkit.findings import Finding
    from dvhkit.results.audit import AuditRecord, MetricResult, RuleResult

_STYLES = {"bad": "bold red", "warn": "yellow", "open": "magenta", "good": "green", "mute": "dim"}
_LEVELS = {
    Level.SERIOUS.value: ("!!", "bold red"),
    Level.WARNING.value: ("!", "yellow"),
    Level.INFO.value: ("i", "cyan"),
}
# From here on structure and metric have columns of their own.
_WIDE_COLUMNS = 120
_LONGEST_NAME = 48
_LONGEST_TITLE = 160
_LONGEST_SENTENCE = 600
_LONGEST_LIST = 4000
_MOST_REASONS = 6


class _Lazy(ABC):
    """A table that is built when it is known how wide the terminal is and whether it knows more than ASCII."""

    @abstractmethod
    def build(self, *, width: int, ascii_only: bool) -> RenderableType:
        """Return what is shown on a terminal of `width` columns."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.build(width=options.max_width, ascii_only=options.ascii_only)


class CaseHeading(_Lazy):
    """Which case it is, held against what, and why it failed if it did."""

    def __init__(self, record: AuditRecord) -> None:
        self.record = record

    def build(self, *, width: int, ascii_only: bool) -> RenderableType:  # noqa: ARG002 -- texts wrap by themselves
        """Return two lines or three."""
        record = self.record
        protocol = (record.protocol_title or record.protocol_id, record.protocol_version)
        title = _name(record.case, ascii_only=ascii_only)
        title.stylize("bold")
        title.append("  ")
        title.append_text(_text(" ".join(filter(None, protocol)), "dim", ascii_only=ascii_only, longest=_LONGEST_TITLE))
        lines = [title]
        if record.prescription:
            lines.append(_text(record.prescription, "dim", ascii_only=ascii_only, longest=_LONGEST_TITLE))
        score = score_text(record.score())
        if score:
            lines.append(_text(f"Score: {score}", "bold", ascii_only=ascii_only, longest=_LONGEST_TITLE))
        for said in (plan_words(record.identity), accepted_words(record.accepted)):
            if said:
                lines.append(_text(said, "dim", ascii_only=ascii_only, longest=_LONGEST_SENTENCE))
        if record.error is not None:
            lines.append(_text(f"error: {record.error}", "bold red", ascii_only=ascii_only))
        return Group(*lines)


class VerdictTable(_Lazy):
    """The rules of one record and what they came to; many of one fate are one line."""

    def __init__(self, record: AuditRecord) -> None:
        self.record = record

    def build(self, *, width: int, ascii_only: bool) -> RenderableType:
        """Return the table for a terminal of `width` columns; a narrow one gets three lines a rule. Failures first."""
        runs = folded_runs(self.record.rules)
        if width < _WIDE_COLUMNS:
            lines = _rule_lines(runs, width=width, ascii_only=ascii_only)
            outcome = _outcome_text(self.record, ascii_only=ascii_only)
            return Group(outcome, Text(""), *lines, Text(""), *self._idle(ascii_only=ascii_only))
        table = _table()
        table.add_column("Verdict", no_wrap=True)
        table.add_column("Rule", ratio=1, overflow="fold")
        table.add_column("Structure", overflow="fold", max_width=24)
        table.add_column("Measure", overflow="fold", max_width=28)
        table.add_column("Value", justify="right", no_wrap=True)
        table.add_column("Goal", no_wrap=True)
        table.add_column("Margin", justify="right", no_wrap=True)
        for folded, rules in runs:
            if folded:
                table.add_row(*_folded_cells(rules[0], folded, ascii_only=ascii_only))
                continue
            for rule in rules:
                table.add_row(*_rule_cells(rule, ascii_only=ascii_only))
        return Group(_outcome_text(self.record, ascii_only=ascii_only), table, *self._idle(ascii_only=ascii_only))

    def _idle(self, *, ascii_only: bool) -> Iterator[Text]:
        """Yield what folded rules share: the structures that are missing; each reason not to apply with its number."""
        missing, there = missing_names(self.record.rules)
        if missing:
            yield Text("No such structure", style="bold")
            names = ", ".join(clean_name(name, _LONGEST_NAME) for name in missing)
            yield _text(f"  {names}. {there}", "dim", ascii_only=ascii_only, longest=_LONGEST_LIST)
            yield Text("")
        groups = idle_groups(self.record.rules)
        if sum(count for count, _ in groups) < FOLDED_FROM:
            return
        yield Text("Not applied", style="bold")
        for count, reason in groups[:_MOST_REASONS]:
            yield _text(f"  {count}: {reason}", "dim", ascii_only=ascii_only)
        if len(groups) > _MOST_REASONS:
            yield Text(f"  {len(groups) - _MOST_REASONS} more reasons in the report", style="dim")
        yield Text("")


class MetricTable(_Lazy):
    """Metric rows; where there is no value the reason stands in its place."""

    def __init__(self, rows: Sequence[MetricResult]) -> None:
        self.rows = rows

    def build(self, *, width: int, ascii_only: bool) -> RenderableType:
        """Return the table; a structure's name stands once for its rows."""
        table = _table()
        table.add_column("Structure", overflow="fold", max_width=max(16, width // 3))
        table.add_column("Metric", no_wrap=True)
        table.add_column("Value", justify="right", no_wrap=True)
        table.add_column("Unit", no_wrap=True)
        notes = any(_metric_remark(row) for row in self.rows)
        if notes:
            table.add_column("Remark", overflow="fold", ratio=1)
        last, said = None, ""
        for row in self.rows:
            name = "" if row.roi == last else row.roi
            last, before, said = row.roi, said, _metric_remark(row)
            value = Text("-") if row.value is None else Text(number(row.value, row.unit))
            again = not name and said == before and (row.value is None or row.withheld)
            remark = _text(
                "as above" if again else said, "dim" if row.value is not None else "magenta", ascii_only=ascii_only
            )
            cells = [
                _name(name, ascii_only=ascii_only),
                _name(row.metric, ascii_only=ascii_only),
                value,
                _text(row.unit, "", ascii_only=ascii_only, longest=8),
            ]
            table.add_row(*cells, *([remark] if notes else []))
        return table


class FindingsPanel(_Lazy):
    """What is odd about the data, the most serious first."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = findings

    def build(self, *, width: int, ascii_only: bool) -> RenderableType:  # noqa: ARG002 -- one form fits all widths
        """Return one line a finding."""
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        order = list(_LEVELS)
        for finding in sorted(self.findings, key=lambda f: order.index(f.level.value)):
            sign, style = _LEVELS[finding.level.value]
            message = _text(sentence_case(finding.message), "", ascii_only=ascii_only)
            if finding.where:
                message.append("  ")
                message.append_text(_text(f"[{finding.where}]", "dim", ascii_only=ascii_only, longest=_LONGEST_NAME))
            grid.add_row(Text(f"{sign} {finding.level.value}", style=style), message)
        return grid


class AuditSummaryTable(_Lazy):
    """One line a case."""

    def __init__(self, records: Sequence[AuditRecord]) -> None:
        self.records = records

    def build(self, *, width: int, ascii_only: bool) -> RenderableType:
        """Return the table for a terminal of `width` columns."""
        table = _table()
        table.add_column("Case", overflow="fold", max_width=max(16, width // 3))
        table.add_column("Outcome", overflow="fold", ratio=1)
        table.add_column("Rules", overflow="fold", ratio=1)
        for record in self.records:
            outcome = _headline_text(record, ascii_only=ascii_only)
            phrases = [Text(phrase, style=_STYLES[tone]) for tone, phrase in count_phrases(record.rules)]
            error = _text(record.error or "", "", ascii_only=ascii_only)
            rules = error if record.error is not None else Text(", ").join(phrases)
            table.add_row(_name(record.case, ascii_only=ascii_only), outcome, rules)
        return table


def verdict_table(record: AuditRecord) -> RenderableType:
    """Return the rules of `record` as a table, under one line that says what they come to."""
    return VerdictTable(record)


def metric_table(rows: Iterable[MetricResult]) -> RenderableType:
    """Return metric rows as a table; a metric without a value shows its reason."""
    return MetricTable(tuple(rows))


def findings_panel(findings: Iterable[Finding]) -> RenderableType:
    """Return findings, the most serious first; nothing at all where there are none."""
    return FindingsPanel(tuple(findings))


def findings_panels(findings: Iterable[Finding]) -> list[RenderableType]:
    """Return what to print of findings: a heading and the list, or an empty list where there are none."""
    found = tuple(findings)
    return [Text("Findings", style="bold"), FindingsPanel(found), Text("")] if found else []


def audit_summary_table(records: Iterable[AuditRecord]) -> RenderableType:
    """Return one line a case: what it comes to, and how many rules came to each verdict, or its error."""
    return AuditSummaryTable(tuple(records))


def audit_view(record: AuditRecord) -> list[RenderableType]:
    """Return what to print of one record, from top to bottom: its name, verdicts and findings, or its error."""
    verdicts = [] if record.error is not None else [verdict_table(record)]
    checked = check_lines(record.second_check)
    return [CaseHeading(record), *verdicts, *checked, *findings_panels(record.findings)]


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def _rule_lines(
    runs: Iterable[tuple[str, list[RuleResult]]], *, width: int, ascii_only: bool
) -> Iterator[RenderableType]:
    for folded, rules in runs:
        if folded:
            verdict, words = _folded_cells(rules[0], folded, ascii_only=ascii_only)
            yield Text.assemble(verdict, "  ", words)
            continue
        for rule in rules:
            style = _STYLES[look_of(rule.verdict.value).tone]
            yield rule_lines(rule, width=width, style=style, ascii_only=ascii_only)


def _rule_cells(rule: RuleResult, *, ascii_only: bool) -> Iterator[Text]:
    look = look_of(rule.verdict.value)
    sign = look.ascii_symbol if ascii_only else look.symbol
    yield Text(f"{sign} {look.word}", style=_STYLES[look.tone])
    muted = "dim" if look.tone == "mute" else ""
    title = _text(rule.title or rule.rule_id, muted, ascii_only=ascii_only)
    told = sentence_case(short_reason(rule.reason, rule.withheld))
    if told and look.tone != "good":
        title.append("\n")
        title.append_text(_text(told, "dim" if look.tone == "mute" else "italic", ascii_only=ascii_only))
    yield title
    yield _name(rule.roi, ascii_only=ascii_only)
    yield _name(rule.quantity, ascii_only=ascii_only)
    yield _value_text(rule, ascii_only=ascii_only)
    yield _goal_text(rule, ascii_only=ascii_only)
    yield _margin_text(rule)


def _folded_cells(rule: RuleResult, words: str, *, ascii_only: bool) -> tuple[Text, Text]:
    look = look_of(rule.verdict.value)
    sign = look.ascii_symbol if ascii_only else look.symbol
    return Text(f"{sign} {look.word}", style=_STYLES[look.tone]), Text(words, style="dim")


def _value_text(rule: RuleResult, *, ascii_only: bool) -> Text:
    value = Text("-", style="dim")
    if rule.value is not None:
        text = with_unit(number(rule.value, rule.unit, margin=rule.margin), clean(rule.unit, longest=8))
        value = _text(text, "", ascii_only=ascii_only)
    if rule.low is not None and rule.high is not None:
        value.append(f"\n{number(rule.low, rule.unit)} to\n{number(rule.high, rule.unit)}", style="dim")
    if rule.score is not None:
        value.append(f"\n{points_text(rule.score, rule.score_max)} points", style="dim")
    return value


def _margin_text(rule: RuleResult) -> Text:
    """Return the margin in the rule's unit and under it in percent of the goal."""
    if rule.margin is None:
        return Text("")
    text = Text(signed(rule.margin, rule.unit, value=rule.value))
    if rule.margin_pct is not None:
        # Of a goal in percent it must be plain that this is percent of that.
        of_goal = "\nof goal" if rule.unit == "%" else ""
        text.append(f"\n{signed_pct(rule.margin_pct)}{of_goal}", style="dim")
    return text


def _goal_text(rule: RuleResult, *, ascii_only: bool) -> Text:
    goal, variation = (text if ascii_only else limit_text(text) for text in (rule.goal, rule.variation))
    text = _text(goal, "", ascii_only=ascii_only)
    if variation:
        text.append("\n")
        text.append_text(_text(f"var. {variation}", "dim", ascii_only=ascii_only))
    return text


def _metric_remark(row: MetricResult) -> str:
    if row.value is None:
        return sentence_case(row.reason or row.reason_code or "no value")
    if row.withheld:
        return sentence_case(short_reason(row.reason, row.withheld))
    band = ""
    if row.low is not None and row.high is not None:
        band = f"{number(row.low, row.unit)} to {with_unit(number(row.high, row.unit), row.unit)}"
    return "; ".join(part for part in (band, row.note) if part)


def _headline_text(record: AuditRecord, *, ascii_only: bool) -> Text:
    line = headline(record)
    sign = "" if ascii_only else f"{line.symbol} "
    return Text(f"{sign}{line.text}", style=_STYLES[line.tone])


def _outcome_text(record: AuditRecord, *, ascii_only: bool) -> Text:
    phrases = [Text(phrase, style=_STYLES[tone]) for tone, phrase in count_phrases(record.rules)]
    if len(phrases) < 2:  # the headline says it
        return _headline_text(record, ascii_only=ascii_only)
    return Text.assemble(_headline_text(record, ascii_only=ascii_only), "  (", Text(", ").join(phrases), ")")


def _name(text: str, *, ascii_only: bool) -> Text:
    return _text(clean_name(text, _LONGEST_NAME), "", ascii_only=ascii_only)


def _text(text: str, style: str, *, ascii_only: bool, longest: int = _LONGEST_SENTENCE) -> Text:
    harmless = clean(text, longest=longest)
    if ascii_only:
        harmless = harmless.replace("…", "...").encode("ascii", "replace").decode("ascii")
    return Text(harmless, style=style)
