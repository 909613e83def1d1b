"""A file is DICOM by what is in it: any name, any encoding, with or without preamble and file meta."""

from __future__ import annotations

import os
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from made_sets import MadeSet, ct_slices, dose, encode, plan, structure_set
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dvhkit.errors import DicomReadError, InputError
from dvhkit.readers.archive.index import scan
from dvhkit.readers.case import read_case
from dvhkit.readers.files import dicom_file
from dvhkit.readers.rtdose import read_dose
from dvhkit.readers.rtstruct import read_structures


@pytest.fixture
def made(tmp_path):
    return MadeSet(tmp_path)


def plain_dose(made, **options):
    path = made.write("plain", dose(made.uids, **options))
    return read_dose(path)[0].values_gy


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("bare", [False, True], ids=["with meta", "bare"])
def test_each_encoding_gives_the_same_case(made, syntax, bare):
    made.write("notes.txt", structure_set(made.uids), syntax=syntax, bare=bare)
    made.write("image.png", plan(made.uids), syntax=syntax, bare=bare)
    stored = dose(made.uids)
    expected = plain_dose(MadeSet(made.folder / "other"))
    if syntax == ExplicitVRBigEndian:
        stored.PixelData = np.frombuffer(stored.PixelData, "<u4").astype(">u4").tobytes()
    made.write("no_ending", stored, syntax=syntax, bare=bare)
    (made.folder / "other" / "plain").unlink()
    case = read_case(made.folder)
    assert np.array_equal(case.dose.values_gy, expected)
    assert case.structures.names == ("PTV", "Organ", "Empty")
    assert len(case.structures["Organ"].closed_contours) == 7
    assert case.plan.beams[0].nominal_energies == (6.0,)
    assert case.fractions == 5


@pytest.mark.parametrize("preamble", [True, False], ids=["with preamble", "without"])
def test_rle_dose_is_unpacked(made, preamble):
    expected = plain_dose(made, bits=16, scaling=1e-3)
    data = dose(made.uids, bits=16, scaling=1e-3)
    encode(data)
    data.compress(RLELossless, generate_instance_uid=False)
    path = made.folder / "rle"
    data.save_as(path, enforce_file_format=preamble)
    assert np.array_equal(read_dose(path)[0].values_gy, expected)


def deflate(data, level=9):
    raw = encode(data, syntax=ExplicitVRLittleEndian)
    meta_end = 144 + int.from_bytes(raw[140:144], "little")
    folder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = folder.compress(raw[meta_end:]) + folder.flush()
    meta = raw[132:meta_end]
    old, new = ExplicitVRLittleEndian.encode(), DeflatedExplicitVRLittleEndian.encode()
    old, new = old + b"\x00" * (len(old) % 2), new + b"\x00" * (len(new) % 2)
    meta = meta.replace(b"UI" + len(old).to_bytes(2, "little") + old, b"UI" + len(new).to_bytes(2, "little") + new)
    length = len(meta) - 12
    return raw[:132] + meta[:8] + length.to_bytes(4, "little") + meta[12:] + body


def test_deflated_dose_is_unfolded(made):
    expected = plain_dose(made)
    path = made.folder / "deflated"
    path.write_bytes(deflate(dose(made.uids)))
    assert np.array_equal(read_dose(path)[0].values_gy, expected)


def test_deflated_bomb_is_refused_before_it_unfolds(made, monkeypatch):
    monkeypatch.setattr(dicom_file, "MAX_INFLATED_BYTES", 1 << 16)
    data = dose(made.uids)
    data.PixelData = bytes(1 << 20)
    path = made.folder / "bomb"
    path.write_bytes(deflate(data))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(DicomReadError, match="unfolds"):
        read_dose(path)


def test_a_deflated_bomb_takes_no_memory(made):
    """Half a gigabyte of zeros in half a megabyte."""
    head = encode(dose(made.uids), syntax=DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(head[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [packer.compress(zlib.decompress(head[start:], -zlib.MAX_WBITS))]
    parts += [packer.compress(bytes(1 << 22)) for _ in range(130)]
    path = made.folder / "bomb"
    path.write_bytes(head[:start] + b"".join(parts) + packer.flush())
    tracemalloc.start()
    try:
        with pytest.raises(DicomReadError, match="unfolds to more than 512 MiB"):
            read_dose(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_cut_deflated_file_is_refused(made):
    path = made.folder / "cut"
    path.write_bytes(deflate(dose(made.uids))[:-50])
    with pytest.raises(DicomReadError):
        read_dose(path)


def test_prefix_without_preamble_is_accepted(made):
    path = made.folder / "odd"
    path.write_bytes(encode(structure_set(made.uids))[128:])
    assert read_structures(path)[0].names == ("PTV", "Organ", "Empty")


@pytest.mark.parametrize(
    "content", [b"", b"a", b"hello world, this is no DICOM", bytes(500), b"\x08\x00", b"PK\x03\x04" * 99, b"\xff" * 300]
)
def test_other_files_are_passed_over_and_listed(made, content):
    made.write("rs", structure_set(made.uids))
    (made.folder / "other.dcm").write_bytes(content)
    index = scan(made.folder)
    assert [path.name for path in index.not_dicom] == ["other.dcm"]
    assert not index.unreadable
    assert read_case(made.folder).structures.names == ("PTV", "Organ", "Empty")


def test_file_that_ends_inside_its_header_is_listed_with_the_reason(made):
    made.write("rs", structure_set(made.uids))
    (made.folder / "cut.dcm").write_bytes(encode(dose(made.uids))[:600])
    [broken] = scan(made.folder).unreadable
    assert broken.path.name == "cut.dcm"
    assert "ends inside" in broken.reason
    # Without dose the case would be silently poorer: the broken file is named instead.
    with pytest.raises(DicomReadError, match="ends inside") as caught:
        read_case(made.folder)
    assert caught.value.path.endswith("cut.dcm")


def test_truncation_anywhere_never_gives_other_numbers(made):
    whole = encode(structure_set(made.uids))
    full = read_structures(made.write("whole", structure_set(made.uids)))[0]
    path = made.folder / "part"
    refused = []
    for end in range(400, len(whole) - 1, 97):
        path.write_bytes(whole[:end])
        try:
            part, findings = read_structures(path)
        except InputError as error:
            refused.append(error.path)
            continue
        # A cut between two elements leaves a well-formed file; what is missing is then told.
        missing = sum(len(s.contours) for s in full) - sum(len(s.contours) for s in part)
        assert missing == 0 or {"no-contours"} & {f.code for f in findings} or len(part) == 0
    assert len(refused) > 10
    assert set(refused) == {str(path)}


def test_links_that_go_in_circles_end(made):
    made.write("a/rs", structure_set(made.uids))
    (made.folder / "a" / "loop").symlink_to(made.folder)
    (made.folder / "dangling").symlink_to(made.folder / "nowhere")
    index = scan(made.folder)
    assert len(index.entries) == 1
    assert not index.duplicates


def test_folders_and_files_that_cannot_be_opened_are_told(made, monkeypatch):
    made.write_plain()
    made.write("locked/rs", structure_set(made.uids))
    scandir, opened = os.scandir, Path.open

    def refusing_scandir(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    def refusing_open(path, *args, **options):
        if path.name in ("image3", "locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(os, "scandir", refusing_scandir)
    monkeypatch.setattr(Path, "open", refusing_open)
    told = {item.path.name: (item.reason, item.remedy) for item in scan(made.folder).unreadable}
    assert told == {
        "image3": ("cannot be opened (Permission denied).", "Check the name and your rights."),
        "locked": ("the folder cannot be opened.", "Check the name and your rights."),
    }
    assert "unreadable-files" in {f.code for f in read_case(made.folder).findings}


def test_progress_counts_every_file(made):
    made.write_plain()
    seen = []
    scan(made.folder, progress=seen.append)
    assert seen == list(range(1, 13))


def test_copies_are_left_out_and_noted(made):
    made.write_plain()
    made.write("copy/dose", dose(made.uids))
    case = read_case(made.folder)
    assert "duplicate-files" in {f.code for f in case.findings}
    assert case.dose.paths[0].name == "dose"


def test_two_doses_with_one_uid_that_differ_are_not_chosen_between(made):
    from dvhkit.errors import LinkError

    made.write_plain()
    made.write("other", dose(made.uids, factor=0.5))
    with pytest.raises(LinkError, match="2 cases"):
        read_case(made.folder)


def test_missing_folder_and_empty_folder_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="no such"):
        read_case(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no files"):
        read_case(tmp_path)
    with pytest.raises(InputError, match="nothing was named"):
        read_case()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_file_meta_without_transfer_syntax_is_read_by_its_first_element(made, syntax):
    raw = encode(dose(made.uids), syntax=syntax)
    expected = plain_dose(MadeSet(made.folder / "other"))
    uid = syntax.encode() + b"\x00" * (len(syntax) % 2)
    element = b"\x02\x00\x10\x00UI" + len(uid).to_bytes(2, "little") + uid
    assert raw.count(element) == 1
    length = int.from_bytes(raw[140:144], "little") - len(element)
    cut = raw.replace(element, b"")
    path = made.folder / "dose"
    path.write_bytes(cut[:140] + length.to_bytes(4, "little") + cut[144:])
    assert np.array_equal(read_dose(path)[0].values_gy, expected)


def test_file_that_ends_after_its_file_meta_is_broken_and_not_something_else(made):
    made.write("rs", structure_set(made.uids))
    raw = encode(dose(made.uids))
    meta_end = 144 + int.from_bytes(raw[140:144], "little")
    for end in (meta_end, meta_end - 20, meta_end + 3):
        (made.folder / "rd").write_bytes(raw[:end])
        with pytest.raises(DicomReadError) as caught:
            read_case(made.folder)
        assert caught.value.path.endswith("rd")


def test_broken_plan_of_the_dose_is_named_and_not_left_out_unseen(made):
    made.write_plain()
    path = made.folder / "plan"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DicomReadError, match="ends inside") as caught:
        read_case(made.folder)
    assert caught.value.path == str(path)
    path.unlink()
    assert "plan-absent" in {f.code for f in read_case(made.folder).findings}


def test_broken_file_beside_a_complete_case_is_a_finding(made):
    made.write_plain()
    (made.folder / "old").write_bytes(encode(plan(made.uids))[:-200])
    assert "unreadable-files" in {f.code for f in read_case(made.folder).findings}


def test_directory_files_are_no_objects(made):
    from pydicom.dataset import Dataset, FileMetaDataset

    made.write("rs", structure_set(made.uids))
    data = Dataset()
    data.FileSetID = "DISK"
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(made.folder / "DICOMDIR", enforce_file_format=True)
    index = scan(made.folder)
    assert [p.name for p in index.not_dicom] == ["DICOMDIR"]
    assert not index.unreadable


@pytest.mark.parametrize("changed", ["hashed class", "no class", "no modality"])
def test_objects_are_known_by_class_or_by_modality(made, changed):
    objects = [*ct_slices(made.uids), structure_set(made.uids), plan(made.uids), dose(made.uids)]
    for number, data in enumerate(objects):
        if changed == "hashed class":
            data.SOPClassUID = f"2.25.4711{number}"
        elif changed == "no class":
            del data.SOPClassUID
        else:
            del data.Modality
        made.write(str(number), data, bare=changed == "no class")
    case = read_case(made.folder)
    assert len(case.image.paths) == 9
    assert (case.plan is not None, case.dose is not None) == (True, True)


def test_a_screenshot_of_a_ct_is_no_slice(made):
    made.write_plain()
    shot = ct_slices(made.uids)[0]
    shot.SOPInstanceUID += ".5"
    shot.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.write("shot", shot)
    assert len(read_case(made.folder).image.paths) == 9


def as_unknown(data):
    """The same object as an archive that knows nothing of radiotherapy keeps it: sequences as UN, inside implicit."""
    from pydicom.dataset import Dataset

    raw = encode(data, syntax=ExplicitVRLittleEndian)
    parts = [raw[: 144 + int.from_bytes(raw[140:144], "little")]]
    for element in data:
        alone = Dataset()
        alone.add(element)
        if element.VR == "SQ":
            value = encode(alone, syntax=ImplicitVRLittleEndian, bare=True)[8:]
            head = element.tag.group.to_bytes(2, "little") + element.tag.elem.to_bytes(2, "little")
            parts += [head, b"UN\x00\x00", len(value).to_bytes(4, "little"), value]
        else:
            parts.append(encode(alone, syntax=ExplicitVRLittleEndian, bare=True))
    return b"".join(parts)


@pytest.mark.parametrize("planes", [3, 900], ids=["short", "long"])
def test_sequences_stored_as_unknown_are_still_sequences(made, planes):
    z_mm = np.arange(planes) * 0.05 + 40.0
    expected, _ = read_structures(made.write("known", structure_set(made.uids, z_mm=z_mm)))
    path = made.folder / "rs"
    path.write_bytes(as_unknown(structure_set(made.uids, z_mm=z_mm)))
    assert path.read_bytes().count(b"UN\x00\x00") == 4
    assert b"SQ\x00\x00" not in path.read_bytes()
    (made.folder / "known").unlink()
    case = read_case(made.folder)
    assert case.structures.names == expected.names
    assert [s.rt_roi_type for s in case.structures] == ["PTV", "ORGAN", ""]
    for got, wanted in zip(case.structures, expected, strict=True):
        assert len(got.contours) == len(wanted.contours)
        assert all(np.array_equal(a.points_mm, b.points_mm) for a, b in zip(got.contours, wanted.contours, strict=True))
