"""The report in a real browser: its policy lets its own script run and no other, and it fits a sheet of A4."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_records import BROKEN, HOSTILE_NAMES, LIVER

from dvhkit.outputs.pdf import pdf_of, printer
from dvhkit.outputs.report.case_report import html_report


def test_the_script_runs_and_names_stay_texts(open_page: Any) -> None:
    curves = tuple(replace(c, roi=name) for c, name in zip(LIVER.curves, HOSTILE_NAMES, strict=False))
    page = html_report([replace(LIVER, case=HOSTILE_NAMES[0], curves=curves), BROKEN])
    opened = open_page(page)
    dom = opened.page.content()
    assert opened.complaints == []
    assert '<html lang="en" class="scripted">' in dom
    assert not re.search(r"<button[^>]*disabled", dom)
    assert dom.count("<script") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in dom
    assert "<img" not in dom


def test_a_foreign_script_in_the_page_is_refused(open_page: Any) -> None:
    # The policy is the second wall: this is what it does should a tag ever get past the first.
    page = html_report([LIVER]).replace(
        "<main>", '<main><script>document.documentElement.id = "owned"</script><p style="color:red">x</p>'
    )
    dom = open_page(page).page.content()
    assert 'class="scripted"' in dom
    assert 'id="owned"' not in dom


_POINTING = """(gy) => {
  const plot = document.querySelector("svg[data-gy]"), box = plot.getBoundingClientRect(), of = plot.dataset;
  const x = Number(of.left) + (of.right - of.left) * gy / of.gy;
  const at = box.left + x * box.width / plot.viewBox.baseVal.width;
  plot.dispatchEvent(new PointerEvent("pointermove", { clientX: at, clientY: box.top + 9, bubbles: true }));
  return document.querySelector("figure.dvh").outerHTML;
}"""


def test_pointing_at_the_plot_reads_the_volumes_at_that_dose(open_page: Any) -> None:
    opened = open_page(html_report([LIVER]), viewport={"width": 1240, "height": 2400})
    for dose_gy in (3.0, 17.5, 59.0):
        _check_readings(opened.ask(_POINTING, dose_gy), dose_gy)
    opened.page.locator(".legend li button").nth(2).click()
    dom = opened.page.content()
    assert re.search(r'aria-pressed="false" data-curve="2"', dom)
    assert re.search(r'<polyline [^>]*class="curve \w+ off" data-curve="2"', dom)


def _check_readings(dom: str, dose_gy: float) -> None:
    assert f">at {dose_gy:.1f} Gy<" in dom
    shown = re.findall(r'<bdi class="name[^>]*>([^<]+)</bdi><span class="vol">([\d.]+) %</span>', dom)
    curves = {curve.roi: curve for curve in LIVER.curves}
    assert sorted(name for name, _ in shown) == sorted(curves)
    for name, volume_pct in shown:
        expected = float(np.interp(dose_gy, curves[name].dose_gy, curves[name].volume_pct, right=0.0))
        # One decimal is shown (0.05), of a line drawn to 0.05 units of 410; the pointer stands within a tenth of a
        # unit, 0.012 Gy, of the dose, and the steepest curve here falls by 71 % a Gy.
        assert float(volume_pct) == pytest.approx(expected, abs=0.05 + 0.012 + 0.012 * 71)


def pages_of(data: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", data))


@pytest.fixture(scope="module")
def _printer(chromium_address: str) -> str:
    return printer()


@pytest.mark.usefixtures("_printer")
def test_it_prints_on_a_few_sheets_of_a4() -> None:
    data = pdf_of(html_report([LIVER]))
    boxes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data))
    # 210 x 297 mm in points of 1/72 inch; browsers round to their own pixels of 1/96 inch.
    assert {(round(float(w)), round(float(h))) for w, h in boxes} <= {(595, 842), (596, 842), (595, 841), (596, 843)}
    assert 3 <= pages_of(data) <= 6


@pytest.mark.usefixtures("_printer")
def test_the_short_form_is_one_page_a_case_whatever_is_in_it() -> None:
    crowded = replace(
        LIVER, rules=LIVER.rules * 6, findings=LIVER.findings * 9, curves=LIVER.curves * 3, prescription="word " * 200,
        case="A very long name of a case " * 9,
    )  # fmt: skip
    assert pages_of(pdf_of(html_report([LIVER, crowded], short=True))) == 3
    # 30 cases on a page each, and their list before them.
    assert (
        31
        <= pages_of(pdf_of(html_report([replace(BROKEN, case="A very long name of a case " * 9)] * 30, short=True)))
        <= 35
    )


@pytest.mark.parametrize("n_rules", [9, 60])  # as many as have two lines; more than fit
def test_what_a_short_sheet_holds_fits_it(open_page: Any, n_rules: int) -> None:
    rules = [replace(rule, title="A long title of a rule " * 9) for rule in LIVER.rules]
    crowded = replace(LIVER, rules=tuple(rules * 60)[:n_rules], findings=LIVER.findings * 9, curves=LIVER.curves * 3)
    opened = open_page(html_report([crowded], short=True), viewport={"width": 718, "height": 1000})
    opened.page.emulate_media(media="print")
    inside = """() => { const sheet = document.querySelector(".sheet"), end = sheet.getBoundingClientRect().bottom;
      const low = [...sheet.children].filter((part) => part.getBoundingClientRect().bottom > end + 0.5);
      return low.map((part) => part.className); }"""
    assert opened.ask(inside) == []


@pytest.mark.parametrize(
    ("width", "media"), [(1280, "screen"), (800, "screen"), (420, "screen"), (689, "print")]
)  # 689: A4 less its margins, in CSS pixels
@pytest.mark.parametrize("short", [False, True])
def test_no_text_lies_over_another(open_page: Any, overlaps: str, width: int, media: str, short: bool) -> None:
    # A margin far from a goal in percent is the longest that its narrow column holds.
    far = replace(LIVER.rules[0], rule_id="far", unit="%", value=4.2, margin=-90.8, margin_pct=-10169.5, goal=">= 95 %")
    record = replace(LIVER, rules=(far, *LIVER.rules))
    opened = open_page(html_report([record, BROKEN], short=short), viewport={"width": width, "height": 900})
    opened.page.emulate_media(media=media)
    assert opened.ask(overlaps) == []


_DRAG = """([x0, y0, x1, y1]) => {
  const plot = document.querySelector("svg[data-gy]"), box = plot.getBoundingClientRect(), k = box.width / plot.viewBox.baseVal.width;
  const send = (kind, x, y) => plot.dispatchEvent(new PointerEvent(kind, { clientX: box.left + x * k, clientY: box.top + y * k, bubbles: true, button: 0 }));
  send("pointerdown", x0, y0); send("pointermove", x1, y1); send("pointerup", x1, y1);
}"""  # noqa: E501 -- a script
_TICKS = (
    """(side) => [...document.querySelectorAll(`.ticks text[text-anchor=${side}]`)].map((t) => Number(t.textContent))"""
)


def test_a_part_of_the_plot_is_shown_larger_and_volumes_in_cc(open_page: Any) -> None:
    opened = open_page(html_report([LIVER]))
    doses, volumes = opened.ask(_TICKS, "middle"), opened.ask(_TICKS, "end")
    plot = opened.ask("() => ({ ...document.querySelector('svg[data-gy]').dataset })")
    left, right, top_gy = (float(plot[key]) for key in ("left", "right", "gy"))
    x_of = lambda gy: left + (right - left) * gy / top_gy  # noqa: E731
    opened.ask(_DRAG, [x_of(40.0), 200.0, x_of(60.0), 204.0])
    assert opened.ask(_TICKS, "middle") == [40.0 + 2 * n for n in range(11)]
    assert opened.ask(_TICKS, "end") == [10.0 * n for n in range(11)]
    opened.ask(_POINTING, top_gy / 4)  # a quarter of the axis, wherever it now begins
    assert opened.page.locator(".legend-head .vol").inner_text() == "at 45.0 Gy"
    opened.page.locator("[data-axis=whole]").click()
    assert set(doses) <= set(opened.ask(_TICKS, "middle"))
    assert set(volumes) <= set(opened.ask(_TICKS, "end"))
    opened.page.locator("[data-set=target]").click()
    opened.page.locator("[data-axis=absolute]").click()
    largest = max(curve.volume_cc for curve in LIVER.curves if curve.roi in ("GTV", "CTV", "PTV"))
    assert 0.8 * largest < opened.ask(_TICKS, "end")[-1] <= 1.02 * largest
    assert opened.complaints == []
