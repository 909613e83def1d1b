#!/usr/bin/env bash
# dicomhandler 0.0.1 adds a margin by pushing every vertex away from the mean of all vertices. Only a ball drawn evenly
# gets what was asked: a slab of 80 mm x 10 mm with a margin of 5 mm grows by 5 mm at its ends, but by 0.6 mm to the
# sides. The push has a part along z, too: contours leave their slices, each vertex by another length, and no slice is
# added, while ContourImageSequence still names the old ones.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'dicomhandler==0.0.1' 'pydicom==3.0.2' 'numpy<3' 'pandas<4'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

import pydicom
from dicomhandler.dicom_info import DicomInfo
from synthetic import box, np, write_structures

slab = [[-40, -5], [0, -5], [40, -5], [40, 5], [0, 5], [-40, 5]]
path = write_structures(
    sys.argv[1] + "/structures.dcm",
    [
        ("Slab", "CTV", [(5, "CLOSED_PLANAR", box(-40, 40, -5, 5))]),
        ("Block", "CTV", [(k, "CLOSED_PLANAR", slab) for k in range(3, 8)]),
    ],
)
info = DicomInfo(pydicom.dcmread(path))


def contours(name, item):
    grown = info.add_margin(name, 5.0).dicom_struct.ROIContourSequence[item].ContourSequence
    return [np.array(contour.ContourData, float).reshape(-1, 3) for contour in grown]


slab_mm = contours("Slab", 0)[0].max(axis=0) - [40, 5, 10]
block = contours("Block", 1)
spread = max(float(np.ptp(points[:, 2])) for points in block)
print("dicomhandler", version("dicomhandler"), "grown by", slab_mm.round(2).tolist(), "mm instead of 5 in the slice;")
print("z within one contour of the block differs by", round(spread, 2), "mm")
assert slab_mm.round(2).tolist() == [4.96, 0.62, 0.0]
assert spread > 2.0
assert len(block) == 5
PY
