"""Tables that say all in 80 columns, without colour, and let no name steer the terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise

import pytest
from any_records import records
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_records import BROKEN, FINDINGS, GOOD, HOSTILE_NAMES, LIVER, METRICS, RULES
from rich.cells import cell_len
from rich.console import Console, RenderableType

from dvhkit.outputs import tables
from dvhkit.results.audit import AuditRecord, Verdict


class LaterVerdict(StrEnum):
    """A verdict that a later version may bring."""

    UNHEARD_OF = "left-to-the-board"


def printed(*parts: RenderableType, width: int = 80, encoding: str = "utf-8", colour: bool = False) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(
        file=file, width=width, highlight=False, force_terminal=colour, color_system="standard" if colour else None
    )
    for part in parts:
        console.print(part)
    file.flush()
    return raw.getvalue().decode(encoding)


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_every_rule_is_there_with_value_goal_and_margin_and_nothing_sticks_out(width: int) -> None:
    text = printed(*tables.audit_view(LIVER), width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert text.count("✓ pass") == 6
    for word in ("✗ fail", "≈ variation", "? not evaluable", "– not applicable", "57.41 Gy", "≥ 60 Gy", "-2.59"):
        assert word in text
    assert "D95%[Gy]" in text
    assert "✗ 1 rule failed (1 failed, 1 not evaluable, 1 within variation, 6 passed, 1 not applicable)" in one_line(
        text
    )


def test_a_rule_without_a_value_shows_its_reason() -> None:
    text = printed(tables.verdict_table(replace(LIVER, rules=(RULES[8],))), width=160)
    assert "This version of dvhkit does not measure margins yet." in one_line(text)


def test_metric_rows_show_bands_notes_and_reasons_and_never_a_zero_for_no_value() -> None:
    text = one_line(printed(tables.metric_table(METRICS), width=160))
    assert "D98%[Gy] 54.87 Gy 54.50 to 55.20 Gy" in text
    assert "D2cc[Gy] - Gy Lens_L has 0.03214 cc with dose, less than the 2 cc asked for." in text
    assert "100 % is 60 Gy (RTPLAN)" in text


def test_findings_come_most_serious_first_with_their_place() -> None:
    text = printed(tables.findings_panel(FINDINGS), width=100)
    assert text.index("serious") < text.index("warning") < text.index("info")
    assert "[Stomach]" in text
    assert tables.findings_panels(()) == []


def test_the_summary_has_a_line_a_case_and_says_why_one_failed() -> None:
    text = one_line(printed(tables.audit_summary_table([LIVER, BROKEN, GOOD])))
    assert "lost_dose ✗ Could not be audited" in text
    assert "lung_07 ✓ All rules met 6 passed" in text


def test_a_failed_case_shows_its_error_and_no_table() -> None:
    text = one_line(printed(*tables.audit_view(BROKEN)))
    assert "error: lost_dose: The folder holds structures but no dose." in text
    assert "Verdict" not in text


def test_a_case_without_rules_is_not_called_good() -> None:
    text = printed(tables.verdict_table(replace(GOOD, rules=())))
    assert "No rule applied" in text
    assert "met" not in text.replace("Metric", "")


@pytest.mark.parametrize("verdict", [Verdict.WAIVED, Verdict.INDETERMINATE, LaterVerdict.UNHEARD_OF])
def test_a_rule_that_did_not_pass_is_never_called_met(verdict: Verdict) -> None:
    record = replace(GOOD, rules=(*GOOD.rules, replace(RULES[0], verdict=verdict, reason="because of the heart")))
    text = one_line(printed(tables.verdict_table(record), tables.audit_summary_table([record]), width=100))
    assert verdict.value.replace("-", " ") in text
    assert "Because of the heart" in text
    assert "All rules met" not in text.replace("All rules met or waived", "")
    assert ("All rules met or waived: 1 waived" if verdict is Verdict.WAIVED else "could not be judged") in text


def hostile_record(name: str) -> AuditRecord:
    rules = tuple(replace(r, roi=name, title=name, quantity=name, goal=name, reason=name, unit=name) for r in RULES)
    findings = tuple(replace(f, message=name, where=name) for f in FINDINGS)
    return replace(LIVER, case=name, protocol_title=name, prescription=name, rules=rules, findings=findings)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_steers_the_terminal_or_is_read_as_markup(name: str) -> None:
    record = hostile_record(name)
    metrics = [replace(METRICS[0], roi=name, metric=name, note=name), replace(METRICS[-1], reason=name)]
    parts = [*tables.audit_view(record), *tables.audit_view(replace(BROKEN, error=name)), tables.metric_table(metrics)]
    text = printed(*parts, tables.audit_summary_table([record, BROKEN]))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert len(text) < 200_000


def test_brackets_in_names_stay_visible_and_colour_no_text() -> None:
    text = printed(tables.metric_table([replace(METRICS[0], roi="[red]PTV[/red]")]), colour=True)
    assert "[red]PTV[/red]" in text


def test_a_terminal_that_knows_ascii_only_gets_ascii() -> None:
    text = printed(
        *tables.audit_view(hostile_record("Leber ü 肝")),
        *tables.audit_view(LIVER),
        tables.metric_table([replace(METRICS[-1], roi="肝", unit="肝")]),
        encoding="ascii",
    )
    assert "x fail" in text
    assert ">= 60 Gy" in text


def test_words_say_what_colours_say() -> None:
    plain = printed(*tables.audit_view(LIVER))
    coloured = printed(*tables.audit_view(LIVER), colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@settings(max_examples=100, deadline=None)
@given(records, st.integers(40, 200))
def test_any_record_fits_any_terminal(record: AuditRecord, width: int) -> None:
    parts = [*tables.audit_view(record), tables.audit_summary_table([record]), tables.metric_table(record.metrics)]
    text = printed(*parts, width=width)
    assert all(c.isprintable() or c in "\n\u200c\u200d" for c in text)
    assert max(cell_len(line) for line in text.splitlines()) <= width


def test_failures_come_first_and_a_rule_has_three_lines_at_80_columns() -> None:
    text = printed(tables.verdict_table(LIVER))
    marks = re.findall(r"^([✗±?≈○✓–]) ", text.split("\n", 1)[1], re.MULTILINE)
    assert marks == sorted(marks, key="✗±?≈○✓–".index)
    assert marks[0] == "✗"
    body = text.strip().splitlines()[2:]
    starts = [n for n, line in enumerate(body) if not line.startswith("  ")]
    assert all(b - a <= 3 for a, b in pairwise([*starts, len(body)]))
    wide = printed(tables.verdict_table(LIVER), width=160)
    assert wide.index("✗ fail") < wide.index("✓ pass")
