"""Run the benchmarks anew and name what has become over a tenth slower than the committed results: `make bench-check`.

Only ratios measured in one run are compared: they carry over from machine to machine, seconds do not. A loaded machine
makes any of them wrong, so the load is told, and nothing in CI depends on this.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from timing import HERE

WORSE_BY = 1.1


@dataclass(frozen=True, slots=True)
class Guarded:
    """A ratio that is guarded: in which row and column it stands, and whether less of it is better."""

    row: str
    column: str
    less_is_better: bool


GUARDED = (
    Guarded("all DVHs and metrics, reference, 2 threads, cold", "times dvhkit warm", less_is_better=True),
    Guarded("all DVHs and metrics, reference, 1 thread", "times dvhkit warm", less_is_better=True),
    Guarded("the same with bands", "times dvhkit warm", less_is_better=True),
    Guarded("all DVHs and metrics, reference, 2 threads, warm", "times floor", less_is_better=True),
    Guarded("dicompyler-core", "times dvhkit warm", less_is_better=False),
    Guarded("plastimatch (two commands, with files): all DVHs", "times dvhkit warm", less_is_better=False),
    Guarded("scikit-image masks, SimpleITK dose, numpy DVH: all DVHs", "times dvhkit warm", less_is_better=False),
    Guarded("`dvhkit dvh`, process start to written CSV", "times pydicom", less_is_better=True),
    Guarded("the same with `--no-band`", "times pydicom", less_is_better=True),
    Guarded("`dvhkit audit` with quantec-2010", "times pydicom", less_is_better=True),
    Guarded("`dvhkit --help`", "times pydicom", less_is_better=True),
    Guarded("imports of `dvhkit dvh`", "times pydicom", less_is_better=True),
    Guarded("SimpleITK on the cropped grid", "times dvhkit", less_is_better=False),
    Guarded("structure set of 20 MB: dvhkit", "times pydicom", less_is_better=True),
    Guarded("2 processes", "times faster than 1", less_is_better=False),
)


def ratios(text: str) -> dict[str, float]:
    """Return the guarded ratios that the tables of a results file state, by row and column."""
    found: dict[str, float] = {}
    columns: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells or set(line) <= set("|-"):
            columns = columns if cells else []
        elif not columns:
            columns = cells
        else:
            found |= _guarded(dict(zip(columns, cells, strict=False)), cells[0])
    return found


def _guarded(row: dict[str, str], label: str) -> dict[str, float]:
    found = {}
    for guarded in GUARDED:
        if label.startswith(guarded.row) and guarded.column in row:
            try:
                found[_name(guarded)] = float(row[guarded.column].replace(",", ""))
            except ValueError:
                continue  # a peer that was not at hand
    return found


def _name(guarded: Guarded) -> str:
    return f"{guarded.row} | {guarded.column}"


def slower(before: dict[str, float], now: dict[str, float]) -> list[str]:
    """Return a line for each guarded ratio that is worse by over a tenth, or that nobody measured this time."""
    lines = []
    for guarded in GUARDED:
        name = _name(guarded)
        if name not in before:
            continue
        if name not in now:
            lines.append(f"not measured this time: {name}")
            continue
        worse = now[name] / before[name] if guarded.less_is_better else before[name] / now[name]
        if worse > WORSE_BY:
            lines.append(f"worse by {100 * (worse - 1):.0f} %: {name}: {before[name]:g} before, {now[name]:g} now")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="the Python of the environment with dicompyler-core")
    parser.add_argument("--results", type=Path, help="compare this file instead of running everything anew")
    wish = parser.parse_args()
    load = os.getloadavg()[0]
    committed = ratios((HERE / "results.md").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as made:
        fresh = wish.results or Path(made) / "results.md"
        if wish.results is None:
            words = [sys.executable, str(HERE / "run_all.py"), "--out", str(fresh)]
            words += ["--peers", str(wish.peers)] if wish.peers else []
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        found = slower(committed, ratios(fresh.read_text(encoding="utf-8")))
    print("\n".join(found) if found else f"none of {len(committed)} ratios is worse by over a tenth.")
    print(f"load average {load:.1f} before, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} processors")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
