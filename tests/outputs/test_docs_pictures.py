"""README's picture shows today's report; cells of a margin map without a surface are hatched."""

import sys
from pathlib import Path

import pytest

from dvhkit.outputs.pictures.margin_picture import margin_map_png, margin_map_svg
from dvhkit.results.audit import MarginMap

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_picture_of_the_report_is_made_from_todays_report():
    sys.path.insert(0, str(ROOT))
    from scripts.report_digest import demo_report, report_digest

    stored = (ROOT / "docs" / "img" / "report.sha256").read_text().strip()
    assert report_digest(demo_report()) == stored, "the report has changed: run `make docs-pictures`"


def surface_map(margin_mm):
    return MarginMap(
        height_mm=tuple(3.0 * n for n in range(len(margin_mm))),
        margin_mm=tuple(map(tuple, margin_mm)),
        lacking_mm=tuple((0.0,) * len(row) for row in margin_mm),
        caption="",
        title="CTV to PTV",
        limit="5 mm",
    )


def test_cells_without_a_surface_are_hatched_and_the_key_says_so():
    whole, holed = surface_map([[3, 4], [5, 6]]), surface_map([[3, None], [5, 6]])
    assert "hatch" not in margin_map_svg(whole)
    svg = margin_map_svg(holed)
    assert 'fill="url(#hatch-2-2)"' in svg
    assert "hatched: no surface" in svg
    assert margin_map_png(holed) != margin_map_png(whole)
