"""The report of a vertebral CTV: whole, self-contained, and deaf to hostile names."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np

from dvhkit.outputs.ctv.cuts_picture import Cut
from dvhkit.outputs.ctv.report import CtvLevel, CtvPage, CtvRemark, CtvRow, ctv_html

HOSTILE = '<script>alert("x")</script><img src=http://a.example/b>\u202e\x1b[2J'


def page_of(name, verdict="fail"):
    field = np.zeros((40, 50))
    field[10:30, 12:30] = 1.0
    cut = Cut(
        title=name,
        pixel_mm=(1.0, 2.0),
        fields=(((1, 2, 3), field),),
        outlines=(((200, 0, 0), field),),
        marks=("A", "L", "P", "R"),
    )
    row = CtvRow(
        name=name,
        colour=(1, 2, 3),
        volume_cc=12.345,
        gtv_cc=1.5,
        gtv_frac=0.25,
        is_graze=False,
        role="required",
        covered_frac=0.5,
        verdict=verdict,
        near_cut_frac=None,
        why=name,
    )
    level = CtvLevel(
        name=name,
        origin=name,
        verdict=verdict,
        rows=(row,),
        fired=((name, name, name, "P"),),
        choices=((name, name),),
        cuts=(cut, cut),
        sectors=((name, name, "50 %", verdict),),
    )
    remark = CtvRemark(level="review", code="a-code", text=name, where=name)
    return CtvPage(
        title=name,
        headline=name,
        verdict=verdict,
        facts=((name, name),),
        key=(((200, 0, 0), name), ((0, 0, 0), name)),
        levels=(level,),
        flags=(remark,),
        findings=(remark,),
        provenance=((name, name),),
    )


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.sources += [value for key, value in attrs if key in ("src", "href", "srcset", "action")]
        assert not any(key.startswith("on") or key == "style" for key, _ in attrs)


def test_hostile_names_are_text_and_nothing_comes_from_elsewhere():
    html = ctv_html(page_of(HOSTILE))
    tags = Tags()
    tags.feed(html)
    assert "script" not in tags.seen
    assert tags.seen.count("img") == 2
    assert all(source.startswith("data:image/png;base64,") for source in tags.sources)
    assert "\x1b" not in html
    assert "\u202e" not in html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src &#39;none&#39;" in policy
    assert "img-src data:" in policy
    assert "script-src" not in policy


def test_page_tells_numbers_roles_verdicts_and_why():
    html = ctv_html(page_of("lamina_L"))
    for words in ("12.35", "1.50", "25 %", "50 %", "required", "fail", "a-code", "not a medical device"):
        assert words in html


def test_page_of_a_ctv_that_was_made_tells_no_verdict():
    html = ctv_html(page_of("lamina_L", verdict=""))
    assert "Covered" not in html.split("Sectors")[0]


def test_cuts_bear_marks_of_orientation_and_a_bar():
    from dvhkit.outputs.ctv.cuts_picture import PIXELS_PER_MM, cut_pixels

    field = np.zeros((60, 60))
    plain = {"title": "", "pixel_mm": (1.0, 1.0), "fields": (((1, 2, 3), field),), "outlines": ()}
    bare, marked = cut_pixels(Cut(**plain)), cut_pixels(Cut(**plain, marks=("H", "P", "F", "A")))
    drawn = np.any(bare != marked, axis=2)
    side = len(drawn)
    top, bottom = drawn[: side // 8, side // 3 : 2 * side // 3], drawn[-side // 8 :, side // 3 : side // 2 + 20]
    left, right = drawn[side // 3 : 2 * side // 3, : side // 8], drawn[side // 3 : 2 * side // 3, -side // 8 :]
    assert all(part.any() for part in (top, bottom, left, right))
    # The bar is the longest run of ink in a row: 20 mm.
    runs = [len(run) for row in drawn for run in "".join("x" if d else " " for d in row).split()]
    assert max(runs) == 20 * PIXELS_PER_MM
