"""What is received is audited into one store, each plan set told once; stopped and started again nothing is lost."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from random import Random

import pydicom
import pytest
from typer.testing import CliRunner

from dvhkit.archive.storage.store import Store, open_store
from dvhkit.cli.app import app
from dvhkit.errors import InputError
from dvhkit.services.sender import send
from dvhkit.services.spool import Kept, Limits, Spool, key_of
from dvhkit.services.watch import Watch
from dvhkit.services.wire import data_set_offset

_SPEC = importlib.util.spec_from_file_location(
    "small_plans", Path(__file__).resolve().parents[1] / "archive" / "small_plans.py"
)
small_plans = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(small_plans)


@pytest.fixture
def protocol(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("DVHKIT_IDENTITY_KEY", "a secret of the tests")
    path = tmp_path / "three.yaml"
    path.write_text(small_plans.PROTOCOL, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def two_plans(tmp_path_factory) -> list[Path]:
    root = tmp_path_factory.mktemp("plans")
    return [small_plans.write_plan(root / f"case-{n}", dose_gy=dose) for n, dose in ((1, 50.0), (2, 44.0))]


def study_of(plan: Path) -> str:
    return str(pydicom.dcmread(plan / "RTPLAN.dcm").StudyInstanceUID)


def receive(spool: Spool, watch: Watch, plan: Path) -> None:
    """Put a plan into a spool as the receiver does."""
    for path in sorted(plan.iterdir()):
        stored, uid = path.read_bytes(), str(pydicom.dcmread(path).SOPInstanceUID)
        offset = data_set_offset(stored[:4096])
        study = study_of(plan)
        watch.arrived(key_of(study), spool.store(stored[:offset], stored[offset:], study_uid=study, instance_uid=uid))


@pytest.fixture
def audits_here(monkeypatch):
    """Let a watch run its audits in this process, and hold every study for complete."""

    def wait_for(self, command, stop):
        return CliRunner().invoke(app, [*command[3:], "--jobs", "1"]).exit_code

    monkeypatch.setattr(Watch, "_wait", wait_for)
    monkeypatch.setattr(Watch, "_complete", lambda self, study: True)
    monkeypatch.setattr("dvhkit.services.watch._SETTLED_S", 0.0)


def run_until(watch: Watch, told: list[dict], count: int) -> None:
    stop = threading.Event()
    task = threading.Thread(target=watch.run, args=(stop,))
    task.start()
    until = time.monotonic() + 60
    while len(told) < count and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    task.join(30)


def test_studies_go_into_one_store_and_each_is_told_once(tmp_path, protocol, two_plans, audits_here):
    spool, told = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    watch = Watch(spool, quiet_s=60, told=told.append, protocol=str(protocol))
    receive(spool, watch, two_plans[0])
    run_until(watch, told, 1)
    watch = Watch(spool, quiet_s=60, told=told.append, protocol=str(protocol))  # a restart: nothing is left to do
    receive(spool, watch, two_plans[0])  # a copy is no news
    receive(spool, watch, two_plans[1])
    run_until(watch, told, 2)
    studies = [study_of(plan) for plan in two_plans]
    assert [(t["event"], t["study"], t["exit"]) for t in told] == [
        ("audited", studies[0], 0),
        ("audited", studies[1], 1),
    ]
    run = tmp_path / "spool" / "run"
    cases = open_store(run).cases()
    assert set(cases) == {t["case_id"] for t in told}
    assert len({row["path"] for row in open_store(run).read("objects").to_pylist()}) == 6
    assert {case["case"] for case in json.loads((run / "audit.json").read_text())["cases"]} == set(cases)
    assert (run / "index.html").exists()


def test_without_a_protocol_numbers_are_told_and_plans_are_called_by_their_study(
    tmp_path, protocol, two_plans, audits_here
):
    spool, told = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    plans = tmp_path / "plans.csv"
    plans.write_text(f"case,protocol\n{study_of(two_plans[1])},{protocol}\n1.2.3,{protocol}\n")
    watch = Watch(spool, quiet_s=60, told=told.append, plans=plans)
    for plan in two_plans:
        receive(spool, watch, plan)
    run_until(watch, told, 2)
    rows = {row["case_id"]: row for row in open_store(tmp_path / "spool" / "run").read("cases").to_pylist()}
    assert {rows[t["case_id"]]["protocol_id"]: t["exit"] for t in told} == {"none": 1, "three-rules": 1}
    metrics = open_store(tmp_path / "spool" / "run").read("metrics").to_pylist()
    assert {row["case_id"] for row in metrics if row["value"]} == set(rows)


def test_a_copy_is_no_news_and_a_correction_is_none_either(tmp_path):
    watch = Watch(Spool(tmp_path), quiet_s=0, told=lambda _: None)
    for kept in (Kept.DUPLICATE, Kept.CONFLICT):
        watch.arrived("study", kept)
    assert watch._due() == []


@pytest.mark.slow
def test_four_senders_at_once_a_kill_and_a_clean_end(tmp_path, protocol):
    plans = [small_plans.write_plan(tmp_path / "plans" / f"case-{n}", dose_gy=44.0 + n) for n in range(8)]
    words = ["--out", tmp_path / "spool", "--port", "0", "--quiet-time", "5", "--min-free-mb", "1"]
    command = [sys.executable, "-m", "dvhkit", "listen", *map(str, words), "--protocol", str(protocol)]

    def start():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return process, int(process.stderr.readline().split(":")[1].split()[0])

    listener, port = start()
    sent: list[int] = []

    def send_some(n: int) -> None:
        sent.extend(send(sorted(plan.iterdir()), "127.0.0.1", port, "DVHKIT").sent for plan in plans[n::4])

    senders = [threading.Thread(target=send_some, args=(n,)) for n in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(120)
    assert sum(sent) == 24
    listener.kill()
    listener.communicate()
    listener, _ = start()
    lines = [json.loads(listener.stdout.readline()) for _ in plans]
    listener.send_signal(signal.SIGTERM)
    listener.communicate(timeout=60)
    assert listener.returncode == 0
    assert {line["study"] for line in lines} == {study_of(plan) for plan in plans}
    assert len(open_store(tmp_path / "spool" / "run").cases()) == 8


@pytest.mark.slow
def test_twenty_kills_at_random_moments_lose_nothing_that_was_acknowledged(tmp_path):
    """A sender notes each object that is acknowledged; the listener is killed under it, and started again."""
    plans = [small_plans.write_plan(tmp_path / "plans" / f"case-{n}", dose_gy=44.0 + n) for n in range(40)]
    files = [path for plan in plans for path in sorted(plan.iterdir())]
    words = ["--out", tmp_path / "spool", "--quiet-time", "3600", "--min-free-mb", "1"]
    random = Random(18)
    acknowledged: set[Path] = set()
    for _ in range(20):
        listener = subprocess.Popen(
            [sys.executable, "-m", "dvhkit", "listen", *map(str, words), "--port", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        port = int(listener.stderr.readline().split(":")[1].split()[0])
        killer = threading.Timer(random.uniform(0.02, 0.8), listener.kill)
        killer.start()
        _store_until_it_dies([f for f in files if f not in acknowledged] or files, port, acknowledged)
        killer.join()
        listener.communicate()
        _assert_kept(tmp_path / "spool", acknowledged)
    assert acknowledged
    assert list((tmp_path / "spool" / "conflicts").iterdir()) == []


def _store_until_it_dies(files: list[Path], port: int, acknowledged: set[Path]) -> None:
    for file in files:
        try:
            if send([file], "127.0.0.1", port, "DVHKIT").sent:
                acknowledged.add(file)
        except InputError:
            return


def _assert_kept(spool: Path, acknowledged: set[Path]) -> None:
    kept = {p.stem: p.read_bytes() for p in (spool / "objects").rglob("*.dcm")}
    for file in acknowledged:
        sent, stored = file.read_bytes(), kept[key_of(str(pydicom.dcmread(file).SOPInstanceUID))]
        assert stored[data_set_offset(stored[:4096]) :] == sent[data_set_offset(sent[:4096]) :]
    for stored in kept.values():  # what was not acknowledged is whole, too, or not there
        pydicom.dcmread(BytesIO(stored))


def test_while_somebody_else_writes_into_the_run_an_audit_waits_and_nothing_is_told(
    tmp_path, protocol, two_plans, audits_here
):
    spool, told = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    watch = Watch(spool, quiet_s=60, told=told.append, protocol=str(protocol))
    receive(spool, watch, two_plans[0])
    with Store(tmp_path / "spool" / "run").writing():
        stop = threading.Event()
        task = threading.Thread(target=watch.run, args=(stop,))
        task.start()
        time.sleep(1.0)
        stop.set()
        task.join(30)
        assert (told, spool.audited(key_of(study_of(two_plans[0])))) == ([], False)
    run_until(watch, told, 1)
    assert [t["exit"] for t in told] == [0]


def test_an_audit_that_left_nothing_is_tried_again_by_itself_and_told_in_the_end(tmp_path, two_plans, monkeypatch):
    asked: list[list[str]] = []

    def without_a_result(self, command, stop):
        asked.append([Path(word).name for word in command if "objects" in word])
        return 2

    monkeypatch.setattr(Watch, "_wait", without_a_result)
    monkeypatch.setattr(Watch, "_complete", lambda self, study: True)
    monkeypatch.setattr("dvhkit.services.watch._SETTLED_S", 0.0)
    spool, told = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    watch = Watch(spool, quiet_s=60, told=told.append)
    for plan in two_plans:
        receive(spool, watch, plan)
    run_until(watch, told, 2)
    assert sorted(t["exit"] for t in told) == [2, 2]
    keys = sorted(key_of(study_of(plan)) for plan in two_plans)
    assert not any(spool.audited(key) for key in keys)  # the next start tries them again
    assert [sorted(words) for words in asked] == [keys, [asked[1][0]], [asked[1][0]], [asked[3][0]], [asked[3][0]]]


def test_on_a_full_disk_audits_wait_and_go_on_once_there_is_space(
    tmp_path, two_plans, audits_here, monkeypatch, caplog
):
    spool, told = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    watch = Watch(spool, quiet_s=60, told=told.append)
    receive(spool, watch, two_plans[0])
    mark, failures = Spool.mark_audited, [0, 0, 0]

    def without_space(self, study, fingerprint):
        if failures:
            failures.pop()
            raise OSError(28, "No space left on device")
        mark(self, study, fingerprint)

    monkeypatch.setattr(Spool, "mark_audited", without_space)
    monkeypatch.setattr("dvhkit.services.watch._REST_S", 0.0)
    run_until(watch, told, 1)
    assert [t["event"] for t in told] == ["audited"]
    assert spool.audited(key_of(study_of(two_plans[0])))
    assert [r.message for r in caplog.records if "audits wait" in r.message] == ["audits wait: No space left on device"]


def test_an_audit_needs_room_for_what_it_reads_and_for_pages_and_store_beside_the_old_but_not_for_other_reports(
    tmp_path, two_plans, monkeypatch, caplog
):
    spool, told = Spool(tmp_path / "spool", Limits(free_bytes=0)), []
    watch = Watch(spool, quiet_s=60, told=told.append)
    receive(spool, watch, two_plans[0])
    run = tmp_path / "spool" / "run"
    for name, size in (("index.html", 2_000_000), ("store/rules/part-1.parquet", 1_000_000), ("reports/old.html", 7)):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(b" " * size)
    study = key_of(study_of(two_plans[0]))
    needed = watch._needed_bytes([study])
    assert needed == (1 << 20) + 3_000_000 + sum(f.stat().st_size for f in spool.folder(study).iterdir())
    monkeypatch.setattr(watch, "_free_bytes", lambda: needed - 1)
    monkeypatch.setattr(watch, "_due", lambda: [study])
    watch._step(threading.Event())
    assert told == []
    assert [r.message for r in caplog.records] == ["audits wait: no space left on the disk"]


def test_while_objects_come_in_nothing_is_audited_for_ten_seconds_at_most(tmp_path, two_plans, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("dvhkit.services.watch.time.monotonic", lambda: now[0])
    watch = Watch(Spool(tmp_path, Limits(free_bytes=0)), quiet_s=2.0, told=lambda _: None)
    watch.arrived("a", Kept.STORED)
    for _ in range(28):
        now[0] += 0.4
        watch.arrived("b", Kept.STORED)
        assert watch._due() == (["a"] if now[0] > 1010.0 else [])
    now[0] += 0.6
    assert watch._due() == ["a"]
