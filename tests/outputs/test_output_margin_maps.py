"""Maps of drawn margins in record and report: numbers in the file, a drawing of ours on the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from made_up_records import HOSTILE_NAMES, LIVER

import dvhkit
from dvhkit.errors import InputError
from dvhkit.outputs.pictures.margin_picture import margin_map_svg
from dvhkit.outputs.records import audit_document, json_text, read_audit
from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.report.maps import map_views
from dvhkit.results.audit import AuditRecord, MarginMap

# Two heights, four directions; short on the right below, outside on the left above, no surface behind below.
MAP = MarginMap(
    title="Margin from CTV to PTV",
    limit="2..5 mm asked for",
    caption="drawn as 4 mm all round",
    height_mm=(-1.5, 1.5),
    margin_mm=((4.0, None, 0.5, 4.25), (-1.0, 4.0, 4.0, 4.0)),
    lacking_mm=((-2.0, None, 1.5, -2.25), (3.0, -2.0, -2.0, -2.0)),
)
DRAWN = replace(LIVER, margin_maps=(MAP,))


def drawing(record: AuditRecord) -> ElementTree.Element:
    page = html_report([record])
    (found,) = re.findall(r'<figure class="map">\s*(<svg.*?</svg>)', page, re.DOTALL)
    return ElementTree.fromstring(found)


def test_the_report_draws_the_map_with_title_limit_and_caption() -> None:
    page = html_report([DRAWN])
    assert "<h2>Drawn margins</h2>" in page
    assert "<figcaption>drawn as" not in page
    assert "<figcaption>Drawn as 4 mm all round</figcaption>" in page
    words = [node.text for node in drawing(DRAWN).iter("text")]
    assert {"Margin from CTV to PTV", "2 to 5 mm asked for", "posterior"} <= set(words)
    assert "http://" not in page
    assert "Drawn margins" not in html_report([LIVER])


def test_cells_that_fall_short_tell_by_how_much_and_the_others_are_drawn() -> None:
    svg = drawing(DRAWN)
    tips = [node.text for node in svg.findall(".//{*}rect/{*}title")]
    assert tips == ["0.5 mm, 1.5 mm short; z -1.5 mm, 225 deg", "-1.0 mm, 3.0 mm short; z 1.5 mm, 45 deg"]
    # Eight cells, one without surface, two with tips: five are left, and that one is hatched.
    counts = [0, 0]
    for node in svg.findall("{*}path"):
        counts["url" in node.get("fill", "")] += node.get("d", "").count("M")
    assert counts == [5, 1]


def test_the_map_comes_back_from_json_and_draws_the_same_page() -> None:
    (back,) = read_audit(json_text(audit_document([DRAWN])))
    assert back.margin_maps == (MAP,)
    assert html_report([back]) == html_report([DRAWN])


def test_an_audit_written_before_there_were_maps_is_read() -> None:
    document = json.loads(json_text(audit_document([LIVER])))
    del document["cases"][0]["margin_maps"]
    assert read_audit(json.dumps(document)) == (LIVER,)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_adds_a_tag_or_a_hidden_character_to_the_drawing(name: str) -> None:
    hostile = replace(DRAWN, margin_maps=(replace(MAP, title=name, limit=name, caption=name),))
    plain = [(node.tag, sorted(node.attrib)) for node in drawing(DRAWN).iter()]
    assert [(node.tag, sorted(node.attrib)) for node in drawing(hostile).iter()] == plain
    page = html_report([hostile])
    assert page.count("<script") == 2  # the words of the script, and the script
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("margin_mm", [[1.0], [1.0, 2.0]]),
        ("margin_mm", "<svg onload=alert(1)>"),
        ("margin_mm", [["<script>", None, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]),
        ("height_mm", [1.0]),
    ],
)
def test_a_map_that_was_tampered_with_is_refused(key: str, value: object) -> None:
    document = json.loads(json_text(audit_document([DRAWN])))
    document["cases"][0]["margin_maps"][0][key] = value
    with pytest.raises(InputError, match=r"cases\[0\]\.margin_maps\[0\]|margin map"):
        read_audit(json.dumps(document), path="audit.json")


def test_a_drawing_put_into_the_file_is_not_shown() -> None:
    document = json.loads(json_text(audit_document([DRAWN])))
    document["cases"][0]["margin_maps"][0]["svg"] = "<svg><script>alert(1)</script></svg>"
    assert html_report(read_audit(json.dumps(document))) == html_report([DRAWN])


def test_a_map_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="table"):
        replace(MAP, height_mm=(), margin_mm=(), lacking_mm=())
    with pytest.raises(ValueError, match="table"):
        replace(MAP, margin_mm=((), ()), lacking_mm=((), ()))


@pytest.mark.parametrize("size", [1e308, -1e308, 1e-308])
def test_senseless_numbers_still_give_a_sound_drawing(size: float) -> None:
    odd = replace(MAP, height_mm=(-size, size), margin_mm=((size, None, -size, 0.0),) * 2)
    ElementTree.fromstring(map_views([odd])[0].svg)
    outside = replace(MAP, margin_mm=((-abs(size),) * 4,) * 2)
    ElementTree.fromstring(map_views([outside])[0].svg)
    nothing = replace(MAP, margin_mm=((None,) * 4,) * 2, lacking_mm=((None,) * 4,) * 2)
    ElementTree.fromstring(map_views([nothing])[0].svg)


def test_without_tips_the_drawing_is_a_fifth_as_long() -> None:
    wide = np.random.default_rng(3).uniform(3, 5, (20, 72)).round(2).tolist()
    none_short = tuple((-1.0,) * 72 for _ in range(20))
    heights = tuple(3.0 * k for k in range(20))
    big = replace(MAP, height_mm=heights, margin_mm=tuple(map(tuple, wide)), lacking_mm=none_short)
    assert len(margin_map_svg(big, tips=False)) < 0.3 * len(margin_map_svg(big))


def test_a_margin_rule_fills_the_map_and_axes_share_one(demo_case_dir: Path, tmp_path: Path) -> None:
    case = dvhkit.read_case(demo_case_dir)
    rules = "".join(
        f"  - {{id: M{axis}, margin: {{from: CTV, to: PTV, direction: {axis}}}, goal: {goal}}}\n"
        for axis, goal in (("LR", "4..6 mm"), ("CC", "8..9 mm"))
    )
    path = tmp_path / "margins.yaml"
    path.write_text(f'id: p\nversion: "1"\ntitle: t\nrules:\n{rules}')
    record = dvhkit.audit_case(case, path)
    (one,) = record.margin_maps
    assert one.title == "Margin from CTV to PTV"
    assert "LR=4..6" in one.limit
    assert "CC=8..9" in one.limit
    # 5 mm were drawn: what lacks along z shows in the joined map at its lower and upper end.
    lacking = np.array(one.lacking_mm, float)
    assert np.nanmax(lacking[0]) == pytest.approx(3, abs=0.6)
    assert np.nanmax(lacking[-1]) == pytest.approx(3, abs=0.6)
    # The dent of 4.2 mm on the left lies in the other rule's map.
    assert np.nanmax(lacking) > 3
    path.write_text(
        'id: p\nversion: "1"\ntitle: t\nrules:\n  - {id: D, structure: PTV, metric: "Mean[Gy]", goal: ">= 1 Gy"}\n'
    )
    assert dvhkit.audit_case(case, path).margin_maps == ()
