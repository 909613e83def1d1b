"""One truth: a DVH, the solid, nothing added to it, and a margin check have one volume, whatever was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_solids import polygon, sphere, structure

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.solid import Solid
from dvhkit.errors import NotEvaluable
from dvhkit.phantoms.sets.catalogue import phantom_titles, write_phantom
from dvhkit.readers.case import read_case
from dvhkit.targets.achieved.check import achieved_margin
from dvhkit.targets.achieved.surface import make_surface
from dvhkit.targets.derive.margin import grow

DEMO = Path(__file__).resolve().parents[2] / "test_data" / "liver_sbrt"
FEW = ("margin-3mm", "pair-shifted-si")
SAME = 1e-3


def volumes_cc(drawn, *, spacing_mm=None, grid=None):
    """Return the volume by DVH, by the solid, after growing by nothing, and as a margin check states it."""
    checked = make_surface(drawn, fallback_spacing_mm=spacing_mm, step_mm=3.0).volume_cc
    more = {"slice_spacing_mm": spacing_mm, "image": grid}
    return {
        "dvh": compute_dvh(drawn, None, **more).volume_cc,
        "solid": Solid.of(drawn, **more).volume_cc,
        "grown by nothing": compute_dvh(grow(drawn, 0.0).structure, None, **more).volume_cc,
        "margin check": checked,
    }


def disagreements(case):
    """Return the ROIs of a case whose volumes differ by more than 0.1 %, with these volumes."""
    image = case.image.grid if case.image is not None else None
    spacing = image.plane_spacing_mm if image is not None else None
    odd = {}
    for drawn in case.structures:
        if drawn.is_empty:
            continue
        try:
            found = volumes_cc(drawn, spacing_mm=spacing or None, grid=image)
        except NotEvaluable:
            continue
        if np.ptp(list(found.values())) > SAME * found["dvh"]:
            odd[drawn.name] = found
    return odd


@pytest.mark.parametrize("name", FEW)
def test_a_phantom_has_one_volume(name, tmp_path):
    write_phantom(tmp_path, name)
    assert disagreements(read_case(tmp_path)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(phantom_titles()) - set(FEW)))
def test_every_phantom_has_one_volume(name, tmp_path):
    write_phantom(tmp_path, name)
    assert disagreements(read_case(tmp_path)) == {}


def test_every_structure_of_the_demo_has_one_volume():
    assert disagreements(read_case(DEMO)) == {}


@pytest.mark.real
@pytest.mark.parametrize("name", ["alderson_vmat", "breast_tps_dvh", "hand_drawn_head_neck", "lung_synthetic"])
def test_every_structure_of_real_sets_has_one_volume(real_data, name):
    assert disagreements(read_case(real_data / name)) == {}


def test_islands_on_planes_of_their_own_have_one_volume():
    one = sphere(12.0, 2.0, centre=(-20.0, 0.0, 0.0), n=90)
    other = sphere(11.0, 4.0, centre=(20.0, 0.0, 1.0), phase=0.3, n=90)
    rings = [(c.points_mm[0, 2], c.points_mm[:, :2]) for s in (one, other) for c in s.contours]
    both = structure(rings)
    found = volumes_cc(both)
    assert found["dvh"] == pytest.approx(4 / 3 * np.pi * (12.0**3 + 11.0**3) / 1000, rel=5e-3)
    assert np.ptp(list(found.values())) <= SAME * found["dvh"]
    solid = Solid.of(both)
    assert len(solid.section(2.0)) == 2
    assert list(solid.signed(np.array([[-20.0, 0, 0], [20.0, 0, 3.0], [0, 0, 0]])) < 0) == [True, True, False]


@pytest.mark.parametrize("radius", [6.0, 12.0])
def test_a_margin_check_of_a_ball_is_as_exact_as_its_dvh(radius):
    for phase in (0.0, 0.35, 0.5):
        ball = sphere(radius, 3.0, phase=phase, n=120)
        outer = structure((c.points_mm[0, 2], polygon(radius + 8, 60)) for c in ball.contours)
        check, dvh = achieved_margin(ball, outer), compute_dvh(ball, None)
        assert check.inner_cc == pytest.approx(dvh.volume_cc, rel=SAME)
        assert check.inner_cc == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=5e-3)
