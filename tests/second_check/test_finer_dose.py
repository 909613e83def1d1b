"""A dose with values in the middle between voxels: exact for cubics, in place, and refused where it cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from dvhkit.engine.finer_dose import finer_dose

from . import planted

ALL = 10**9


def polynomial(degree):
    """Values of a polynomial of this degree in x, y, z at the places of the grid's voxels, and the function."""
    given = planted.dose()
    terms = [(0.7, 0), (0.02, 1), (3e-4, 2), (2e-6, 3)][: degree + 1]

    def gy(x, y, z):
        return 200.0 + sum(c * (x**n + 0.5 * y**n + 0.3 * z**n) for c, n in terms)

    return given, gy


def places(grid):
    x = grid.origin_mm[0] + grid.spacing_mm[0] * np.arange(grid.n_columns)
    y = grid.origin_mm[1] + grid.spacing_mm[1] * np.arange(grid.n_rows)
    return x[None, None, :], y[None, :, None], (grid.origin_mm[2] + grid.offsets_mm)[:, None, None]


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_middles_of_a_cubic_are_exact_and_lie_where_the_grid_says(degree):
    given, gy = polynomial(degree)
    given = replace(given, values_gy=gy(*places(given.grid)))
    finer = finer_dose(given, planted.structure(), reach_mm=5.0, voxels_most=ALL)
    # Beside the edge a value is missing that a cubic needs.
    inner = (slice(2, -2),) * 3 if degree == 3 else ...
    np.testing.assert_allclose(finer.values_gy[inner], gy(*places(finer.grid))[inner], rtol=1e-10)
    np.testing.assert_allclose(finer.grid.spacing_mm, given.grid.spacing_mm / 2)
    assert finer.values_gy.shape == finer.grid.shape_zyx


def test_at_the_edge_of_the_grid_the_middle_is_that_of_a_parabola():
    given, gy = polynomial(2)
    given = replace(given, values_gy=gy(*places(given.grid)))
    finer = finer_dose(given, planted.structure(), reach_mm=500.0, voxels_most=ALL)
    assert finer.grid.n_columns == 2 * given.grid.n_columns - 1
    np.testing.assert_allclose(finer.values_gy, gy(*places(finer.grid)), rtol=1e-10)


def test_too_many_voxels_and_uneven_planes_are_refused():
    given = planted.dose()
    assert finer_dose(given, planted.structure(), reach_mm=5.0, voxels_most=100) is None
    uneven = replace(given.grid, offsets_mm=given.grid.offsets_mm + 0.8 * (np.arange(44) > 20))
    assert finer_dose(replace(given, grid=uneven), planted.structure(), reach_mm=5.0, voxels_most=ALL) is None
