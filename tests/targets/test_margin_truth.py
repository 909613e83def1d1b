"""Margins against the Minkowski sum: closed forms for spheres, dense surface points for everything else."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from minkowski_truth import all_points, box_points, cylinder_points, errors_mm, sphere_points

from dvhkit.errors import GeometryError
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import Contour, Structure
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.phantoms.shapes import ring_area_mm2, structure
from dvhkit.phantoms.solids import Box, Cylinder, Ellipsoid, sphere
from dvhkit.targets.derive.margin import grow, shrink
from dvhkit.targets.derive.margin_sizes import Margins

SPACING_MM = 2.0
SIX = Margins(left_mm=5, right_mm=7, posterior_mm=8, anterior_mm=6, superior_mm=9, inferior_mm=10)


def planes(phase_mm, spacing_mm=SPACING_MM):
    return np.arange(-40, 41) * spacing_mm + phase_mm


def ordered(margins):
    m = margins
    return [m.left_mm, m.right_mm, m.posterior_mm, m.anterior_mm, m.superior_mm, m.inferior_mm]


def area_by_plane(made):
    found = {}
    for contour in made.contours:
        z = round(float(contour.points_mm[0, 2]), 3)
        found[z] = found.get(z, 0.0) + ring_area_mm2(contour.points_mm[:, :2])
    return found


def image_on(grid):
    return ImageSeries(
        modality="CT",
        series_instance_uid="1",
        frame_of_reference_uid="1",
        grid=grid,
        slice_thickness_mm=SPACING_MM,
        largest_gap_mm=SPACING_MM,
        patient_position="HFS",
        sop_instance_uids=(),
        paths=(),
    )


@pytest.mark.parametrize("phase_mm", [0.0, 0.45, 1.63])
@pytest.mark.parametrize(("radius_mm", "margin_mm"), [(3, 2), (5, 2), (5, 10), (10, 5), (20, 3), (30, 10)])
def test_a_sphere_grows_into_the_greater_sphere_at_any_phase_of_the_slices(radius_mm, margin_mm, phase_mm):
    centre = np.array([1.3, -2.7, 0.0])
    drawn = structure("S", 1, sphere(tuple(centre), radius_mm), planes(phase_mm))
    made = grow(drawn, margin_mm).structure
    truth_mm = radius_mm + margin_mm
    off_mm = np.linalg.norm(all_points(made) - centre, axis=1) - truth_mm
    # The goal is 0.1 mm in plane and 0.2 mm across; both ends of the chain are straight lines of at most 0.012 mm sag.
    assert np.abs(off_mm).max() < 0.05
    areas = area_by_plane(made)
    true_areas = {z: np.pi * (truth_mm**2 - z**2) for z in np.round(planes(phase_mm), 3) if abs(z) < truth_mm}
    assert sum(areas.values()) == pytest.approx(sum(true_areas.values()), rel=0.005 if radius_mm >= 5 else 0.01)
    # A slice within 0.05 mm of the pole may show a section or not.
    assert all(z in areas for z in true_areas if abs(z) < truth_mm - 0.05)


@pytest.mark.parametrize("phase_mm", [0.0, 0.7])
@pytest.mark.parametrize(("radius_mm", "margin_mm"), [(10, 3), (20, 8), (30, 5)])
def test_a_sphere_shrinks_into_the_lesser_sphere(radius_mm, margin_mm, phase_mm):
    made = shrink(structure("S", 1, sphere((0.4, 1.1, 0), radius_mm), planes(phase_mm)), margin_mm).structure
    off_mm = np.linalg.norm(all_points(made) - [0.4, 1.1, 0], axis=1) - (radius_mm - margin_mm)
    assert np.abs(off_mm).max() < 0.05


@pytest.mark.parametrize("margins", [Margins.isotropic(5), Margins.isotropic(2), SIX], ids=["5", "2", "six"])
@pytest.mark.parametrize(
    ("solid", "surface", "phase_mm"),
    [
        # Faces half way between slices, as a box drawn with half-slice caps is meant.
        (Box(size_mm=(17, 23, 20)), box_points((17, 23, 20)), 1.0),
        (Cylinder(radius_mm=8, length_mm=20), cylinder_points(8, 20), 1.0),
        (sphere((0, 0, 0), 10), sphere_points(10), 0.6),
        (sphere((0, 0, 0), 5), sphere_points(5), 0.6),
    ],
    ids=["box", "cylinder", "sphere 10", "sphere 5"],
)
def test_six_margins_are_realised_in_every_direction(solid, surface, phase_mm, margins):
    made = grow(structure("S", 1, solid, planes(phase_mm)), margins).structure
    points = all_points(made)[::3]
    # Sampling of the twin's surface: 0.25 mm steps miss the nearest point by at most 0.25^2 / 8 / 2 mm twice over.
    assert np.abs(errors_mm(points, surface, ordered(margins))).max() < 0.05


def test_six_margins_of_an_ellipsoid_in_slices_three_millimetres_apart():
    axes = np.array([9.0, 14.0, 11.0])
    drawn = structure("S", 1, Ellipsoid(semi_axes_mm=tuple(axes)), planes(0.8, 3.0))
    points = all_points(grow(drawn, SIX).structure)
    errors = errors_mm(points[::17], sphere_points(1.0, 60_000) * axes, ordered(SIX))
    # Elliptical sections are interpolated by inradius, which is exact for circles only.
    assert np.abs(errors).max() < 0.2
    assert abs(errors.mean()) < 0.05


def test_shrinking_by_six_margins_moves_each_face_of_a_box_by_its_own():
    margins = Margins(left_mm=3, right_mm=4, posterior_mm=5, anterior_mm=6, superior_mm=2, inferior_mm=4)
    made = shrink(structure("S", 1, Box(size_mm=(30, 34, 40)), planes(1.0)), margins).structure
    low, high = all_points(made).min(axis=0), all_points(made).max(axis=0)
    np.testing.assert_allclose(low[:2], [-15 + 4, -17 + 6], atol=0.02)
    np.testing.assert_allclose(high[:2], [15 - 3, 17 - 5], atol=0.02)
    # Slices at odd heights from -16 + ... up to 18: those whose margin lies inside from -20 to 20.
    assert (low[2], high[2]) == (-15.0, 17.0)


def test_each_letter_means_the_patients_side():
    margins = Margins(left_mm=2, right_mm=4, posterior_mm=6, anterior_mm=8, superior_mm=10, inferior_mm=12)
    made = grow(structure("S", 1, Box(size_mm=(20, 20, 20)), planes(1.0)), margins).structure
    low, high = all_points(made).min(axis=0), all_points(made).max(axis=0)
    np.testing.assert_allclose(low[:2], [-14, -18], atol=0.02)
    np.testing.assert_allclose(high[:2], [12, 16], atol=0.02)
    assert (low[2], high[2]) == (-21.0, 19.0)


@pytest.mark.parametrize(
    "axes",
    [
        [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],  # feet first, supine
        [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],  # head first, prone
        [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],  # decubitus
    ],
    ids=["FFS", "HFP", "decubitus"],
)
def test_the_arrays_orientation_changes_nothing(axes):
    grid = axial_grid(shape_zyx=(40, 70, 60), spacing_xyz_mm=(1.0, 1.0, SPACING_MM), axes=np.array(axes, float))
    heights = np.sort((grid.origin_mm + grid.offsets_mm[:, None] * grid.normal)[:, 2])
    drawn = structure("S", 1, sphere((2.0, -1.0, 0.4), 9), heights)
    points = all_points(grow(drawn, SIX, image=image_on(grid)).structure)
    surface = sphere_points(9) + np.array([2.0, -1.0, 0.4])
    assert np.abs(errors_mm(points[::17], surface, ordered(SIX))).max() < 0.05
    assert np.abs(points[:, 2, None] - heights[None]).min(axis=1).max() < 1e-6


def test_contours_in_sagittal_planes_take_the_same_margins():
    drawn = structure("S", 1, sphere((0, 0, 0), 9), planes(0.6))
    turned = [Contour(points_mm=c.points_mm[:, [2, 0, 1]]) for c in drawn.contours]
    points = all_points(grow(replace(drawn, contours=tuple(turned)), SIX).structure)
    assert np.abs(errors_mm(points[::17], sphere_points(9), ordered(SIX))).max() < 0.05


def test_oblique_contours_grow_alike_on_all_sides_but_not_by_six():
    drawn = structure("S", 1, sphere((0, 0, 0), 9), planes(0.6))
    c, s = np.cos(0.3), np.sin(0.3)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    tilted = replace(drawn, contours=tuple(Contour(points_mm=k.points_mm @ turn.T) for k in drawn.contours))
    made = grow(tilted, 4.0).structure
    assert np.abs(np.linalg.norm(all_points(made), axis=1) - 13).max() < 0.05
    with pytest.raises(GeometryError, match="oblique"):
        grow(tilted, SIX)


def test_a_hole_is_filled_by_its_margin_and_a_wall_is_kept():
    outer, hole = sphere((0, 0, 0), 20), sphere((0, 0, 0), 12)
    heights = planes(0.6)
    drawn = structure("S", 1, outer, heights)
    drawn = replace(drawn, contours=drawn.contours + structure("H", 2, hole, heights).contours)
    made = grow(drawn, 3.0).structure
    radius = np.linalg.norm(all_points(made), axis=1)
    off = np.minimum(np.abs(radius - 23), np.abs(radius - 9))
    # The hole closes between two slices, where its own end is interpolated rather than extrapolated.
    assert off.max() < 0.1
    assert (radius < 10).any()
    filled = grow(drawn, 13.0).structure
    assert (np.linalg.norm(all_points(filled), axis=1) > 32).all()


def test_two_lesions_in_one_structure_grow_each_for_itself_and_together():
    heights = planes(0.3)
    a, b = sphere((-12, 0, 0), 6), sphere((12, 3, 5), 9)
    drawn = structure("S", 1, a, heights)
    drawn = replace(drawn, contours=drawn.contours + structure("T", 2, b, heights).contours)
    points = all_points(grow(drawn, 4.0).structure)
    surface = np.concatenate([sphere_points(6) + np.array([-12, 0, 0]), sphere_points(9) + np.array([12, 3, 5])])
    assert np.abs(errors_mm(points[::17], surface, [4.0] * 6)).max() < 0.06


def test_the_sum_of_margins_is_the_margin_of_the_sum():
    drawn = structure("S", 1, sphere((1, 2, 0), 9), planes(0.7))
    twice = all_points(grow(grow(drawn, 3.0).structure, 4.0).structure)
    assert np.abs(np.linalg.norm(twice - [1, 2, 0], axis=1) - 16).max() < 0.1


def test_a_smaller_margin_lies_inside_a_greater_one_and_the_structure_inside_both():
    drawn = structure("S", 1, Box(size_mm=(12, 19, 12)), planes(1.0))
    areas = [area_by_plane(grow(drawn, m).structure) for m in (0.0, 0.4, 1.0, 2.5, 6.0)]
    for less, more in pairwise(areas):
        assert all(more[z] >= less[z] - 1e-6 for z in less)
    own = area_by_plane(drawn)
    assert all(areas[0][z] == pytest.approx(own[z], rel=1e-9) for z in own)


def test_margins_to_some_sides_only_leave_the_others_where_they_are():
    margins = Margins(left_mm=6, right_mm=0, posterior_mm=0, anterior_mm=0, superior_mm=4, inferior_mm=0)
    made = grow(structure("S", 1, Box(size_mm=(20, 24, 20)), planes(1.0)), margins).structure
    low, high = all_points(made).min(axis=0), all_points(made).max(axis=0)
    np.testing.assert_allclose(low[:2], [-10, -12], atol=0.01)
    np.testing.assert_allclose(high[:2], [16, 12], atol=0.01)
    assert (low[2], high[2]) == (-9.0, 13.0)


@pytest.mark.parametrize("sides", [(5, 0, 5, 5), (5, 0, 0, 0), (5, 0, 7, 0), (0.3, 0.3, 8, 8), (1, 9, 9, 1)])
def test_the_support_of_a_box_grows_by_that_of_the_margin_even_where_sides_do_not_move(sides):
    left, right, posterior, anterior = sides
    margins = Margins(
        left_mm=left, right_mm=right, posterior_mm=posterior, anterior_mm=anterior, superior_mm=4, inferior_mm=4
    )
    made = grow(structure("S", 1, Box(size_mm=(20, 24, 20)), planes(1.0)), margins).structure
    points = all_points(made)
    turn = np.radians(np.arange(0, 360, 1.0))
    n = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    body = np.hypot(np.where(n[:, 0] > 0, left, right) * n[:, 0], np.where(n[:, 1] > 0, posterior, anterior) * n[:, 1])
    truth = 10 * np.abs(n[:, 0]) + 12 * np.abs(n[:, 1]) + body
    assert np.abs((points[:, :2] @ n.T).max(axis=0) - truth).max() < 0.1


def test_outlines_that_cross_themselves_grow_as_what_they_enclose_and_say_so():
    ring = np.array([(0, 0), (10, 10), (10, 0), (0, 10)], float)
    contours = tuple(Contour(points_mm=np.column_stack([ring, np.full(4, z)])) for z in (0.0, 2.0, 4.0))
    made = grow(Structure(number=1, name="Bow tie", contours=contours), 3.0)
    assert "contours-cross" in {f.code for f in made.findings}
    middle = all_points(made.structure)
    middle = middle[np.abs(middle[:, 2] - 2.0) < 0.1]
    # Two triangles that meet in the middle: the sides reach 3 mm further.
    assert (middle[:, 0].min(), middle[:, 0].max()) == (pytest.approx(-3, abs=0.02), pytest.approx(13, abs=0.02))
