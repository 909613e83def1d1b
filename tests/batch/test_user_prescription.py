"""What the user gives answers the findings that ask for it, and no others."""

from __future__ import annotations

from dataclasses import replace

import dvhkit
from dvhkit.findings import Finding, Level
from dvhkit.jobs.prescription import with_user_prescription

ASKED = ("no-prescription", "no-fractions", "no-image")


def codes(case):
    return [finding.code for finding in case.findings]


def test_a_given_dose_answers_the_finding_that_there_is_none(demo_case_dir):
    found = tuple(Finding(level=Level.WARNING, code=code, message="") for code in ASKED)
    case = replace(dvhkit.read_case(demo_case_dir), findings=found)
    assert codes(with_user_prescription(case, rx_gy=None, fractions=None)) == list(ASKED)
    assert codes(with_user_prescription(case, rx_gy=50.0, fractions=None)) == ["no-fractions", "no-image"]
    assert codes(with_user_prescription(case, rx_gy=None, fractions=5)) == ["no-prescription", "no-image"]
    both = with_user_prescription(case, rx_gy=50.0, fractions=5)
    assert codes(both) == ["no-image"]
    assert (both.prescriptions[0].dose_gy, both.fractions) == (50.0, 5)
