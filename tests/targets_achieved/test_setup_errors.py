"""Setup errors on a dose whose answer is known in closed form."""

from math import erf, sqrt

import numpy as np
import pytest
from drawn_pairs import ellipsoid_pair

from dvhkit.errors import InputError, NotEvaluable, Reason
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid
from dvhkit.targets.derive.setup_error import setup_error, van_herk_margin_mm


def dose_of(function, *, spacing=(2.5, 2.0, 3.0), half=60.0):
    """Dose on a grid with unequal spacings, from a function of x, y, z."""
    counts = [int(2 * half / s) + 1 for s in spacing]
    grid = Grid(
        origin_mm=np.full(3, -half),
        axes=np.eye(3),
        spacing_mm=np.array(spacing[:2]),
        offsets_mm=np.arange(counts[2]) * spacing[2],
        n_rows=counts[1],
        n_columns=counts[0],
    )
    x, y, z = (-half + np.arange(n) * s for n, s in zip(counts, spacing, strict=True))
    values = function(x[None, None, :], y[None, :, None], z[:, None, None]) + np.zeros(grid.shape_zyx)
    return Dose(
        grid=grid,
        values_gy=values,
        quantum_gy=1e-4,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2.3",
        frame_of_reference_uid="",
    )


@pytest.fixture
def ctv():
    return ellipsoid_pair((12, 10, 14), (5,) * 6, spacing_mm=2.0)[0]


def test_the_van_herk_margin_is_its_recipe():
    assert van_herk_margin_mm(2, 3) == pytest.approx([7.1] * 3)
    assert van_herk_margin_mm((1, 2, 3), (0, 1, 2)) == pytest.approx([2.5, 5.7, 8.9])


def test_in_a_linear_dose_the_probability_is_that_of_the_shift(ctv):
    # D98 moves with the shift along the slope; random errors leave a linear dose as it is.
    slope, sigma = 0.5, 3.0
    dose = dose_of(lambda x, y, z: 50 + slope * x)
    base = setup_error(ctv, dose, limit_gy=0, systematic_mm=0, random_mm=0)
    assert base.probability == 1
    for shift in (-2.0, 0.0, 2.0):
        limit = base.planned_d98_gy + slope * shift
        result = setup_error(ctv, dose, limit_gy=limit, systematic_mm=sigma, random_mm=2, scenarios=800)
        expected = 0.5 * (1 - erf(shift / sigma / sqrt(2)))
        assert result.probability == pytest.approx(expected, abs=3 * sqrt(0.25 / 800))


def test_random_errors_blur_an_edge_as_the_error_function(ctv):
    edge = dose_of(lambda x, y, z: 50 / (1 + np.exp(-(x + 20) / 1.5)), spacing=(1.0, 4.0, 4.0))
    sharp = setup_error(ctv, edge, limit_gy=1, systematic_mm=0, random_mm=0)
    blurred = setup_error(ctv, edge, limit_gy=1, systematic_mm=0, random_mm=(5, 0, 0))
    across = setup_error(ctv, edge, limit_gy=1, systematic_mm=0, random_mm=(0, 5, 5))
    # By quadrature over the same edge, at the place of the 2 % nearest to it.
    where = -20 - 1.5 * np.log(50 / sharp.d98_median_gy - 1)
    steps = np.linspace(-30, 30, 6001)
    weight = np.exp(-(steps**2) / 50)
    expected = np.sum(50 / (1 + np.exp(-(where + steps + 20) / 1.5)) * weight) / weight.sum()
    assert blurred.d98_median_gy == pytest.approx(expected, abs=0.25)
    assert across.d98_median_gy == pytest.approx(sharp.d98_median_gy, abs=0.02)


def test_the_same_seed_gives_the_same_answer(ctv):
    dose = dose_of(lambda x, y, z: 50 - 0.02 * (x * x + y * y + z * z))
    args = {"limit_gy": 44, "systematic_mm": 3, "random_mm": 1, "scenarios": 100}
    assert setup_error(ctv, dose, **args) == setup_error(ctv, dose, **args)


def test_a_target_outside_the_grid_has_no_answer():
    far = ellipsoid_pair((12, 10, 14), (5,) * 6, spacing_mm=2.0, centre_mm=(55, 0, 0))[0]
    with pytest.raises(NotEvaluable) as lack:
        setup_error(far, dose_of(lambda x, y, z: 50 + 0 * x), limit_gy=40, systematic_mm=2, random_mm=2)
    assert lack.value.reason is Reason.OUTSIDE_DOSE_GRID


@pytest.mark.parametrize("sigma", [-1, float("nan"), 200, (1, 2, -3)])
def test_what_is_no_standard_deviation_is_refused(sigma):
    with pytest.raises(InputError, match="standard deviation"):
        van_herk_margin_mm(sigma, 1)
