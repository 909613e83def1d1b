"""A PDF filed as DICOM: sound by dciodvfy, in the plan's study, and the same bytes again."""

import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from dvhkit.errors import InputError, OutputError
from dvhkit.outputs.dicom.encapsulated_pdf import write_encapsulated_pdf

PLAN = Path(__file__).parents[2] / "test_data" / "liver_sbrt" / "RTPLAN.dcm"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"


@pytest.mark.parametrize("pdf", [PDF, PDF + b"\n"])
def test_a_report_is_sound_dicom_in_the_plans_study(tmp_path, pdf):
    write_encapsulated_pdf(tmp_path / "r.dcm", pdf, source=PLAN, title="Audit")
    found, plan = pydicom.dcmread(tmp_path / "r.dcm"), pydicom.dcmread(PLAN)
    assert (found.StudyInstanceUID, found.PatientID) == (plan.StudyInstanceUID, plan.PatientID)
    assert found.SourceInstanceSequence[0].ReferencedSOPInstanceUID == plan.SOPInstanceUID
    assert found.EncapsulatedDocument[: found.EncapsulatedDocumentLength] == pdf
    tool = Path(sys.executable).with_name("dciodvfy")
    said = subprocess.run([tool, tmp_path / "r.dcm"], capture_output=True, text=True, check=False).stderr
    assert not [line for line in said.splitlines() if line.startswith("Error")], said


def test_what_is_no_pdf_and_the_plan_itself_are_refused(tmp_path):
    with pytest.raises(InputError, match="no PDF"):
        write_encapsulated_pdf(tmp_path / "r.dcm", b"<html>", source=PLAN, title="Audit")
    with pytest.raises(OutputError, match="the plan itself"):
        write_encapsulated_pdf(PLAN, PDF, source=PLAN, title="Audit")
    assert list(tmp_path.iterdir()) == []
