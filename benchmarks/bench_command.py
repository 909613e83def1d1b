"""Time the whole command from process start to written CSV, beside pydicom reading the same files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import DVHKIT, HERE, ROOT, best, command, compile_modules, table


def children_gb() -> float:
    """Return the greatest memory of any process that was run so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


# What `dvhkit dvh` has loaded when it looks at its first file.
IMPORTS = (
    "import dvhkit.cli.app, dvhkit.cli.one_plan.dvh, dvhkit.readers.case, dvhkit.jobs.numbers; "
    "import dvhkit.metrics.evaluate, dvhkit.outputs.csv_text, dvhkit.outputs.terminal.metric_grid"
)


def audited(folder: Path, place: Path) -> None:
    """Audit the case by the command line; rules that fail are no failure here."""
    shutil.rmtree(place / "run", ignore_errors=True)
    words = (DVHKIT, "audit", folder, "--protocol", "quantec-2010", "--out", place / "run")
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
    if done.returncode > 1:
        raise RuntimeError(f"the audit ended with {done.returncode}: {done.stderr.strip()[-400:]}")


def first_run(case: Path, place: Path) -> float:
    """Return how long the command takes where no kernel has been compiled yet, on a case of a few structures."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(place / "kernels")}
    start = time.perf_counter()
    command(DVHKIT, "dvh", case, "--csv", place / "first.csv", env=env)
    return time.perf_counter() - start


def report(folder: Path) -> tuple[str, float]:
    """Return the table of one run, and the greatest memory of a command in GB."""
    compile_modules()
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        full = (DVHKIT, "dvh", folder, "--csv", place / "all.csv")
        command(*full)  # kernels into the cache, files into the system's
        memory_gb = children_gb()
        ours = best(lambda: command(*full), 3)
        bare = best(lambda: command(*full, "--no-band"), 3)
        audit_s = best(lambda: audited(folder, place), 2)
        plain = (sys.executable, HERE / "peer_pydicom.py", folder)
        theirs = best(lambda: command(*plain), 3)
        empty_s = best(lambda: command(sys.executable, "-c", "pass"), 5)
        help_s = best(lambda: command(DVHKIT, "--help"), 5)
        imports_s = best(lambda: command(sys.executable, "-c", IMPORTS), 5) - empty_s
        first_s = first_run(ROOT / "test_data" / "liver_sbrt", place)
    rows = [
        ["pydicom alone: CT headers, dose pixels, every ContourData", theirs, 1.0],
        ["`dvhkit dvh`, process start to written CSV, kernels in the cache", ours, ours / theirs],
        ["the same with `--no-band`", bare, bare / theirs],
        ["`dvhkit audit` with quantec-2010, report with slices, once before", audit_s, audit_s / theirs],
        ["an empty Python", empty_s, empty_s / theirs],
        ["`dvhkit --help`", help_s, help_s / theirs],
        ["imports of `dvhkit dvh`, less an empty Python", imports_s, imports_s / theirs],
        ["`dvhkit dvh` on the shipped plan, first run ever: kernels compile", first_s, first_s / theirs],
    ]
    return table(["process", "seconds", "times pydicom"], rows), memory_gb


def main() -> None:
    import clinical_case

    with tempfile.TemporaryDirectory() as folder:
        clinical_case.write(Path(folder))
        text, memory_gb = report(Path(folder))
    print(f"{text}\n\nPeak memory of the command: {memory_gb:.2f} GB")


if __name__ == "__main__":
    main()
