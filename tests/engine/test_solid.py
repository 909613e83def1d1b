"""One solid: its volume, sections, inside, surface, margins and checks tell of the same thing."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import polygon, rectangle, sphere, structure

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import PROFILES
from dvhkit.engine.solid import Solid
from dvhkit.engine.solid.convex import convex_outlines
from dvhkit.engine.solid.sampled import all_sections, linked, sections_at
from dvhkit.engine.solid.solid import closing
from dvhkit.engine.solid.surface import inside_field
from dvhkit.errors import NotEvaluable
from dvhkit.targets.achieved.check import achieved_margin
from dvhkit.targets.derive.margin import grow


def _torus(gap=2.0, phase=0.3):
    z = (np.arange(-10, 11) + phase) * gap
    z = z[np.abs(z) < 6 - 1e-6]
    return structure((h, polygon(15 + s * np.sqrt(36 - h * h), 180)) for h in z for s in (-1, 1))


def _shell():
    z = (np.arange(-20, 20) + 0.3) * 2.0
    return structure((h, polygon(np.sqrt(r * r - h * h), 180)) for r in (12.0, 11.0) for h in z if abs(h) < r - 1e-6)


SOLIDS = {
    "ball": sphere(12.0, 3.0, phase=0.4, n=180),
    "box": structure((h, rectangle(-8, -5, 8, 5)) for h in 2.5 * np.arange(8)),
    "torus": _torus(),
    "shell": _shell(),
}


def _area(rings):
    return sum(0.5 * float(r[:, 0] @ np.roll(r[:, 1], -1) - np.roll(r[:, 0], -1) @ r[:, 1]) for r in rings)


@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_dvh_solid_and_nothing_added_have_one_volume(name):
    drawn = SOLIDS[name]
    volume = compute_dvh(drawn, None).volume_cc
    assert Solid.of(drawn).volume_cc == pytest.approx(volume, rel=1e-3)
    assert compute_dvh(grow(drawn, 0.0).structure, None).volume_cc == pytest.approx(volume, rel=1e-3)


def test_a_margin_check_measures_the_volumes_of_the_dvh():
    ball = SOLIDS["ball"]
    check = achieved_margin(ball, grow(ball, 5.0).structure)
    assert check.inner_cc == pytest.approx(compute_dvh(ball, None).volume_cc, rel=1e-3)
    assert check.inner_cc == pytest.approx(4 / 3 * np.pi * 12**3 / 1000, rel=5e-3)


@pytest.mark.parametrize("name", sorted(SOLIDS))
def test_sections_add_up_to_the_volume(name):
    solid = Solid.of(SOLIDS[name])
    sections = all_sections(solid, 0.25)
    heights = np.array([s.w_mm for s in sections])
    areas = np.array([_area(s.rings) for s in sections])
    # Straight lines between sections leave out up to a part of the wall's curve.
    assert np.trapezoid(areas, heights) / 1000 == pytest.approx(solid.volume_cc, rel=0.012)


@pytest.mark.parametrize("name", ["ball", "box", "torus"])
def test_points_are_told_inside_from_outside(name):
    solid = Solid.of(SOLIDS[name])
    random = np.random.default_rng(4)
    points = random.uniform(-22, 22, (30_000, 3)) + ([0, 0, 9] if name == "box" else [0, 0, 0])
    inside = {
        "ball": lambda p: np.hypot(np.hypot(p[:, 0], p[:, 1]), p[:, 2]) - 12,
        "box": lambda p: np.max(np.abs(p - [0, 0, 8.75]) - [8, 5, 10], axis=1),
        "torus": lambda p: np.hypot(np.hypot(p[:, 0], p[:, 1]) - 15, p[:, 2]) - 6,
    }[name](points)
    clear = np.abs(inside) > 0.3
    assert np.mean((solid.signed(points) < 0)[clear] == (inside < 0)[clear]) > 0.9995


def test_a_surface_has_its_area_and_faces_outwards():
    surface = Solid.of(SOLIDS["ball"]).surface
    assert surface.area_mm2.sum() == pytest.approx(4 * np.pi * 144, rel=0.02)
    outwards = np.einsum("ij,ij->i", surface.points_mm, surface.normals) / 12.0
    assert np.quantile(outwards, 0.02) > 0.97


def test_tori_are_as_exact_as_balls():
    for gap, phase in ((2.0, 0.3), (3.0, 0.5), (3.0, 0.0)):
        volume = compute_dvh(_torus(gap, phase), None).volume_cc
        assert volume == pytest.approx(2 * np.pi**2 * 15 * 36 / 1000, rel=0.006)


def test_upright_walls_have_drawn_sections_as_far_as_half_way():
    solid = Solid.of(SOLIDS["ball"], options=PROFILES["prism"])
    at = solid.stack.offsets_mm
    own, beyond = (sections_at(solid, np.array([at[2] + 3.0 * share]), 0.1)[0] for share in (0.4, 0.6))
    assert _area(own.rings) == pytest.approx(_area(solid.stack.rings(2)), rel=2e-3)
    assert _area(beyond.rings) == pytest.approx(_area(solid.stack.rings(3)), rel=2e-3)
    assert solid.volume_cc == pytest.approx(compute_dvh(SOLIDS["ball"], None, options=PROFILES["prism"]).volume_cc)


def test_corners_between_slices_are_as_sharp_as_drawn():
    z = np.array([-6.3, -3.3, -0.3, 2.7, 5.7])
    lying = structure((h, rectangle(-12, -np.sqrt(64 - h * h), 12, np.sqrt(64 - h * h))) for h in z)
    solid = Solid.of(lying)
    assert convex_outlines(linked(solid)) is not None
    (ring,) = solid.section(4.2)
    assert np.abs(np.abs(ring[:, 0]) - 12).max() < 1e-6
    assert np.abs(ring[:, 1]).max() == pytest.approx(np.sqrt(64 - 4.2**2), abs=0.02)


def test_ends_can_be_moved():
    solid = linked(Solid.of(SOLIDS["box"]))
    moved = closing(solid, 0.0, 1.0)
    assert moved.hi_mm.max() == pytest.approx(17.5 + 2.5)
    assert moved.lo_mm.min() == pytest.approx(-0.02)
    top = np.array([[0.0, 0.0, 19.5]])
    assert inside_field(moved).at(top)[0] < 0 < inside_field(solid).at(top)[0]


def test_beyond_the_last_slice_nothing_goes_on_by_more_than_half_a_slice_sideways():
    """Outlines that move by 7 mm a slice would go on by 7 mm more; squares round the end hold all that is there."""
    rings = [(3.0 * n, rectangle(7 * n - 9, -9, 7 * n + 9, 9 - 0.4 * n * n)) for n in range(5)]
    bent = [(h, np.concatenate([r, [[r[:, 0].min() + 4, 0.0]]])) for h, r in rings]
    solid = linked(Solid.of(structure(bent)))
    assert convex_outlines(solid) is None
    for plane, side in ((0, -1), (4, 1)):
        drawn, at = bent[plane][1], solid.stack.offsets_mm[plane]
        for section in sections_at(solid, np.sort(at + side * np.array([0.3, 0.9, 1.4, 2.2])), 0.3):
            for ring in section.rings:
                assert (ring >= drawn.min(axis=0) - 1.8).all()
                assert (ring <= drawn.max(axis=0) + 1.8).all()


def test_nothing_drawn_is_no_solid():
    with pytest.raises(NotEvaluable):
        Solid.of(structure([]))
