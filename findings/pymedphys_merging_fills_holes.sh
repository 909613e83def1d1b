#!/usr/bin/env bash
# pymedphys 0.41.0, merge_contours (also `pymedphys dicom merge-contours`): what is written is the outline of the union of a
# slice's contours. A ring drawn as two nested contours comes back as a filled square: 400 mm2 instead of 256. Vertices
# are rounded to 0.1 mm on the way.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'pymedphys==0.41.0' 'pydicom==3.0.2' 'shapely==2.2.0' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

import pydicom
from pymedphys._dicom.structure.merge import merge_contours
from shapely import Polygon
from synthetic import box, np, write_structures

rings = (box(-10, 10, -10, 10), box(-6, 6, -6, 6))
drawn = [("Ring", "ORGAN", [(3, "CLOSED_PLANAR", ring) for ring in rings])]
data = pydicom.dcmread(write_structures(sys.argv[1] + "/structures.dcm", drawn))
merged = merge_contours(data.ROIContourSequence[0]).ContourSequence
areas = [Polygon(np.array(c.ContourData, float).reshape(-1, 3)[:, :2]).area for c in merged]
print("pymedphys", version("pymedphys"), "contours", len(merged), "area", areas, "mm2; true: 256")
assert areas == [400]
PY
