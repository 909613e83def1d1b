"""What new users stumble on first: units, pipes, choices of files, headings, names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import assert_one_helpful_line

PROTOCOL = "oligoprogressive-liver-2025"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("5000", "cGy? Then say --rx 50"),
        ("50Gy", "without its unit, in Gy: --rx 50"),
        ("5000 cGy", "without its unit, in Gy: --rx 50"),
        ("fifty", "is no dose"),
    ],
)
def test_a_prescribed_dose_in_other_words_is_answered(dvhkit, demo_case_dir, given, told):
    assert_one_helpful_line(dvhkit("dvh", demo_case_dir, "--rx", given), told)


def test_an_audit_whose_reader_leaves_still_writes_everything(demo_case_dir, tmp_path):
    out = tmp_path / "out"
    words = [sys.executable, "-m", "dvhkit", "audit", str(demo_case_dir), "--protocol", PROTOCOL, "--out", str(out)]
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=300)
    os.close(writer)
    assert b"Traceback" not in ended.stderr
    assert b"Broken" not in ended.stderr
    assert ended.returncode == 1  # the demo fails a rule: the audit's own code, not the pipe's
    assert {"audit.json", "summary.csv", "report.html"} <= {path.name for path in out.iterdir()}


def test_an_audit_takes_the_files_that_are_named(dvhkit, demo_case_dir, tmp_path):
    words = ["--protocol", PROTOCOL, "--out", tmp_path / "out", "--rtdose", demo_case_dir / "RTDOSE.dcm"]
    words += ["--rtstruct", demo_case_dir / "RTSTRUCT.dcm", "--rtplan", demo_case_dir / "RTPLAN.dcm"]
    assert dvhkit("audit", demo_case_dir, *words).code == 1
    wrong = ["--rtdose", demo_case_dir / "RTPLAN.dcm"]
    ended = dvhkit("audit", demo_case_dir, "--protocol", PROTOCOL, "--out", tmp_path / "o", *wrong)
    assert_one_helpful_line(ended, "--rtdose")


@pytest.mark.parametrize(
    "table",
    [
        "Structure,DVH Metric,Goal\nLiver,Mean[Gy],<=20\n",
        "Organ;Constraint\nLiver;Mean[Gy] <= 20\n",
        "Structure Name,Code,Constraint,Limit,Acceptable Variation\nLiver,7197,Mean[Gy],<=20,<=22\n",
        "ROI\tObjective\tThreshold\tRank\nLiver\tMean[Gy]\t<=20\t1\n",
    ],
)
def test_a_constraint_table_is_read_by_what_its_headings_mean(dvhkit, tmp_path, table):
    source, target = tmp_path / "t.csv", tmp_path / "t.yaml"
    source.write_text(table)
    ended = dvhkit("protocol", "convert", source, target)
    assert ended.code == 0, ended.err
    text = target.read_text()
    assert "name: Liver" in text
    assert "<= 20 Gy" in text
    assert ("variation" in text) == ("Variation" in table)


def test_a_table_without_metric_is_still_refused(dvhkit, tmp_path):
    (tmp_path / "t.csv").write_text("Structure,Colour\nLiver,red\n")
    assert_one_helpful_line(dvhkit("protocol", "convert", tmp_path / "t.csv", tmp_path / "t.yaml"), "heading")


PROTOCOL_IN_CLINIC_NAMES = """\
id: clinic
version: "1"
title: In the clinic's words
rules:
  - {id: Leber, title: Mean dose to the liver, structure: {name: Leber}, metric: "Mean[Gy]", goal: "<= 60 Gy"}
"""


def test_alias_files_work_in_both_directions_and_unused_entries_are_told(dvhkit, demo_case_dir, tmp_path):
    protocol, aliases, out = tmp_path / "p.yaml", tmp_path / "a.yaml", tmp_path / "out"
    protocol.write_text(PROTOCOL_IN_CLINIC_NAMES)
    aliases.write_text("Liver: [Leber, Hepar]\nSpleen: [Milz]\n")
    dvhkit("audit", demo_case_dir, "--protocol", protocol, "--aliases", aliases, "--out", out)
    case = json.loads((out / "audit.json").read_text())["cases"][0]
    assert case["rules"][0]["value"] > 0, case["rules"][0]
    told = next(f["message"] for f in case["findings"] if f["code"] == "aliases-unused")
    assert "Spleen" in told
    assert "Liver" not in told


def test_a_shell_can_complete_commands(dvhkit):
    assert "--install-completion" in dvhkit("--help").out


def test_what_a_missing_extra_brings_is_named(monkeypatch, demo_case_dir, dvhkit, tmp_path):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    ended = dvhkit("export", demo_case_dir, "--roi", "PTV", "--on", "dose", "--out", tmp_path / "o")
    assert_one_helpful_line(ended, "SimpleITK", "dvhkit[masks]")


def test_an_audit_imports_nothing_of_the_extras():
    code = (
        "import sys, dvhkit; dvhkit.audit_case(dvhkit.read_case('test_data/liver_sbrt'), 'tg101-2010');"
        "print(sorted({'pandas', 'SimpleITK', 'rt_utils', 'cv2', 'gdcm'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=300, check=True
    )
    assert done.stdout.strip() == "[]"
