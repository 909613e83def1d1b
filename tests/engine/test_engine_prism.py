"""The prism engine against closed forms: volume, holes, dose, extremes, what leaves the grid, odd drawings."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import CLOSED, XOR, dose, grid, polygon, rectangle, sphere, structure

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import PROFILES, profile
from dvhkit.errors import GeometryError, InputError, NotEvaluable
from dvhkit.model.structure import Contour, ContourKind, Structure

PRISM = PROFILES["prism"]
SLICES = np.arange(-12.0, 13.0, 3.0)  # nine slices: 27 mm with half a slice at both ends


def dvh_of(drawn, given=None, **more):
    return compute_dvh(drawn, given, options=more.pop("options", PRISM), **more)


def codes(dvh):
    return {f.code for f in dvh.findings}


def test_a_box_has_the_volume_and_the_dose_statistics_of_its_closed_form():
    box = structure((z, rectangle(-8.3, -11.7, 13.1, 5.9)) for z in SLICES)
    dvh = dvh_of(box, dose(lambda x, y, z: 40 + 0.5 * x - 0.3 * y + 0.7 * z))
    volume = 21.4 * 17.6 * 27.0 / 1000
    assert dvh.volume_cc == pytest.approx(volume, rel=1e-9)
    assert dvh.covered_cc == pytest.approx(volume, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(40 + 0.5 * 2.4 - 0.3 * -2.9, rel=1e-9)
    assert dvh.max_gy == pytest.approx(40 + 0.5 * 13.1 + 0.3 * 11.7 + 0.7 * 13.5, rel=1e-9)
    assert dvh.min_gy == pytest.approx(40 - 0.5 * 8.3 - 0.3 * 5.9 - 0.7 * 13.5, rel=1e-9)
    assert not dvh.findings


@pytest.mark.parametrize(("axis", "lo", "hi"), [(0, -8.3, 13.1), (1, -11.7, 5.9), (2, -13.5, 13.5)])
def test_a_linear_dose_along_one_axis_gives_a_straight_curve(axis, lo, hi):
    box = structure((z, rectangle(-8.3, -11.7, 13.1, 5.9)) for z in SLICES)
    dvh = dvh_of(box, dose(lambda *p: 50 + p[axis]))
    for share in (0.01, 0.05, 0.3, 0.5, 0.95, 0.99):
        at = 50 + hi - share * (hi - lo)
        # One part in ten thousand of the dose range: the width of a bin is a fraction of that.
        assert dvh.dose_to_hottest_gy(share * dvh.volume_cc) == pytest.approx(at, abs=1e-4 * (hi - lo) + 1e-3)
        assert dvh.volume_at_least_cc(at) == pytest.approx(share * dvh.volume_cc, abs=5e-4 * dvh.volume_cc)


@pytest.mark.parametrize("make", [
    lambda: sphere(1.1, 0.5, centre=(0.3, -0.2, 0.1)),
    lambda: sphere(30.0, 2.5, phase=0.4),
    lambda: structure((z, polygon(9.0, 7), CLOSED) for z in (0.0, 1.0, 2.5, 4.0)),
])  # fmt: skip
def test_in_uniform_dose_every_metric_is_exact_for_any_structure(make):
    dvh = dvh_of(make(), dose(lambda x, y, z: 20.0 + 0 * x))
    third = dvh.volume_cc / 3
    values = [dvh.mean_gy, dvh.min_gy, dvh.max_gy, dvh.dose_to_hottest_gy(third), dvh.dose_to_coldest_gy(third)]
    assert values == pytest.approx([20.0] * 5, rel=1e-9)
    assert dvh.volume_at_least_cc(20.0) == pytest.approx(dvh.volume_cc, rel=1e-9)
    assert dvh.volume_at_most_cc(20.0) == pytest.approx(dvh.volume_cc, rel=1e-9)
    assert dvh.volume_at_least_cc(20.001) == 0


def test_a_plateau_beside_a_gradient_still_reaches_its_own_dose():
    box = structure((z, rectangle(-10, -6, 10, 6)) for z in SLICES)
    on = grid(origin=(-37.0, -50.1, -55.7))
    dvh = dvh_of(box, dose(lambda x, y, z: np.minimum(20.0, 20.0 + (x - 1.0) * 0.8), on))
    plateau = 9.0 * 12 * 27 / 1000
    assert dvh.volume_at_least_cc(20.0) == pytest.approx(plateau, rel=1e-9)


def hole_as(way):
    outer, hole = rectangle(-10, -10, 10, 10), rectangle(-4, -3, 5, 6)
    if way == "keyhole":
        key = np.vstack([outer, outer[:1], hole[[0, 3, 2, 1]], hole[:1]])
        return [(z, key) for z in SLICES]
    kind = XOR if way == "xor" else CLOSED
    order = hole[::-1] if way == "nested, other direction" else hole
    return [(z, ring, kind) for z in SLICES for ring in (order, outer)]


@pytest.mark.parametrize("way", ["nested", "nested, other direction", "xor", "keyhole"])
@pytest.mark.requirement("R5")
def test_a_hole_is_a_hole_however_it_is_stored(way):
    dvh = dvh_of(structure(hole_as(way)), dose(lambda x, y, z: 30 + x))
    solid, hole = 400 * 27 / 1000, 81 * 27 / 1000
    assert dvh.volume_cc == pytest.approx(solid - hole, rel=1e-9)
    assert dvh.mean_gy == pytest.approx(30 + (0 * solid - 0.5 * hole) / (solid - hole), rel=1e-9)
    assert not dvh.findings


@pytest.mark.requirement("R5")
def test_an_island_in_a_hole_counts_again():
    rings = [rectangle(-10, -10, 10, 10), rectangle(-6, -6, 6, 6), rectangle(-2, -2, 2, 2)]
    dvh = dvh_of(structure((z, ring) for z in SLICES for ring in rings))
    assert dvh.volume_cc == pytest.approx((400 - 144 + 16) * 27 / 1000, rel=1e-9)


@pytest.mark.parametrize(("kind", "area"), [(CLOSED, 100 + 100 - 36), (XOR, 100 + 100 - 72)])
def test_overlapping_contours_are_united_unless_their_kind_says_exclusive_or(kind, area):
    rings = [rectangle(0, 0, 10, 10), rectangle(4, 4, 14, 14)]
    dvh = dvh_of(structure((z, ring, kind) for z in SLICES for ring in rings), dose(lambda x, y, z: 30 + x))
    assert dvh.volume_cc == pytest.approx(area * 27 / 1000, rel=1e-9)
    assert codes(dvh) == {"contours-cross"}


def test_a_figure_of_eight_keeps_both_lobes():
    eight = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], dtype=float)
    dvh = dvh_of(structure((z, eight) for z in SLICES))
    assert dvh.volume_cc == pytest.approx(50 * 27 / 1000, rel=1e-9)
    assert codes(dvh) == {"contours-cross"}


def test_a_contour_stored_twice_counts_once():
    dvh = dvh_of(structure((z, ring) for z in SLICES for ring in [rectangle(0, 0, 10, 10)] * 2))
    assert dvh.volume_cc == pytest.approx(2.7, rel=1e-9)
    assert codes(dvh) == {"contour-repeated"}


def test_a_missing_slice_splits_the_structure_and_says_so():
    drawn = structure((z, rectangle(0, 0, 10, 10)) for z in (0.0, 2.0, 4.0, 8.0, 10.0))
    dvh = dvh_of(drawn)
    assert dvh.volume_cc == pytest.approx((6 + 4) * 100 / 1000, rel=1e-9)
    assert codes(dvh) == {"slice-missing"}


@pytest.mark.parametrize(("given", "thickness"), [(4.0, 4.0), (None, 2.5)])
def test_one_slice_takes_its_thickness_from_the_image_else_from_the_dose(given, thickness):
    drawn = structure([(1.0, rectangle(0, 0, 10, 10))])
    dvh = dvh_of(drawn, dose(lambda x, y, z: 30 + z), slice_spacing_mm=given)
    assert dvh.volume_cc == pytest.approx(100 * thickness / 1000, rel=1e-9)
    assert dvh.max_gy == pytest.approx(31 + thickness / 2, rel=1e-9)
    assert codes(dvh) == {"single-slice"}


def test_one_slice_of_unknown_thickness_has_no_volume_but_a_serious_finding():
    dvh = dvh_of(structure([(1.0, rectangle(0, 0, 10, 10))]))
    assert dvh.volume_cc == 0
    assert codes(dvh) == {"slice-thickness-unknown"}


def test_an_empty_structure_has_no_volume_and_no_dose():
    point = Contour(points_mm=np.zeros((1, 3)), kind=ContourKind.POINT)
    dvh = dvh_of(Structure(number=1, name="S", contours=(point,)), dose(lambda x, y, z: 30 + x))
    assert dvh.volume_cc == 0
    assert dvh.dose_gy.size == 0
    assert codes(dvh) == {"structure-empty"}
    with pytest.raises(NotEvaluable):
        _ = dvh.mean_gy


@pytest.mark.parametrize(("name", "height"), [("prism", 16.0), ("prism-1.5mm", 15.0), ("prism-no-cap", 12.0)])
def test_the_end_cap_is_the_profiles(name, height):
    box = structure((z, rectangle(0, 0, 10, 10)) for z in np.arange(0.0, 13.0, 4.0))
    assert dvh_of(box, options=profile(name)).volume_cc == pytest.approx(height / 10, rel=1e-9)


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="prism-no-cap"):
        profile("eclipse")


def test_what_leaves_the_dose_grid_is_reported_and_never_zero_dose():
    on = grid(spacing=(2.0, 3.0, 2.5), size=(10, 12, 8), origin=(0.0, 0.0, 0.0))  # x from -1 to 19 with the rim
    box = structure((z, rectangle(15.3, 6.0, 27.0, 18.0)) for z in np.arange(2.5, 13.0, 2.5))
    dvh = dvh_of(box, dose(lambda x, y, z: 10 + x, on))
    assert dvh.volume_cc == pytest.approx(11.7 * 12 * 12.5 / 1000, rel=1e-9)
    assert dvh.covered_cc == pytest.approx(3.7 * 12 * 12.5 / 1000, rel=1e-9)
    assert dvh.min_gy == pytest.approx(25.3, rel=1e-9)
    assert dvh.max_gy == pytest.approx(28.0, rel=1e-9)  # the outermost centre's: no data lie beyond
    assert codes(dvh) == {"outside-dose-grid"}
    assert "68.4 %" in str(dvh.findings[0])


def test_what_gets_no_dose_at_all_counts_like_the_rest():
    on = grid(spacing=(2.0, 3.0, 2.5), size=(20, 14, 10), origin=(-21.0, -21.0, -10.0))  # pixels meet at x = 0
    box = structure((z, rectangle(-6.0, -9.0, 12.0, 9.0)) for z in np.arange(-5.0, 6.0, 2.5))
    dvh = dvh_of(box, dose(lambda x, y, z: np.where(x < -1.5, 10.0, 0.0) + 0 * y, on))
    # 10 Gy up to x = -3 mm, half of a pixel's rise to 0 at x = -1 mm: 3 + 1 of 18 mm.
    assert dvh.mean_gy == pytest.approx(10 * 4 / 18, rel=1e-9)
    assert dvh.min_gy == 0.0
    assert dvh.volume_at_least_cc(0.0) == pytest.approx(dvh.volume_cc, rel=1e-9)


def test_a_structure_wholly_outside_the_grid_has_volume_and_no_dose():
    box = structure((z, rectangle(500, 500, 510, 510)) for z in SLICES)
    dvh = dvh_of(box, dose(lambda x, y, z: 10 + x))
    assert dvh.volume_cc == pytest.approx(2.7, rel=1e-9)
    assert dvh.covered_cc == 0
    assert dvh.max_gy is None


def rotation(deg_x, deg_y):
    a, b = np.radians([deg_x, deg_y])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return about_x @ about_y


@pytest.mark.parametrize("turn", [rotation(90, 0), rotation(0, 90), rotation(17, -31), rotation(180, 0)])
def test_sagittal_coronal_and_tilted_planes_see_the_same_dose(turn):
    box = structure(
        ((z, rectangle(-8.3, -11.7, 13.1, 5.9)) for z in SLICES), to_patient=lambda p: np.round(p @ turn.T, 4)
    )
    slope = np.array([0.5, -0.3, 0.7])
    dvh = dvh_of(box, dose(lambda x, y, z: 40 + slope[0] * x + slope[1] * y + slope[2] * z))
    own = turn.T @ slope
    middle, half = np.array([2.4, -2.9, 0.0]), np.array([10.7, 8.8, 13.5])
    # Coordinates were rounded to 1e-4 mm, as in a file.
    assert dvh.volume_cc == pytest.approx(21.4 * 17.6 * 27.0 / 1000, rel=1e-4)
    assert dvh.mean_gy == pytest.approx(40 + own @ middle, rel=1e-5)
    assert dvh.max_gy == pytest.approx(40 + own @ middle + np.abs(own) @ half, rel=1e-5)
    assert dvh.min_gy == pytest.approx(40 + own @ middle - np.abs(own) @ half, rel=1e-4)


def test_a_tilted_dose_grid_is_followed():
    turn = rotation(12, 8)
    on = grid(axes=turn, origin=tuple(np.array([-37.3, -50.1, -55.7]) @ turn))
    box = structure((z, rectangle(-8.3, -11.7, 13.1, 5.9)) for z in SLICES)
    dvh = dvh_of(box, dose(lambda x, y, z: 40 + 0.5 * x - 0.3 * y + 0.7 * z, on))
    assert dvh.mean_gy == pytest.approx(40 + 0.5 * 2.4 - 0.3 * -2.9, rel=1e-9)
    assert dvh.covered_cc == pytest.approx(21.4 * 17.6 * 27.0 / 1000, rel=1e-9)


def test_unevenly_spaced_dose_planes_are_followed():
    on = grid(offsets=np.cumsum([1.0, 2.0, 5.0, 3.0, 4.5] * 9), size=(40, 36, 45), origin=(-37.3, -50.1, -45.7))
    box = structure((z, rectangle(-8.3, -11.7, 13.1, 5.9)) for z in SLICES)
    dvh = dvh_of(box, dose(lambda x, y, z: 40 + 0.7 * z, on))
    assert dvh.mean_gy == pytest.approx(40.0, rel=1e-9)
    assert dvh.max_gy == pytest.approx(40 + 0.7 * 13.5, rel=1e-9)
    assert dvh.dose_to_hottest_gy(0.25 * dvh.volume_cc) == pytest.approx(40 + 0.7 * 6.75, abs=0.005)


def test_contours_that_face_different_ways_are_refused():
    flat = structure((z, rectangle(0, 0, 10, 10)) for z in SLICES).contours
    upright = structure(((z, rectangle(0, 0, 10, 10)) for z in SLICES), to_patient=lambda p: p[:, [2, 0, 1]]).contours
    with pytest.raises(GeometryError, match="parallel planes"):
        dvh_of(Structure(number=1, name="S", contours=flat + upright))


def test_a_coordinate_that_is_no_number_is_refused():
    ring = rectangle(0, 0, 10, 10)
    ring[2, 0] = np.nan
    with pytest.raises(GeometryError, match="not a number"):
        dvh_of(structure((z, ring) for z in SLICES))


@pytest.mark.requirement("R5")
def test_open_contours_and_points_are_left_out_with_a_finding():
    drawn = structure(
        [(z, rectangle(0, 0, 10, 10)) for z in SLICES] + [(0.0, rectangle(0, 0, 99, 99), ContourKind.OPEN_PLANAR)]
    )
    dvh = dvh_of(drawn)
    assert dvh.volume_cc == pytest.approx(2.7, rel=1e-9)
    assert codes(dvh) == {"contours-ignored"}


def test_slices_rounded_differently_are_one_slice():
    left = [(z, rectangle(0, 0, 5, 10)) for z in SLICES]
    right = [(z + 0.03, rectangle(7, 0, 12, 10)) for z in SLICES]
    dvh = dvh_of(structure(left + right))
    assert dvh.volume_cc == pytest.approx(2.7, rel=1e-9)
    assert codes(dvh) == {"planes-merged"}


def test_a_voxel_peak_inside_the_structure_is_its_maximum():
    given = dose(lambda x, y, z: 10 + 0 * x)
    values = given.values_gy.copy()
    values[22, 17, 19] = 33.0
    peak = type(given)(**{**{f: getattr(given, f) for f in given.__slots__}, "values_gy": values})
    where = given.grid.origin_mm + np.array([19 * 2.0, 17 * 3.0, 22 * 2.5])
    drawn = structure((z, polygon(9.0, 90, where[:2] + 0.7)) for z in where[2] + np.arange(-9.0, 10.0, 3.0) + 0.4)
    dvh = dvh_of(drawn, peak)
    assert dvh.max_gy == pytest.approx(33.0, rel=1e-9)
    # A tent of height 23 over one voxel to each side holds 23 Gy times one voxel.
    assert (dvh.mean_gy - 10) * dvh.volume_cc * 1000 == pytest.approx(23 * 15.0, rel=0.01)
