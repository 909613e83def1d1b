#!/usr/bin/env bash
# pyrt-lib-rasmusklitgaard 0.7.4 takes a dose voxel for part of a structure if it lies in the convex hull of all contour
# points together. An L of 300 mm2 on three slices gets the doses of the bay that it bends around, two islands get those of
# all that lies between them, and NTCP and EUD are computed from these.
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
from pyrt_lib_rasmusklitgaard.helpers import find_struct_indices_in_rtdose
from synthetic import box, np, write_dose, write_structures

bent = [[-10, -10], [10, -10], [10, 0], [0, 0], [0, 10], [-10, 10]]
apart = [box(-18, -14, -2, 2), box(14, 18, -2, 2)]
path = write_structures(
    sys.argv[1] + "/structures.dcm",
    [
        ("Bent", "ORGAN", [(k, "CLOSED_PLANAR", bent) for k in (3, 4, 5)]),
        ("Apart", "ORGAN", [(k, "CLOSED_PLANAR", part) for k in (3, 4, 5) for part in apart]),
    ],
)
# 1 Gy in the drawn L and the islands, 60 Gy elsewhere.
y, x = np.mgrid[-19:20:2, -19:20:2] + 0.0
bay = (x > 0) & (y > 0)
drawn = ((abs(x) < 10) & (abs(y) < 10) & ~bay) | ((abs(abs(x) - 16) < 2) & (abs(y) < 2))
plane = np.where(drawn, 1.0, 60.0)
dose = write_dose(sys.argv[1] + "/dose.dcm", np.stack([plane] * 9), origin=(-19, -19, 0), offsets=2.0 * np.arange(9))
structures, grid = pydicom.dcmread(path), pydicom.dcmread(dose)
gy = grid.pixel_array * float(grid.DoseGridScaling)
mean = {}
for name in ("Bent", "Apart"):
    mean[name] = round(float(gy[find_struct_indices_in_rtdose(structures, grid, name)].mean()), 1)
print("pyrt-lib", version("pyrt-lib-rasmusklitgaard"), "mean doses", mean, "Gy; true: 1 Gy each")
assert mean["Bent"] > 5
assert mean["Apart"] > 10
PY
