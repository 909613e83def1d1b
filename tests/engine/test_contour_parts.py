"""Parts of reading contours, each beside shapely or arithmetic: sections mended, copies told, frames, ends."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from scipy.spatial.transform import Rotation

from dvhkit.engine.contours.copies import near_copies
from dvhkit.engine.contours.frame import Frame
from dvhkit.engine.contours.repair import compose, rings_of
from dvhkit.engine.options import EndCap
from dvhkit.engine.solid.ends import cap_mm
from dvhkit.errors import GeometryError
from dvhkit.model.grid import Grid


def circle(r: float, x: float = 0.0, y: float = 0.0, n: int = 60) -> np.ndarray:
    angle = np.arange(n) * 2 * np.pi / n
    return np.column_stack([x + r * np.cos(angle), y + r * np.sin(angle)])


def area_of(r: float, n: int = 60) -> float:
    return 0.5 * n * r * r * np.sin(2 * np.pi / n)


def test_rings_in_rings_are_holes_and_islands_in_any_order():
    rings = [circle(2), circle(10), circle(6, 0.5)]
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        section = compose([rings[i] for i in order], xor=False)
        assert section.is_valid
        assert section.area == pytest.approx(area_of(10) - area_of(6) + area_of(2))


def test_equal_rings_count_once_by_nesting_and_cancel_by_exclusive_or():
    twice = [circle(5), circle(5)]
    assert compose(twice, xor=False).area == pytest.approx(area_of(5))
    assert compose(twice, xor=True).area == 0.0


def test_rings_that_overlap_are_united_by_nesting_and_cut_by_exclusive_or():
    pair = [circle(5), circle(5, 4.0)]
    both = shapely.Polygon(pair[0]).intersection(shapely.Polygon(pair[1])).area
    assert compose(pair, xor=False).area == pytest.approx(2 * area_of(5) - both)
    assert compose(pair, xor=True).area == pytest.approx(2 * area_of(5) - 2 * both)


def test_an_eight_encloses_both_of_its_loops():
    eight = np.array([[0.0, 0.0], [4.0, 4.0], [4.0, 0.0], [0.0, 4.0]])
    section = compose([eight], xor=False)
    assert section.area == pytest.approx(8.0)
    assert len(shapely.get_parts(section)) == 2


def test_a_loop_run_through_twice_is_enclosed_once():
    assert compose([np.vstack([circle(5), circle(5)])], xor=False).area == pytest.approx(area_of(5))


def test_a_scribble_is_refused_and_not_mended_for_hours():
    ring = np.random.default_rng(0).uniform(0, 50, size=(2000, 2))
    with pytest.raises(GeometryError, match="scribble"):
        compose([ring], xor=False)


def test_rings_of_a_section_give_it_back():
    section = compose([circle(9), circle(4, 1.0), circle(3, 30.0)], xor=False)
    rings = rings_of(section)
    assert [shapely.LinearRing(r).is_ccw for r in rings].count(False) == 1
    assert compose(rings, xor=False).symmetric_difference(section).area == pytest.approx(0.0, abs=1e-9)
    assert all(not np.array_equal(r[0], r[-1]) for r in rings)


@pytest.mark.parametrize(("inner", "is_copy"), [(9.8, True), (9.6, True), (8.0, False), (4.0, False)])
def test_a_ring_half_a_millimetre_within_another_is_a_copy_and_a_wall_is_none(inner, is_copy):
    rings = [circle(10.0), circle(inner)[::-1]]
    points, starts = np.vstack(rings), np.array([0, 60, 120])
    found = near_copies(points, starts, np.array([0, 2]), np.array([0, 1]), np.array([area_of(10), area_of(inner)]))
    assert found.tolist() == [False, is_copy]


def test_a_frame_leads_to_the_patient_and_back_and_to_the_grid():
    turned = Rotation.from_euler("zyx", [20, -35, 50], degrees=True).as_matrix()
    frame = Frame(origin_mm=np.array([12.0, -40.0, 7.0]), axes=turned, grid_axis=(-1, -1, -1))
    points = np.random.default_rng(2).normal(size=(20, 3)) * 60
    assert frame.to_patient(frame.to_frame(points)) == pytest.approx(points)
    assert not frame.is_aligned
    grid = Grid(
        origin_mm=np.array([-100.0, -90.0, -30.0]),
        axes=np.eye(3),
        spacing_mm=np.array([2.0, 3.0]),
        offsets_mm=np.arange(5) * 4.0,
        n_rows=60,
        n_columns=80,
    )
    matrix = frame.to_grid(grid)
    uvw1 = np.column_stack([frame.to_frame(points), np.ones(20)])
    truth = (points - grid.origin_mm) / [2.0, 3.0, 1.0]
    assert uvw1 @ matrix.T == pytest.approx(truth)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_frame_along_patient_axes_chooses_columns_to_the_last_bit(order):
    frame = Frame(origin_mm=np.array([0.1, 0.2, 0.3]), axes=np.eye(3)[list(order)], grid_axis=order)
    points = np.random.default_rng(3).normal(size=(9, 3))
    assert np.array_equal(frame.to_frame(points), (points - [0.1, 0.2, 0.3])[:, list(order)])
    assert frame.to_patient(frame.to_frame(points)) == pytest.approx(points)


@pytest.mark.parametrize(
    ("cap", "gap_mm", "lone", "height_mm"),
    [
        (EndCap.NONE, 3.0, False, 0.0),
        (EndCap.NONE, 3.0, True, 1.5),
        (EndCap.HALF_SLICE, 5.0, False, 2.5),
        (EndCap.HALF_SLICE_1_5MM, 5.0, False, 1.5),
        (EndCap.HALF_SLICE_1_5MM, 2.0, False, 1.0),
    ],
)
def test_caps_are_half_a_slice_as_far_as_their_convention_goes(cap, gap_mm, lone, height_mm):
    assert cap_mm(gap_mm, cap, lone=lone) == height_mm
