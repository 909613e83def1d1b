"""A dose that cannot be that of what the plan prescribes is told: one fraction's, or wrongly scaled."""

from __future__ import annotations

import pytest
from made_sets import MadeSet, dose, plan, structure_set

from dvhkit.readers.case import read_case


def findings_at(folder, ratio):
    """Return the findings of a case whose greatest dose is `ratio` of what its plan prescribes in five fractions."""
    made = MadeSet(folder)
    made.write("rs", structure_set(made.uids))
    made.write("rd", dose(made.uids))
    made.write("rp", plan(made.uids))
    highest = float(read_case(folder).dose.values_gy.max())
    made.write("rp", plan(made.uids, dose_gy=round(highest / ratio, 6)))
    return {finding.code: finding.message for finding in read_case(folder).findings}


@pytest.mark.parametrize("ratio", [0.55, 1.0, 2.0, 9.5])
def test_what_plans_do_is_not_remarked(tmp_path, ratio):
    assert "dose-far-from-prescription" not in findings_at(tmp_path, ratio)


@pytest.mark.parametrize(
    ("ratio", "says"), [(0.21, "one fraction"), (0.03, "wrongly scaled"), (20.0, "wrongly scaled")]
)
def test_what_no_plan_does_is_told_with_a_guess_at_why(tmp_path, ratio, says):
    assert says in findings_at(tmp_path, ratio)["dose-far-from-prescription"]
