import re
from dataclasses import replace

import numpy as np
import pytest

from dvhkit.jobs.second_check.check_dvh import check_dvh

from . import planted


def checked(curve, given=None):
    found = check_dvh(planted.case(given or planted.dose(), curve)).rois[0]
    return found.verdict.value, found


def half_cap_curve(given, **options):
    points, part = planted.samples()
    return planted.curve(planted.sampled(given, points), part, **options)


def test_a_curve_of_the_same_reading_agrees():
    verdict, found = checked(half_cap_curve(planted.dose()))
    assert verdict == "agrees"
    assert found.worst_pct < 1.0


@pytest.mark.parametrize(("cap", "word"), [(0.0, "no cap"), (0.5, "half cap")])
def test_the_rule_of_ends_is_named(cap, word):
    given = planted.dose()
    points, part = planted.samples(cap=cap)
    verdict, found = checked(planted.curve(planted.sampled(given, points), part))
    assert word in found.explained_by, found
    assert verdict in (("explained",) if cap == 0.0 else ("explained", "agrees"))


def test_ends_are_named_where_straight_lines_join_slices_of_a_spindle(monkeypatch):
    monkeypatch.setattr(planted, "radius_mm", lambda z, extra=0.0: 17.0 - 0.03 * z * z + extra)
    given = planted.dose()
    points, part = planted.samples(cap=0.0, straight=True)
    verdict, found = checked(planted.curve(planted.sampled(given, points), part))
    assert verdict == "explained", found
    assert "no cap" in found.explained_by, found


def test_what_fits_as_well_is_named_beside_the_best(monkeypatch):
    """In a dose that is the same on all slices of a cylinder a missing slice takes what two caps of half a slice do."""
    monkeypatch.setattr(planted, "radius_mm", lambda z, extra=0.0: 14.0 + 0.0 * z + extra)
    given = planted.dose()
    level = 30.0 + 0.4 * (-60 + 2.5 * np.arange(52))
    given = replace(given, values_gy=np.broadcast_to(level, given.values_gy.shape).copy())
    points, part = planted.samples(edit=lambda k, x, y, r: np.zeros(x.shape, bool) if k == 6 else None)
    _, found = checked(planted.curve(planted.sampled(given, points), part), given)
    assert {"no cap", "edited contour"} <= set(found.explained_by), found
    assert "; or " in found.reason


def test_what_agrees_says_which_edit_and_which_shift_would_not_show():
    points, part = planted.samples(straight=True)
    verdict, found = checked(planted.curve(planted.sampled(planted.dose(), points), part))
    assert verdict == "agrees"
    assert "would not show" in found.reason


def test_centres_only_dose_is_named():
    given = planted.dose()
    z, y, x = np.meshgrid(
        given.grid.origin_mm[2] + given.grid.offsets_mm,
        given.grid.origin_mm[1] + 2.2 * np.arange(62),
        given.grid.origin_mm[0] + 2.5 * np.arange(52),
        indexing="ij",
    )
    k = np.rint((z - planted.HEIGHTS[0]) / planted.SLICE_MM)
    r = planted.radius_mm(planted.HEIGHTS[0] + k * planted.SLICE_MM)
    inside = (k >= 0) & (k < len(planted.HEIGHTS))
    inside &= ((x - planted.CENTRE[0]) / r) ** 2 + ((y - planted.CENTRE[1]) / (0.8 * r)) ** 2 <= 1
    gy = given.values_gy[inside]
    verdict, found = checked(planted.curve(gy, np.full(gy.size, 2.5 * 2.2 * 2.6 / 1000)))
    assert (verdict, found.explained_by) == ("explained", ("centres-only dose",)), found


def test_coarse_bins_are_named():
    verdict, found = checked(half_cap_curve(planted.dose(), bin_gy=2.0))
    assert verdict == "explained"
    assert "coarse bins" in found.explained_by


@pytest.mark.parametrize("levels_pct", [None, (100, 98, 90, 75, 50, 25, 10, 5, 0)], ids=["even", "by volume"])
def test_an_interpolated_curve_is_named_wherever_its_points_lie(levels_pct):
    known = half_cap_curve(planted.dose(), bin_gy=6.0 if levels_pct is None else 0.05)
    dose, volume = known.dose_gy, known.volume_cc
    if levels_pct is not None:
        wanted = np.array(levels_pct) / 100.0 * volume[0]
        dose = np.concatenate([[0.0], np.interp(-wanted, -volume, dose)])
        volume = np.concatenate([[volume[0]], wanted])
    fine = np.arange(0.0, dose[-1], 0.1)
    verdict, found = checked(planted.stored(fine, np.interp(fine, dose, volume)))
    assert verdict == "explained", found
    assert "interpolated curve" in found.explained_by


@pytest.mark.parametrize("shift", [(1.25, -1.1, 1.3)])
def test_a_shifted_grid_is_named(shift):
    verdict, found = checked(half_cap_curve(planted.dose(shift_mm=shift)))
    assert verdict == "explained", found
    assert "shifted grid" in found.explained_by


@pytest.mark.parametrize("factor", [1.05, 0.2])
def test_a_scaled_dose_is_named(factor):
    points, part = planted.samples()
    gy = planted.sampled(planted.dose(), points) * factor
    verdict, found = checked(planted.curve(gy, part, bin_gy=0.05 * factor))
    assert verdict == "explained", found
    assert "scaled dose" in found.explained_by


def _bulging(k, x, y, r):
    inside = (x / r) ** 2 + (y / (0.8 * r)) ** 2 <= 1
    return inside | ((x - r) ** 2 + y**2 <= 100.0) if k == 3 else None


def _scaled(k, x, y, r):
    return (x / (1.5 * r)) ** 2 + (y / (1.2 * r)) ** 2 <= 1 if k == 8 else None


def _moved(k, x, y, r):
    return ((x - 11) / r) ** 2 + (y / (0.8 * r)) ** 2 <= 1 if k == 4 else None


def _grown(k, x, y, r):
    return (x / (r + 6)) ** 2 + (y / (0.8 * r + 6)) ** 2 <= 1 if k == 9 else None


@pytest.mark.slow
@pytest.mark.parametrize("edit", [_moved, _grown, _bulging, _scaled])
def test_an_edited_contour_is_named_with_its_slice(edit):
    given = planted.dose()
    points, part = planted.samples(edit=edit)
    verdict, found = checked(planted.curve(planted.sampled(given, points), part))
    assert verdict == "explained", found
    assert "edited contour" in found.explained_by


@pytest.mark.parametrize("extra", [3.0, pytest.param(-2.0, marks=pytest.mark.slow)])
def test_another_version_of_the_structure_is_not_explained(extra):
    given = planted.dose()
    points, part = planted.samples(extra=extra)
    verdict, found = checked(planted.curve(planted.sampled(given, points), part))
    assert verdict == "not explained", found


def test_eight_percent_more_volume_are_not_explained():
    verdict, found = checked(half_cap_curve(planted.dose(), factor=1.08))
    assert verdict == "not explained", found
    assert "1.08" in found.reason


def test_another_dose_is_not_explained():
    given = planted.dose()
    points, part = planted.samples()
    gy = planted.sampled(given, points)
    hot = gy + 22.0 * np.exp(-((points[:, 0] - 12) ** 2 + points[:, 2] ** 2) / 60.0)
    verdict, found = checked(planted.curve(hot, part))
    assert verdict == "not explained", found


@pytest.mark.slow
def test_a_shifted_grid_is_named_where_the_dose_bends_within_a_voxel():
    """Theirs has the dose of a formula: trilinear reading of a hill of 12 mm on voxels of 4 mm is over 1 % too low."""
    shift = np.array([2.0, -2.0, 1.5])

    def gy(points):
        x, y, z = ((points - [6.0, -2.0, 3.0]) / 17.0).T
        return 60.0 * np.exp(-x * x - y * y - z * z)

    grid = replace(
        planted.dose().grid, spacing_mm=np.array([4.0, 4.0]), offsets_mm=np.arange(38) * 3.0, n_rows=34, n_columns=32
    )
    axes = (
        grid.origin_mm[2] + grid.offsets_mm,
        grid.origin_mm[1] + 4.0 * np.arange(34),
        grid.origin_mm[0] + 4.0 * np.arange(32),
    )
    z, y, x = np.meshgrid(*axes, indexing="ij")
    given = replace(
        planted.dose(), grid=grid, values_gy=gy(np.stack([x, y, z], axis=-1).reshape(-1, 3)).reshape(x.shape)
    )
    points, part = planted.samples()
    verdict, found = checked(planted.curve(gy(points - shift), part), given)
    assert verdict == "explained", found
    assert found.explained_by[0] == "shifted grid", found
    assert "smooth dose between voxels" in found.explained_by


@pytest.mark.parametrize("beyond", [pytest.param(0.3, marks=pytest.mark.slow), 0.8])
def test_ends_between_the_two_flat_rules_are_told_with_their_height(beyond):
    given = planted.dose()
    points, part = planted.samples(cap=beyond)
    verdict, found = checked(planted.curve(planted.sampled(given, points), part))
    assert verdict == "explained", found
    assert "cap of another height" in found.explained_by, found
    told = re.search(r"ends ([0-9.]+) slices beyond", found.reason)
    assert float(told.group(1)) == pytest.approx(beyond, abs=0.02)
