"""No verdict stands on data known to be wrong: each planted fault is told and never ends green; right twins do."""

from __future__ import annotations

import csv
import io
import json

import pytest
from planted_sets import KINDS, WRONG_GY, in_other_frame, write_planted
from typer.testing import CliRunner

from dvhkit.cli.app import app
from dvhkit.errors import InputError
from dvhkit.jobs.audit import audit_case
from dvhkit.outputs.csv_text import summary_csv
from dvhkit.outputs.records import read_audit
from dvhkit.outputs.report.case_report import html_report
from dvhkit.outputs.verdict_words import headline
from dvhkit.readers.case import read_case

# Any dose meets these limits, so that nothing but the finding stands against a green verdict.
LENIENT = """\
id: p
version: "1"
title: t
rules:
  - {id: Organ, structure: Organ, metric: "Max[Gy]", goal: "<= 90000 Gy"}
  - {id: Half, structure: Organ, metric: "V1Gy[%]", goal: ">= 0 %"}
"""

# What the finding calls the fault.
SAYS = {
    "times_100": "cGy were read as Gy",
    "times_0.01": "divided by 100",
    "times_0.5": "half the plan",
    ("proton", "times_0.5"): "beam 1 alone",
    ("photon", "one_beam"): "beam 1 alone",
    ("proton", "one_beam"): "beam 1 alone",
    ("hdr", "one_beam"): "one fraction",
    "other_plan": "another plan",
    "empty": "zero everywhere",
}


@pytest.fixture
def audit(tmp_path):
    (tmp_path / "p.yaml").write_text(LENIENT)

    def audit(folder, *options):
        words = ["audit", folder, "--protocol", tmp_path / "p.yaml", "--out", tmp_path / "out", *options]
        ended = CliRunner().invoke(app, [str(word) for word in words])
        saved = tmp_path / "out" / "audit.json"
        return ended, read_audit(saved.read_text())[0] if saved.exists() else None

    return audit


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_plan_is_green_and_bears_no_finding_about_its_dose(audit, tmp_path, kind):
    ended, record = audit(write_planted(tmp_path / "set", kind))
    assert (ended.exit_code, headline(record).tone) == (0, "good")
    assert {f.code for f in record.findings} - {"no-image"} <= ({"dose-effective"} if kind == "proton" else set())
    assert all(f.level.value == "info" for f in record.findings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", WRONG_GY)
def test_a_wrong_dose_is_never_green_and_its_numbers_are_shown_and_marked(tmp_path, kind, fault):
    (tmp_path / "p.yaml").write_text(LENIENT)
    case = read_case(write_planted(tmp_path / "set", kind, WRONG_GY[fault](kind)))
    record = audit_case(case, tmp_path / "p.yaml")
    assert headline(record).tone == "bad"
    assert not record.all_met
    for rule in record.rules:
        assert (rule.verdict.value, rule.reason_code, rule.margin) == ("not-evaluable", "withheld", None)
        assert rule.value is not None
        assert rule.withheld[0] in rule.reason
    rows = list(csv.DictReader(io.StringIO(summary_csv([record]))))
    assert all(row["withheld"] and row["withheld"] in row["findings"] for row in rows)
    serious = [f.message for f in record.findings if f.level.value == "serious"]
    assert any(SAYS.get((kind, fault), SAYS.get(fault, "")) in message for message in serious)
    page = html_report([record])
    assert "All rules met" not in page
    assert record.rules[0].withheld[0] in page


def test_of_a_folder_of_wrong_plans_and_a_right_one_just_the_right_one_is_green(audit, tmp_path):
    for fault in ("times_0.2", "empty"):
        write_planted(tmp_path / "plans" / fault, "photon", WRONG_GY[fault]("photon"))
    write_planted(tmp_path / "plans" / "right", "photon")
    ended, _ = audit(tmp_path / "plans", "--jobs", "1")
    assert ended.exit_code == 1
    records = read_audit((tmp_path / "out" / "audit.json").read_text())
    assert sorted(headline(r).tone for r in records) == ["bad", "bad", "good"]
    hottest = max(records, key=lambda r: r.rules[0].value)
    assert [r for r in records if r.all_met] == [hottest], "the others hold less dose"
    with (tmp_path / "out" / "summary.csv").open() as file:
        assert {row["case"] for row in csv.DictReader(file) if row["verdict"] == "pass"} == {hottest.case}


@pytest.mark.parametrize("kind", KINDS)
def test_a_dose_in_another_frame_is_refused_with_the_way_out(audit, tmp_path, kind):
    ended, record = audit(write_planted(tmp_path / "set", kind, change={"RTDOSE": in_other_frame}))
    assert isinstance(ended.exception, InputError)
    assert "--same-frame" in str(ended.exception)
    assert record is None


def test_whoever_vouches_for_a_finding_gets_verdicts_and_is_named(audit, tmp_path):
    folder = write_planted(tmp_path / "set", "photon", WRONG_GY["times_0.2"]("photon"))
    ended, record = audit(folder, "--accept", "dose-far-from-prescription")
    assert (ended.exit_code, record.all_met) == (0, True)
    assert [(a.code, a.by) for a in record.accepted] == [("dose-far-from-prescription", "--accept")]
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["cases"][0]["accepted"][0]["by"] == "--accept"
    assert "Accepted" in (tmp_path / "out" / "report.html").read_text()
    assert "Accepted: dose-far-from-prescription" in ended.output


def test_one_code_vouched_for_does_not_vouch_for_another(audit, tmp_path):
    folder = write_planted(tmp_path / "set", "photon", WRONG_GY["empty"]("photon"))
    ended, record = audit(folder, "--accept", "dose-far-from-prescription")
    assert (ended.exit_code, record.rules[0].withheld) == (1, ("dose-all-zero",))


def test_a_code_that_no_finding_has_is_refused_with_the_nearest(audit, tmp_path):
    ended, _ = audit(write_planted(tmp_path / "set", "photon"), "--accept", "dose-far-from-perscription")
    assert ended.exit_code != 0
    assert "dose-far-from-prescription" in str(ended.exception)


def test_a_site_file_vouches_for_good_and_with_a_reason(audit, tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text("accept:\n  - code: dose-far-from-prescription\n    reason: phantoms of ours\n")
    folder = write_planted(tmp_path / "set", "photon", WRONG_GY["times_0.2"]("photon"))
    ended, record = audit(folder, "--site", site)
    assert ended.exit_code == 0
    assert [(a.by, a.reason) for a in record.accepted] == [("site file site.yaml", "phantoms of ours")]
    site.write_text("accept:\n  - code: dose-far-from-prescription\n")
    assert audit(folder, "--site", site)[0].exit_code != 0


def test_dvh_ends_with_1_where_a_number_is_withheld_and_tells_the_reason_once(tmp_path):
    folder = write_planted(tmp_path, "photon", WRONG_GY["times_0.2"]("photon"))
    asked = ["dvh", str(folder), "--metric", "D95%[Gy]", "--metric", "Mean[Gy]"]
    ended = CliRunner().invoke(app, asked)
    assert ended.exit_code == 1
    assert ended.output.count("Withheld: PTV receives") == 1
    listed = CliRunner().invoke(app, asked[:4])
    assert listed.exit_code == 1
    assert listed.output.count("receives 12 Gy") == 1  # in the finding
    vouched = CliRunner().invoke(app, [*asked, "--accept", "dose-far-from-prescription", "--json", str(tmp_path / "j")])
    assert (vouched.exit_code, "Accepted: dose-far-from-prescription" in vouched.output) == (0, True)
    assert json.loads((tmp_path / "j").read_text())["accepted"][0]["code"] == "dose-far-from-prescription"
    assert CliRunner().invoke(app, ["dvh", str(folder), "--metric", "Volume[cc]"]).exit_code == 0


def test_dvh_of_many_plans_says_what_its_mark_means_and_its_json_who_vouched(tmp_path):
    for kind in ("photon", "hdr"):
        write_planted(tmp_path / "plans" / kind, kind, WRONG_GY["times_0.2"](kind))
    asked = ["dvh", str(tmp_path / "plans"), "--roi", "PTV", "--metric", "D95%[Gy]", "--no-band", "--jobs", "1"]
    marked = CliRunner().invoke(app, asked)
    assert marked.exit_code == 1
    told = " ".join(marked.output.split())
    assert "! withheld by dose-far-from-prescription in hdr, photon" in told
    assert "--accept dose-far-from-prescription" in told
    vouched = CliRunner().invoke(app, [*asked, "--accept", "dose-far-from-prescription", "--json", str(tmp_path / "j")])
    assert vouched.exit_code == 0
    assert "Accepted: dose-far-from-prescription" in vouched.output
    document = json.loads((tmp_path / "j").read_text())
    assert [(a["code"], a["by"]) for a in document["accepted"]] == [("dose-far-from-prescription", "--accept")]
