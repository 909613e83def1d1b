"""`dvh` and `margin check` over many plans: each row is that of the plan alone, and no plan is missing."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
from pathlib import Path

import pytest
from small_plans import write_plan
from typer.testing import CliRunner

import dvhkit
from dvhkit.archive.running.pool import Outcome, attempt
from dvhkit.cli.app import app


@pytest.fixture(scope="module")
def four_plans(three_plans_written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sound plans, and one whose structure set is cut short."""
    root = tmp_path_factory.mktemp("four") / "plans"
    shutil.copytree(three_plans_written, root)
    broken = write_plan(root / "broken") / "RTSTRUCT.dcm"
    broken.write_bytes(broken.read_bytes()[:3000])
    return root


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


@pytest.mark.parametrize("where", ["three_plans_written", "one"])
def test_dvh_without_bands_gives_the_same_values_and_no_band(three_plans_written, where):
    plans = three_plans_written if where != "one" else three_plans_written / "case-1"
    words = ["dvh", plans, "--metric", "D95%", "--metric", "Max", "--metric", "Volume", "--jobs", "1", "--json", "-"]
    with_bands, bare = (json.loads(run(*words, *more)[1])["rows"] for more in ((), ("--no-band",)))
    # What readings have in common is booked once and added: another order of adding, no other number.
    assert [row["value"] for row in bare] == pytest.approx([row["value"] for row in with_bands], rel=1e-9)
    assert {(row["low"], row["high"]) for row in bare} == {(None, None)}
    assert all(row["low"] <= row["value"] <= row["high"] for row in with_bands)


def test_dvh_of_an_archive_has_each_plans_own_rows_and_tells_the_broken_one(four_plans, tmp_path):
    words = ["--roi", "PTV", "--metric", "D95%", "--metric", "Volume", "--jobs", "1", "--json", "-"]
    tables = ["--csv", tmp_path / "t.csv", "--parquet", tmp_path / "t.parquet", "--curves", tmp_path / "c.csv"]
    code, out = run("dvh", four_plans, *words, *tables)
    document = json.loads(out)
    assert code == 1
    (failed,) = document["failed"]
    assert failed["case_id"] == "broken"
    assert failed["reason"].startswith("broken/RTSTRUCT.dcm")
    assert [(row["case_id"], row["metric"]) for row in document["rows"]] == [
        (f"case-{n}", metric) for n in (1, 2, 3) for metric in ("D95%[Gy]", "Volume[cc]")
    ]
    _, out = run("dvh", four_plans / "case-2", *words)
    alone = json.loads(out)["rows"]
    assert [{k: v for k, v in row.items() if k != "case_id"} for row in document["rows"][2:4]] == alone
    rows = list(csv.DictReader((tmp_path / "t.csv").open(newline="")))
    assert [float(r["value"]) for r in rows if r["value"]] == [r["value"] for r in document["rows"]]
    assert [r["case_id"] for r in rows if r["reason_code"] == "error"] == ["broken"]
    import pandas as pd

    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert list(frame.case_id) == [r["case_id"] for r in rows]
    curves = pd.read_csv(tmp_path / "c.csv")
    assert list(curves.columns) == ["case_id", "roi", "dose_gy", "volume_cc", "volume_pct"]
    assert curves.groupby("case_id").volume_pct.max().to_dict() == pytest.approx({f"case-{n}": 100 for n in (1, 2, 3)})


def test_margins_of_an_archive_are_a_row_a_plan_and_pair(four_plans, tmp_path):
    words = ["--inner", "PTV", "--outer", "PTV", "--jobs", "1"]
    code, out = run("margin", "check", four_plans, *words, "--json", "-", "--csv", tmp_path / "m.csv")
    document = json.loads(out)
    assert code == 1
    assert [f["case_id"] for f in document["failed"]] == ["broken"]
    assert [p["case_id"] for p in document["pairs"]] == ["case-1", "case-2", "case-3"]
    rows = list(csv.DictReader((tmp_path / "m.csv").open(newline="")))
    assert (rows[0]["case_id"], rows[0]["verdict"]) == ("broken", "error")
    _, out = run("margin", "check", four_plans / "case-2", *words, "--json", "-")
    alone = json.loads(out)
    assert {k: v for k, v in document["pairs"][1].items() if k != "case_id"} == alone
    assert float(rows[2]["left_mm"]) == alone["directions"]["left"]["recovered"]


def test_what_is_for_one_plan_is_refused_for_many(four_plans, tmp_path):
    for words in (["dvh", "--compare-profiles"], ["dvh", "--rtdose-out", tmp_path / "d.dcm"]):
        with pytest.raises(dvhkit.DvhkitError, match="for one plan; 4 are here"):
            run(words[0], four_plans, *words[1:])
    with pytest.raises(dvhkit.DvhkitError, match="for one plan"):
        run("margin", "check", four_plans, "--out", tmp_path / "m")


@pytest.fixture
def workers_here(monkeypatch):
    """Let workers do their tasks in this process, after the same journey through a pipe."""

    def run_here(work, tasks, *, jobs):
        assert jobs == 2
        for task in pickle.loads(pickle.dumps(list(tasks))):
            result, failure, reason, error = attempt(pickle.loads(pickle.dumps(work)), task)
            yield Outcome(task=task, result=result, failure=failure, reason=reason, error=error)

    monkeypatch.setattr("dvhkit.archive.each_case.run_isolated", run_here)


def test_the_tables_of_python_take_folders_and_workers(four_plans, workers_here):
    table = dvhkit.metric_table([four_plans / "case-3", four_plans / "case-1"], ["Volume"], rois=["ptv"], jobs=2)
    assert list(table.case_id) == ["case-1", "case-3"]
    assert list(table.roi) == ["ptv", "ptv"]
    curves = dvhkit.curve_table(four_plans, ["PTV"], jobs=2)
    assert set(curves.case_id) == {"case-1", "case-2", "case-3"}
    assert list(curves.columns) == ["case_id", "roi", "dose_gy", "volume_pct"]


def test_several_doses_of_one_plan_stay_a_choice(three_plans):
    dose = three_plans / "case-1" / "RTDOSE.dcm"
    import pydicom

    other = pydicom.dcmread(dose)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = other.SOPInstanceUID + ".1"
    other.save_as(dose.with_name("RTDOSE2.dcm"))
    with pytest.raises(dvhkit.DvhkitError, match="2 cases are here"):
        run("dvh", three_plans / "case-1")
