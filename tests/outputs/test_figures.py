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
from dvhkit.outputs.figures.dvh import dvh_figure
from dvhkit.outputs.figures.slice import slice_figure

pytest.importorskip("matplotlib", reason="needs the extra [plot]")


def test_a_dvh_figure_draws_each_curve_and_its_band_and_two_plans_beside_each_other(tmp_path: Path) -> None:
    curve = LIVER.curves[3]
    banded = replace(curve, low_pct=tuple(0.9 * v for v in curve.volume_pct), high_pct=curve.volume_pct)
    figure = dvh_figure([("a", [banded]), ("b", [curve])], absolute=True)
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.lines] == ["PTV (a)", "PTV (b)"]
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


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png, \.svg, \.pdf"):
        save_figure(dvh_figure([("a", LIVER.curves[:1])]), tmp_path / "f.gif")
