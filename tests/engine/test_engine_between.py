"""What the reconstruction makes of walls that close and of sections that move, grow or branch between two slices."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import dose, polygon, structure

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import EndCap, EngineOptions

LINEAR = dose(lambda x, y, z: 40 + 0.5 * x - 0.3 * y + 0.7 * z)


@pytest.mark.parametrize("wall", [1.0, 3.0])
@pytest.mark.parametrize("phase", [0.1, 0.35, 0.5, 0.8])
def test_a_hollow_ball_closes_over_its_last_ring(wall, phase):
    # 4 mm slices: the last one still shows the hole, and the wall on it is thicker than on the one before.
    radius, z = 15.0, (np.arange(-9, 10) + phase) * 4.0
    rings = [(h, polygon(np.sqrt(r**2 - h**2), 180)) for r in (radius, radius - wall) for h in z[np.abs(z) < r - 1e-6]]
    true = 4 / 3 * np.pi * (radius**3 - (radius - wall) ** 3) / 1000
    assert compute_dvh(structure(rings), LINEAR).volume_cc == pytest.approx(true, rel=0.01 if wall > 1 else 0.03)


def test_a_tube_stays_open_at_its_ends():
    rings = [(h, polygon(r, 180)) for r in (12.0, 9.0) for h in np.arange(0.0, 31.0, 3.0)]
    assert compute_dvh(structure(rings), LINEAR).volume_cc == pytest.approx(np.pi * (144 - 81) * 33 / 1000, rel=1e-4)


@pytest.mark.parametrize(("gap", "most_mm"), [(2.0, 0.5), (3.0, 0.7)])
def test_the_tip_of_a_lying_cone_is_not_lost_on_the_slice_that_meets_it(gap, most_mm):
    # Axis along y, tip at y = 12, half the base's radius to its height; slices at z = 0 and multiples of the gap.
    z = np.arange(-6, 7) * gap
    rings = []
    for h in z[np.abs(z) < 12 - 1e-6]:
        y = -12 + (24 - 2 * abs(h)) * np.sin(np.linspace(0, np.pi / 2, 120))
        x = np.sqrt(np.clip(((12 - y) / 2) ** 2 - h**2, 0, None))
        rings.append((h, np.vstack([np.column_stack([x, y]), np.column_stack([-x[::-1], y[::-1]])[1:]])))
    dvh = compute_dvh(structure(rings), dose(lambda x, y, z: 40 + y))
    whole = np.pi * 144 * 24 / 3 / 1000
    for part in (0.002, 0.01, 0.05):
        assert dvh.dose_to_hottest_gy(part * whole) == pytest.approx(40 + 12 - 24 * part ** (1 / 3), abs=most_mm)


@pytest.mark.parametrize("gap", [2.0, 3.0])
def test_a_section_that_moves_faster_than_three_times_the_slice_distance_keeps_its_size(gap):
    # A rod of ellipses whose axis makes 72 degrees with the slices' normal: a box's worth of volume, upright ends.
    z = np.arange(0.0, 18.5, gap)
    rings = [(h, polygon(1.0, 120) * [9.0, 5.0] + [3.2 * (h - 9), 0.0]) for h in z]
    dvh = compute_dvh(structure(rings), LINEAR, options=EngineOptions(end_cap=EndCap.HALF_SLICE))
    assert dvh.volume_cc == pytest.approx(np.pi * 45 * gap * len(z) / 1000, rel=0.01)


def test_two_branches_join_without_losing_volume():
    # Two upright cylinders, then their joint: an oval of twice their area on the next slice.
    pair = [(h, polygon(6.0, 120, (x, 0.0))) for h in np.arange(0.0, 12.5, 3.0) for x in (-7.0, 7.0)]
    oval = [(h, polygon(1.0, 120) * [12.0, 6.0]) for h in np.arange(15.0, 27.5, 3.0)]
    whole = compute_dvh(structure(pair + oval), LINEAR)
    assert whole.volume_cc == pytest.approx(np.pi * 72 * 30 / 1000, rel=0.012)


def test_a_lying_capsule_keeps_its_volume_whatever_its_slices():
    # Axis in the plane of the slices: a rectangle with rounded ends, which grows fast near its first and last slice.
    radius, half = 6.0, 12.0
    for phase in (0.1, 0.4, 0.7):
        z = (np.arange(-9, 10) + phase) * 2.5
        rings = []
        for h in z[np.abs(z) < radius - 1e-6]:
            r = np.sqrt(radius**2 - h**2)
            turn = np.linspace(-np.pi / 2, np.pi / 2, 60)
            arc = r * np.column_stack([np.cos(turn), np.sin(turn)])
            shift = np.array([half, 0.0])
            rings.append((h, np.vstack([arc + shift, -arc - shift])))
        true = (np.pi * radius**2 * 2 * half + 4 / 3 * np.pi * radius**3) / 1000
        assert compute_dvh(structure(rings), LINEAR).volume_cc == pytest.approx(true, rel=0.012)
