"""Figures are drawn from numbers alone, written whole, and show what was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_records import LIVER
from scenes import cube_scene

from dvhkit.errors import OutputError
from dvhkit.outputs.figures.canvas import save_figure
from dvhkit.outputs.figures.cohort import cohort_figure, diff_figure
from dvhkit.outputs.figures.dvh import dvh_figure
from dvhkit.outputs.figures.margin import margin_figure
from dvhkit.outputs.figures.slice import slice_figure
from dvhkit.results.audit import MarginMap
from dvhkit.results.cohort import PERCENTILES, DvhBand
from dvhkit.results.run_diff import Change

pytest.importorskip("matplotlib", reason="needs the extra [plot]")


def test_a_dvh_figure_draws_each_curve_and_its_band_and_two_plans_beside_each_other(tmp_path: Path) -> None:
    curve = LIVER.curves[3]
    banded = replace(curve, low_pct=tuple(0.9 * v for v in curve.volume_pct), high_pct=curve.volume_pct)
    figure = dvh_figure([("a", [banded]), ("b", [curve])], absolute=True)
    axes = figure.axes[0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "PTV", "A: a", "B: b", "what contours leave open",
    ]  # fmt: skip
    assert len({line.get_color() for line in axes.lines}) == 1
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    assert np.allclose(axes.lines[0].get_ydata(), np.array(curve.volume_pct) * curve.volume_cc / 100)
    assert len(axes.collections) == 1
    for name, begin in (("f.png", b"\x89PNG"), ("f.svg", b"<?xml"), ("f.pdf", b"%PDF")):
        save_figure(figure, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)


def test_a_slice_figure_draws_the_contour_of_its_plane_where_it_lies() -> None:
    scene = cube_scene("oblique")
    figure = slice_figure(scene, 8, np.full((40, 56), 30.0))
    outline = figure.axes[0].lines[0]
    assert np.ptp(outline.get_xdata()) == pytest.approx(11 * 1.25)
    assert np.min(outline.get_ydata()) == pytest.approx(11.5 * 1.5)


@pytest.mark.parametrize("count", [1, 15, 53])
def test_a_legend_covers_no_axes_and_no_two_structures_look_alike(count: int) -> None:
    curves = [replace(LIVER.curves[3], roi=f"Structure_{n}") for n in range(count)]
    figure = dvh_figure([("a", curves)])
    looks = {(line.get_color(), str(line._dash_pattern)) for line in figure.axes[0].lines}
    assert len(looks) == min(count, 35)
    figure.draw_without_rendering()
    axes, legend = figure.axes[0].get_tightbbox(), figure.legends[0].get_window_extent()
    assert axes.x1 <= legend.x0
    assert legend.x1 <= figure.bbox.x1
    assert legend.y0 >= figure.bbox.y0


def test_a_slice_names_the_patients_sides_and_its_isodoses() -> None:
    scene = cube_scene("FFS")
    figure = slice_figure(scene, 8, np.linspace(0, 60, 40 * 56).reshape(40, 56))
    sides = [text.get_text() for text in figure.axes[0].texts]
    assert len(sides) == 4
    assert set(sides[:2]) == {"L", "R"}
    assert set(sides[2:]) == {"A", "P"}
    keys = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("Gy" in key for key in keys)
    assert figure.axes[0].texts[0].get_text() == ("R" if scene.grid.axes[0][0] > 0 else "L")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png, \.svg, \.pdf"):
        save_figure(dvh_figure([("a", LIVER.curves[:1])]), tmp_path / "f.gif")


def test_a_cohort_figure_has_a_panel_a_structure_with_its_median_and_the_case_asked_for() -> None:
    dose = tuple(float(d) for d in range(11))
    volume = tuple(tuple(float(max(0, 100 - 10 * d + p / 10)) for d in range(11)) for p in PERCENTILES)
    bands = [DvhBand(roi=roi, n=7, dose_gy=dose, volume_pct=volume) for roi in ("PTV", "$Liver$", "Cord", "Lung")]
    figure = cohort_figure(bands, {"PTV": (np.array(dose), np.array(volume[0]))}, case="c1")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels][:2] == ["PTV (n = 7)", r"\$Liver\$ (n = 7)"]
    assert np.allclose(panels[1].lines[0].get_ydata(), volume[3])
    assert [len(axes.lines) for axes in panels] == [2, 1, 1, 1]


def test_a_figure_of_changes_has_a_point_a_number_and_tells_verdicts_that_changed() -> None:
    given = {"case_id": "c", "rule_id": None, "roi": "PTV", "unit": "Gy", "cause": ("dose",)}
    changes = [
        Change(**given, kind="metric", metric="D95%[Gy]", old=50.0, new=48.5),
        Change(**{**given, "rule_id": "R1"}, kind="verdict", metric="D95%[Gy]", old="pass", new="fail"),
    ]
    figure = diff_figure(changes, labels=("first", "second"))
    assert figure.axes[0].lines[0].get_xdata()[0] == pytest.approx(-1.5)
    assert "c: R1 PTV: pass → fail (dose)" in figure.get_supxlabel()


def test_a_difference_of_doses_shows_its_sign() -> None:
    scene = cube_scene("HFS")
    difference = np.zeros((40, 56))
    difference[:, :28], difference[:, 28:] = -2.0, 3.0
    figure = slice_figure(scene, 8, difference, is_difference=True)
    shown = figure.axes[0].images[1]
    assert shown.get_clim() == (-3.0, 3.0)
    assert figure.axes[1].get_ylabel() == "B less A (Gy)"


def test_a_margin_figure_has_axes_a_key_and_hatches_what_has_no_surface() -> None:
    one = MarginMap(
        title="CTV to PTV", limit="5 mm", caption="", height_mm=(0.0, 3.0),
        margin_mm=((5.0, 4.0), (None, 5.0)), lacking_mm=((0.0, 1.0), (None, 0.1)),
    )  # fmt: skip
    figure = margin_figure(one)
    axes = figure.axes[0]
    assert len(axes.lines[0].get_xdata()) == 1
    assert [patch.get_hatch() for patch in axes.patches] == ["////"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["falls short by more than 0.3 mm", "no surface"]
    assert (axes.get_ylabel(), figure.axes[1].get_ylabel()) == ("z (mm), superior up", "Margin (mm)")
