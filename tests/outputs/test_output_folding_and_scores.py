"""Rules that do not apply are folded and counted, scores are shown, and a reason begins as a sentence does."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from made_up_records import GOOD, RULES
from rich.console import Console

from dvhkit.outputs import tables
from dvhkit.outputs.csv_text import summary_csv
from dvhkit.outputs.records import audit_document, json_text, read_audit
from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.text import sentence_case
from dvhkit.results.audit import AuditRecord, Verdict


def printed(record: AuditRecord, *, encoding: str = "utf-8", width: int = 110) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    console = Console(file=stream, width=width, force_terminal=False)
    for part in tables.audit_view(record):
        console.print(part)
    return re.sub(r"\s+", " ", stream.buffer.getvalue().decode(encoding))  # type: ignore[attr-defined]


def idle(count: int) -> AuditRecord:
    row = replace(
        RULES[0], verdict=Verdict.NOT_APPLICABLE, value=None, margin=None, reason="the limit is for 5 fractions."
    )
    rules = [replace(row, rule_id=f"idle-{i}", title=f"Idle rule {i}") for i in range(count)]
    return replace(GOOD, rules=(GOOD.rules[0], *rules, GOOD.rules[1]))


@pytest.mark.parametrize("width", [80, 110, 140])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_many_rules_that_do_not_apply_are_one_line_in_the_terminal_with_their_reason_below(
    encoding: str, width: int
) -> None:
    text = printed(idle(40), encoding=encoding, width=width)
    assert "40 rules do not apply to this case" in text
    assert "Not applied 40: the limit is for 5 fractions" in text
    assert "Idle rule" not in text
    assert "40 not applicable" in text


def test_a_few_rules_that_do_not_apply_are_listed() -> None:
    text = printed(idle(3))
    assert "Idle rule 2" in text
    assert "The limit is for 5 fractions." in text


@pytest.mark.parametrize("width", [80, 140])
def test_many_rules_on_structures_that_are_not_there_are_one_line_with_the_names_once(width: int) -> None:
    gone = replace(
        RULES[0], verdict=Verdict.NOT_EVALUABLE, value=None, margin=None, reason_code="no-structure",
        reason="there is no structure 'Cochlea'. There are: PTV.", withheld=(), group="",
    )  # fmt: skip
    body = replace(gone, rule_id="ci", title="Index rule", roi="PTV", reason="the body is not known.")
    rules = [
        replace(gone, rule_id=f"gone-{i}", title=f"Missing rule {i}", roi=f"Organ{i % 13}", quantity="")
        for i in range(39)
    ]
    text = printed(replace(GOOD, rules=(GOOD.rules[0], *rules, body)), width=width)
    assert "39 rules name structures that are not there" in text
    assert "Missing rule" not in text
    assert "No such structure Organ0, Organ1," in text
    assert all(text.count(f"Organ{i}") == 1 for i in range(2, 13))
    assert text.count("There are: PTV.") == 1
    assert "Index rule" in text
    assert "Missing rule 2" in printed(replace(GOOD, rules=tuple(rules[:3])), width=width)


def test_the_report_keeps_every_rule_that_does_not_apply_and_folds_them() -> None:
    page = html_report([idle(40)])
    assert "40 rules do not apply to this case" in page
    folded = page[page.index('<details class="folded">') :]
    assert all(f"Idle rule {i}<" in folded for i in range(40))
    assert GOOD.rules[0].title.split()[0] in page[: page.index('<details class="folded">')]
    assert '<details class="folded">' not in html_report([idle(3)])


def test_scores_are_in_terminal_report_json_and_csv() -> None:
    scored = replace(GOOD.rules[0], score=7.5, score_max=10.0)
    lacking = replace(GOOD.rules[1], score=None, score_max=5.0)
    record = replace(GOOD, rules=(scored, lacking, *GOOD.rules[2:]))
    words = "7.5 of 15 points; 1 of 2 scored rules have no score"
    assert words in printed(record)
    assert "7.5 of 10 points" in printed(record)
    assert words in html_report([record])
    document = audit_document([record])
    assert document["cases"][0]["score"] == {"points": 7.5, "possible": 15.0, "rules": 2, "missing": 1}  # type: ignore[index]
    assert read_audit(json_text(document)) == (record,)
    assert ",7.5,10.0," in summary_csv([record]) or ",7.5,10," in summary_csv([record])


def test_without_scores_nothing_is_said_of_them() -> None:
    assert "Score" not in printed(GOOD)
    assert "<dt>Score</dt>" not in html_report([GOOD])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("there is no structure 'Liver'.", "There is no structure 'Liver'."),
        ("D2cc is more", "D2cc is more"),
        ("eqd2 stays", "eqd2 stays"),
        ("pH stays", "pH stays"),
        ("'liver' stays", "'liver' stays"),
        ("", ""),
    ],
)
def test_a_reason_begins_as_a_sentence_and_names_keep_their_letters(text: str, shown: str) -> None:
    assert sentence_case(text) == shown


def test_a_case_that_no_rule_applied_to_is_not_met() -> None:
    nothing = replace(GOOD, rules=tuple(replace(rule, verdict=Verdict.NOT_APPLICABLE) for rule in GOOD.rules))
    assert GOOD.all_met
    assert not nothing.all_met
    assert replace(GOOD, rules=(*GOOD.rules, nothing.rules[0])).all_met
