"""Slices taken as drawn fill the planes that they were drawn on, also where they begin far above the grid's first."""

import numpy as np
import pytest
from shapely.geometry import Polygon

from dvhkit.engine.options import Between, EndCap, EngineOptions
from dvhkit.engine.rasterise import volume_on_grid
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere


@pytest.mark.parametrize("planes", [12, 50, 120])
@pytest.mark.parametrize("begins", [0, 3, 14, 30])
def test_slices_stay_on_their_planes(planes, begins):
    grid = axial_grid(
        shape_zyx=(planes + begins, 132, 132), spacing_xyz_mm=(1.0, 1.0, 2.0), first_xyz_mm=(-66.0, -66.0, -50.0)
    )
    heights = -50.0 + 2.0 * np.arange(begins, begins + planes)
    middle = float(heights.mean())
    drawn = structure("Ball", 1, sphere((3.0, -4.0, middle), min(45.0, 0.9 * planes)), heights, n_points=90)
    slices = EngineOptions(profile="slices", between=Between.PRISM, end_cap=EndCap.HALF_SLICE)
    filled = volume_on_grid(drawn, grid, slices).sum(axis=(1, 2))
    areas = np.zeros(planes + begins)
    for contour in drawn.contours:
        areas[round((contour.points_mm[0, 2] + 50.0) / 2.0)] = Polygon(contour.points_mm[:, :2]).area
    assert filled == pytest.approx(areas, rel=1e-9, abs=1e-6)
