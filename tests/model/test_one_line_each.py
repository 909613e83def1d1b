"""What a case and its parts say of themselves in a prompt or a notebook: one line, and escaped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dvhkit
from dvhkit.model.structure import Contour, Structure

DEMO = Path(__file__).parents[2] / "test_data" / "liver_sbrt"


@pytest.fixture(scope="module")
def case():
    return dvhkit.read_case(DEMO)


def test_a_case_and_its_parts_say_what_they_are_in_one_line(case):
    things = [case, case.structures, case.structures["PTV"], case.structures["PTV"].contours[0], case.dose]
    for thing in things:
        assert "\n" not in repr(thing)
        assert len(repr(thing)) < 250
    assert f"{len(case.structures)} structures" in repr(case)
    assert f"{case.dose.values_gy.max():.4g} Gy" in repr(case.dose)


def test_a_dvh_and_an_audit_say_volume_dose_and_verdicts_in_one_line(case):
    dvh = dvhkit.compute_dvh(case, "GTV")
    assert f"{dvh.volume_cc:.4g} cc" in repr(dvh)
    record = dvhkit.audit_case(case, "oligoprogressive-liver-2025")
    assert "oligoprogressive-liver-2025" in repr(record)
    assert "\n" not in repr(record) + repr(dvh)


def test_names_out_of_dicom_are_escaped_in_notebooks(case):
    square = Contour(points_mm=np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]]))
    structure = Structure(number=1, name="<b>GTV</b>", contours=(square,))
    assert "<b>GTV" not in structure._repr_html_()
    assert "<i>" not in replace(case, label="<i>x</i>")._repr_html_().replace("<b>", "")
