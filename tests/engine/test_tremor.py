"""How far a hand trembled: nothing on solids that go quadratically, what was put in where something was."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_solids import polygon, rectangle, sphere, structure

from dvhkit.engine.solid import Solid
from dvhkit.engine.solid.tremor import tremor_mm


def trembling(drawn):
    solid = Solid.of(drawn)
    return tremor_mm(solid.stack, solid.runs)


@pytest.mark.parametrize("phase", [0.0, 0.3])
def test_balls_cones_and_boxes_were_drawn_with_a_steady_hand(phase):
    z = 2.0 * (np.arange(11) + phase)
    cone = structure((h, polygon(14 - 0.5 * h, 90, (0.3 * h, 0))) for h in z)
    box = structure((h, rectangle(-8, -5, 8, 5)) for h in z)
    for drawn in (sphere(12.0, 2.0, phase=phase), cone, box):
        assert trembling(drawn) < 1e-3


def test_an_edge_along_the_slices_is_no_tremor():
    """A cone that lies: its sections change their law where they pass the axis."""
    rings = []
    for z in np.arange(-10.5, 10.6, 3.0):
        x = np.linspace(0.0, 30.0 * (1 - abs(z) / 12.0), 60)
        half = np.sqrt(np.maximum((12.0 * (1 - x / 30.0)) ** 2 - z**2, 1e-4))
        rings.append((z, np.concatenate([np.column_stack([x, -half]), np.column_stack([x, half])[::-1]])))
    assert trembling(structure(rings)) < 0.05


@pytest.mark.parametrize("size_mm", [0.5, 0.8])
def test_what_outlines_were_shaken_by_is_found(size_mm):
    random, angle = np.random.default_rng(5), 2 * np.pi * np.arange(120) / 120
    rings = []
    for n in range(16):
        shake = sum(random.normal() * np.cos(k * angle + random.uniform(0, 6.3)) for k in (2, 3, 5)) * (2 / 3) ** 0.5
        r = 14 + size_mm * shake
        rings.append((2.0 * n, np.column_stack([r * np.cos(angle), r * np.sin(angle)])))
    assert trembling(structure(rings)) == pytest.approx(size_mm, rel=0.35)


def test_jumps_and_few_slices_say_nothing_of_a_tremor():
    jumping = structure((3.0 * n, rectangle(-12, -3 + 4.0 * (-1) ** n, 12, 3 + 4.0 * (-1) ** n)) for n in range(12))
    assert trembling(jumping) == 0.0
    assert trembling(structure((2.0 * n, polygon(5 + n % 2, 40)) for n in range(3))) == 0.0
