#!/usr/bin/env bash
# pydicom-tools 0.0.10 adds the areas of contours with the sign of the way they run. DICOM leaves that way free. Two islands
# of 1 cc, one drawn clockwise and one counter-clockwise, have 0.00 cc together; a structure drawn clockwise throughout has
# -1.00 cc; a ring of 0.84 cc whose two outlines run the same way has 1.16 cc. All were drawn alike but for the order of
# their points.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check \
  'pydicom-tools==0.0.10' 'pydicom==3.0.2' 'numpy<3' 'scipy<2' 'matplotlib<4'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

from pydicom_tools import RTSS
from synthetic import box, write_structures

left, right, hole = box(-15, -5, 0, 10), box(5, 15, 0, 10), box(-12, -8, 3, 7)
drawn = {  # on five slices 2 mm apart
    "islands, both one way": [left, right],
    "islands, one turned round": [left, right[::-1]],
    "clockwise": [left[::-1]],
    "ring, both one way": [left, hole],
    "ring, hole turned round": [left, hole[::-1]],
}
rois = [
    (name, "ORGAN", [(k, "CLOSED_PLANAR", points) for k in range(5) for points in outlines])
    for name, outlines in drawn.items()
]
read = RTSS(str(write_structures(Path(sys.argv[1]) / "RS.dcm", rois)))
volumes = [round(float(read.calc_volume(name)), 2) for name in drawn]
print("pydicom-tools", version("pydicom-tools"), dict(zip(drawn, volumes, strict=True)), "(cc; 2, 2, 1, 0.84, 0.84 expected)")
assert volumes == [2.0, 0.0, -1.0, 1.16, 0.84]
PY
