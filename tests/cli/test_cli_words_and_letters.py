"""Wrong words end in one line with code 2; no encoding and no width of a terminal stops a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pydicom
import pytest

from dvhkit.cli.app import with_standard_output

RUN = [sys.executable, "-c", "from dvhkit.cli.app import main; main()"]
ASCII_ONLY = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("dvh", "--frobnicate"), "--frobnicate"),
        (("frobnicate",), "frobnicate"),
        (("audit",), "--out"),
        (("dvh", ".", "--fractions", "0"), "--fractions"),
        (("dvh", ".", "--rx", "0"), "more than 0"),
        (("dvh", ".", "--rx", "nan"), "more than 0"),
        (("dvh", ".", "--rx", "inf"), "at most 300 Gy"),
        (("dvh", ".", "--rx", "5000"), "at most 300 Gy"),
        (("dvh", ".", "--uncovered", "perhaps"), "refuse"),
    ],
)
def test_wrong_words_get_one_line_that_names_them(dvhkit, words, says):
    ended = dvhkit(*words)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("dvhkit: ")
    assert says in ended.err


def test_no_words_get_the_help(dvhkit):
    ended = dvhkit()
    assert ended.code == 2
    assert "inspect" in ended.out
    assert "Traceback" not in ended.err


def test_a_structure_set_without_structures_is_refused_in_one_line(dvhkit, demo_case_dir, tmp_path):
    for name in ("RTSTRUCT.dcm", "RTDOSE.dcm", "RTPLAN.dcm"):
        shutil.copy(demo_case_dir / name, tmp_path / name)
    dataset = pydicom.dcmread(tmp_path / "RTSTRUCT.dcm")
    del dataset.StructureSetROISequence
    dataset.save_as(tmp_path / "RTSTRUCT.dcm")
    ended = dvhkit("dvh", tmp_path)
    assert ended.code == 2
    assert "holds no structure" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("metrics", [("Volume[cc]", "Mean[Gy]"), ("Mean[Gy]",)])
def test_a_terminal_that_knows_ascii_only_gets_ascii(demo_case_dir, metrics):
    words = [word for metric in metrics for word in ("--metric", metric)]
    ended = subprocess.run(
        [*RUN, "dvh", str(demo_case_dir), "--roi", "PTV", *words],
        capture_output=True,
        check=False,
        env={**os.environ, **ASCII_ONLY, "COLUMNS": "100"},
    )
    assert ended.returncode == 0, ended.stderr
    assert b"PTV" in ended.stdout
    assert ended.stdout.isascii()
    assert ended.stderr.isascii()


def test_json_for_programs_is_utf8_whatever_the_terminal_knows(demo_case_dir, tmp_path):
    for name in ("RTSTRUCT.dcm", "RTDOSE.dcm"):
        shutil.copy(demo_case_dir / name, tmp_path / name)
    dataset = pydicom.dcmread(tmp_path / "RTSTRUCT.dcm")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StructureSetROISequence[0].ROIName = "肝臓"
    dataset.save_as(tmp_path / "RTSTRUCT.dcm")
    ended = subprocess.run(
        [*RUN, "dvh", str(tmp_path), "--roi", "肝臓", "--metric", "Volume", "--json", "-"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert ended.returncode == 0, ended.stderr
    assert "肝臓" in ended.stdout.decode("utf-8")


@pytest.mark.parametrize("words", [("-h",), ("dvh", "-h"), ("protocol", "list", "-h"), ("names", "--help")])
def test_the_short_form_of_help_is_known_everywhere(dvhkit, words):
    ended = dvhkit(*words)
    assert ended.code == 0
    assert "Usage: " in ended.out
    assert "-h" in ended.out


def test_the_package_runs_as_a_module():
    ended = subprocess.run([sys.executable, "-m", "dvhkit", "--version"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert ended.stdout.startswith("dvhkit ")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["diff", "a", "b", "--json"], ["diff", "a", "b", "--json", "-"]),
        (["diff", "--json", "--tolerance", "1", "a", "b"], ["diff", "--json", "-", "--tolerance", "1", "a", "b"]),
        (["dvh", "a", "--json", "x.json"], ["dvh", "a", "--json", "x.json"]),
        (["dvh", "a", "--json", "-"], ["dvh", "a", "--json", "-"]),
        (["dvh", "--", "--json"], ["dvh", "--", "--json"]),
    ],
)
def test_json_without_a_file_goes_to_standard_output(given, taken):
    assert with_standard_output(given) == taken
