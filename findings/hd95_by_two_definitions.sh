#!/usr/bin/env bash
# Where two libraries meet: the 95th percentile Hausdorff distance of MedPy 0.5.2 is the percentile of both directions'
# distances in one pool, that of surface-distance 0.1 the greater of two percentiles, one a direction. For a sphere and
# the same sphere with a spur of 16 mm, MedPy says 4.0 mm and surface-distance 9.1 mm: one name, one pair of masks.
# Published values of the two cannot be compared, and neither prints which one it is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check setuptools wheel 'numpy<3' 'scipy<2' 'SimpleITK==2.5.7'
"$work/env/bin/pip" install -q --disable-pip-version-check 'MedPy==0.5.2' 'surface-distance==0.1'
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
import surface_distance
from medpy.metric.binary import hd95

z, y, x = np.mgrid[0:40, 0:40, 0:60]
ball = (x - 20) ** 2 + (y - 20) ** 2 + (z - 20) ** 2 <= 10**2
spur = ball | ((abs(y - 20) <= 1) & (abs(z - 20) <= 1) & (x >= 20) & (x <= 46))
pooled = float(hd95(ball, spur, voxelspacing=(1, 1, 1)))
distances = surface_distance.compute_surface_distances(ball, spur, (1, 1, 1))
greater = float(surface_distance.compute_robust_hausdorff(distances, 95))
print("HD95: MedPy", version("MedPy"), pooled, "mm; surface-distance", version("surface-distance"), greater, "mm")
assert (round(pooled, 1), round(greater, 1)) == (4.0, 9.1)
PY
