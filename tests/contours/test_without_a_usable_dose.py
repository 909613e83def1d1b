"""What needs no dose goes on where the dose cannot be used: checks, comparisons and diameters of contours."""

import shutil

import pydicom
import pytest

from dvhkit.jobs.contours.check import check_contours
from dvhkit.jobs.contours.compare import compare_structures
from dvhkit.jobs.contours.lesions import measure_lesions
from dvhkit.jobs.contours.structure_sets import read_drawn


def relative(path):
    data = pydicom.dcmread(path)
    data.DoseUnits = "RELATIVE"
    data.save_as(path)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.fixture(params=[relative, cut_short])
def plan(request, demo_case_dir, tmp_path):
    for path in demo_case_dir.glob("R*.dcm"):
        shutil.copy(path, tmp_path)
    (dose,) = tmp_path.glob("RTDOSE*.dcm")
    request.param(dose)
    return tmp_path


def test_contours_are_checked_compared_and_measured_and_the_dose_is_told(plan):
    checked = check_contours(plan)
    assert checked.structures > 3
    assert "dose-unusable" in {f.code for f in checked.about_the_data}
    (row,) = compare_structures(plan, plan, roi=["GTV"]).pairs
    assert row.dice == pytest.approx(1.0, abs=1e-3)
    table = measure_lesions(plan, roi=["GTV"])
    assert table.lesions[0].longest_mm > 10
    assert read_drawn(plan).structures["GTV"]
