#!/usr/bin/env bash
# dicompyler-core 0.5.6 gives every slice of a structure the least distance between any two of them as its thickness. A
# box of 400 mm2 drawn at z = 0, 2, 6, 10 and 14 mm has 5.6 cc between its first and last slice (6.8 cc with half a gap
# at the ends); the DVH says 4.0 cc, and doses at a volume follow. Drawn every 4 mm throughout, the same box is right:
# one extra slice, such as a correction in between, takes 40 % of the volume away, and no note says so.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check setuptools 'dicompyler-core==0.5.6' 'pydicom==2.4.5' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

from dicompylercore import dvhcalc
from synthetic import box, np, write_dose, write_structures

drawn = {"even": (0, 2, 4, 6, 8), "with one more": (0, 1, 2, 4, 6, 8), "uneven": (0, 1, 3, 5, 7)}
square = box(-10, 10, -10, 10)
rois = [(name, "ORGAN", [(k, "CLOSED_PLANAR", square) for k in planes]) for name, planes in drawn.items()]
structures = str(write_structures(sys.argv[1] + "/structures.dcm", rois))
flat = np.full((14, 45, 50), 2.0)
dose = str(write_dose(sys.argv[1] + "/dose.dcm", flat, origin=(-49, -45, -4), offsets=[2.0 * k for k in range(14)]))
cc = {name: round(float(dvhcalc.get_dvh(structures, dose, n).volume), 2) for n, name in enumerate(drawn, start=1)}
print("dicompyler-core", version("dicompyler-core"), cc, "cc")
assert cc == {"even": 8.0, "with one more": 4.8, "uneven": 4.0}
PY
