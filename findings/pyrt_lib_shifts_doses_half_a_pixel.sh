#!/usr/bin/env bash
# pyrt-lib-rasmusklitgaard 0.7.4 takes ImagePositionPatient of a dose for the corner of its first voxel; in DICOM it is
# the centre (PS3.3 C.7.6.2.1.1). Along x and y every voxel lies half a pixel beside its place, along z it does not. In a
# dose that rises by 1 Gy/mm on pixels of 4 mm, a box in the middle has a mean of 98 Gy instead of 100.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  'pyrt-lib-rasmusklitgaard==0.7.4' 'pydicom==3.0.2' 'numpy<3' 'scipy<2'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

import pydicom
from pyrt_lib_rasmusklitgaard.helpers import make_coord_array
from synthetic import np, write_dose

x = np.arange(-38, 39, 4.0)
rising = np.broadcast_to(100 + x, (9, 21, len(x)))
path = write_dose(sys.argv[1] + "/dose.dcm", rising, origin=(-38, -40, 0), spacing=(4, 4), offsets=2.0 * np.arange(9))
dose = pydicom.dcmread(path)
points = make_coord_array(dose)
gy = dose.pixel_array * float(dose.DoseGridScaling)
inside = np.all(np.abs(points - [0, 0, 8]) < [16.1, 16.1, 4.1], axis=-1)
first, mean = [float(v) for v in points[0, 0, 0]], round(float(gy[inside].mean()), 2)
print("pyrt-lib", version("pyrt-lib-rasmusklitgaard"), "first voxel at", first, "mean of the box", mean, "Gy")
assert first == [-36, -38, 0]
assert mean == 98
PY
