"""The heavy half: a synthetic archive with its faults, kills at random moments, a Dask cluster."""

from __future__ import annotations

import contextlib
import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_plans import Audit, write_plan
from test_resume import content

from dvhkit.archive.run import RunOptions
from dvhkit.archive.storage.store import open_store

ROOT = Path(__file__).resolve().parents[2]
MAKE = ROOT / "scripts" / "make_archive.py"


def make_archive(n: int, out: Path, *words: str) -> list[dict[str, str]]:
    subprocess.run([sys.executable, str(MAKE), str(n), str(out), *words], check=True, capture_output=True)
    with (out / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def audit_command(plans: Path, out: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "dvhkit", "audit", str(plans), "--out", str(out), *words]


def test_an_archive_is_the_same_in_every_run_and_other_with_another_seed(tmp_path):
    sys.path.insert(0, str(MAKE.parent))
    import make_archive as script

    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        script.write_archive(1, tmp_path / folder, seed)

    def files(folder):
        return {p.relative_to(tmp_path / folder): p.read_bytes() for p in (tmp_path / folder).rglob("*") if p.is_file()}

    assert files("a") == files("b")
    assert files("a") != files("c")


@pytest.mark.slow
def test_each_planted_fault_is_told_and_sound_plans_are_clean(tmp_path):
    truth = {row["case"]: row for row in make_archive(24, tmp_path, "--seed", "5", "--faults", "0.75")}
    done = subprocess.run(
        audit_command(tmp_path / "plans", tmp_path / "run", "--plans", str(tmp_path / "plans.csv")),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    store = open_store(tmp_path / "run")
    told: dict[str, set[str]] = {case: set() for case in truth}
    for row in store.read("findings").to_pylist():
        told[row["case_id"]].add(row["finding_code"])
    for row in store.read("rules").to_pylist():
        if row["verdict"] not in ("pass", "not-applicable"):
            told[row["case_id"]].add(row["rule_id"])
    for row in store.read("cases").to_pylist():
        told[row["case_id"]] |= {"error"} if row["error"] else set()
    warned = {row["case_id"] for row in store.read("findings").to_pylist() if row["level"] != "info"}
    for case, row in truth.items():
        if row["fault"]:
            assert told[case] & set(row["told_by"].split()), (row, told[case])
        else:
            assert case not in warned
            assert not any(code[:1].isupper() or code == "error" for code in told[case])


@pytest.mark.slow
def test_twenty_kills_of_workers_and_of_the_run_lose_nothing(tmp_path, audit: Audit, protocol_file, monkeypatch):
    monkeypatch.setenv("DVHKIT_IDENTITY_KEY", "a secret of the tests")
    plans = tmp_path / "plans"
    for n in range(24):
        write_plan(plans / f"case-{n:02d}", dose_gy=44.0 + n / 4)
    audit(plans, tmp_path / "whole")
    chance = random.Random(1)
    command = audit_command(plans, tmp_path / "run", "--protocol", str(protocol_file), "--jobs", "2")
    for kill in range(20):
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(1.0, 6.0))
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        workers = [int(pid) for pid in children.read_text().split()] if children.exists() else []
        victim = chance.choice(workers) if workers and kill % 2 else run.pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        run.wait(60) if victim == run.pid else run.wait(300)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    assert content(tmp_path / "run") == content(tmp_path / "whole")


@pytest.mark.slow
def test_ctrl_c_says_what_is_kept_and_the_same_command_goes_on(tmp_path, protocol_file):
    plans = tmp_path / "plans"
    for n in range(12):
        write_plan(plans / f"case-{n:02d}")
    command = audit_command(plans, tmp_path / "run", "--protocol", str(protocol_file), "--jobs", "2")
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while time.monotonic() < until and not list((tmp_path / "run").glob("store/pending/*.json")):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    if run.returncode == 130:
        assert "the same command goes on" in err
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert len(open_store(tmp_path / "run").cases()) == 12


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_store(three_plans, tmp_path, audit: Audit):
    distributed = pytest.importorskip("distributed")
    audit(three_plans, tmp_path / "here")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        audit(three_plans, tmp_path / "there", RunOptions(scheduler=cluster.scheduler_address))
    assert content(tmp_path / "there") == content(tmp_path / "here")


def test_two_processes_give_the_same_store_as_one(three_plans, tmp_path, audit: Audit, audited_once):
    assert audit(three_plans, tmp_path / "two", RunOptions(jobs=2)).computed == 3
    assert content(tmp_path / "two") == content(audited_once)
