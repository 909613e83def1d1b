"""What is wrong with the dose stops what needs the dose, and nothing else; the reason names files and beams."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dvhkit.readers.case import read_case

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
from made_sets import MadeSet, dose, plan, structure_set

PROTOCOL = "oligoprogressive-liver-2025"


@pytest.fixture
def relative(demo_case_dir: Path, tmp_path: Path) -> Path:
    """The demo plan with a dose in relative units."""
    folder = tmp_path / "plan"
    folder.mkdir()
    for name in ("RTSTRUCT.dcm", "RTPLAN.dcm", "RTDOSE.dcm"):
        shutil.copy(demo_case_dir / name, folder / name)
    data = pydicom.dcmread(folder / "RTDOSE.dcm")
    data.DoseUnits = "RELATIVE"
    data.save_as(folder / "RTDOSE.dcm")
    return folder


def test_volumes_are_told_and_doses_are_not_evaluable(dvhkit, relative):
    ended = dvhkit("dvh", relative, "--roi", "PTV", "--metric", "Volume[cc]", "--json", "-")
    assert ended.code == 0
    document = json.loads(ended.out)
    assert document["rows"][0]["value"] > 10
    assert [f["level"] for f in document["findings"] if f["code"] == "dose-unusable"] == ["serious"]
    ended = dvhkit("dvh", relative, "--roi", "PTV", "--json", "-")
    assert ended.code == 1
    row = next(row for row in json.loads(ended.out)["rows"] if row["metric"] == "Mean[Gy]")
    assert row["value"] is None
    assert "RELATIVE" in row["reason"]


def test_an_audit_goes_on_and_is_not_met(dvhkit, relative, tmp_path):
    ended = dvhkit("audit", relative, "--protocol", PROTOCOL, "--out", tmp_path / "out")
    assert ended.code == 1, ended.err
    document = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert "dose-unusable" in json.dumps(document)
    assert "RELATIVE" in json.dumps(document)


def test_margins_and_targets_need_no_dose(dvhkit, relative, tmp_path):
    assert dvhkit("margin", "check", relative, "--inner", "GTV", "--outer", "PTV", "--json", "-").code in (0, 1)
    grown = dvhkit("margin", "grow", relative, "--roi", "GTV", "--margin", "3", "--name", "N", "--out", tmp_path / "o")
    assert grown.code == 0, grown.err


def test_a_dose_that_was_asked_for_by_name_is_refused(dvhkit, relative):
    ended = dvhkit("dvh", relative, "--rtdose", relative / "RTDOSE.dcm")
    assert ended.code == 2
    assert "RELATIVE" in ended.err


def test_a_beam_listed_twice_is_told_with_its_files(dvhkit, tmp_path):
    made = MadeSet(tmp_path)
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    for number, beam in enumerate((1, 2, 1)):
        made.write(f"rd{number}", dose(made.uids, summation="BEAM", beam=beam, suffix=f".{number}"))
    several = dose(made.uids, summation="BEAM", beam=1, suffix=".9")
    beams = several.ReferencedRTPlanSequence[0].ReferencedFractionGroupSequence[0].ReferencedBeamSequence
    more = pydicom.Dataset()
    more.ReferencedBeamNumber = 2
    beams.append(more)
    several.PixelData = bytes(len(several.PixelData))
    made.write("rdx", several)
    ended = dvhkit("dvh", made.folder, "--metric", "Volume[cc]", "--json", "-")
    assert ended.code == 0, ended.err
    told = next(f["message"] for f in json.loads(ended.out)["findings"] if f["code"] == "dose-unusable")
    assert "beam 1 is in 3 files (rd0, rd2, rdx)" in told
    assert "rdx refers to beams 1, 2 and holds only zeros" in told


def test_beams_that_are_all_zero_together_are_a_finding(tmp_path):
    made = MadeSet(tmp_path)
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    for beam in (1, 2):
        empty = dose(made.uids, summation="BEAM", beam=beam, suffix=f".{beam}")
        empty.PixelData = bytes(len(empty.PixelData))
        made.write(f"rd{beam}", empty)
    case = read_case(made.folder)
    assert not np.any(case.dose.values_gy)
    assert [f.code for f in case.findings].count("dose-all-zero") == 1


def test_dvh_without_any_dose_ends_with_1(dvhkit, relative):
    (relative / "RTDOSE.dcm").unlink()
    assert dvhkit("dvh", relative).code == 1
    assert dvhkit("dvh", relative, "--metric", "Volume[cc]").code == 0


def test_a_plan_that_the_dose_does_not_name_is_a_candidate(dvhkit, tmp_path):
    made = MadeSet(tmp_path)
    made.write_plain()
    (made.folder / "plan").unlink()
    other = plan(made.uids)
    other.SOPInstanceUID += ".77"
    made.write("modified", other)
    case = read_case(made.folder)
    told = next(f.message for f in case.findings if f.code == "plan-absent")
    assert "modified" in told
    assert "--rtplan" in told
    chosen = read_case(made.folder, rtplan=made.folder / "modified")
    assert chosen.prescriptions
    assert "plan-vouched" in {f.code for f in chosen.findings}


def test_structures_without_names_are_told_apart_by_number(dvhkit, tmp_path):
    made = MadeSet(tmp_path)
    unnamed = structure_set(made.uids)
    for roi in unnamed.StructureSetROISequence[:2]:
        roi.ROIName = ""
    made.write("rs", unnamed)
    made.write("rd", dose(made.uids))
    rows = json.loads(dvhkit("dvh", made.folder, "--metric", "Volume[cc]", "--json", "-").out)["rows"]
    numbers = [f"#{roi.ROINumber}" for roi in unnamed.StructureSetROISequence[:2]]
    assert [row["roi"] for row in rows][:2] == numbers
    one = dvhkit("dvh", made.folder, "--roi", numbers[0], "--metric", "Volume[cc]", "--json", "-")
    assert json.loads(one.out)["rows"][0]["value"] == rows[0]["value"]
