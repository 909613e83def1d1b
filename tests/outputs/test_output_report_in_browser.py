"""The report in a real browser: its policy lets its own script run and no other, and it fits a sheet of A4."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_records import BROKEN, HOSTILE_NAMES, LIVER

from dvhkit.outputs.report.case_report import html_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium or google-chrome on the PATH")


def browse(page: str, folder: Path, *options: str) -> str:
    (folder / "report.html").write_text(page, encoding="utf-8")
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}")
    command = [str(BROWSER), *fixed, *options, (folder / "report.html").as_uri()]
    run = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return run.stdout.decode("utf-8")


def test_the_script_runs_and_names_stay_texts(tmp_path: Path) -> None:
    curves = tuple(replace(c, roi=name) for c, name in zip(LIVER.curves, HOSTILE_NAMES, strict=False))
    page = html_report([replace(LIVER, case=HOSTILE_NAMES[0], curves=curves), BROKEN])
    dom = browse(page, tmp_path, "--dump-dom")
    assert '<html lang="en" class="scripted">' in dom
    assert not re.search(r"<button[^>]*disabled", dom)
    assert dom.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in dom
    assert "<img" not in dom


def test_a_foreign_script_in_the_page_is_refused(tmp_path: Path) -> None:
    # The policy is the second wall: this is what it does should a tag ever get past the first.
    page = html_report([LIVER]).replace(
        "<main>", '<main><script>document.documentElement.id = "owned"</script><p style="color:red">x</p>'
    )
    dom = browse(page, tmp_path, "--dump-dom")
    assert 'class="scripted"' in dom
    assert 'id="owned"' not in dom


@pytest.mark.parametrize("dose_gy", [3.0, 17.5, 59.0])
def test_pointing_at_the_plot_reads_the_volumes_at_that_dose(tmp_path: Path, dose_gy: float) -> None:
    pointing = f"""<script>
      const plot = document.querySelector("svg[data-gy]"), box = plot.getBoundingClientRect(), of = plot.dataset;
      const x = Number(of.left) + (of.right - of.left) * {dose_gy} / of.gy;
      const at = box.left + x * box.width / plot.viewBox.baseVal.width;
      plot.dispatchEvent(new PointerEvent("pointermove", {{clientX: at, clientY: box.top + 9, bubbles: true}}));
      document.querySelectorAll(".legend button")[2].click();
    </script></body>"""
    page = re.sub(r"<meta http-equiv[^>]*>", "", html_report([LIVER])).replace("</body>", pointing)
    dom = browse(page, tmp_path, "--window-size=1240,2400", "--dump-dom")
    assert f">at {dose_gy:.1f} Gy<" in dom
    shown = re.findall(r'<bdi class="name[^>]*>([^<]+)</bdi><span class="vol">([\d.]+) %</span>', dom)
    curves = {curve.roi: curve for curve in LIVER.curves}
    assert sorted(name for name, _ in shown) == sorted(curves)
    for name, volume_pct in shown:
        expected = float(np.interp(dose_gy, curves[name].dose_gy, curves[name].volume_pct, right=0.0))
        # One decimal is shown (0.05), of a line drawn to 0.05 units of 410; the pointer stands within a tenth of a
        # unit, 0.012 Gy, of the dose, and the steepest curve here falls by 71 % a Gy.
        assert float(volume_pct) == pytest.approx(expected, abs=0.05 + 0.012 + 0.012 * 71)
    assert re.search(r'aria-pressed="false" data-curve="2"', dom)
    assert re.search(r'<polyline class="curve \w+ off" data-curve="2"', dom)


def test_it_prints_on_a_few_sheets_of_a4(tmp_path: Path) -> None:
    sheet = tmp_path / "report.pdf"
    browse(html_report([LIVER]), tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={sheet}")
    data = sheet.read_bytes()
    boxes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data))
    # 210 x 297 mm in points of 1/72 inch; browsers round to their own pixels of 1/96 inch.
    assert {(round(float(w)), round(float(h))) for w, h in boxes} <= {(595, 842), (596, 842), (595, 841), (596, 843)}
    assert 3 <= len(re.findall(rb"/Type /Page\b", data)) <= 6
