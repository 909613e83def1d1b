import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dvhkit.cli.plans import summed_case
from dvhkit.jobs.clinic.rtdose_out import write_case_dose
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.readers.case import read_case

DEMO = Path(__file__).parents[2] / "test_data" / "liver_sbrt"


@pytest.fixture(scope="module")
def numbers():
    return CaseNumbers(read_case(rtstruct=DEMO / "RTSTRUCT.dcm", rtdose=DEMO / "RTDOSE.dcm"))


@pytest.mark.parametrize(("bits", "within"), [(32, 1e-6), (16, 6e-4)])
def test_dose_and_dvhs_come_back_as_they_were(tmp_path, numbers, bits, within):
    out = tmp_path / "dose.dcm"
    write_case_dose(numbers, [numbers.region("PTV"), numbers.region("GTV")], out, bits=bits)
    back = read_case(rtstruct=DEMO / "RTSTRUCT.dcm", rtdose=out).dose
    np.testing.assert_allclose(back.values_gy, numbers.case.dose.values_gy, atol=within)
    assert len(back.stored_dvhs) == 2
    for stored in back.stored_dvhs:
        dvh = numbers.dvh(numbers.region(f"#{stored.roi_number}"))
        ours = [dvh.volume_at_least_cc(dose) for dose in stored.dose_gy]
        np.testing.assert_allclose(stored.volume_cc, ours, rtol=1e-6, atol=1e-6 * dvh.volume_cc)
        assert stored.mean_gy == pytest.approx(dvh.mean_gy, rel=1e-6)


def test_written_dose_is_sound_dicom_in_the_same_study(tmp_path, numbers):
    out = tmp_path / "dose.dcm"
    write_case_dose(numbers, [numbers.region("GTV")], out)
    found, origin = pydicom.dcmread(out), pydicom.dcmread(DEMO / "RTDOSE.dcm")
    assert (found.StudyInstanceUID, found.FrameOfReferenceUID) == (origin.StudyInstanceUID, origin.FrameOfReferenceUID)
    assert found.SOPInstanceUID != origin.SOPInstanceUID
    assert "PositionReferenceIndicator" in found
    tool = Path(sys.executable).with_name("dciodvfy")
    said = subprocess.run([tool, out], capture_output=True, text=True, check=False).stderr
    assert not [line for line in said.splitlines() if line.startswith("Error")], said


@pytest.mark.parametrize("alpha_beta_gy", [None, 3.0])
def test_a_sum_comes_back_with_both_plans_and_its_kind_of_dose(tmp_path, alpha_beta_gy):
    second = tmp_path / "second"
    second.mkdir()
    for name in ("RTSTRUCT", "RTPLAN", "RTDOSE"):
        ds = pydicom.dcmread(DEMO / f"{name}.dcm")
        if name != "RTSTRUCT":
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{ds.SOPInstanceUID}.7"
        if name == "RTDOSE":
            ds.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID += ".7"
            ds.DoseGridScaling = str(float(ds.DoseGridScaling) / 2)
        ds.save_as(second / f"{name}.dcm")
    case = summed_case([str(DEMO), str(second)], rtstruct=None, eqd2_alpha_beta_gy=alpha_beta_gy, allow_unlike=True)
    summed = CaseNumbers(case)
    out = tmp_path / "sum.dcm"
    write_case_dose(summed, [summed.region("PTV")], out)
    found, back = pydicom.dcmread(out), read_case(rtstruct=DEMO / "RTSTRUCT.dcm", rtdose=out).dose
    np.testing.assert_allclose(back.values_gy, case.dose.values_gy, atol=1e-6 * case.dose.values_gy.max())
    kind = "PHYSICAL" if alpha_beta_gy is None else "EFFECTIVE"
    assert (found.DoseType, found.DVHSequence[0].DoseType, found.DoseSummationType) == (kind, kind, "MULTI_PLAN")
    plans = [item.ReferencedSOPInstanceUID for item in found.ReferencedRTPlanSequence]
    assert [uid.endswith(".7") for uid in plans] == [False, True]
    (stored,) = back.stored_dvhs
    dvh = summed.dvh(summed.region("PTV"))
    ours = [dvh.volume_at_least_cc(dose) for dose in stored.dose_gy]
    np.testing.assert_allclose(stored.volume_cc, ours, rtol=1e-6, atol=1e-6 * dvh.volume_cc)


READ_BY_DICOMPYLER = """
import json, sys
from dicompylercore import dicomparser
curves = dicomparser.DicomParser(sys.argv[1]).GetDVHs()
print(json.dumps({str(n): [list(map(float, c.bins)), list(map(float, c.counts))] for n, c in curves.items()}))
"""


@pytest.mark.slow
def test_dicompyler_core_reads_the_same_curves(tmp_path, numbers):
    peer = Path(os.environ.get("DVHKIT_PEERS_PYTHON", Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"))
    if not peer.exists():
        pytest.skip("dicompyler-core needs an environment of its own (`make bench` makes it), for it wants pydicom 2")
    out = tmp_path / "dose.dcm"
    write_case_dose(numbers, [numbers.region("PTV"), numbers.region("GTV")], out)
    done = subprocess.run([peer, "-c", READ_BY_DICOMPYLER, out], capture_output=True, text=True, check=True)
    curves = json.loads(done.stdout.splitlines()[-1])
    assert len(curves) == 2
    for number, (bins, counts) in curves.items():
        dvh = numbers.dvh(numbers.region(f"#{number}"))
        ours = [dvh.volume_at_least_cc(dose) if dose > 0 else dvh.volume_cc for dose in bins[: len(counts)]]
        np.testing.assert_allclose(counts, ours, atol=1e-6 * dvh.volume_cc)
