"""A run at its edges: files chosen by hand, a share that goes away, and what a store may not tell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_plans import Audit, write_plan
from typer.testing import CliRunner

from dvhkit.archive.run import RunOptions
from dvhkit.archive.run_files import write_run_files
from dvhkit.archive.run_index import report_path
from dvhkit.archive.storage.store import Store, open_store
from dvhkit.archive.storage.tables import TABLES
from dvhkit.cli.app import app
from dvhkit.errors import InputError
from dvhkit.outputs.records import json_text, read_audit
from dvhkit.outputs.report.case_report import html_report


def test_files_chosen_by_hand_are_kept_under_their_key_like_any_case(three_plans, tmp_path, protocol_file, monkeypatch):
    monkeypatch.setenv("DVHKIT_IDENTITY_KEY", "a secret of the tests")
    plan, other = three_plans / "case-1", write_plan(tmp_path / "other" / "case-1", organ_mm=4.5)

    def run(rtstruct: Path) -> str:
        words = ["audit", plan, "--rtstruct", rtstruct, "--protocol", protocol_file, "--out", tmp_path / "run", "--why"]
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code in (0, 1), done.output
        return done.stdout

    assert "new" in run(plan / "RTSTRUCT.dcm")
    assert "every result is there" in run(plan / "RTSTRUCT.dcm")
    assert "contours" in run(other / "RTSTRUCT.dcm")
    (row,) = open_store(tmp_path / "run").read("cases").to_pylist()
    assert row["status"] == "audited"
    assert (tmp_path / "run" / "report.html").exists()


def test_a_share_that_goes_away_costs_its_cases_until_it_is_back(three_plans, tmp_path, audit: Audit, monkeypatch):
    away = tmp_path / "away"
    put = Store.put

    def put_then_unmount(self, document):
        put(self, document)
        if three_plans.exists():
            three_plans.rename(away)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", put_then_unmount)
        audit(three_plans, tmp_path / "run")
    rows = open_store(tmp_path / "run").cases()
    assert sorted(row["status"] for row in rows.values()) == ["audited", "error", "error"]
    away.rename(three_plans)
    assert audit(three_plans, tmp_path / "run").computed == 2
    assert {row["status"] for row in open_store(tmp_path / "run").cases().values()} == {"audited"}


def test_no_path_of_this_machine_is_in_a_store(three_plans, tmp_path, audit: Audit):
    (three_plans / "case-2" / "RTDOSE.dcm").write_bytes((three_plans / "case-2" / "RTDOSE.dcm").read_bytes()[:4000])
    structures = three_plans / "case-3" / "RTSTRUCT.dcm"
    structures.write_bytes(structures.read_bytes()[:3000])
    audit(three_plans, tmp_path / "run")
    errors = [row["error"] for row in open_store(tmp_path / "run").cases().values() if row["error"]]
    assert any("case-3/RTSTRUCT.dcm" in error for error in errors)
    store = open_store(tmp_path / "run")
    for table in (*TABLES, "objects"):
        for row in store.read(table).to_pylist():
            assert str(tmp_path) not in repr(row), (table, row)


def test_a_mount_point_without_its_share_loses_nothing(three_plans, tmp_path, audit: Audit):
    audit(three_plans, tmp_path / "run", RunOptions(jobs=0, shard=(1, 2)))
    kept = len(open_store(tmp_path / "run").cases())
    assert kept < 3
    shutil.rmtree(three_plans)
    three_plans.mkdir()  # a mount point without its share
    with pytest.raises(InputError, match="no files"):
        audit(three_plans, tmp_path / "run")
    assert len(open_store(tmp_path / "run").cases()) == kept


def test_a_case_finished_by_an_older_version_and_one_without_its_summary_are_in_every_file(three_plans, audited):
    store = Store(audited)
    write_run_files(store, 3)
    expected, told = ((audited / name).read_bytes() for name in ("summary.csv", "audit.json"))
    assert expected.count(b"\n") == 1 + 3 * 3
    table = store.read("records").to_pylist()
    folded = [{"case": row, "document": {}, "structures": [], "run": {}} for row in store.read("cases").to_pylist()]
    for n, (finished, record) in enumerate(zip(folded, table, strict=True)):
        # As one line, and without the lines of the summary: what was written before both were kept apart. Later the
        # record stood on a line of its own.
        document = json.loads(record["document"])
        parts = [finished | {"document": document}] if n == 0 else [finished, document]
        path = store.pending_path(finished["case"]["case_id"])
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(map(json.dumps, [finished["case"]["case_id"], *parts])), encoding="utf-8")
    for again in range(2):  # as they lie, and folded
        assert {case: row["status"] for case, row in store.cases().items()} == dict.fromkeys(store.cases(), "audited")
        write_run_files(store, len(folded))
        assert (audited / "summary.csv").read_bytes() == expected, again
        assert (audited / "audit.json").read_bytes() == told, again
        store.fold()


def test_a_report_of_all_cases_is_that_of_their_records_whoever_drew_them(three_plans, audited, audit: Audit):
    (three_plans / "case-2" / "RTPLAN.dcm").unlink()
    report = audit(three_plans, audited)
    assert list(report.articles) == ["case-2"]  # the others were kept, and are drawn of what is in the store
    write_run_files(Store(audited), 3, articles=report.articles)
    text = (audited / "audit.json").read_text(encoding="utf-8")
    assert json_text(json.loads(text)) == text
    records = read_audit(text)
    assert (audited / "report.html").read_text(encoding="utf-8") == html_report(records)
    for record in records:
        assert report_path(audited, record.case).read_text(encoding="utf-8") == html_report([record])
