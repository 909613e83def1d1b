"""Pages for everybody: contrast (WCAG 2.2 AA), names for what can be used, keys, no motion where none is wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_records import BROKEN, LIVER
from scenes import cube_scene

from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.report.compared import compared_page
from dvhkit.outputs.runs.index_page import index_html
from dvhkit.results.run_index import IndexedCase, IndexedRule
from dvhkit.results.scene import Spot

SCENE = cube_scene("HFS")
VERDICTS = ("pass", "fail", "variation", "indeterminate", "waived", "not-evaluable")
RULES = tuple(
    IndexedRule(
        rule_id=verdict, title=verdict, roi="PTV", quantity="D95%[Gy]", goal=">= 1 Gy", variation="", unit="Gy",
        verdict=verdict, value=1.0, low=None, high=None, reason="", withheld=False,
    )
    for verdict in VERDICTS
)  # fmt: skip
PAGES = {
    "report": lambda: html_report([LIVER], scene=SCENE),
    "reports": lambda: html_report([LIVER, BROKEN]),
    "short": lambda: html_report([LIVER], short=True),
    "compared": lambda: compared_page(LIVER, LIVER, replace(SCENE, dose_b=SCENE.dose)),
    "index": lambda: index_html([IndexedCase(case_id="a/b", rules=RULES)]),
}
# What can be used or seen as a picture, and has no name that can be read out.
NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, canvas, img, [role=img]")]
  .filter((one) => {
  if (!one.checkVisibility()) return false;
  const by = one.getAttribute("aria-labelledby");
  const name = one.getAttribute("aria-label") || (by && document.getElementById(by).textContent) || one.alt
    || one.title || one.textContent || (one.labels && [...one.labels].map((label) => label.textContent).join(""));
  return !(name || "").trim();
}).map((one) => one.outerHTML.slice(0, 80))"""

BAD = """() => { const p = document.createElement("p");
  p.textContent = "x".repeat(9); p.style.color = "#999a"; p.append(document.createElement("button"));
  document.body.append(p); }"""
FOCUSED = """() => { const one = document.activeElement;
  return one.dataset.plane || one.getAttribute("aria-label") || one.textContent; }"""


@pytest.mark.parametrize("kind", PAGES)
def test_every_text_stands_out_and_all_that_can_be_used_has_a_name(open_page: Any, faint: str, kind: str) -> None:
    opened = open_page(PAGES[kind]())
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        assert opened.ask(faint) == [], scheme
    assert opened.ask(NAMELESS) == []
    opened.ask(BAD)
    assert len(opened.ask(faint)) == 1, "the script sees what is faint"
    assert len(opened.ask(NAMELESS)) == 1, "and what has no name"
    assert opened.complaints == []


def test_keys_alone_reach_slices_structures_and_curves(open_page: Any) -> None:
    at = tuple(float(c) for c in SCENE.grid.origin_mm + np.array([31.0, 23.0, 20.0]))
    spot = Spot(rule=0, roi="Cube", quantity="Max[Gy]", kind="hottest place", point_mm=at, dose_gy=50.0)
    opened = open_page(html_report([LIVER], scene=replace(SCENE, spots=(spot,))), reduced_motion="reduce")
    opened.page.locator("canvas[data-plane=axial]").focus()
    reached = [opened.ask(FOCUSED)]
    for _ in range(9):
        opened.page.keyboard.press("Tab")
        reached.append(opened.ask(FOCUSED).strip())
    assert reached[:3] == ["axial", "sagittal", "coronal"]
    assert reached[-2:] == ["Go to its middle: Cube", "Go to its hottest point: Cube"]
    opened.page.locator("svg[data-gy]").focus()
    head = opened.page.locator(".legend-head .vol")
    step = opened.ask("() => Number(document.querySelector('svg[data-gy]').dataset.step)")
    told = []
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowLeft"):
        opened.page.keyboard.press(key)
        told.append(float(head.inner_text().split()[1]))
    assert told[1:] == [pytest.approx(told[0] + step), pytest.approx(told[0] - 9 * step)]
    opened.page.keyboard.press("Enter")
    assert opened.page.locator(".marked").inner_text() == f"White line: {told[-1]:.2f} Gy"
    pane = opened.page.locator("canvas[data-plane=axial]")
    pane.focus()
    before = opened.ask("() => dvhkit.readout().slice")
    opened.page.keyboard.press("ArrowUp")
    assert opened.ask("() => dvhkit.readout().slice") == before + 1
    opened.ask(
        "() => { window.asked = []; Element.prototype.scrollIntoView = (how) => window.asked.push(how.behavior); }"
    )
    opened.page.locator(".shot button").click()
    assert opened.ask("() => window.asked") == ["auto"]
