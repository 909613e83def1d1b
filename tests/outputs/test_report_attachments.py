"""Pictures and comparisons filed in a report: shown, sealed, harmless, and within the size of a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_records import HOSTILE_NAMES, LIVER
from scenes import cube_scene

from dvhkit.errors import InputError
from dvhkit.jobs.pictures.attachments import MOST_BYTES, read_attachments
from dvhkit.outputs.contours.comparison import comparison_document
from dvhkit.outputs.pictures.png import png_bytes
from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.report.seal import page_faults
from dvhkit.results.contours.comparison import Comparison, DoseEffect, PairComparison

SVG = (
    '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30" onload="window.ran = 1">'
    "<script>window.ran = 1</script><rect width='40' height='30'/></svg>"
)
EFFECT = DoseEffect(
    metric="D95%[Gy]", value_a=50.0, value_b=48.5, difference=-1.5, unit="Gy", flips=True, verdict_a="pass",
    verdict_b="fail", rule_id="R", goal=">= 49 Gy", region="PTV",
)  # fmt: skip


def compared(name: str) -> Comparison:
    pair = PairComparison(roi_a=name, roi_b="PTV", dice=0.912, volume_a_cc=10.0, volume_b_cc=11.0, tolerance_mm=2.0)
    return Comparison(pairs=(replace(pair, dose_effect=(EFFECT,)),))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("cuts of L3.png", "margin.svg", "a<b>.json")]
    paths[0].write_bytes(png_bytes(np.full((30, 40, 3), 90, dtype=np.uint8)))
    paths[1].write_text(SVG)
    paths[2].write_text(json.dumps(comparison_document(compared(HOSTILE_NAMES[0]))))
    return paths


def test_pictures_load_comparisons_are_tables_and_nothing_in_them_runs(open_page: Any, files: list[Path]) -> None:
    html = html_report([LIVER], scene=cube_scene("HFS"), attachments=read_attachments(files))
    assert page_faults(html) == []
    opened = open_page(html)
    shown = opened.ask("async () => { const all = [...document.images]; await Promise.all(all.map((i) => i.decode()));"
                       " return all.map((i) => [i.naturalWidth, i.naturalHeight, i.alt]); }")  # fmt: skip
    assert shown == [
        [40, 30, "Attached picture cuts of L3.png"],
        [40, 30, "Attached picture margin.svg"],
    ]
    assert opened.ask("() => window.ran") is None
    words = opened.page.locator("section.attached").last.inner_text()
    assert all(word in words for word in ("a<b>.json", "0.912", "pass -> fail", "-1.50"))
    assert opened.complaints == []


def test_an_altered_picture_breaks_the_seal(files: list[Path]) -> None:
    html = html_report([LIVER], attachments=read_attachments(files))
    begin = html.index("data:image/png;base64,") + 60
    other = "A" if html[begin] != "A" else "B"
    assert page_faults(html[:begin] + other + html[begin + 1 :])


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("notes.txt", b"hello", "neither a picture nor a comparison"),
        ("page.svg", b"<html><svg/></html>", "neither a picture nor a comparison"),
        ("audit.json", b'{"schema": "dvhkit/audit/1"}', "schema"),
        ("pairs.json", b'{"schema": "dvhkit/compare/1", "pairs": 3}', "pairs"),
        ("large.png", b"\x89PNG\r\n\x1a\n" + bytes(MOST_BYTES), "2 MB"),
    ],
)
def test_what_cannot_be_filed_is_refused_by_name(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_attachments([tmp_path / name])
    with pytest.raises(InputError, match="cannot be read"):
        read_attachments([tmp_path / "missing.png"])


def test_a_comparison_comes_back_from_its_json(files: list[Path]) -> None:
    assert read_attachments(files[2:])[0].comparison == compared(HOSTILE_NAMES[0])
