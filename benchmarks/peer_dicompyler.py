"""Compute all DVHs of a folder with dicompyler-core; runs in that program's own environment and prints JSON.

.venv-peers/bin/python benchmarks/peer_dicompyler.py FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from dicompylercore import dicomparser, dvhcalc


def main() -> None:
    folder = Path(sys.argv[1])
    structures, dose = str(folder / "RTSTRUCT.dcm"), str(folder / "RTDOSE.dcm")
    start = time.perf_counter()
    parsed, given = dicomparser.DicomParser(structures), dicomparser.DicomParser(dose)
    named = parsed.GetStructures()
    read_s = time.perf_counter() - start
    start = time.perf_counter()
    found = {}
    for number, each in named.items():
        dvh = dvhcalc.get_dvh(parsed.ds, given.ds, number)
        found[each["name"]] = {
            "Volume": float(dvh.volume),
            "Mean": float(dvh.mean),
            "D95%": float(dvh.D95.value),
            "D2%": float(dvh.D2.value),
        }
    print(json.dumps({"read_s": read_s, "dvh_s": time.perf_counter() - start, "metrics": found}))


if __name__ == "__main__":
    main()
