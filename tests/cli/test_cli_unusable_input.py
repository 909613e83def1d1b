"""Unusable input ends with exit code 2 and one line that says what, where and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import assert_one_helpful_line

PROTOCOL = "oligoprogressive-liver-2025"


@pytest.fixture
def demo_copy(demo_case_dir: Path, tmp_path: Path) -> Path:
    """The RT objects of the demo plan, to be spoilt."""
    folder = tmp_path / "plan"
    folder.mkdir()
    for name in ("RTSTRUCT.dcm", "RTPLAN.dcm", "RTDOSE.dcm"):
        shutil.copy(demo_case_dir / name, folder / name)
    return folder


def commands(folder: Path, out: Path) -> list[list[object]]:
    return [["dvh", folder], ["audit", folder, "--protocol", PROTOCOL, "--out", out]]


def test_a_folder_without_dicom_is_named(dvhkit, tmp_path):
    (tmp_path / "notes.txt").write_text("no plan here")
    for words in [*commands(tmp_path, tmp_path / "out"), ["inspect", tmp_path]]:
        assert_one_helpful_line(dvhkit(*words), str(tmp_path), "DICOM")
    assert not (tmp_path / "out").exists()


def test_a_missing_folder_is_named(dvhkit, tmp_path):
    for words in [*commands(tmp_path / "nowhere", tmp_path / "out"), ["inspect", tmp_path / "nowhere"]]:
        assert_one_helpful_line(dvhkit(*words), "nowhere")


@pytest.mark.parametrize("name", ["RTSTRUCT.dcm", "RTDOSE.dcm"])
@pytest.mark.parametrize("kept", [0.3, 0.99])
def test_a_truncated_file_is_named(dvhkit, demo_copy, tmp_path, name, kept):
    whole = (demo_copy / name).read_bytes()
    (demo_copy / name).write_bytes(whole[: int(len(whole) * kept)])
    for words in commands(demo_copy, tmp_path / "out"):
        assert_one_helpful_line(dvhkit(*words), name)


def test_a_dose_without_structures_says_what_to_add(dvhkit, demo_copy, tmp_path):
    (demo_copy / "RTSTRUCT.dcm").unlink()
    for words in commands(demo_copy, tmp_path / "out"):
        assert_one_helpful_line(dvhkit(*words), "structure", "--rtstruct")


def test_an_unknown_roi_lists_those_there_are(dvhkit, demo_copy):
    assert_one_helpful_line(dvhkit("dvh", demo_copy, "--roi", "Livr"), "Livr", "Did you mean 'Liver'", "PTV")


def test_an_unknown_roi_in_an_expression_is_named(dvhkit, demo_copy):
    assert_one_helpful_line(dvhkit("dvh", demo_copy, "--roi", "Livr - GTV"), "Livr", "Liver")


def test_a_misspelt_metric_names_the_nearest_one(dvhkit, demo_copy):
    assert_one_helpful_line(dvhkit("dvh", demo_copy, "--metric", "Meen[Gy]"), "Meen", "Mean[Gy]")


def test_an_argument_without_unit_is_not_guessed(dvhkit, demo_copy):
    assert_one_helpful_line(dvhkit("dvh", demo_copy, "--metric", "D95"), "unit", "D95%[Gy]")


def test_a_broken_protocol_names_its_line(dvhkit, demo_copy, tmp_path):
    broken = tmp_path / "mine.yaml"
    broken.write_text("id: mine\nversion: '1'\ntitle: Mine\nrules:\n  - id: A\n    titel: Slip\n")
    for words in (
        ["audit", demo_copy, "--protocol", broken, "--out", tmp_path / "out"],
        ["protocol", "check", broken],
        ["protocol", "show", broken],
    ):
        assert_one_helpful_line(dvhkit(*words), "mine.yaml", "line 6", "titel")


def test_an_unknown_protocol_lists_the_shipped_ones(dvhkit, demo_copy, tmp_path):
    ended = dvhkit("audit", demo_copy, "--protocol", "oligoprogresive", "--out", tmp_path / "out")
    assert_one_helpful_line(ended, "oligoprogresive", PROTOCOL)


def test_a_broken_context_file_names_its_line(dvhkit, demo_copy, tmp_path):
    context = tmp_path / "context.yaml"
    context.write_text("child_pugh_b7_worse: [1, 2]\n")
    ended = dvhkit("audit", demo_copy, "--protocol", PROTOCOL, "--context", context, "--out", tmp_path / "out")
    assert_one_helpful_line(ended, "context.yaml", "line 1")


def test_an_unknown_engine_profile_lists_the_known_ones(dvhkit, demo_copy):
    assert_one_helpful_line(dvhkit("dvh", demo_copy, "--engine", "magic"), "magic", "prism")


def test_an_output_that_cannot_be_written_is_named(dvhkit, demo_copy, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert_one_helpful_line(dvhkit("dvh", demo_copy, "--csv", blocked / "x.csv"), "file")


def test_nothing_named_says_what_to_name(dvhkit):
    assert_one_helpful_line(dvhkit("dvh"), "--rtstruct")


def test_a_fault_of_ours_ends_with_3_and_no_traceback(dvhkit, demo_copy, monkeypatch):
    import dvhkit.readers.case as readers

    def broken(*_args, **_kwargs):
        raise ZeroDivisionError("an invariant broke")

    monkeypatch.setattr(readers, "read_case", broken)
    ended = dvhkit("dvh", demo_copy)
    assert ended.code == 3
    assert ended.err.startswith("dvhkit: A fault of ours")
    assert "Traceback" not in ended.err


def test_a_fault_in_one_case_of_an_audit_ends_with_3(dvhkit, demo_copy, tmp_path, monkeypatch):
    import dvhkit.jobs.audit as audit

    def broken(*_args, **_kwargs):
        raise ZeroDivisionError("an invariant broke")

    monkeypatch.setattr(audit, "record_of", broken)
    ended = dvhkit("audit", demo_copy, "--protocol", PROTOCOL, "--out", tmp_path / "out")
    assert ended.code == 3
    assert "Traceback" not in ended.err
