"""Slices whose distance changes along the patient are no missing slices: every one of them is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import polygon, rectangle, structure

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import PROFILES

# As a planning CT made of three series: 3 mm, then 1.25 mm, then 2.5 mm; and one whose fine part is the longer one.
COARSE_FINE = np.concatenate([np.arange(-40, -10, 3.0), np.arange(-10, 10, 1.25), np.arange(10, 41, 2.5)])
FINE_COARSE = np.concatenate([np.arange(-30, 0, 1.0), np.arange(0, 31, 3.0)])


@pytest.mark.parametrize("heights", [COARSE_FINE, FINE_COARSE])
@pytest.mark.parametrize("name", ["reference", "prism"])
def test_a_ball_keeps_its_volume_where_the_slice_distance_changes(heights, name):
    radius, centre = 20.0, 1.2
    inside = [z for z in heights if abs(z - centre) < radius]
    ball = structure((z, polygon(np.sqrt(radius**2 - (z - centre) ** 2), 120)) for z in inside)
    dvh = compute_dvh(ball, None, options=PROFILES[name])
    # 2 %: what the widest slices cost a prism; a split would cost over 10 %.
    assert dvh.volume_cc == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.02)
    assert "slice-missing" not in {finding.code for finding in dvh.findings}


@pytest.mark.parametrize("name", ["reference", "prism"])
def test_a_prism_is_whole_where_the_slice_distance_changes(name):
    box = structure((z, rectangle(0, 0, 10, 10)) for z in FINE_COARSE)
    dvh = compute_dvh(box, None, options=PROFILES[name])
    length = 0.5 + (FINE_COARSE[-1] - FINE_COARSE[0]) + 1.5
    assert dvh.volume_cc == pytest.approx(100 * length / 1000, rel=1e-6)
