"""A number of fractions that contradicts the plan's own beam doses is told; what plans do for good reasons is not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dvhkit.jobs.plausibility.fractions import fraction_findings
from dvhkit.model.plan import FractionGroup, Plan, Prescription


def _case(*, planned, beams, doses, stated=None, brachy=False, groups=1):
    group = FractionGroup(
        number=1, fractions_planned=planned, beam_numbers=(1, 2), beam_doses_gy=tuple(enumerate(beams, 1))
    )
    prescribed = tuple(Prescription(dose_gy=dose, roi_number=None, origin="test") for dose in doses)
    plan = Plan(
        sop_instance_uid="1.2", label="L", is_ion=False, approval_status="", referenced_structure_set_uid="",
        prescriptions=prescribed, fraction_groups=(group,) * groups, beams=(), is_brachy=brachy,
    )  # fmt: skip
    return SimpleNamespace(plan=plan, fractions=planned if stated is None else stated, prescriptions=prescribed)


@pytest.mark.parametrize(
    ("planned", "beams", "dose_gy", "number"),
    [(5, (1.2, 0.8), 40.0, 20), (30, (10.0,), 50.0, 5), (1, (1.01, 1.0), 60.0, 30)],
)
def test_beams_that_give_the_dose_in_another_number_of_fractions_are_told(planned, beams, dose_gy, number):
    (found,) = fraction_findings(_case(planned=planned, beams=beams, doses=(dose_gy,)))
    assert found.code == "fractions-doubtful"
    assert f"that takes {number}." in found.message


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(_case(planned=20, beams=(1.2, 0.8), doses=(40.0,)), id="agrees"),
        pytest.param(_case(planned=3, beams=(45.0,), doses=(54.0,)), id="at the peak of a 40 % isodose"),
        pytest.param(_case(planned=25, beams=(2.0,), doses=(60.0, 50.0)), id="one of two levels"),
        pytest.param(_case(planned=5, beams=(3.7,), doses=(40.0,)), id="no number of fractions explains it"),
        pytest.param(_case(planned=5, beams=(0.0,), doses=(40.0,)), id="no beam dose"),
        pytest.param(_case(planned=5, beams=(2.0,), doses=(40.0,), stated=20), id="the user stated another number"),
        pytest.param(_case(planned=5, beams=(2.0,), doses=(40.0,), groups=2), id="several fraction groups"),
        pytest.param(_case(planned=5, beams=(2.0,), doses=(40.0,), brachy=True), id="brachytherapy"),
    ],
)
def test_what_plans_do_for_good_reasons_is_not(case):
    assert fraction_findings(case) == ()
