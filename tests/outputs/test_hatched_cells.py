"""Cells of a margin map without a surface are hatched."""

from dvhkit.outputs.pictures.margin_picture import margin_map_png, margin_map_svg
from dvhkit.results.audit import MarginMap


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
