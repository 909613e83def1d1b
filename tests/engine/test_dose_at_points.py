"""The dose at points in patient coordinates, beside the plain trilinear formula of a dose sum."""

import numpy as np
import pytest

from dvhkit.engine import dose_sum
from dvhkit.engine.kernels.field.points import dose_at_points
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid


@pytest.mark.parametrize("shape", [(5, 6, 4), (1, 6, 4), (5, 1, 1)])
def test_the_kernel_is_the_plain_formula_on_a_turned_grid_with_uneven_planes(shape):
    rng = np.random.default_rng(3)
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    axes *= np.sign(np.linalg.det(axes))
    grid = Grid(
        origin_mm=np.array([3.0, -40.0, 7.0]),
        axes=axes,
        spacing_mm=np.array([2.5, 1.7]),
        offsets_mm=np.array([0.0, 2.0, 5.0, 6.1, 9.0])[: shape[0]],
        n_rows=shape[1],
        n_columns=shape[2],
    )
    dose = Dose(
        grid=grid,
        values_gy=rng.random(shape),
        quantum_gy=1e-6,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2",
        frame_of_reference_uid="1.3",
    )
    points = grid.origin_mm + rng.uniform([-2, -2, -3], [9, 10, 11], (2000, 3)) @ axes
    moved_mm = np.array([0.4, -1.1, 0.7])
    out = np.empty(len(points))
    reach = dose_sum.reach_mm(grid)
    along = grid.to_grid_mm(points)
    dose_at_points(dose.values_gy, grid.spacing_mm, grid.offsets_mm, reach, along, axes @ moved_mm, out)
    expected = dose_sum.dose_at(dose, points - moved_mm)
    assert 20 < np.isfinite(expected).sum() < len(expected)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)
