#!/usr/bin/env bash
# opentps-core 2.0.0 reads an RTDOSE whose frames are stored from head to feet (GridFrameOffsetVector falls) one whole
# frame too low: the frames are put in rising order, and the first of them is placed at the last position less n times
# the distance of n frames, where it lies n - 1 distances away. The same dose stored from feet to head is placed right.
# Nothing is said of it. SliceThickness, which both files state, equals the distance.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" # it asks for 3.11
"$work/env/bin/pip" install -q --disable-pip-version-check 'opentps-core==2.0.0' 'matplotlib==3.9.4' 'pydicom==3.0.1'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from opentps.core.io import dicomIO
from synthetic import np, write_dose

work = Path(sys.argv[1])
rising = np.stack([np.full((12, 16), k + 1.0) for k in range(9)])  # 1 Gy at z = -12 ... 9 Gy at z = 12 mm
steps = 3.0 * np.arange(9)


def read(name, values_gy, first_z, offsets):
    path = write_dose(work / name, values_gy, origin=(-15, -11, first_z), offsets=offsets, bits=16)
    data = pydicom.dcmread(path)
    data.SliceThickness = 3
    data.save_as(path)
    return dicomIO.readDicomDose(str(path))


up, down = read("up.dcm", rising, -12, steps), read("down.dcm", rising[::-1], 12, -steps)
# Dose is linear along z: 5 Gy at z = 0 and a third of a gray more each millimetre.
at_zero = []
for dose in (up, down):
    z = dose.origin[2] + dose.spacing[2] * np.arange(dose.gridSize[2])
    at_zero.append(round(float(np.interp(0.0, z, dose.imageArray[8, 6])), 3))
print("opentps-core", version("opentps-core"), "first frame at z", float(up.origin[2]), float(down.origin[2]),
      "Gy at z = 0:", at_zero)
assert [float(up.origin[2]), float(down.origin[2])] == [-12.0, -15.0]  # true: -12 twice
assert at_zero == [5.0, 6.0]  # true: 5 twice
PY
