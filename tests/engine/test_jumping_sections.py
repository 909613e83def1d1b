"""Outlines as people draw them: where they jump, the volume is that of their areas; distant ones are no ball."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import polygon, structure
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import PROFILES


def _ellipse(a, b, centre=(0.0, 0.0), turn=0.0):
    c, s = np.cos(turn), np.sin(turn)
    return (polygon(1.0, 48) * [a, b]) @ np.array([[c, s], [-s, c]]) + centre


def _volumes(rings):
    """Volume, that of the prism, and what its two ends hold of it."""
    drawn = structure(rings)
    prism = compute_dvh(drawn, None, options=PROFILES["prism"]).volume_cc
    inner = compute_dvh(drawn, None, options=PROFILES["prism-no-cap"]).volume_cc
    return compute_dvh(drawn, None).volume_cc, prism, prism - inner


@pytest.mark.parametrize(
    ("a", "b", "shift", "degrees"),
    [(13, 3.5, (3.5, 0), 0), (13, 3.5, (0, 3.5), 0), (12, 4, (5, 0), 30), (12, 4, (5, 0), 90)],
)
def test_slender_sections_that_jump_in_turn_hold_what_their_areas_say(a, b, shift, degrees):
    rings = [(3.0 * n, _ellipse(a, b, (-1.0) ** n * np.array(shift), np.radians(degrees) * (n % 2))) for n in range(21)]
    volume, prism, _ = _volumes(rings)
    # All areas are alike, and so are both ends: nothing is left to differ but the cells.
    assert volume == pytest.approx(prism, rel=3e-3)


@settings(max_examples=12, deadline=None)
# Outlines whose size changes from slice to slice as well as their place.
@given(st.integers(0, 10**6), st.integers(8, 16), st.floats(0.5, 4.0), st.floats(0.0, 0.8))
def test_scribbled_slender_solids_stay_within_their_areas_and_what_their_ends_may_hold(seed, slices, jump, turn):
    random = np.random.default_rng(seed)
    rings = [
        (
            3.0 * n,
            _ellipse(
                random.uniform(6, 13),
                random.uniform(2, 5),
                random.normal(0, jump, 2) + np.array([0.4 * n, 0.0]),
                random.uniform(-turn, turn),
            ),
        )
        for n in range(slices)
    ]
    volume, prism, ends = _volumes(rings)
    assert abs(volume - prism) <= 0.015 * prism + ends


@settings(max_examples=12, deadline=None)
@given(st.floats(2.0, 10.0), st.floats(0.2, 8.0))
def test_two_equal_sections_hold_no_more_than_one_and_a_half_of_their_prism(radius, share):
    gap = radius * share
    volume, prism, _ = _volumes([(0.0, polygon(radius, 90)), (gap, polygon(radius, 90))])
    assert volume <= 1.5 * prism * (1 + 1e-3)


def test_two_sections_of_a_ball_are_still_that_ball():
    for centre in (0.0, 0.4, -0.7):
        z = np.array([-1.5, 1.5]) + centre
        rings = [(h, polygon(np.sqrt(2.6**2 - h * h), 120)) for h in z if abs(h) < 2.6]
        assert compute_dvh(structure(rings), None).volume_cc == pytest.approx(4 / 3 * np.pi * 2.6**3 / 1000, rel=0.01)
