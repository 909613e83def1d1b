from pathlib import Path

import pydicom
import pytest

from dvhkit import audit_case, read_case
from dvhkit.outputs.dicom.deidentified import deidentify

DEMO = Path(__file__).parents[2] / "test_data" / "liver_sbrt"
FILES = [DEMO / name for name in ("RTSTRUCT.dcm", "RTPLAN.dcm", "RTDOSE.dcm", "CT_001.dcm")]


def named(folder, patient="Doe^Jane"):
    """Copies of the demo set that name a patient and staff, nested too."""
    for path in FILES:
        ds = pydicom.dcmread(path)
        ds.PatientName, ds.PatientID, ds.PatientBirthDate = patient, "MRN-4711-X", "19500101"
        ds.StudyDate, ds.ContentDate, ds.OperatorsName = "20240229", "20240302", "Staff^Member"
        for item in ds.get("RTROIObservationsSequence", []):
            item.ROIInterpreter = "Staff^Member"
        for item in ds.get("ROIContourSequence", []):
            item.ContourSequence = item.get("ContourSequence", [])[:5]  # enough to audit, quick to copy
        for item in ds.get("BeamSequence", []):
            item.BeamName = "Jane left"
        if ds.Modality == "RTDOSE":
            ds.DoseComment = "for Mrs Doe"
        ds.add_new(0x00090010, "LO", "MAKER")
        ds.add_new(0x00091001, "LO", "Doe, private")
        ds.add_new(0x300A7776, "LO", "Doe, of no known tag")
        ds.save_as(folder / path.name)
    return sorted(folder.iterdir())


def read(folder):
    return {ds.Modality: ds for ds in (pydicom.dcmread(p) for p in folder.iterdir())}


@pytest.mark.requirement("R11")
def test_links_frames_and_structure_names_stay_and_names_go_nested_ones_too(tmp_path):
    (tmp_path / "in").mkdir()
    files = named(tmp_path / "in")
    assert deidentify(files, tmp_path / "out", key=b"k" * 32).written == 4
    copy, origin = read(tmp_path / "out"), read(tmp_path / "in")
    plan = copy["RTDOSE"].ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID
    assert plan == copy["RTPLAN"].SOPInstanceUID != origin["RTPLAN"].SOPInstanceUID
    assert copy["RTDOSE"].FrameOfReferenceUID == copy["CT"].FrameOfReferenceUID != origin["CT"].FrameOfReferenceUID
    names = [[item.ROIName for item in d["RTSTRUCT"].StructureSetROISequence] for d in (copy, origin)]
    assert names[0] == names[1]
    for path in (tmp_path / "out").iterdir():
        stored = path.read_bytes()
        assert not any(word in stored for word in (b"Doe", b"Jane", b"MRN-4711-X", b"Staff", b"19500101"))


def test_the_audit_of_the_copy_is_that_of_the_original(tmp_path):
    """All that identifies is another; rules, numbers, bands and findings are the same."""
    (tmp_path / "in").mkdir()
    deidentify(named(tmp_path / "in"), tmp_path / "out", key=b"k" * 32)
    found = []
    for folder in ("in", "out"):
        audit = audit_case(read_case(tmp_path / folder), "oligoprogressive-liver-2025")
        found.append((audit.rules, [(f.code, f.level, f.message, f.rois) for f in audit.findings]))
    assert found[0][0]
    assert found[0] == found[1]


def test_the_same_key_gives_the_same_files_and_another_one_other_uids(tmp_path):
    (tmp_path / "in").mkdir()
    files = named(tmp_path / "in")
    for name, key in (("a", b"k" * 32), ("b", b"k" * 32), ("c", b"q" * 32)):
        deidentify(files, tmp_path / name, key=key)
    a, b, c = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "abc")
    assert a == b
    assert not set(a) & set(c)


def test_shifted_dates_keep_their_distance(tmp_path):
    (tmp_path / "in").mkdir()
    deidentify(named(tmp_path / "in"), tmp_path / "out", key=b"k" * 32, dates="shift")
    found = [(ds.StudyDate, ds.ContentDate) for ds in read(tmp_path / "out").values() if "ContentDate" in ds]
    from datetime import datetime

    for study, content in found:
        gap = datetime.strptime(content, "%Y%m%d") - datetime.strptime(study, "%Y%m%d")
        assert (gap.days, study) != (2, "20240229")
        assert gap.days == 2


def test_where_the_disk_is_full_no_half_of_a_set_stays(tmp_path, monkeypatch):
    from dvhkit.outputs.dicom import deidentified

    (tmp_path / "in").mkdir()
    write, room = deidentified.write_bytes_whole, [None] * 3

    def until_full(path, content):
        if not room:
            raise OSError(28, "No space left on device")
        room.pop()
        write(path, content)

    monkeypatch.setattr(deidentified, "write_bytes_whole", until_full)
    with pytest.raises(OSError, match="No space"):
        deidentify(named(tmp_path / "in"), tmp_path / "out", key=b"k" * 32)
    assert list((tmp_path / "out").iterdir()) == []
