"""Damage DICOM files in many seeded ways and read them: ``fuzz_readers.py [--count N] [--seed S] [FOLDER]``.

The longer sister of the test: it takes the shipped plan, or any folder of small DICOM files, and ends with exit code 1
if a damaged file raised anything but a refusal, or took longer than it may.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "readers"))

from mutations import mutants, read_anything  # noqa: E402 -- the mutations are the test's own

MAX_BYTES = 4_000_000
SECONDS_A_FILE = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "test_data" / "liver_sbrt")
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files = [p for p in sorted(options.folder.rglob("*")) if p.is_file() and p.stat().st_size <= MAX_BYTES]
    originals = {str(p.relative_to(options.folder)): p.read_bytes() for p in files}
    outcomes: Counter[str] = Counter()
    slowest = (0.0, "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant"
        for what, data in mutants(originals, options.count, options.seed):
            path.write_bytes(data)
            start = time.perf_counter()
            try:
                outcomes[read_anything(path)] += 1
            except Exception:  # noqa: BLE001 -- whatever it is, it is what we look for
                outcomes["BROKEN"] += 1
                print(f"seed {options.seed}, {what}")
                traceback.print_exc()
            slowest = max(slowest, (time.perf_counter() - start, what))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{dict(outcomes)}, slowest {slowest[0]:.2f} s ({slowest[1]}), peak memory {megabytes:.0f} MiB")
    return int(outcomes["BROKEN"] > 0 or slowest[0] > SECONDS_A_FILE)


if __name__ == "__main__":
    sys.exit(main())
