"""A run goes on where it was, computes what changed and nothing else, and says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from small_plans import PROTOCOL, Audit, write_plan

from dvhkit.archive import work_list
from dvhkit.archive.run import RunOptions
from dvhkit.archive.storage import fold, keys
from dvhkit.archive.storage.store import Store, open_store
from dvhkit.archive.storage.tables import TABLES
from dvhkit.archive.work_list import parse_shard
from dvhkit.errors import InputError, OutputError

# When something was made, and how long it took: all else is the same in every run.
_TIMES = {"finished_utc", "seconds"}


def content(run: Path) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of a store, sorted, without times."""
    store, found = open_store(run), {}
    for table in TABLES:
        rows = [{k: v for k, v in row.items() if k not in _TIMES} for row in store.read(table).to_pylist()]
        for row in rows:
            if table == "records":
                document = json.loads(row["document"])
                (document["provenance"] or {}).pop("created_utc", None)
                row["document"] = document
        found[table] = sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))
    return found


def test_a_second_run_computes_nothing(three_plans, tmp_path, audit: Audit):
    first, again = audit(three_plans, tmp_path / "run"), audit(three_plans, tmp_path / "run")
    assert (first.computed, again.computed, again.why) == (3, 0, {})
    assert set(first.why.values()) == {("new",)}
    assert len(content(tmp_path / "run")["cases"]) == 3


def test_an_unchanged_archive_is_told_by_its_time_stamps_without_a_header_read(
    three_plans, tmp_path, audit: Audit, monkeypatch
):
    monkeypatch.setattr(work_list.time, "time_ns", lambda: 2**62)  # the files are old
    audit(three_plans, tmp_path / "run")
    monkeypatch.setattr("dvhkit.archive.run.make_work_list", lambda *_a, **_k: pytest.fail("headers were read"))
    assert audit(three_plans, tmp_path / "run").n_kept == 3


def test_what_changed_is_computed_anew_and_told_by_its_cause(three_plans, tmp_path, audit: Audit, audited):
    write_plan(three_plans / "case-1", dose_gy=44.0)
    write_plan(tmp_path / "other", ptv_mm=9.0)
    shutil.rmtree(three_plans / "case-3")
    report = audit(three_plans, tmp_path / "run")
    assert report.why == {"case-1": ("dose",)}
    assert (report.computed, report.n_kept, report.n_gone) == (1, 1, 1)
    assert {row["case_id"] for row in content(tmp_path / "run")["rules"]} == {"case-1", "case-2"}
    verdicts = {(r["case_id"], r["rule_id"]): r["verdict"] for r in content(tmp_path / "run")["rules"]}
    assert verdicts["case-1", "D95"] == "fail"
    assert verdicts["case-2", "D95"] == "pass"


def test_protocol_context_options_and_numerics_are_causes_too(
    three_plans, tmp_path, audit: Audit, protocol_file, monkeypatch
):
    run = tmp_path / "run"
    for name in ("case-2", "case-3"):
        shutil.rmtree(three_plans / name)
    audit(three_plans, run)
    assert set(audit(three_plans, run, rx_gy=48.0).why.values()) == {("options",)}
    assert set(audit(three_plans, run, rx_gy=48.0, context={"contour_approvers": 2}).why.values()) == {("context",)}
    asked = {"rx_gy": 48.0, "context": {"contour_approvers": 2}}
    protocol_file.write_text(PROTOCOL.replace(">= 47 Gy", ">= 46 Gy"), encoding="utf-8")
    assert set(audit(three_plans, run, **asked).why.values()) == {("protocol rule",)}
    monkeypatch.setattr(keys, "NUMERICS_VERSION", keys.NUMERICS_VERSION + 1)
    assert set(audit(three_plans, run, **asked).why.values()) == {("engine",)}
    assert audit(three_plans, run, **asked).computed == 0


def test_two_shards_into_one_store_are_the_same_as_one_run(three_plans, tmp_path, audit: Audit, audited_once):
    for i in (1, 2):
        audit(three_plans, tmp_path / "shards", RunOptions(jobs=0, shard=(i, 2)))
    assert content(tmp_path / "shards") == content(audited_once)
    assert audit(three_plans, tmp_path / "shards").computed == 0


def test_each_object_is_told_with_its_case_or_why_it_has_none(three_plans, tmp_path, audit: Audit):
    (three_plans / "notes.txt").write_text("no DICOM")
    shutil.copy(three_plans / "case-1" / "RTDOSE.dcm", three_plans / "copy.dcm")
    audit(three_plans, tmp_path / "run")
    import pyarrow.parquet as pq

    rows = {r["path"]: r for r in pq.read_table(tmp_path / "run" / "store" / "objects").to_pylist()}
    assert rows["case-2/RTPLAN.dcm"]["case_id"] == "case-2"
    assert rows["notes.txt"]["reason"] == "it is no DICOM object"
    assert "same as" in rows["copy.dcm"]["reason"]
    assert len(rows) == 3 * 3 + 2


def test_a_fold_that_is_cut_off_anywhere_leaves_nothing_lost_or_twice(
    three_plans, tmp_path, audit: Audit, monkeypatch, audited
):
    # A store with a case that is finished but not folded, beside those that were folded before.
    base = audited
    write_plan(three_plans / "case-1", dose_gy=44.0)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "fold", lambda self, **_: 0)
        audit(three_plans, base)
    whole = Path(shutil.copytree(base, tmp_path / "whole"))
    Store(whole).fold()
    expected = content(whole)
    assert [row["error"] for row in expected["cases"]] == [None] * 3
    for steps in range(0, 48, 6):
        run = Path(shutil.copytree(base, tmp_path / f"cut-{steps}"))
        _fold_cut_off_after(steps, run)
        assert content(run) == expected, steps


def _fold_cut_off_after(steps: int, run: Path) -> None:
    """Let a fold die at its n-th change of the disk, as `kill -9` does: nothing is tidied up."""
    with pytest.MonkeyPatch.context() as patch:
        left = [steps]

        def dying(real):
            def step(*args, **kwargs):
                left[0] -= 1
                if left[0] < 0:
                    raise KeyboardInterrupt
                return real(*args, **kwargs)

            return step

        for name in ("write_bytes_whole", "write_text_whole"):
            patch.setattr(fold, name, dying(getattr(fold, name)))
        patch.setattr(Path, "replace", dying(Path.replace))
        patch.setattr(Path, "unlink", dying(Path.unlink))
        try:
            Store(run).fold()
        except KeyboardInterrupt:
            return


def test_a_part_that_is_lost_or_cut_short_is_computed_anew(three_plans, tmp_path, audit: Audit, audited):
    expected = content(tmp_path / "run")
    part = next((tmp_path / "run" / "store" / "rules").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    (tmp_path / "run" / "store" / "scan.json").unlink()
    assert audit(three_plans, tmp_path / "run").computed == 3
    assert content(tmp_path / "run") == expected


def test_a_full_disk_stops_the_run_and_what_was_finished_is_kept(three_plans, tmp_path, audit: Audit, monkeypatch):
    real, calls = Store.put, []

    def put(self, document):
        calls.append(1)
        if len(calls) == 2:
            raise OutputError("The file cannot be written (No space left on device).", path="x")
        real(self, document)

    monkeypatch.setattr(Store, "put", put)
    report = audit(three_plans, tmp_path / "run")
    assert "No space left" in str(report.error)
    assert len(report.cases) == 1
    monkeypatch.setattr(Store, "put", real)
    assert audit(three_plans, tmp_path / "run").computed == 2


def test_a_store_of_a_newer_version_and_a_file_in_place_of_the_folder_are_refused(three_plans, tmp_path, audit: Audit):
    (tmp_path / "newer" / "store").mkdir(parents=True)
    (tmp_path / "newer" / "store" / "store.json").write_text('{"schema": "dvhkit/store/99"}')
    with pytest.raises(InputError, match="version 99"):
        audit(three_plans, tmp_path / "newer")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        audit(three_plans, tmp_path / "file")
    with pytest.raises(InputError, match="no store here"):
        open_store(tmp_path)


def test_a_second_run_into_the_same_store_at_the_same_time_is_refused(three_plans, tmp_path, audit: Audit):
    store = Store(tmp_path / "run")
    store.create()
    with store.writing(), pytest.raises(InputError, match="another run"):
        audit(three_plans, tmp_path / "run")


def test_patients_are_told_apart_and_not_named(audited_once):
    patients = {row["patient"] for row in content(audited_once)["cases"]}
    assert len(patients) == 3
    for path in audited_once.rglob("*"):
        assert not path.is_file() or b"ID-case" not in path.read_bytes()


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(InputError):
        parse_shard(text)
