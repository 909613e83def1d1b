"""Agreement of two structures against closed forms: spheres, boxes, rings, missing slices, oblique planes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from shapes_drawn import box, circle, prism, sphere

from dvhkit.engine.dvh import compute_dvh
from dvhkit.model.structure import Contour, Structure
from dvhkit.targets.compare.agreement import compare
from dvhkit.targets.compare.relaid import relaid
from dvhkit.targets.compare.sections import sections_of
from dvhkit.targets.compare.skin import skin_of


@pytest.mark.parametrize("shift", [(3.0, 0, 0), (0, 0, 4.0), (2.0, 2.0, 1.0)])
def test_shifted_spheres_agree_as_the_closed_form_says(shift):
    r, d = 20.0, float(np.linalg.norm(shift))
    row = compare(sphere(r), sphere(r, shift), tolerance_mm=1.0)
    assert row.dice == pytest.approx(1 - 3 * d / (4 * r) + d**3 / (16 * r**3), rel=0.003)
    assert row.volume_a_cc == pytest.approx(4 / 3 * np.pi * r**3 / 1000, rel=0.003)
    assert row.surface_a_cm2 == pytest.approx(4 * np.pi * r**2 / 100, rel=0.003)
    assert row.hausdorff_mm == pytest.approx(d, abs=0.05)
    # The distance of a point of A from the sphere B is | |p - shift| - r |, close to d |cos|: uniform on a sphere.
    assert row.hd95_pooled_mm == pytest.approx(0.95 * d, abs=0.05)
    assert row.hd95_directed_mm == pytest.approx(0.95 * d, abs=0.05)
    assert row.mean_surface_distance_mm == pytest.approx(d / 2, abs=0.05)
    assert row.surface_dice == pytest.approx(1.0 / d, abs=0.01)
    assert row.centroid_shift_mm == pytest.approx(shift, abs=0.05)


def test_nested_spheres_are_their_difference_apart_everywhere():
    row = compare(sphere(20), sphere(23), tolerance_mm=2.9)
    for value in (row.hausdorff_mm, row.hd95_pooled_mm, row.hd95_directed_mm, row.mean_surface_distance_mm):
        assert value == pytest.approx(3.0, abs=0.05)
    assert row.surface_dice == 0.0
    assert row.dice == pytest.approx(2 * 20**3 / (20**3 + 23**3), rel=0.003)
    assert compare(sphere(20), sphere(23), tolerance_mm=3.1).surface_dice == 1.0
    assert all(v == pytest.approx(3.0, abs=0.1) for v in row.larger_mm.values())


def test_a_shifted_box_agrees_as_integrated_by_hand():
    row = compare(box((-20, -20, -20), (20, 20, 20)), box((-15, -20, -20), (25, 20, 20)), tolerance_mm=3.0)
    assert row.dice == pytest.approx(35 / 40, rel=1e-6)
    assert row.hausdorff_mm == pytest.approx(5.0, abs=1e-6)
    # One face 5 away, one inside up to 5 below the nearest face, four sides up to 5 beyond the other's.
    inside = 4 * (40 * 5**2 / 2 - 2 * 5**3 / 3) + 5 * 30**2
    assert row.mean_surface_distance_mm == pytest.approx((5 * 1600 + inside + 4 * 500) / 9600, rel=0.003)
    # A's left edge, its right one but for 3 mm at either end, and 2 mm of either side, on 20 slices.
    assert row.apl_mm == pytest.approx(20 * (40 + 34 + 4), rel=0.001)
    assert row.volume_ratio == pytest.approx(1.0)


def test_a_box_grown_alike_is_its_corner_away():
    row = compare(box((-20, -20, -20), (20, 20, 20)), box((-24, -24, -24), (24, 24, 24)), tolerance_mm=1.0)
    assert row.hausdorff_mm == pytest.approx(4 * np.sqrt(3), abs=0.05)
    assert row.surface_a_cm2 == pytest.approx(96.0, rel=1e-6)


def test_rings_are_compared_with_their_holes():
    heights = np.arange(0, 20, 2.5)
    ring = prism(circle(20), heights, holes=[circle(10)])
    wide = prism(circle(20), heights, holes=[circle(12)])
    row = compare(ring, wide, tolerance_mm=1.0)
    whole, less = 20**2 - 10**2, 20**2 - 12**2
    assert row.dice == pytest.approx(2 * less / (whole + less), rel=0.003)
    assert row.hausdorff_mm == pytest.approx(2.0, abs=0.05)
    assert row.apl_mm == pytest.approx(len(heights) * 2 * np.pi * 10, rel=0.003)


def test_a_slice_left_out_costs_its_volume_and_its_line():
    heights = list(np.arange(0, 40, 2.0))
    whole, holed = prism(circle(20), heights), prism(circle(20), [z for z in heights if z != 20.0])
    row = compare(whole, holed, tolerance_mm=1.0)
    assert row.dice == pytest.approx(2 * 19 / (20 + 19), rel=0.003)
    assert row.apl_mm == pytest.approx(2 * np.pi * 20, rel=0.003)


def test_unlike_slices_and_oblique_planes_change_nothing():
    def turned(structure: Structure) -> Structure:
        a, b = np.radians(25), np.radians(35)
        turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]) @ np.array(
            [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
        )
        return replace(
            structure, contours=tuple(replace(c, points_mm=c.points_mm @ turn.T + 7.0) for c in structure.contours)
        )

    plain = compare(sphere(20, dz=3.0), sphere(20, (0, 3.0, 0), dz=2.0), tolerance_mm=1.0)
    oblique = compare(turned(sphere(20, dz=3.0)), turned(sphere(20, (0, 3.0, 0), dz=2.0)), tolerance_mm=1.0)
    assert plain.dice == pytest.approx(0.8877109, rel=0.003)
    assert oblique.dice == pytest.approx(plain.dice, rel=1e-4)
    assert oblique.hausdorff_mm == pytest.approx(3.0, abs=0.05)
    assert np.linalg.norm(oblique.centroid_shift_mm) == pytest.approx(3.0, abs=0.05)


def test_equal_structures_agree_wholly():
    row = compare(sphere(12), sphere(12), tolerance_mm=0.0)
    assert (row.dice, row.jaccard, row.surface_dice) == pytest.approx((1, 1, 1))
    assert row.hausdorff_mm == pytest.approx(0.0, abs=1e-6)
    assert row.apl_mm == 0.0


def test_an_empty_structure_gives_a_reason_and_no_number():
    empty = Structure(number=2, name="E", contours=())
    for row in (compare(sphere(9), empty, tolerance_mm=1.0), compare(empty, empty, tolerance_mm=1.0)):
        assert row.reason
        assert "E" in row.reason
        assert [row.dice, row.hausdorff_mm, row.surface_dice, row.apl_mm, row.volume_b_cc] == [None] * 5


def test_an_island_of_one_observer_counts_in_volume_and_in_distance():
    pair = sphere(15).contours + sphere(5, (60.0, 0, 0)).contours
    row = compare(replace(sphere(15), contours=pair), sphere(15), tolerance_mm=1.0)
    assert row.dice == pytest.approx(2 * 15**3 / (2 * 15**3 + 5**3), rel=0.003)
    assert row.hausdorff_mm == pytest.approx(50.0, abs=0.05)
    assert [round(i.dice, 2) for i in row.islands] == [1.0, 0.0]


def test_the_middle_of_an_islands_face_is_the_farthest_point():
    zs = np.arange(-4, 5, 2.0)
    ring = prism(circle(20), zs, holes=[circle(10)])
    with_island = prism(circle(20), zs, holes=[circle(10), circle(5)])
    # The corners of the island are 5 mm from the ring, the middle of its top 10 mm.
    assert compare(ring, with_island, tolerance_mm=1.0).hausdorff_mm == pytest.approx(10.0, abs=0.05)
    assert compare(with_island, ring, tolerance_mm=1.0).hausdorff_mm == pytest.approx(10.0, abs=0.05)


def test_planes_that_face_different_ways_are_compared_in_space_and_on_the_slices_of_the_first():
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    crate = box((0, 0, 0), (20, 40, 30))
    coronal = box((5, 0, -40), (25, 30, 0))  # turned below: the same crate, 5 mm to the left
    turned = replace(coronal, contours=tuple(replace(c, points_mm=c.points_mm @ turn) for c in coronal.contours))
    low = np.concatenate([c.points_mm for c in turned.contours]).min(axis=0)
    shift = np.array([5.0, 1.0, 0.0]) - low
    turned = replace(turned, contours=tuple(replace(c, points_mm=c.points_mm + shift) for c in turned.contours))
    row = compare(crate, turned, tolerance_mm=1.0)
    assert row.dice == pytest.approx(15 / 20, rel=0.005)
    assert row.hausdorff_mm == pytest.approx(5.0, abs=0.05)
    # On 15 slices A's left edge, 4 mm beyond B on either side, its right edge but for 1 mm at either end.
    assert row.apl_mm == pytest.approx(15 * (40 + 2 * 4 + 38), rel=0.01)
    assert (len(row.slices), row.reason) == (15, None)


@pytest.mark.parametrize("degrees", [1.0, 7.0, 30.0])
def test_a_tilted_ball_would_have_been_drawn_as_circles(degrees):
    turn = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    ball = sphere(15)
    tilted = replace(ball, contours=tuple(replace(c, points_mm=c.points_mm @ turn.T) for c in ball.contours))
    like, own = (skin_of(sections_of(s)) for s in (sphere(8, (0, 0, 0.3), dz=2.5), tilted))
    laid = relaid(tilted, own, like)
    heights = [c.points_mm[0, 2] for c in laid.contours]
    # The slices of the other, multiples of 2.5 mm, go on as far as the ball reaches, with three more between each two.
    assert heights == pytest.approx(0.625 * np.arange(-23, 24))
    assert max(np.abs(np.linalg.norm(c.points_mm, axis=1) - 15).max() for c in laid.contours) < 0.05


def lobed(r: float, dz: float, phase: float, depth: float, x: float = 0.0) -> Structure:
    """Return a ball whose sections have three lobes, on few slices."""
    angle = np.arange(60) * 2 * np.pi / 60
    outline = (1 + depth * np.cos(3 * angle + 0.3)) * np.array([np.cos(angle), np.sin(angle)])
    heights = np.arange(-r + phase * dz, r, dz)
    rings = [
        np.column_stack([*(np.sqrt(r * r - z * z) * outline), np.full(60, z)]) + np.array([x, 0, 0]) for z in heights
    ]
    return Structure(number=1, name="L", contours=tuple(Contour(points_mm=ring) for ring in rings))


@pytest.mark.parametrize(("r", "phase"), [(3.0, 0.9), (5.0, 0.6), (8.0, 0.9), (15.0, 0.3)])
@pytest.mark.parametrize("depth", [0.0, 0.15, 0.3])
def test_a_comparison_has_the_volumes_of_the_dvhs_and_shifted_twins_share_what_they_do(r, phase, depth):
    one, two = lobed(r, 3.0, phase, depth), lobed(r, 3.0, phase, depth, x=0.2 * r)
    row = compare(one, two, tolerance_mm=1.0, slice_spacing_mm=3.0)
    assert row.volume_a_cc == compute_dvh(one, None, slice_spacing_mm=3.0).volume_cc
    assert row.volume_b_cc == pytest.approx(row.volume_a_cc, rel=1e-3)
    # Two equal balls 0.2 r apart share 1 - 3/4 * 0.2 + 0.2^3/16 of either; lobes move that by less than their depth.
    assert row.dice == pytest.approx(1 - 0.15 + 0.0005, abs=0.003 + 0.3 * depth)
