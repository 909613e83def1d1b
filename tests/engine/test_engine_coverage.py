"""The coverage kernel against shapely, scikit-image and SimpleITK; the voxel field; threads and compilation."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import SimpleITK
from drawn_solids import dose, grid, polygon, rectangle, sphere, structure
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from dvhkit.engine.dvh import compute_dvh, compute_dvhs
from dvhkit.engine.kernels.drawn import coverage, rings
from dvhkit.engine.kernels.field import book, extremes
from dvhkit.engine.options import PROFILES, profile
from dvhkit.engine.rasterise import volume_on_grid
from dvhkit.errors import GeometryError

PRISM = PROFILES["prism"]
ROWS, COLUMNS = 9, 13


def covered(ring):
    """Area and first moments of each cell, from the kernel."""
    acc, area = np.zeros((5, ROWS, COLUMNS)), np.zeros((3, ROWS, COLUMNS))
    first, last = np.zeros(ROWS, np.int64), np.zeros(ROWS, np.int64)
    start = np.array([0, len(ring)])
    excess = coverage.coverage(np.ascontiguousarray(ring), start, 0, 1, acc, first, last, area)
    assert not acc.any()
    return area, excess


def covered_by_shapely(shape):
    out = np.zeros((3, ROWS, COLUMNS))
    for row in range(ROWS):
        for column in range(COLUMNS):
            part = shape.intersection(shapely.box(column, row, column + 1, row + 1))
            if part.area > 0:
                centre = part.centroid
                out[:, row, column] = part.area, part.area * (centre.x - column), part.area * (centre.y - row)
    return out


@pytest.mark.parametrize("turn", [0.0, 0.31, np.pi / 4, 2.0])
@pytest.mark.parametrize("corners", [3, 4, 7, 60])
def test_area_and_moments_of_each_cell_are_those_of_shapely(corners, turn):
    ring = polygon(2.5, corners, (6.3, 4.1), turn)
    area, excess = covered(ring)
    np.testing.assert_allclose(area, covered_by_shapely(shapely.Polygon(ring)), atol=1e-12)
    assert excess <= 1e-12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 47), st.integers(1, 31)), min_size=3, max_size=8))
def test_polygons_with_corners_and_edges_on_cell_borders_lose_no_area(corners):
    hull = shapely.MultiPoint([(x / 4, y / 4) for x, y in corners]).convex_hull
    if hull.geom_type != "Polygon":
        return
    ring = np.asarray(shapely.geometry.polygon.orient(hull, 1.0).exterior.coords)[:-1]
    area, _ = covered(ring)
    np.testing.assert_allclose(area, covered_by_shapely(hull), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 6.28), st.integers(0, 40), st.floats(0.1, 0.9))
def test_extra_points_on_edges_and_another_first_point_change_nothing(turn, first, where):
    ring = polygon(3.1, 11, (6.0, 4.4), turn)
    denser = np.stack([ring, ring + where * (np.roll(ring, -1, axis=0) - ring)], axis=1).reshape(-1, 2)
    np.testing.assert_allclose(covered(np.roll(denser, first, axis=0))[0], covered(ring)[0], atol=1e-12)


def test_the_voxel_field_sums_to_the_volume_and_agrees_with_scikit_image():
    on = grid(spacing=(0.7, 0.9, 2.0), size=(64, 50, 14), origin=(-21.0, -19.0, -12.0))
    drawn = structure((z, polygon(14.3, 40, (1.3, 2.1))) for z in np.arange(-8.0, 9.0, 2.0))
    field = volume_on_grid(drawn, on, PRISM)
    voxel_cc = 0.7 * 0.9 * 2.0 / 1000
    assert field.sum() * voxel_cc == pytest.approx(np.pi * 14.3**2 * 18 / 1000, rel=1e-9)
    corners = (drawn.contours[0].points_mm[:, 1::-1] - on.origin_mm[1::-1]) / [0.9, 0.7]
    centres_inside = polygon2mask((50, 64), corners)
    middle = field[6]
    # A centre test and an area agree wherever a voxel is wholly in or out.
    assert np.all(centres_inside[middle > 1 - 1e-9])
    assert not np.any(centres_inside[middle < 1e-9])
    assert abs(middle.sum() - centres_inside.sum()) < 0.02 * middle.sum()


def test_a_tilted_grid_gets_the_field_that_simpleitk_samples():
    a = np.radians(20)
    axes = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    on = grid(spacing=(1.0, 1.5, 2.0), size=(40, 30, 10), origin=(-10.0, -25.0, -8.0), axes=axes)
    ring = polygon(9.0, 50, (5.0, 2.0))
    field = volume_on_grid(structure((z, ring) for z in np.arange(-6.0, 7.0, 2.0)), on, PRISM)
    image = SimpleITK.GetImageFromArray(np.zeros(on.shape_zyx, np.uint8))
    image.SetSpacing((1.0, 1.5, 2.0))
    image.SetOrigin(tuple(on.origin_mm))
    image.SetDirection(tuple(axes.T.ravel()))
    shape = shapely.Polygon(ring)
    centres = [image.TransformIndexToPhysicalPoint((i, j, 4)) for j in range(30) for i in range(40)]
    inside = shapely.contains_xy(shape, np.array(centres)[:, :2]).reshape(30, 40)
    assert np.all(inside[field[4] > 1 - 1e-9])
    assert not np.any(inside[field[4] < 1e-9])
    assert field[4].sum() * 1.5 == pytest.approx(np.pi * 81, rel=1e-9)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0], [0, 1, 2]])
def test_contours_along_any_face_of_the_grid_fill_the_same_voxels(order):
    on = grid(spacing=(1.0, 1.5, 2.0), size=(30, 20, 15), origin=(0.0, 0.0, 0.0))
    low, high = np.array([4.2, 5.1, 6.3]), np.array([17.9, 16.4, 19.5])
    u, v, w = order
    slices = np.linspace(low[w], high[w], 10)
    half = (slices[1] - slices[0]) / 2

    def place(p):
        out = np.empty_like(p)
        out[:, order] = p
        return out

    box = structure(((z, rectangle(low[u], low[v], high[u], high[v])) for z in slices), to_patient=place)
    field = volume_on_grid(box, on, PRISM)
    low[w], high[w] = low[w] - half, high[w] + half
    share = [
        np.clip(np.minimum((n + 0.5) * s, b) - np.maximum((n - 0.5) * s, a), 0, None) / s
        for n, s, a, b in zip([np.arange(30), np.arange(20), np.arange(15)], [1.0, 1.5, 2.0], low, high, strict=True)
    ]
    np.testing.assert_allclose(field, share[2][:, None, None] * share[1][:, None] * share[0], atol=1e-9)


def test_what_lies_outside_the_grid_is_left_out_of_the_field():
    on = grid(spacing=(1.0, 1.0, 2.0), size=(10, 10, 6), origin=(0.0, 0.0, 0.0))
    box = structure((z, rectangle(-5, 3.5, 4.5, 30)) for z in (2.0, 4.0, 6.0))
    assert volume_on_grid(box, on, PRISM).sum() == pytest.approx(5 * 6 * 3, rel=1e-9)


def test_a_field_oblique_to_its_contours_is_refused():
    tilt = np.radians(30)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    box = structure(((z, rectangle(0, 0, 10, 10)) for z in (0.0, 2.0, 4.0)), to_patient=lambda p: p @ turn)
    with pytest.raises(GeometryError, match="oblique"):
        volume_on_grid(box, grid(), PRISM)


@pytest.mark.parametrize("name", ["reference", "prism"])
def test_two_and_eight_threads_get_the_same_bits_as_one(name):
    given_dose = dose(lambda x, y, z: 30 + 9 * np.sin(x / 7) + 6 * np.cos(y / 9 + z / 11))
    drawn = [sphere(r, 2.0, centre=(0.4, -0.7, 0.2)) for r in (3.0, 9.0, 14.0, 21.0)] * 2
    alone = [compute_dvh(s, given_dose, options=profile(name)) for s in drawn]
    for threads in (1, 2, 8):
        together = compute_dvhs(drawn, given_dose, options=profile(name), threads=threads)
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one.dose_gy, other.dose_gy)
            np.testing.assert_array_equal(one.part_cc, other.part_cc)
            assert (one.min_gy, one.max_gy, one.volume_cc) == (other.min_gy, other.max_gy, other.volume_cc)


@pytest.mark.parametrize("name", ["reference", "prism"])
def test_it_does_not_matter_into_how_many_chunks_the_slabs_are_cut(name, monkeypatch):
    given_dose = dose(lambda x, y, z: 30 + z + 4 * np.cos(y / 9))
    drawn = sphere(14.0, 2.0, centre=(0.4, -0.7, 0.2))
    whole = compute_dvh(drawn, given_dose, options=profile(name))
    monkeypatch.setattr("dvhkit.engine.field.layers._CHUNK_BYTES", 1)
    cut = compute_dvh(drawn, given_dose, options=profile(name))
    np.testing.assert_array_equal(whole.dose_gy, cut.dose_gy)
    np.testing.assert_array_equal(whole.part_cc, cut.part_cc)


def test_each_kernel_compiled_once_for_all_that_came_before():
    compute_dvh(sphere(9.0, 2.0), dose(lambda x, y, z: 30 + x), options=PRISM)
    for kernel in (book.book_layers, book.book_field, extremes.surface_extremes, coverage.fill_prisms, rings.orient):
        assert len(kernel.signatures) <= 1, kernel
