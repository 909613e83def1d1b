#!/usr/bin/env bash
# pymedphys 0.41.0: `pymedphys.dicom.zyx_and_dose_from_dataset` and what is built on it (`dicom_dose_interpolate`, profiles)
# turn the sign of the first pixel's x and y for a head-first prone dose. A grid that lies evenly about the origin
# comes out right; one whose rows run from x = 9 to -5 mm is given the axis 5 to -9 mm, so it lies 4 mm aside, and
# columns whose y runs from 8 to -2 mm get 2 to -8 mm. The dose at (1, 2) mm is 5 Gy in the file and 3 Gy when asked for.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  'pymedphys==0.41.0' 'pydicom==3.0.2' 'numpy==1.26.4' 'scipy<1.16' 'matplotlib<3.11'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import contextlib
import io
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from pymedphys.dicom import dicom_dose_interpolate, zyx_and_dose_from_dataset
from synthetic import np, write_dose

values = np.broadcast_to(np.arange(1.0, 9.0), (3, 6, 8))  # 1 Gy in the first column ... 8 Gy in the last
dose = pydicom.dcmread(write_dose(Path(sys.argv[1]) / "dose.dcm", values, origin=(9, 8, 0), offsets=[0, 2, 4]))
dose.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]  # so x runs from 9 to -5, and y from 8 to -2
with contextlib.redirect_stdout(io.StringIO()):
    (_, y, x), _ = zyx_and_dose_from_dataset(dose)
    asked = float(np.ravel(dicom_dose_interpolate((np.array([2.0]), np.array([2.0]), np.array([1.0])), dose))[0])
true = float(values[1, 3, 4])
print("pymedphys", version("pymedphys"), "x", x[[0, -1]], "y", y[[0, -1]], "Gy at (1, 2, 2) mm:", asked, "in the file", true)
assert (x[0], x[-1], y[0], y[-1]) == (5, -9, 2, -8)
assert abs(asked - 3) < 1e-6 < true - asked
PY
