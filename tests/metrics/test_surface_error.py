"""An index is asked of what the DVH may be by the engine's own error, so that its band holds that too."""

from __future__ import annotations

import numpy as np
import pytest

from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.metrics.plan_indices.surface_error import off_by_error
from dvhkit.model.dvh import Dvh


def dvh(**more):
    plain = {
        "roi": "S", "dose_gy": np.linspace(40, 60, 201), "part_cc": np.full(201, 0.1), "volume_cc": 20.1,
        "min_gy": 39.9, "max_gy": 60.1,
    }  # fmt: skip
    return Dvh(**(plain | more))


def test_without_an_error_nothing_moves():
    assert all(np.array_equal(each.dose_gy, dvh().dose_gy) for each in off_by_error(dvh()))


def test_doses_stay_in_order_and_extremes_within_their_bounds():
    given = dvh(dose_error_gy=3.0, volume_error_cc=0.5, min_bounds_gy=(38.0, 40.5), max_bounds_gy=(59.0, 62.0))
    made = off_by_error(given)
    assert all(np.all(np.diff(each.dose_gy) >= 0) for each in made)
    assert {each.min_gy for each in made} >= {38.0, 40.5}
    assert {each.max_gy for each in made} >= {59.0, 62.0}
    assert {round(each.volume_cc, 6) for each in made} == {19.6, 20.1, 20.6}


def test_the_band_of_a_ratio_of_two_doses_reaches_what_both_errors_make_of_it():
    given = dvh(dose_error_gy=0.1)
    row = evaluate_metric("HI_D5D95", dvh(dose_error_gy=0.1, variants=(dvh(),)), roi="S")
    hot, cold = (given.error_gy(part * given.covered_cc) for part in (0.05, 0.95))
    assert row.high == pytest.approx((59 + hot) / (41 - cold), rel=2e-3)
    assert row.low == pytest.approx((59 - hot) / (41 + cold), rel=2e-3)
