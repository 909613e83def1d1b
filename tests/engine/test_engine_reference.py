"""The reference profile against ideal solids: what lies between and beyond slices, and the band around it."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import dose, grid, polygon, rectangle, sphere, structure
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import EngineOptions, profile

LINEAR = dose(lambda x, y, z: 40 + 0.5 * x - 0.3 * y + 0.7 * z)


def ball_cc(radius):
    return 4 / 3 * np.pi * radius**3 / 1000


@pytest.mark.parametrize(
    ("radius", "spacing", "tolerance"), [(12, 1, 0.002), (12, 3, 0.003), (5, 2, 0.004), (5, 3, 0.02)]
)
@pytest.mark.parametrize("phase", [0.15, 0.5])
@pytest.mark.requirement("R6")
def test_a_sphere_keeps_its_volume_whatever_the_phase_of_its_slices(radius, spacing, tolerance, phase):
    dvh = compute_dvh(sphere(radius, spacing, phase=phase), LINEAR)
    assert dvh.volume_cc == pytest.approx(ball_cc(radius), rel=tolerance)
    assert dvh.mean_gy == pytest.approx(40.0, rel=0.002)


def test_a_spheres_cold_end_follows_its_rounded_cap():
    on = dose(lambda x, y, z: 16 + z)
    dvh = compute_dvh(sphere(12, 3, phase=0.5), on)
    prism = compute_dvh(sphere(12, 3, phase=0.5), on, options=profile("prism"))
    # One percent of a ball of 12 mm lies beyond the plane z = -10.586 mm: h^2 (36 - h) / (4 * 12^3) = 0.01, h = 1.414.
    assert dvh.dose_to_hottest_gy(0.99 * dvh.volume_cc) == pytest.approx(16 - 12 + 1.414, rel=0.01)
    assert prism.dose_to_hottest_gy(0.99 * prism.volume_cc) < (16 - 12 + 1.414) * 0.9
    assert dvh.min_gy == pytest.approx(4.0, abs=0.1)


def test_a_cone_keeps_its_tip_and_its_volume():
    z = np.arange(-10.5, 12.0, 3.0)
    cone = structure((h, polygon(12 * (12 - h) / 24, 180)) for h in z)
    assert compute_dvh(cone, None).volume_cc == pytest.approx(np.pi * 144 * 24 / 3 / 1000, rel=0.005)


def test_an_oblique_cylinder_keeps_its_volume():
    z = np.arange(-10.5, 12.0, 3.0)
    slanting = structure((h, polygon(8.0, 180, (0.8 * h, -0.4 * h))) for h in z)
    assert compute_dvh(slanting, LINEAR).volume_cc == pytest.approx(np.pi * 64 * 24 / 1000, rel=0.003)


def test_a_lying_cylinder_rounds_its_ends():
    z = np.arange(-10.5, 12.0, 3.0)
    half = np.sqrt(144 - z**2)
    lying = structure((h, rectangle(-20, -w, 20, w)) for h, w in zip(z, half, strict=True))
    assert compute_dvh(lying, LINEAR).volume_cc == pytest.approx(np.pi * 144 * 40 / 1000, rel=0.006)


@pytest.mark.parametrize(("gap", "shift"), [(1.5, 0.0), (2.0, 0.3), (3.0, 0.0)])
def test_a_shell_keeps_its_wall_and_its_two_caps(gap, shift):
    z = np.arange(-10.5, 12.0, gap) + shift
    rings = [(h, polygon(np.sqrt(144 - h**2), 180)) for h in z]
    rings += [(h, polygon(np.sqrt(100 - h**2), 180)) for h in z if abs(h) < 10]
    shell = compute_dvh(structure(rings), LINEAR)
    assert shell.volume_cc == pytest.approx(ball_cc(12) - ball_cc(10), rel=0.02)


def test_a_torus_closes_where_its_wall_ends():
    z = np.arange(-5.0, 5.5, 2.0)
    w = np.sqrt(36 - z**2)
    rings = [(h, polygon(15 + s * b, 180)) for h, b in zip(z, w, strict=True) for s in (-1, 1)]
    assert compute_dvh(structure(rings), LINEAR).volume_cc == pytest.approx(2 * np.pi**2 * 15 * 36 / 1000, rel=0.02)


def test_a_lobe_that_ends_half_way_is_capped_and_does_not_touch_its_neighbour():
    tall = [(h, rectangle(-20, -5, -10, 5)) for h in np.arange(-10.5, 12.0, 3.0)]
    ball = [(h, polygon(np.sqrt(36 - (h + 6) ** 2), 180, (10, 0))) for h in np.arange(-10.5, 0.0, 3.0)]
    both = compute_dvh(structure(tall + ball), LINEAR)
    assert both.volume_cc == pytest.approx(100 * 24 / 1000 + ball_cc(6), rel=0.01)


@pytest.mark.parametrize("gap", [1.0, 2.5])
def test_upright_walls_and_flat_ends_are_exactly_prisms(gap):
    box = structure((z, rectangle(-8.3, -11.7, 13.1, 5.9)) for z in gap * np.arange(8))
    dvh = compute_dvh(box, LINEAR)
    assert dvh.volume_cc == pytest.approx(21.4 * 17.6 * 8 * gap / 1000, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(40 + 0.5 * 2.4 - 0.3 * -2.9 + 0.7 * 3.5 * gap, rel=1e-7)
    assert dvh.max_gy == pytest.approx(40 + 0.5 * 13.1 + 0.3 * 11.7 + 0.7 * 7.5 * gap, rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.floats(-9, 9)] * 3), st.booleans(), st.integers(0, 40))
def test_moving_everything_turning_rings_round_and_renumbering_them_change_nothing(shift, turn_round, first):
    shift = np.array(shift)
    base = sphere(9.0, 2.0, phase=0.3, n=72)
    rings = [np.roll(c.points_mm[:: -1 if turn_round else 1], first, axis=0) + shift for c in base.contours]
    moved = structure([(r[0, 2], r[:, :2]) for r in rings[::-1]])
    on = grid()
    there = grid(origin=tuple(on.origin_mm + shift))
    one = compute_dvh(base, dose(lambda x, y, z: 30 + 9 * np.sin(x / 7) + z, on))
    other = compute_dvh(moved, dose(lambda x, y, z: 30 + 9 * np.sin((x - shift[0]) / 7) + z - shift[2], there))
    assert other.volume_cc == pytest.approx(one.volume_cc, rel=1e-6)
    assert other.mean_gy == pytest.approx(one.mean_gy, rel=1e-6)
    for part in (0.02, 0.5, 0.98):
        assert other.dose_to_hottest_gy(part * one.volume_cc) == pytest.approx(
            one.dose_to_hottest_gy(part * one.volume_cc), rel=1e-3
        )


def test_a_finer_grid_of_a_linear_dose_changes_nothing_that_matters():
    def formula(x, y, z):
        return 40 + 0.5 * x - 0.3 * y + 0.7 * z

    coarse = compute_dvh(sphere(11.0, 2.0, phase=0.3), dose(formula, grid(spacing=(3.0, 3.0, 3.0))))
    fine = compute_dvh(sphere(11.0, 2.0, phase=0.3), dose(formula, grid(spacing=(1.0, 1.0, 1.0), size=(76, 102, 110))))
    assert fine.volume_cc == pytest.approx(coarse.volume_cc, rel=0.002)
    for part in (0.01, 0.05, 0.5, 0.95, 0.99):
        a, b = (d.dose_to_hottest_gy(part * d.volume_cc) for d in (coarse, fine))
        assert a == pytest.approx(b, rel=0.003)


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("solid", ["ball", "cylinder"])
@pytest.mark.requirement("R6")
def test_the_truth_lies_in_the_band(solid, phase):
    radius, spacing = 12.0, 3.0
    if solid == "ball":
        drawn, volume = sphere(radius, spacing, phase=phase), ball_cc(radius)
    else:
        z = (np.arange(-9, 10) + phase) * spacing
        drawn = structure((h, polygon(radius, 180)) for h in z[np.abs(z) <= 12 + 1e-9])
        volume = np.pi * radius**2 * 24 / 1000
    dvh = compute_dvh(drawn, dose(lambda x, y, z: 16 + z), with_band=True)
    all_dvhs = (dvh, *dvh.variants)
    for value, truth, error in [
        (lambda d: d.volume_cc, volume, dvh.volume_error_cc),
        (lambda d: d.mean_gy, 16.0, dvh.dose_error_gy),
        (lambda d: d.dose_to_hottest_gy(0.5 * d.volume_cc), 16.0, dvh.dose_error_gy),
    ]:
        values = [value(d) for d in all_dvhs]
        assert min(values) - error <= truth <= max(values) + error
    assert dvh.volume_error_cc < 0.02 * volume


def test_a_structure_too_thin_for_its_cells_loses_no_volume_on_its_slices():
    wall = [(z, ring) for z in np.arange(0.0, 21.0, 2.0) for ring in (polygon(40, 200), polygon(39.4, 200))]
    dvh = compute_dvh(structure(wall), LINEAR, options=EngineOptions(cells_target=2000))
    assert dvh.volume_cc == pytest.approx(np.pi * (40**2 - 39.4**2) * 22 / 1000, rel=0.01)
