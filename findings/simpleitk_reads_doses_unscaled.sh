#!/usr/bin/env bash
# SimpleITK 2.5.7: an RTDOSE is read with the stored integers for values: DoseGridScaling is not applied (Rescale Slope
# of a CT is). 2 Gy in a file of 16 bit come back as 26214 where the greatest dose of the grid is 5 Gy. Frames from head
# to feet are placed rightly. Whoever resamples such an image gets a plausible picture in arbitrary units.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'SimpleITK==2.5.7' 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import SimpleITK as sitk
from synthetic import np, write_dose

work = Path(sys.argv[1])
falling = np.stack([np.full((6, 8), 5.0 - k) for k in range(5)])
path = write_dose(work / "dose.dcm", falling, origin=(-7, -5, 8), offsets=[0, -2, -4, -6, -8], bits=16)
image = sitk.ReadImage(str(path))
at_2mm = image[image.TransformPhysicalPointToIndex((0.0, 0.0, 2.0))]
print("SimpleITK", version("SimpleITK"), "at 2 Gy:", at_2mm, image.GetPixelIDTypeAsString())
assert at_2mm == 26214
PY
