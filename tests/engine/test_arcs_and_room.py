"""How far arcs lie outside their chords, and that room for layers comes back as empty as it was taken."""

from __future__ import annotations

import numpy as np
import pytest

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.field import room
from dvhkit.engine.kernels.drawn.arcs import arcs_outside
from dvhkit.model.structure import Contour, Structure


def polygon(n: int, radius_mm: float, centre: tuple[float, float] = (3.0, -7.0)) -> np.ndarray:
    angle = 2.0 * np.pi * (np.arange(n) + 0.3) / n
    return np.column_stack([centre[0] + radius_mm * np.cos(angle), centre[1] + radius_mm * np.sin(angle)])


@pytest.mark.parametrize(("n", "radius_mm"), [(24, 10.0), (60, 35.0), (200, 4.0)])
def test_chords_of_a_circle_leave_out_the_area_between_them_and_it(n: int, radius_mm: float):
    points = polygon(n, radius_mm)
    outside, length = arcs_outside(points, np.array([0, n]), 0.6)
    half = np.pi / n
    lacking = radius_mm**2 * (np.pi - n * np.sin(half) * np.cos(half))
    assert length == pytest.approx(2 * n * radius_mm * np.sin(half), rel=1e-12)
    # An arc is taken for one of small angle: its sagitta's next term is a share of angle^2 / 20.
    assert outside == pytest.approx(lacking, rel=(2 * half) ** 2 / 10)


def test_corners_are_no_arcs_and_points_that_come_twice_change_nothing():
    square = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 20.0], [0.0, 20.0]])
    assert arcs_outside(square, np.array([0, 4]), 0.6) == (0.0, 80.0)
    once = polygon(40, 12.0)
    twice = np.concatenate([np.repeat(once, 2, axis=0), once[:1]])
    assert arcs_outside(twice, np.array([0, 81]), 0.6) == pytest.approx(arcs_outside(once, np.array([0, 40]), 0.6))


def test_rings_are_each_closed_in_themselves():
    one, two = polygon(30, 8.0), polygon(50, 3.0, (90.0, 4.0))
    alone = np.array([arcs_outside(ring, np.array([0, len(ring)]), 0.6) for ring in (one, two)])
    both = arcs_outside(np.concatenate([one, two]), np.array([0, 30, 80]), 0.6)
    assert both == pytest.approx(tuple(alone.sum(axis=0)))


def test_room_is_handed_back_empty_and_used_again():
    rings = [polygon(48, 14.0 - abs(z) / 2.0) for z in range(-9, 10, 3)]
    hole = [polygon(24, 4.0) for _ in range(3)]
    slices = [*zip(range(-9, 10, 3), rings, strict=True), *zip((-3, 0, 3), hole, strict=True)]
    contours = tuple(Contour(points_mm=np.column_stack([xy, np.full(len(xy), float(z))])) for z, xy in slices)
    structure = Structure(name="Ring", number=1, contours=contours)
    room._kept.free.clear()
    first = compute_dvh(structure, None, slice_spacing_mm=3.0, with_band=True)
    assert room._kept.free
    assert all(not kept.any() for kept in room._kept.free)
    taken = {id(kept) for kept in room._kept.free}
    again = compute_dvh(structure, None, slice_spacing_mm=3.0, with_band=True)
    assert {id(kept) for kept in room._kept.free} == taken
    assert [v.volume_cc for v in (first, *first.variants)] == [v.volume_cc for v in (again, *again.variants)]


def test_room_of_the_smallest_that_is_enough_is_taken():
    room._kept.free.clear()
    small, large = room.take(100), room.take(5000)
    for one in (large, small):
        room.hand_back(one)
    assert room.take(90) is small
    assert room.take(90) is large
    assert room.take(90).size >= 90
