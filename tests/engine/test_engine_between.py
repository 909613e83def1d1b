"""What the reconstruction makes of walls that close and of sections that move, grow or branch between two slices."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import dose, polygon, structure

from dvhkit.engine.dvh import compute_dvh

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
