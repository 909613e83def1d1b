#!/usr/bin/env bash
# pydvh 1.0.10: in an Eclipse text export that holds several plans, a structure stands once for each plan, under the same
# name. The parser looks the rows up by the name alone, so every further plan gets the DVH of the first: the boost whose
# own rows say 40 Gy comes back with 20 Gy, and both entries look alike.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'pydvh==1.0.10' 'numpy<3'
"$work/env/bin/python" -W ignore - "$work/dvh.txt" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

from pydvh.dvhfile import DVHFile

HEAD = """Patient Name         : Finding, Phantom
Patient ID           : FINDING
Comment              : DVHs for multiple plans
Date                 : Thursday, January 1, 2026 12:00:00
Exported by          : physicist
Type                 : Cumulative Dose Volume Histogram

"""


def block(structure, plan, top_gy):
    rows = [(share * top_gy, share * 100, volume) for share, volume in ((0, 100), (0.5, 80), (1, 0))]
    head = f"Structure: {structure}\nApproval Status: Unapproved\nPlan: {plan}\nCourse: C1\nVolume [cm³]: 20.0\n"
    doses = f"Min Dose [Gy]: 0.0\nMax Dose [Gy]: {top_gy}\nMean Dose [Gy]: {top_gy / 2}\n\n"
    table = "         Dose [Gy]   Relative dose [%] Ratio of Total Structure Volume [%]\n"
    return head + doses + table + "".join(f"{a:16.1f}{b:20.1f}{c:24.3f}\n" for a, b, c in rows) + "\n"


path = Path(sys.argv[1])
path.write_text(HEAD + block("PTV", "First", 20.0) + block("Cord", "First", 10.0) + block("PTV", "Boost", 40.0), "utf-8")
read = [(dvh._structure, dvh.max_dose, dvh.dose_array.tolist()) for dvh in DVHFile.from_file_eclipse(path)._dvhs]
print("pydvh", version("pydvh"), *read, sep="\n")
assert read == [("PTV", 20.0, [0, 10, 20]), ("Cord", 10.0, [0, 5, 10]), ("PTV", 20.0, [0, 10, 20])]
PY
