#!/usr/bin/env bash
# rt-prob-e 0.1.0 takes the distance of the first two dose frames for that of all, and its amount alone. Frames at 0, 2, 4,
# 9 and 14 mm end up at 0 to 8 mm: what lies 14 mm from the first is taken to lie 8 mm from it. Frames stored from head to
# feet are laid out towards the head. The first is noted in a debug log only, the second not at all.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'rt-prob-e==0.1.0' 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

from Probabilistic_Evaluation.io.dicomIO import readDicomDose
from synthetic import np, write_dose

rising = np.stack([np.full((6, 7), k + 1.0) for k in range(5)])


def place_of_5_gy(offsets):
    dose = readDicomDose(str(write_dose(sys.argv[1] + "/dose.dcm", rising, origin=(-6, -5, 100), offsets=offsets)))
    frame = int(np.argmax(dose.imageArray[0, 0]))
    return float(dose.origin[2] + frame * dose.spacing[2])


uneven, falling = place_of_5_gy([0, 2, 4, 9, 14]), place_of_5_gy([0, -2, -4, -6, -8])
print("rt-prob-e", version("rt-prob-e"), "5 Gy at z =", uneven, "and", falling, "mm; true: 114 and 92")
assert (uneven, falling) == (108, 108)
PY
