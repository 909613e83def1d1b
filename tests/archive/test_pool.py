"""A task that crashes, is killed, hangs, eats memory or raises fails alone, with its reason."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import tasks_that_fail

from dvhkit.archive.running.crew import _last_wide
from dvhkit.archive.running.pool import Pool, automatic_jobs, memory_limit, run_isolated
from dvhkit.archive.running.worker import Task
from dvhkit.readers.linking.case_files import CaseFiles


def test_each_way_to_fail_costs_its_own_task_alone(monkeypatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    sound = [f"sound-{n}" for n in range(6)]
    tasks = ["ends", "sound-0", "killed", "sound-1", "sound-2", "memory", "raises", "sound-3", "hangs", *sound[4:]]
    outcomes = {o.task: o for o in run_isolated(tasks_that_fail.do, tasks, jobs=2, timeout_s=4.0)}
    assert sorted(outcomes) == sorted(tasks)
    assert [outcomes[t].result for t in sound] == [f"{t} done with 1 thread" for t in sound]
    told = {t: (o.failure, o.reason) for t, o in outcomes.items() if t not in sound}
    assert told["ends"] == ("crashed", "the worker process ended with code 7")
    assert told["killed"][0] == "crashed"
    assert "SIGKILL" in told["killed"][1]
    assert told["hangs"] == ("timeout", "took longer than 4 s and was stopped")
    assert told["memory"][0] == "memory"
    assert told["raises"] == ("fault", "ZeroDivisionError: by nothing")
    assert "NUMBA_NUM_THREADS" not in os.environ


def test_jobs_suit_cores_memory_and_work(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("dvhkit.archive.running.pool.available_bytes", lambda: 3 << 30)
    assert automatic_jobs(100) == 3
    assert automatic_jobs(2) == 2
    assert memory_limit(2) == int(0.9 * (3 << 30) / 2)
    monkeypatch.setattr("dvhkit.archive.running.pool.available_bytes", lambda: None)
    assert automatic_jobs(100) == 8
    assert memory_limit(2) is None


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_task_starts_no_worker(jobs):
    assert list(run_isolated(tasks_that_fail.do, [], jobs=jobs)) == []


def test_workers_started_before_there_is_a_task_do_it_and_are_no_more_than_there_may_be():
    pool = Pool(tasks_that_fail.do, 1)
    pool.start(2)
    (early,) = pool._workers
    try:
        assert [o.result for o in pool.run(iter(["well"]))] == ["well done with 1 thread"]
        assert pool._workers == [early]
    finally:
        pool.stop()


def test_a_worker_that_needs_no_main_module_does_not_run_it_and_its_parent_works_meanwhile(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from os.path import basename\n"
        "from dvhkit.archive.running.pool import Pool\n"
        "print('main', flush=True)\n"
        "pool = Pool(basename, 1, needs_main=False)\n"
        "for outcome in pool.run(iter(['a/b', 'a/c']), meanwhile=lambda: print('meanwhile', flush=True)):\n"
        "    print(outcome.result, flush=True)\n"
        "pool.stop()\n"
    )
    # Without the usual guard a main module that is imported would start workers again.
    told = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["main", "meanwhile", "b", "c"]


@pytest.mark.parametrize(("jobs", "threads"), [(1, [0, 0, 0]), (2, [0, 0, 2]), (5, [0, 2, 2]), (64, [2, 2, 2])])
def test_the_last_cases_have_two_threads_and_all_others_that_of_their_worker(jobs, threads):
    tasks = [Task(case_id=str(n), files=CaseFiles(label=str(n), rtstruct=None), options="") for n in range(3)]
    assert [task.threads for task in _last_wide(tasks, jobs)] == threads
