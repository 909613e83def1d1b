"""Axes and lattices: turning a grid moves no voxel."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import interp1d

from dvhkit.errors import DicomReadError
from dvhkit.model.grid import Grid
from dvhkit.readers import geometry
from dvhkit.readers.geometry import along_patient_axes, evened, make_grid, plane_axes

# All ways to lay a right-handed triple along the patient's axes.
FRAMES = [
    np.array([np.eye(3)[p] * s for p, s in zip(order, signs, strict=True)])
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3))
    if np.linalg.det([np.eye(3)[p] * s for p, s in zip(order, signs, strict=True)]) > 0
]
UNEVEN = np.array([-4.0, 0.5, 1.0, 7.0])


def positions(grid):
    k, j, i = np.indices(grid.shape_zyx)
    return (
        grid.origin_mm
        + grid.offsets_mm[k][..., None] * grid.axes[2]
        + (j * grid.spacing_mm[1])[..., None] * grid.axes[1]
        + (i * grid.spacing_mm[0])[..., None] * grid.axes[0]
    )


def lattice(axes, offsets_mm):
    return Grid(
        origin_mm=np.array([5.0, -7.0, 11.0]),
        axes=axes,
        spacing_mm=np.array([1.5, 2.25]),
        offsets_mm=offsets_mm,
        n_rows=3,
        n_columns=5,
    )


@pytest.mark.parametrize("offsets_mm", [np.arange(4) * 3.0 - 2.0, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("number", range(24))
@pytest.mark.requirement("R2")
def test_each_voxel_keeps_its_place_and_value(number, offsets_mm):
    assert len(FRAMES) == 24
    grid = lattice(FRAMES[number], offsets_mm)
    values = np.arange(60).reshape(grid.shape_zyx)
    turned, moved = along_patient_axes(grid, values)
    assert moved.shape == turned.shape_zyx
    axial = bool(abs(FRAMES[number][2, 2]) == 1)
    assert np.array_equal(turned.axes, np.eye(3)) is (axial or offsets_mm is not UNEVEN)
    before = dict(zip(values.ravel().tolist(), positions(grid).reshape(-1, 3), strict=True))
    for value, place in zip(moved.ravel().tolist(), positions(turned).reshape(-1, 3), strict=True):
        assert place == pytest.approx(before[value], abs=1e-9)


def test_oblique_lattices_are_left_alone():
    angle = 0.3
    axes = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    grid = lattice(axes, UNEVEN)
    values = np.zeros(grid.shape_zyx)
    assert along_patient_axes(grid, values) == (grid, values)


def test_single_planes_are_turned_only_where_they_are_axial():
    for axes in FRAMES:
        grid = lattice(axes, np.array([2.0]))
        turned, _ = along_patient_axes(grid, np.zeros(grid.shape_zyx))
        assert np.array_equal(turned.axes, np.eye(3)) is bool(abs(axes[2, 2]) == 1)


@pytest.mark.parametrize(
    "orientation", [(), (1, 0, 0), (1, 0, 0, 1, 0, 0), (0.5, 0, 0, 0, 1, 0), (1, 0, 0, 0.1, 1, 0), (0, 0, 0, 0, 0, 0)]
)
def test_what_is_no_orientation_is_refused(orientation):
    with pytest.raises(DicomReadError) as caught:
        plane_axes(tuple(map(float, orientation)), Path("x"))
    assert caught.value.where == "ImageOrientationPatient (0020,0037)"


def test_rounded_cosines_become_an_orthonormal_frame():
    axes = plane_axes((0.7071, 0.7071, 0.0, -0.7071, 0.7071, 0.0), Path("x"))
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-15)
    assert axes[2] == pytest.approx([0, 0, 1])


def test_a_lattice_that_the_model_refuses_is_a_reading_error_with_its_file():
    with pytest.raises(DicomReadError) as caught:
        make_grid(
            origin_mm=(0.0, 0.0, 0.0),
            axes=np.eye(3),
            pixel_spacing_mm=(1.0, 1.0),
            offsets_mm=np.array([0.0]),
            n_rows=0,
            n_columns=4,
            path=Path("slice"),
        )
    assert caught.value.path == "slice"


@pytest.mark.parametrize("places", [[0, 1, 3, 4, 9], [0, 2, 5, 7], [0, 3, 7, 10, 14], [1, 2, 9]])
def test_planes_between_are_interpolated_and_the_others_stay_to_the_last_bit(places):
    offsets = -3.0 + 2.4 * np.array(places, dtype=float)
    grid = lattice(FRAMES[5], offsets)
    values = np.random.default_rng(4).integers(0, 1 << 30, grid.shape_zyx)
    even, filled = evened(grid, values)
    assert even.is_uniform
    assert even.offsets_mm == pytest.approx(-3.0 + 2.4 * np.arange(places[0], places[-1] + 1), abs=1e-9)
    assert np.array_equal(filled[np.array(places) - places[0]], values)
    known = interp1d(offsets, values, axis=0)
    assert filled == pytest.approx(known(np.clip(even.offsets_mm, offsets[0], offsets[-1])), rel=1e-12)
    assert np.array_equal(even.origin_mm, grid.origin_mm)


@pytest.mark.parametrize(
    "offsets",
    [[0.0, 3.0], [0.0, 3.0, 6.0], [0.0, 3.0, 7.31, 9.0], [0.0, 1.0, 60.0]],
    ids=["two", "even", "no regular grid", "too many"],
)
def test_planes_that_are_even_or_of_no_regular_grid_are_returned_as_they_are(offsets):
    grid = lattice(FRAMES[0], np.array(offsets))
    values = np.zeros(grid.shape_zyx)
    assert evened(grid, values) == (grid, values)


def test_a_grid_is_not_evened_beyond_its_bound(monkeypatch):
    grid = lattice(FRAMES[0], np.array([0.0, 1.0, 4.0]))
    values = np.zeros(grid.shape_zyx)
    monkeypatch.setattr(geometry, "_MOST_EVENED", 5 * 15 - 1)
    assert evened(grid, values)[1] is values
    monkeypatch.setattr(geometry, "_MOST_EVENED", 5 * 15)
    assert len(evened(grid, values)[1]) == 5
