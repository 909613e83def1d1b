"""Time the whole command from process start to written CSV, beside pydicom reading the same files."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from timing import DVHKIT, HERE, ROOT, best, command, table


def children_gb() -> float:
    """Return the greatest memory of any process that was run so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def first_run(case: Path, place: Path) -> float:
    """Return how long the command takes where no kernel has been compiled yet, on a case of a few structures."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(place / "kernels")}
    start = time.perf_counter()
    command(DVHKIT, "dvh", case, "--csv", place / "first.csv", env=env)
    return time.perf_counter() - start


def report(folder: Path) -> tuple[str, float]:
    """Return the table of one run, and the greatest memory of a command in GB."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        full = (DVHKIT, "dvh", folder, "--csv", place / "all.csv")
        command(*full)  # kernels into the cache, files into the system's
        memory_gb = children_gb()
        ours = best(lambda: command(*full), 3)
        plain = (sys.executable, HERE / "peer_pydicom.py", folder)
        theirs = best(lambda: command(*plain), 3)
        help_s = best(lambda: command(DVHKIT, "--help"), 5)
        first_s = first_run(ROOT / "test_data" / "liver_sbrt", place)
    rows = [
        ["pydicom alone: CT headers, dose pixels, every ContourData", theirs, 1.0],
        ["`dvhkit dvh`, process start to written CSV, kernels in the cache", ours, ours / theirs],
        ["`dvhkit --help`", help_s, help_s / theirs],
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
