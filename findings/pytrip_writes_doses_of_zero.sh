#!/usr/bin/env bash
# pytrip98 3.11.0: an RTDOSE read and written back has no dose left: DoseGridScaling becomes the target dose over 10^5,
# and reading does not set the target dose, so it is 0. The grid moves as well: slice positions are taken from the frame
# offsets alone (z = 100 mm becomes 0), and the millimetres of x and y are multiplied by the pixel size on the way out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  'pytrip98==3.11.0' 'pydicom==3.0.2' 'numpy<3' 'scipy<2' 'matplotlib<4'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from pytrip import DosCube, dicomhelper
from synthetic import np, write_dose

work = Path(sys.argv[1])
for name in ("in", "out"):
    (work / name).mkdir()
rising = np.stack([np.full((8, 8), k + 1.0) for k in range(3)])
path = write_dose(work / "in/dose.dcm", rising, origin=(-7, -5, 100), offsets=[0, 2, 4])
dose = pydicom.dcmread(path)
dose.SliceThickness = 2
dose.save_as(path)
cube = DosCube()
cube.read_dicom(dicomhelper.read_dicom_dir(str(work / "in")))
cube.write_dicom(str(work / "out"))
back = pydicom.dcmread(work / "out/rtdose.dcm")
top, corner = float(back.pixel_array.max() * back.DoseGridScaling), [float(v) for v in back.ImagePositionPatient]
print("pytrip98", version("pytrip98"), "read", round(float(cube.cube.max()), 3), "Gy; written", top, "Gy at", corner)
assert round(float(cube.cube.max()), 3) == 3
assert (top, corner) == (0, [-14, -10, 0])
PY
