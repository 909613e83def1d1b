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


def test_a_template_is_made_from_a_plan_and_is_a_sound_protocol(dvhkit, demo_case_dir, tmp_path):
    target = tmp_path / "clinic.yaml"
    ended = dvhkit("protocol", "new", target, "--from-plan", demo_case_dir)
    assert ended.code == 0, ended.err
    text = target.read_text()
    assert text.startswith("#")
    for name in ("PTV", "Liver", "SpinalCord", "Kidney_L"):
        assert f'"{name}"' in text
    assert dvhkit("protocol", "check", target).code == 0
    assert dvhkit("audit", demo_case_dir, "--protocol", target, "--out", tmp_path / "o").code in (0, 1)
    assert_one_helpful_line(dvhkit("protocol", "new", target, "--from-plan", demo_case_dir), "there already")


def test_inspect_of_one_case_tells_what_dvh_would_find(dvhkit, tmp_path):
    sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
    from made_sets import PLANES_MM, MadeSet, ct_slices, dose, plan, structure_set

    made = MadeSet(tmp_path)
    for number, data in enumerate(ct_slices(made.uids)):
        made.write(f"image{number}", data)
    made.write("structures", structure_set(made.uids, z_mm=PLANES_MM[[1, 2, 3, 5, 6, 7]]))
    made.write("plan", plan(made.uids))
    made.write("dose", dose(made.uids))
    by_dvh = {f["code"] for f in json.loads(dvhkit("dvh", tmp_path, "--json", "-").out)["findings"]}
    (triple,) = json.loads(dvhkit("inspect", tmp_path, "--json", "-").out)["triples"]
    assert "slice-missing" in by_dvh
    assert by_dvh <= {f["code"] for f in triple["findings"]}
    told = next(f["message"] for f in triple["findings"] if f["code"] == "slice-missing")
    assert "1 places" not in told
    (quick,) = json.loads(dvhkit("inspect", tmp_path, "--no-read", "--json", "-").out)["triples"]
    assert "slice-missing" not in {f["code"] for f in quick["findings"]}


def test_no_message_contradicts_itself_about_a_margin_of_0(dvhkit, demo_case_dir, tmp_path):
    words = ["--gtv", "GTV", "--bone", "VB_T12", "--extra", "0", "--out", tmp_path / "o.dcm"]
    ended = dvhkit("ctv", "bone", demo_case_dir, *words)
    assert ended.code == 2
    assert "more than 0" in ended.err
