#!/usr/bin/env bash
# dosemetrics 0.4.1: `read_dicom_rtdose` takes SliceThickness for the distance of the dose's frames, and looks at
# GridFrameOffsetVector only where there is none. A dose with frames 2 mm apart whose planning system wrote the image's
# slice thickness of 5 mm is stretched 2.5-fold along the patient, without a word.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check --no-deps 'dosemetrics==0.4.1'
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'pydicom==3.0.2' 'SimpleITK==2.5.7' 'numpy<2.4' 'scipy<2' \
  'pandas<3' 'matplotlib<4' 'plotly<8' 'seaborn<1' 'scikit-image<1' 'numba<1' 'nibabel<6'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from dosemetrics.io.dicom_io import read_dicom_rtdose
from synthetic import np, write_dose

path = write_dose(Path(sys.argv[1]) / "dose.dcm", np.ones((5, 6, 8)), origin=(-7, -5, 0), offsets=[0, 2, 4, 6, 8])
seen = {}
for thickness in ("", 5):
    dose = pydicom.dcmread(path)
    dose.SliceThickness = thickness
    dose.save_as(path)
    seen[thickness] = read_dicom_rtdose(path)[1]
print("dosemetrics", version("dosemetrics"), "frames 2 mm apart; spacing (x, y, z) by slice thickness:", seen)
assert seen == {"": (2.0, 2.0, 2.0), 5: (2.0, 2.0, 5.0)}
PY
