"""Damaged files: read or refused in a sentence, never a traceback, a hang, or memory without bound."""

from __future__ import annotations

import resource
import time
from collections import Counter

import numpy as np
import pytest
from made_sets import (
    MadeSet,
    Uids,
    ct_slices,
    dose,
    encode,
    plan,
    registration,
    structure_set,
)
from mutations import mutants, read_anything
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dvhkit.errors import DvhkitError
from dvhkit.readers.case import find_cases, inventory, read_case
from dvhkit.readers.files import dicom_file
from dvhkit.readers.rtdose import read_dose
from dvhkit.readers.rtstruct import read_structures

# A damaged file of some hundred kilobytes; a machine under load may take ten times what it takes alone (0.1 s).
SECONDS_A_FILE = 2.0
MEGABYTES = 300


@pytest.fixture(scope="module")
def originals(demo_case_dir):
    """Small files made here, and one of each kind of the shipped plan."""
    uids = Uids()
    reg = registration(uids, source="1.2.3", target="1.2.4", matrix=np.eye(4))
    files = {
        "ct": encode(ct_slices(uids)[0]),
        "structures": encode(structure_set(uids), syntax=ImplicitVRLittleEndian),
        "structures explicit": encode(structure_set(uids), syntax=ExplicitVRLittleEndian),
        "structures bare": encode(structure_set(uids), bare=True),
        "plan": encode(plan(uids), syntax=ImplicitVRLittleEndian),
        "dose": encode(dose(uids, keep=np.arange(4))),
        "dose big endian": encode(dose(uids, keep=np.arange(4)), syntax=ExplicitVRBigEndian),
        "registration": encode(reg),
    }
    shipped = sorted(demo_case_dir.glob("*.dcm")) if demo_case_dir.is_dir() else []
    kinds = {path.name[:2]: path for path in shipped}
    return files | {f"shipped {path.name}": path.read_bytes() for path in kinds.values()}


@pytest.mark.parametrize(("count", "seed"), [(700, 20261121), pytest.param(2400, 20261130, marks=pytest.mark.slow)])
def test_damaged_files_end_in_a_result_or_a_sentence(originals, tmp_path, count, seed):
    path = tmp_path / "mutant"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes, slowest = Counter(), (0.0, "")
    for what, data in mutants(originals, count=count, seed=seed):
        path.write_bytes(data)
        start = time.perf_counter()
        try:
            outcomes[read_anything(path)] += 1
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
        slowest = max(slowest, (time.perf_counter() - start, what))
    assert slowest[0] < SECONDS_A_FILE, slowest
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES
    # The mutations must do harm, and not only harm that the first bytes betray.
    assert outcomes["refused"] > count / 4
    assert outcomes["read"] > count / 8
    assert sum(outcomes.values()) == count


def test_folders_of_damaged_files_are_told_file_by_file(originals, tmp_path):
    for number, (_, data) in enumerate(mutants(originals, count=120, seed=7)):
        (tmp_path / f"{number:03d}").write_bytes(data)
    listed = inventory(tmp_path)
    assert sum(listed.counts.values()) == 120
    assert all(item.reason for item in listed.unreadable)
    for files in find_cases(tmp_path):
        assert files.problem is None or isinstance(files.problem, DvhkitError)
    with pytest.raises(DvhkitError):
        read_case(tmp_path)


def test_a_grid_larger_than_its_file_is_refused_before_memory_is_taken(tmp_path):
    data = dose(Uids())
    data.Rows = data.Columns = 65535
    data.NumberOfFrames = 4000
    data.GridFrameOffsetVector = [0, 1]
    path = tmp_path / "huge"
    path.write_bytes(encode(data))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DvhkitError, match="no usable grid"):
        read_dose(path)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 50


def test_files_beyond_the_size_limit_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_file, "MAX_FILE_BYTES", 1000)
    path = tmp_path / "large"
    path.write_bytes(encode(dose(Uids())))
    with pytest.raises(DvhkitError, match="at most"):
        read_dose(path)


def test_nothing_is_written_and_hostile_uids_go_nowhere(tmp_path):
    made = MadeSet(tmp_path / "in")
    data = structure_set(made.uids)
    made.write("rs", data)
    raw = (tmp_path / "in" / "rs").read_bytes()
    uid = made.uids.structures.encode()
    (tmp_path / "in" / "rs").write_bytes(raw.replace(uid, b"../../evil".ljust(len(uid), b"/")))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    case = read_case(tmp_path / "in")
    assert case.label == "in"
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("nested", [False, True])
def test_a_megabyte_of_character_sets_is_refused_at_once(tmp_path, nested):
    value = b"A\\" * (1 << 19)
    bomb = b"\x08\x00\x05\x00" + len(value).to_bytes(4, "little") + value
    raw = encode(structure_set(Uids()), syntax=ImplicitVRLittleEndian)
    start = 144 + int.from_bytes(raw[140:144], "little")
    if nested:
        item = b"\xfe\xff\x00\xe0" + len(bomb).to_bytes(4, "little") + bomb
        raw = raw[:start] + b"\x08\x00\x40\x11" + len(item).to_bytes(4, "little") + item + raw[start:]
    else:
        raw = raw[:start] + bomb + raw[start:]
    path = tmp_path / "bomb"
    path.write_bytes(raw)
    begin = time.perf_counter()
    with pytest.raises(DvhkitError, match="SpecificCharacterSet"):
        read_structures(path)
    assert time.perf_counter() - begin < SECONDS_A_FILE
