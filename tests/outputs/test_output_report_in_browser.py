"""The report in a real browser: its policy lets its own script run and no other, and it fits a sheet of A4."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_records import BROKEN, HOSTILE_NAMES, LIVER

from dvhkit.outputs.report import html_report

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


def test_it_prints_on_a_few_sheets_of_a4(tmp_path: Path) -> None:
    sheet = tmp_path / "report.pdf"
    browse(html_report([LIVER]), tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={sheet}")
    data = sheet.read_bytes()
    boxes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data))
    # 210 x 297 mm in points of 1/72 inch; browsers round to their own pixels of 1/96 inch.
    assert {(round(float(w)), round(float(h))) for w, h in boxes} <= {(595, 842), (596, 842), (595, 841), (596, 843)}
    assert 3 <= len(re.findall(rb"/Type /Page\b", data)) <= 6
