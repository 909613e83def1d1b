#!/usr/bin/env bash
# opentps-core 2.0.0 takes the slice distance of a structure from the two lowest contours in order of z. Where the
# lowest slice holds two of them (two kidneys, a target of two parts) their distance is 0, 1 mm is taken instead, and
# each drawn slice fills 1 mm: of a structure drawn every 3 mm the mask holds a third, with gaps between the slices, and
# on a dose grid of 1 mm the DVH's volume is a third, too. The same islands are whole if one begins a slice later.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" # it asks for 3.11
"$work/env/bin/pip" install -q --disable-pip-version-check 'opentps-core==2.0.0' 'matplotlib==3.9.4' 'pydicom==3.0.1'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from opentps.core.data import DVH
from opentps.core.io import dicomIO
from synthetic import circle, np, write_dose, write_structures

work = Path(sys.argv[1])


def islands(begins):
    """Return two cylinders of radius 10 mm, on slices 2 to 6 and on slices `begins` to 6."""
    starts = ((-12.0, 2), (12.0, begins))
    return [(k, "CLOSED_PLANAR", circle(10, (x, 0))) for x, start in starts for k in range(start, 7)]


rois = [("together", "ORGAN", islands(2)), ("one later", "ORGAN", islands(3))]
write_structures(work / "rs.dcm", rois, slices=9, gap=3.0, z0=-12.0)
path = write_dose(work / "dose.dcm", np.full((31, 60, 64), 10.0), origin=(-31, -29, -15), spacing=(1, 1),
                  offsets=np.arange(31.0), bits=16)
data = pydicom.dcmread(path)
data.SliceThickness = 1
data.save_as(path)
dose = dicomIO.readDicomDose(str(path))
found = {}
for roi in dicomIO.readDicomStruct(str(work / "rs.dcm")).contours:
    mask = roi.getBinaryMask()
    mask_cc = round(float(mask.imageArray.sum() * np.prod(mask.spacing)) / 1000, 2)
    found[roi.name] = (mask_cc, round(float(DVH(roi, dose).computeVg(1.0, return_percentage=False)), 2))
true_cc = {name: round(float(np.pi * 10**2 * 3 / 1000 * len(contours)), 2) for name, _, contours in rois}
print("opentps-core", version("opentps-core"), "cc of mask and DVH:", found, "true:", true_cc)
together, later = found["together"], found["one later"]
assert max(together) < 0.45 * true_cc["together"]
assert min(later) > 0.85 * true_cc["one later"]
PY
