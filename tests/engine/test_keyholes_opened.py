"""A keyhole, XOR rings and nested rings are three spellings of one structure."""

import numpy as np
import pytest

from dvhkit.engine.contours.keyholes import open_keyhole
from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import PROFILES, profile
from dvhkit.phantoms.shapes import HoleStyle, Hollow, ring_area_mm2, structure
from dvhkit.phantoms.solids import sphere

SHELL = Hollow(outer=sphere((0, 0, 0), 15), inner=sphere((2, 1, 0), 10))


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_reads_a_keyhole_as_the_nested_rings_that_it_stands_for(name):
    heights = np.arange(-20, 21, 2.0) + 0.6
    volumes = [
        compute_dvh(structure("S", 1, SHELL, heights, holes=style), None, options=profile(name)).volume_cc
        for style in (HoleStyle.KEYHOLE, HoleStyle.NESTED, HoleStyle.XOR)
    ]
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-6)
    assert volumes[2] == pytest.approx(volumes[1], rel=1e-6)


def circle(radius, centre=(0.0, 0.0), count=60, sign=1):
    turn = sign * np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([centre[0] + radius * np.cos(turn), centre[1] + radius * np.sin(turn)])


def through(outline, hole):
    """Enter a hole from the outline's first point, go round it, and leave it by the same way."""
    return np.concatenate([outline[:1], hole, hole[:1], outline])


def test_two_channels_are_two_holes():
    ring = through(circle(20), circle(4, (8, 0), sign=-1))
    ring = np.concatenate([ring, ring[-1:], circle(3, (-8, 0), sign=-1), circle(3, (-8, 0))[:1], ring[-1:]])
    areas = sorted(abs(ring_area_mm2(piece)) for piece in open_keyhole(ring))
    expected = sorted(abs(ring_area_mm2(circle(r))) for r in (3, 4, 20))
    assert areas == pytest.approx(expected, rel=1e-9)


def test_lobes_that_touch_in_a_point_stay_one_ring():
    eight = np.array([(0, 0), (5, -3), (5, 3), (0, 0), (-5, 3), (-5, -3)], float)
    assert len(open_keyhole(eight)) == 1


@pytest.mark.parametrize("first", [0, 1, 30, 61, 62, 90, 121])
def test_a_keyhole_may_begin_anywhere(first):
    ring = np.roll(through(circle(20), circle(4, (8, 0), sign=-1)), -first, axis=0)
    outline, hole = open_keyhole(ring)
    assert {len(outline), len(hole)} == {60}
    assert sorted(abs(ring_area_mm2(r)) for r in (outline, hole)) == pytest.approx(
        sorted(abs(ring_area_mm2(circle(r))) for r in (4, 20)), rel=1e-9
    )


def test_a_ring_without_a_channel_is_left_as_it_is():
    plain = circle(10)
    np.testing.assert_array_equal(open_keyhole(plain), [plain])
