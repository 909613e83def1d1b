#!/usr/bin/env bash
# pydicomRT 0.9.1: `get_dose_image` takes the absolute distance between dose frames and the cross product of rows and
# columns as their direction, so a dose whose frames run from head to feet (GridFrameOffsetVector 0, -2, -4, ...; valid
# by PS3.3 C.8.8.3.2) is laid out the other way from its first frame: mirrored, and outside the patient.
# Seen: the same dose stored upwards has 3 Gy at z = 4 mm; stored downwards the image covers z = 8 to 16 mm.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'pydicomRT==0.9.1' 'pydicom==3.0.2' 'SimpleITK==2.5.7'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from pydicomrt.dose.sitk_transform import get_dose_image
from synthetic import np, write_dose

work = Path(sys.argv[1])
rising = np.stack([np.full((6, 8), k + 1.0) for k in range(5)])
up = write_dose(work / "up.dcm", rising, origin=(-7, -5, 0), offsets=[0, 2, 4, 6, 8])
down = write_dose(work / "down.dcm", rising[::-1], origin=(-7, -5, 8), offsets=[0, -2, -4, -6, -8])


def extent(path):
    image = get_dose_image(pydicom.dcmread(path))
    ends = [image.TransformIndexToPhysicalPoint((0, 0, k))[2] for k in (0, image.GetSize()[2] - 1)]
    index = image.TransformPhysicalPointToIndex((0.0, 0.0, 4.0))
    inside = all(0 <= i < n for i, n in zip(index, image.GetSize()))
    return ends, round(image[index], 3) if inside else None


print("pydicomRT", version("pydicomRT"))
print("frames upwards: z", *extent(up))
print("frames downwards: z", *extent(down))
assert extent(up) == ([0.0, 8.0], 3.0)
assert extent(down) == ([8.0, 16.0], None)
PY
