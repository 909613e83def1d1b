"""Whatever shape, dose and grid the lot draws: a planted convention is named, a planted error explained by nothing."""

import numpy as np
import pytest

from dvhkit.jobs.second_check.check_dvh import check_dvh

from . import drawn_by_lot

LOTS = range(4)


def checked(kind: str, lot: int):
    return check_dvh(drawn_by_lot.case_of(kind, np.random.default_rng([18, lot]))).rois[0]


@pytest.mark.slow
@pytest.mark.parametrize("lot", LOTS)
@pytest.mark.parametrize("kind", drawn_by_lot.CONVENTIONS)
def test_the_convention_is_named_or_makes_no_difference_that_counts(kind, lot):
    found = checked(kind, lot)
    assert kind in found.explained_by or found.worst_pct < 0.5, found


@pytest.mark.slow
@pytest.mark.parametrize("lot", LOTS)
@pytest.mark.parametrize("kind", drawn_by_lot.ERRORS)
def test_an_error_is_not_explained(kind, lot):
    found = checked(kind, lot)
    assert found.verdict.value == "not explained", found
