"""The index of a run: every case is there, it filters and sorts as it says, and names stay texts."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any

import pytest
from made_up_records import HOSTILE_NAMES

from dvhkit.outputs.runs.index_page import index_html
from dvhkit.results.run_index import IndexedCase, IndexedFinding, IndexedRule


def rule(rule_id: str, verdict: str, value: float | None = 1.0, roi: str = "PTV", **other: Any) -> IndexedRule:
    given = {"title": f"Rule {rule_id}", "quantity": "D95%[Gy]", "goal": ">= 47.5 Gy", "variation": "", "unit": "Gy"}
    given |= {"low": None, "high": None, "reason": "", "withheld": False}
    return IndexedRule(rule_id=rule_id, roi=roi, verdict=verdict, value=value, **{**given, **other})


CASES = (
    IndexedCase(case_id="north/a2", rules=(rule("R1", "pass", 48.0), rule("R2", "fail", 47.4999, low=47.1, high=47.9))),
    IndexedCase(case_id="north/a10", all_met=True, rules=(rule("R1", "pass", 50.0), rule("R2", "pass", 49.0))),
    IndexedCase(case_id="south/b1", rules=(rule("R1", "not-evaluable", None, reason="PTV is empty"),),
                findings=(IndexedFinding("empty-structures", "info", "Nothing is drawn in PTV."),)),
    IndexedCase(case_id="south/b2", error="The folder holds no dose."),
    IndexedCase(case_id="south/b3", rules=(rule("R1", "pass", roi="PTV1"), rule("R1", "fail", roi="PTV2"))),
)  # fmt: skip
SHOWN = """() => [...document.querySelectorAll(".line")].sort((a, b) => a.dataset.n - b.dataset.n)
  .map((row) => row.querySelector(".name").textContent)"""


@pytest.mark.parametrize(
    ("case", "outcome"),
    list(zip(CASES, ["failed", "met", "doubt", "error", "failed"], strict=True)),
    ids=lambda v: str(v)[:9],
)
def test_a_case_counts_as_met_only_where_everything_was(case: IndexedCase, outcome: str) -> None:
    assert case.outcome()[0] == outcome


def test_nothing_judged_or_withheld_is_in_doubt() -> None:
    assert IndexedCase(case_id="x", rules=(rule("R", "not-applicable"),)).outcome()[0] == "doubt"
    withheld = IndexedCase(case_id="x", all_met=True, rules=(rule("R", "pass"), rule("S", "pass", withheld=True)))
    assert withheld.outcome()[0] == "doubt"


def test_it_filters_by_rule_verdict_finding_site_and_text_and_is_a_link(open_page: Any) -> None:
    opened = open_page(index_html(CASES))
    page = opened.page
    assert opened.ask(SHOWN) == ["north/a2", "south/b3", "south/b2", "south/b1", "north/a10"]  # the worst first
    page.select_option("[name=rule]", "R2")
    page.select_option("[name=verdict]", "F")
    assert opened.ask(SHOWN) == ["north/a2"]
    assert "rule=R2" in page.url
    page.reload()
    assert opened.ask(SHOWN) == ["north/a2"]
    page.get_by_text("Clear", exact=True).click()
    page.select_option("[name=site]", "south")
    assert opened.ask(SHOWN) == ["south/b3", "south/b2", "south/b1"]
    page.select_option("[name=finding]", "empty-structures")
    assert opened.ask(SHOWN) == ["south/b1"]
    page.fill("[name=q]", "no such thing")
    assert opened.ask(SHOWN) == []
    page.locator(".none-left button").click()
    page.fill("[name=q]", "holds NO dose")
    assert opened.ask(SHOWN) == ["south/b2"]
    page.get_by_text("Clear", exact=True).click()
    page.locator(".h-case").click()
    assert opened.ask(SHOWN) == ["north/a2", "north/a10", "south/b1", "south/b2", "south/b3"]  # numbers as numbers
    page.locator(".head button", has_text="PTV D95%").first.click()
    assert opened.ask(SHOWN)[0] == "north/a2"
    assert [m for m in opened.complaints if not m.startswith("file:")] == []


def test_a_cell_tells_values_that_are_not_rounded_onto_their_limit_and_a_case_opens(open_page: Any) -> None:
    opened = open_page(index_html(CASES), fragment="#case=north%2Fa2")
    page = opened.page
    told = page.locator("dialog").inner_text()
    assert "47.4999 Gy (47.10 to 47.90)" in told
    page.keyboard.press("Escape")
    page.locator(".cell.v-F").first.hover()
    assert "47.4999 Gy" in page.locator(".tip").inner_text()
    page.locator(".grid").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("dialog h2").inner_text() == "north/a2"


def test_pass_rates_are_of_what_is_shown(open_page: Any) -> None:
    opened = open_page(index_html(CASES))
    rates = lambda: opened.page.locator(".rates tbody tr").all_inner_texts()  # noqa: E731
    opened.page.wait_for_timeout(100)
    assert [row.split("\t")[1:5] for row in rates()] == [["1", "1", "2", "0"], ["1", "0", "1", "0"]]
    opened.page.select_option("[name=site]", "north")
    opened.page.wait_for_timeout(100)
    assert [row.split("\t")[1:5] for row in rates()] == [["0", "0", "2", "0"], ["1", "0", "1", "0"]]


def test_the_csv_holds_what_is_filtered_and_no_formula(open_page: Any) -> None:
    evil = IndexedCase(case_id="=1+1", rules=(rule("R1", "fail", -2.5, roi='+GTV, "x"'),))
    opened = open_page(index_html([*CASES, evil]))
    opened.page.select_option("[name=verdict]", "F")
    with opened.page.expect_download() as download:
        opened.page.locator(".csv").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert [(row["case"], row["rule_id"], row["roi"], row["value"]) for row in rows] == [
        ("'=1+1", "R1", "'+GTV, \"x\"", "-2.5"), ("north/a2", "R2", "PTV", "47.4999"), ("south/b3", "R1", "PTV2", "1"),
    ]  # fmt: skip


def test_hostile_names_stay_texts(open_page: Any) -> None:
    names = [*HOSTILE_NAMES, "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>"]
    cases = [
        IndexedCase(case_id=name, rules=(rule(name, "fail", roi=name, reason=name),),
                    findings=(IndexedFinding(name, "serious", name),))
        for name in names
    ]  # fmt: skip
    opened = open_page(index_html(cases))
    opened.page.locator(".line .name").first.click()
    assert opened.page.locator("img").count() == 0
    assert opened.page.locator("script").count() == 3
    assert opened.page.locator(".line").count() == len(names)
    assert [m for m in opened.complaints if not m.startswith("file:")] == []


@pytest.mark.parametrize("width", [1280, 800, 420])
def test_no_text_lies_over_another(open_page: Any, overlaps: str, width: int) -> None:
    opened = open_page(index_html(CASES), viewport={"width": width, "height": 900})
    assert opened.ask(overlaps) == []
    assert opened.ask("() => document.documentElement.scrollWidth") <= width


def test_in_print_every_case_is_there(open_page: Any) -> None:
    many = [IndexedCase(case_id=f"c{n}", rules=CASES[0].rules) for n in range(120)]
    opened = open_page(index_html(many))
    assert opened.page.locator(".line").count() < 60  # on screen only those in sight
    opened.ask("() => window.dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator(".line").count() == 120


def test_five_thousand_cases_are_made_opened_and_filtered_without_delay(open_page: Any) -> None:
    rules = tuple(rule(f"R{n}", "pass" if n % 7 else "fail", 40.0 + n) for n in range(20))
    cases = [IndexedCase(case_id=f"site-{n % 9}/case-{n:05d}", rules=rules) for n in range(5000)]
    began = time.process_time()
    html = index_html(cases)
    assert time.process_time() - began < 5.0
    opened = open_page(html)
    assert opened.page.locator(".line").count() < 60
    search = """() => { const box = document.querySelector("[name=q]"), began = performance.now();
      box.value = "case-01234"; box.dispatchEvent(new Event("input", { bubbles: true }));
      return [performance.now() - began, document.querySelectorAll(".line").length]; }"""
    spent_ms, lines = opened.ask(search)
    assert lines == 1
    assert spent_ms < 1000  # some 40 on an idle machine
