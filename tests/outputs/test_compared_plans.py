"""Two plans side by side: which verdicts differ, which plan lies better, and both doses in the viewer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from made_up_records import HOSTILE_NAMES, LIVER
from scenes import cube_scene

from dvhkit.outputs.report.compared import compared_page, compared_rules, viewer_page
from dvhkit.results.audit import RuleResult, Verdict


def rule(rule_id: str, value: float | None, verdict: Verdict, **other: Any) -> RuleResult:
    given = {
        "title": rule_id,
        "roi": "PTV",
        "quantity": "D95%[Gy]",
        "goal": ">= 47.5 Gy",
        "variation": "",
        "unit": "Gy",
    }
    margin = None if value is None else value - 47.5
    return RuleResult(rule_id=rule_id, value=value, verdict=verdict, **{**given, "margin": margin, **other})


def test_rules_whose_verdicts_differ_come_first_and_the_better_plan_is_named() -> None:
    a = replace(LIVER, rules=(rule("same", 48.0, Verdict.PASS), rule("worse", 49.0, Verdict.PASS),
                              rule("gone", 1.0, Verdict.PASS), rule("idle", None, Verdict.NOT_APPLICABLE)))  # fmt: skip
    b = replace(LIVER, rules=(rule("same", 48.5, Verdict.PASS), rule("worse", 46.0, Verdict.FAIL),
                              rule("idle", None, Verdict.NOT_APPLICABLE)))  # fmt: skip
    rows = {row.title: row for row in compared_rules(a, b)}
    assert list(rows) == ["worse", "gone", "same"]
    assert (rows["worse"].change, rows["worse"].better) == ("−3.00 Gy", "A")
    assert rows["same"].better == "B"
    assert rows["gone"].look_b is None


def test_values_whose_bands_overlap_name_no_better_plan_and_neither_do_withheld_ones() -> None:
    a = replace(LIVER, rules=(rule("R", 48.0, Verdict.PASS, low=47.8, high=48.4),))
    b = replace(LIVER, rules=(rule("R", 48.3, Verdict.PASS, low=48.1, high=48.6),))
    assert compared_rules(a, b)[0].better == "bands overlap"
    withheld = replace(b, rules=(replace(b.rules[0], value=60.0, low=None, high=None, withheld=("x",)),))
    assert compared_rules(a, withheld)[0].better == ""


def test_a_reason_that_both_plans_have_is_told_once_and_a_structure_has_one_colour() -> None:
    a = replace(LIVER, rules=(rule("R", None, Verdict.NOT_EVALUABLE, reason="nobody said"),))
    b = replace(LIVER, rules=(rule("R", None, Verdict.NOT_EVALUABLE, reason="nobody said."),))
    assert compared_rules(a, a)[0].reasons == ["Both: nobody said"]
    assert compared_rules(a, b)[0].reasons == ["A: nobody said", "B: nobody said."]
    html = compared_page(LIVER, LIVER, cube_scene("HFS"))
    inks = dict.fromkeys(c.roi for c in LIVER.curves)
    for roi in inks:
        line = rf'<polyline[^>]* class="curve (\w+)"[^>]*?( stroke-dasharray="[^"]*")?><title>{roi} \([AB]\)'
        lines = re.findall(line, html)
        assert len({look for look, _ in lines}) == 1
        assert sorted(dash for _, dash in lines) == ["", ' stroke-dasharray="7 3"']


def test_the_page_shows_one_dose_or_the_other_or_their_difference(open_page: Any, overlaps: str) -> None:
    scene = cube_scene("HFS")
    assert scene.dose is not None
    second = replace(scene.dose, values_gy=scene.dose.values_gy + scene.dose.quantum_gy * 5000)
    scene = replace(scene, dose_b=second, label_a="A: first", label_b="B: <b>second</b>")
    a, b = replace(LIVER, case=HOSTILE_NAMES[0]), replace(LIVER, case="b")
    opened = open_page(compared_page(a, b, scene))
    point = (scene.dose.grid.origin_mm + np.array([30.0, 25.0, 16.5])).tolist()
    read = lambda: opened.ask("(point) => dvhkit.goTo(point).dose_gy", point)  # noqa: E731
    first = read()
    opened.page.select_option(".viewer .which", "1")
    assert abs(read() - first - scene.dose.quantum_gy * 5000) < 1e-6
    opened.page.select_option(".viewer .which", "2")
    assert abs(read() - scene.dose.quantum_gy * 5000) < 1e-6
    assert opened.page.locator(".versus tbody tr").count() > 3
    assert opened.complaints == []
    for width, media in ((1280, "screen"), (800, "screen"), (420, "screen"), (689, "print")):
        opened.page.set_viewport_size({"width": width, "height": 900})
        opened.page.emulate_media(media=media)
        assert opened.ask(overlaps) == []
        # A word of the rules stays whole: no column is squeezed to nothing.
        assert opened.ask("() => document.querySelector('.versus td').getBoundingClientRect().width") > 90


def test_a_case_in_a_notebook_is_one_frame_that_asks_for_nothing(open_page: Any) -> None:
    from dvhkit.jobs.pictures.show import CaseView

    view = CaseView("<x>", viewer_page(cube_scene("FFS"), title="<x>"))
    opened = open_page(f"<!DOCTYPE html><body>{view._repr_html_()}</body>")
    frame = opened.page.frames[1]
    frame.wait_for_function("() => window.dvhkit !== undefined")
    assert frame.evaluate("() => dvhkit.goTo([-60, 40, 80]).plane") == "axial"
    assert [c for c in opened.complaints if not c.startswith("about:srcdoc")] == []
