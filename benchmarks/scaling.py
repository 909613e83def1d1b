"""Measure what one case of clinical size costs in each part of a run, and simulate 1 to 64 workers on a shared disk.

Run it with ``python benchmarks/scaling.py``: it prints the tables of docs/scaling.md. The parts are measured here, in
one process; the shares (bandwidth, time to open a file) are assumptions that stand in the tables.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from timing import ROOT, command, table

from dvhkit.archive.run_files import write_run_files
from dvhkit.archive.running.worker import Setup, Task, audit_task
from dvhkit.archive.storage.store import Store
from dvhkit.archive.work_list import make_work_list
from dvhkit.jobs.batch import AuditOptions
from dvhkit.protocols.files.load import load_protocol

WORKERS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one case costs: processor time, bytes and files read, bytes written, and the serial part of the run."""

    work_s: float
    read_mb: float
    files: int
    written_mb: float
    parent_s: float
    fold_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A disk that all workers read from: what goes through it in all, and how long a file takes to open."""

    name: str
    mb_per_s: float
    open_s: float


SHARES = (
    Share(name="local SSD", mb_per_s=2000.0, open_s=0.00005),
    Share(name="10 Gbit NFS", mb_per_s=1000.0, open_s=0.0005),
    Share(name="1 Gbit SMB", mb_per_s=110.0, open_s=0.002),
)


def measured(cases: int = 3) -> Parts:
    """Return the parts, as a mean over some cases of clinical size after a first one that warms up."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        command(sys.executable, ROOT / "scripts" / "make_archive.py", cases + 1, place / "made", "--clinical")
        work = make_work_list([place / "made" / "plans"])
        options = {"": AuditOptions(protocol=load_protocol("tg101-2010"))}
        store = Store(place / "run")
        store.create()
        setup = Setup(run=store.run, root=work.root, options=options)
        tasks = [Task(case_id=c, files=files, options="") for c, files in work.cases.items()]
        audit_task(setup, tasks[0])
        begun, read = time.process_time(), _io("rchar")
        for task in tasks[1:]:
            audit_task(setup, task)
        work_s = (time.process_time() - begun) / cases
        read_mb = (_io("rchar") - read) / cases / 1e6
        n_files = sum(1 for path in (place / "made" / "plans").rglob("*.dcm")) // (cases + 1)
        written_mb = sum(path.stat().st_size for path in store.pending()) / (cases + 1) / 1e6
        begun = time.process_time()
        for task in tasks:
            store.journal("done", case_id=task.case_id, status="audited")
        parent_s = (time.process_time() - begun) / (cases + 1)
        return Parts(
            work_s=work_s,
            read_mb=read_mb,
            files=n_files,
            written_mb=written_mb,
            parent_s=parent_s,
            fold_s=_fold_s(store, place / "many"),
        )


def _fold_s(store: Store, place: Path, copies: int = 200) -> float:
    """Return what a case costs at the end of a run: folded into the store, its row of the summary and the index."""
    like = next(store.pending_documents())
    many = Store(place)
    many.create()
    for n in range(copies):
        name = f"case-{n:05d}"
        like["case"] |= {"case_id": name, "key": name}
        like["document"]["case"] = name
        many.put(like)
    begun = time.process_time()
    many.fold()
    write_run_files(many, 1000, with_reports=False)
    shutil.rmtree(place)
    return (time.process_time() - begun) / copies


def _io(what: str) -> int:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)[what])


def plans_an_hour(parts: Parts, share: Share, workers: int, cases: int = 2000) -> float:
    """Return how many plans an hour a run makes, its end included, by simulation.

    The share serves one transfer after the other, in the order of the asking; files are opened by each worker itself.
    One process hands out the cases and takes the results in.
    """
    free_at = [(0.0, n) for n in range(workers)]
    heapq.heapify(free_at)
    share_free = parent_free = end = 0.0
    transfer_s = (parts.read_mb + parts.written_mb) / share.mb_per_s
    for _ in range(cases):
        now, n = heapq.heappop(free_at)
        parent_free = max(parent_free, now) + parts.parent_s
        opened = parent_free + parts.files * share.open_s
        share_free = max(share_free, opened) + transfer_s
        end = share_free + parts.work_s
        heapq.heappush(free_at, (end, n))
    last = max(when for when, _ in free_at)
    return 3600 * cases / (last + cases * parts.fold_s)


def limits(parts: Parts, share: Share) -> list[tuple[str, float]]:
    """Return where each part saturates, plans an hour, however many workers there are."""
    return [
        ("share", 3600 * share.mb_per_s / (parts.read_mb + parts.written_mb)),
        ("handing out", 3600 / parts.parent_s),
        ("end of the run", 3600 / parts.fold_s),
    ]


def rows(parts: Parts) -> Iterator[list[object]]:
    for share in SHARES:
        yield [share.name, *(float(plans_an_hour(parts, share, n)) for n in WORKERS)]


def report(parts: Parts) -> str:
    costs = [
        ["work (processor time)", f"{parts.work_s:.2f} s"],
        ["read", f"{parts.read_mb:.0f} MB in {parts.files} files"],
        ["written", f"{parts.written_mb:.2f} MB"],
        ["handing out and taking in, serial", f"{1e3 * parts.parent_s:.2f} ms"],
        ["fold, summary and index at the end, serial", f"{1e3 * parts.fold_s:.1f} ms"],
    ]
    where = [
        [share.name, *(f"{value:,.0f}" for _, value in limits(parts, share)), f"{share.mb_per_s:,.0f} MB/s"]
        for share in SHARES
    ]
    return "\n\n".join([
        table(["a case of clinical size", "costs"], costs),
        table(["plans an hour on", *(f"{n} workers" for n in WORKERS)], rows(parts)),
        table(["most plans an hour by", "the share", "handing out", "the end of the run", "assumed"], where),
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=Path, help="a JSON file of measured parts, in place of measuring")
    wish = parser.parse_args()
    os.environ.setdefault("DVHKIT_IDENTITY_KEY", "benchmark")
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    parts = Parts(**json.loads(wish.parts.read_text())) if wish.parts else measured()
    print(report(parts))
    print(f"\nload average {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
