"""Time runs over archives: what a case costs, processes, runs that find nothing to do, differences, questions.

Small cases (two balls in an even dose, three rules) show what a run adds to the numbers of a case; `--clinical` adds
cases of clinical size beside pydicom reading the same files.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from timing import HERE, ROOT, best, command, compile_modules, table

from dvhkit.archive.diff import diff_runs
from dvhkit.archive.run import RunOptions, run_archive
from dvhkit.archive.storage.query import query
from dvhkit.archive.storage.store import Store
from dvhkit.jobs.batch import AuditOptions
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomSet, arc_plan, axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.protocols.files.load import load_protocol

PROTOCOL = """
id: three-rules
version: "1"
title: Three rules
rules:
  - {id: D95, title: target covered, structure: {name: PTV}, metric: "D95%[Gy]", goal: ">= 47 Gy"}
  - {id: Dmax, title: organ spared, structure: {name: Organ}, metric: "Max[Gy]", goal: "<= 55 Gy"}
  - {id: Vol, title: organ drawn, structure: {name: Organ}, metric: "Volume[cc]", goal: ">= 0.5 cc"}
"""
PASS_RATES = "SELECT rule_id, verdict, count(*) n FROM rules GROUP BY ALL ORDER BY ALL"
STORED_CASES = 1800


def write_plans(folder: Path, count: int) -> None:
    """Write small plans that differ in dose."""
    planes = np.arange(-15.0, 16.0, 3.0)
    grid = axial_grid(shape_zyx=(16, 15, 17), spacing_xyz_mm=(4.0, 4.0, 3.0))
    drawn = (
        structure("PTV", 1, sphere((3.0, -2.0, 0.0), 10.0), planes, rt_roi_type="PTV", n_points=24),
        structure("Organ", 2, sphere((-14.0, 8.0, 0.0), 6.0), planes, n_points=24),
    )
    for n in range(count):
        dose = PhantomDose(grid=grid, values_gy=np.full(grid.shape_zyx, 44.0 + n % 12), bits=16)
        plan = arc_plan(dose_gy=50.0, fractions=5, roi_number=1)
        name = f"case-{n:05d}"
        write_set(
            folder / name, PhantomSet(label=name, structures=drawn, plan=plan, doses=(dose,), patient_id=f"SYN-{n}")
        )


def run(plans: Path, out: Path, protocol: Path, jobs: int) -> int:
    """Audit a folder; return how many cases were computed."""

    def options_of(case_ids: Sequence[str]) -> tuple[dict[str, AuditOptions], dict[str, str]]:
        return {"": AuditOptions(protocol=load_protocol(protocol))}, dict.fromkeys(case_ids, "")

    report = run_archive([plans], out, options_of, RunOptions(jobs=jobs))
    return report.computed


def resident_mb() -> float:
    """Return the memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cost_rows(place: Path, protocol: Path, sizes: Sequence[int]) -> list[list[object]]:
    """Return, for archives of several sizes, processor time and memory; the last one is run again."""
    rows: list[list[object]] = []
    warm = place / "warm"
    write_plans(warm, 2)
    run(warm, place / "run-warm", protocol, 0)
    for size in sizes:
        plans, out = place / f"plans-{size}", place / f"run-{size}"
        write_plans(plans, size)
        time.sleep(2.1)  # files must be old enough for their time stamps to be trusted
        begun, memory = time.process_time(), resident_mb()
        run(plans, out, protocol, 0)
        first = time.process_time() - begun
        grown = resident_mb() - memory
        begun = time.process_time()
        assert run(plans, out, protocol, 0) == 0
        again = time.process_time() - begun
        rows.append([f"{size:,}", first / size, first, again, 100 * again / first, grown])
    return rows


def processes_rows(place: Path, protocol: Path, plans: Path, count: int) -> list[list[object]]:
    """Return how long one and two worker processes take, start of the processes included."""
    seconds = {}
    for jobs in (1, 2):
        code = f"import bench_archive as b; from pathlib import Path; b.run(*map(Path, {_paths(place, plans, protocol, jobs)!r}), {jobs})"  # noqa: E501
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE, env={**os.environ, **_here()})
        seconds[jobs] = time.perf_counter() - begun
    return [[f"{jobs} processes, {count} cases", s, seconds[1] / s] for jobs, s in seconds.items()]


def _paths(place: Path, plans: Path, protocol: Path, jobs: int) -> list[str]:
    return [str(plans), str(place / f"jobs-{jobs}"), str(protocol)]


def _here() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")])}


def stored(run_folder: Path, like: dict[str, object], count: int, *, changed: bool) -> None:
    """Make a store of many cases out of one finished case; every tenth has another dose where `changed`."""
    store = Store(run_folder)
    store.create()
    for n in range(count):
        document = copy.deepcopy(like)
        name = f"case-{n:05d}"
        document["case"] |= {"case_id": name, "key": f"{name}{changed}"}
        document["document"]["case"] = name
        if changed and n % 10 == 0:
            document["case"]["content"] = json.dumps({**json.loads(document["case"]["content"]), "dose": "other"})
            rule = document["document"]["rules"][0]
            rule["verdict"] = "pass" if rule["verdict"] == "fail" else "fail"
        store.put(document)
    store.fold()


def question_rows(place: Path, protocol: Path) -> list[list[object]]:
    """Return how long it takes to compare two large stores, and to ask one."""
    plans = place / "one"
    write_plans(plans, 1)
    finished: list[dict[str, object]] = []
    put = Store.put

    def keep(self: Store, document: dict[str, object]) -> None:
        finished.append(document)
        put(self, document)

    Store.put = keep  # type: ignore[method-assign, assignment]
    try:
        run(plans, place / "run-one", protocol, 0)
    finally:
        Store.put = put  # type: ignore[method-assign]
    for name, changed in (("a", False), ("b", True)):
        stored(place / name, finished[0], STORED_CASES, changed=changed)
    found = diff_runs(place / "a", place / "b")
    assert len([c for c in found.changed if c.kind == "verdict"]) == STORED_CASES // 10
    return [
        [f"diff of two stores of {STORED_CASES:,} cases", best(lambda: diff_runs(place / "a", place / "b"), 2)],
        ["query of pass rates", best(lambda: query(place / "a", PASS_RATES), 3)],
    ]


def clinical_rows(place: Path, count: int = 4) -> list[list[object]]:
    """Return how long cases of clinical size take with two processes, beside pydicom alone in one."""
    plans = place / "clinical"
    command(sys.executable, ROOT / "scripts" / "make_archive.py", count, plans, "--clinical")
    words = ("-m", "dvhkit", "audit", plans / "plans", "--protocol", "tg101-2010", "--jobs", 2, "--out")
    folders = sorted((plans / "plans").iterdir())
    theirs = best(lambda: [command(sys.executable, HERE / "peer_pydicom.py", folder) for folder in folders], 1)
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, *map(str, words), str(place / "run-clinical")],
        stdout=subprocess.DEVNULL,
        check=False,
        env={**os.environ, **_here()},
    )
    ours = time.perf_counter() - begun
    return [
        [f"pydicom alone, {count} cases, one process a case", theirs, 1.0],
        ["audit with bands, 2 processes, start included", ours, ours / theirs],
    ]


def report(sizes: Sequence[int] = (50, 200), *, clinical: bool = False) -> str:
    """Return the tables of one run."""
    compile_modules()
    os.environ.setdefault("DVHKIT_IDENTITY_KEY", "benchmark")
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        protocol = place / "three.yaml"
        protocol.write_text(PROTOCOL, encoding="utf-8")
        cost = cost_rows(place, protocol, sizes)
        together = processes_rows(place, protocol, place / f"plans-{sizes[-1]}", sizes[-1])
        questions = question_rows(place, protocol)
        beside = clinical_rows(place) if clinical else []
    head = ["cases", "a case, s of processor", "first run, s", "unchanged again, s", "again, %", "memory grown, MB"]
    parts = [
        table(head, cost),
        table(["what", "seconds", "times faster than 1"], together),
        table(["what", "seconds"], questions),
    ]
    return "\n\n".join(parts + ([table(["clinical size", "seconds", "times pydicom"], beside)] if beside else []))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="50,200", help="cases of the archives, such as 50,200,1000")
    parser.add_argument("--clinical", action="store_true")
    wish = parser.parse_args()
    load = os.getloadavg()[0]
    print(report([int(size) for size in wish.sizes.split(",")], clinical=wish.clinical))
    print(f"\nload average {load:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
