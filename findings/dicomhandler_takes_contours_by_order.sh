#!/usr/bin/env bash
# dicomhandler 0.0.1 takes the contours of a structure by its place in StructureSetROISequence. What joins the two
# sequences is the ROI number alone; their orders are free, and exports differ in them. Where ROIContourSequence runs the
# other way, the CSV of "Cord" holds the contours of "PTV", and moving or growing one structure changes the other.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'dicomhandler==0.0.1' 'pydicom==3.0.2' 'numpy<3' 'pandas<4'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import io
import sys
from importlib.metadata import version

import pandas as pd
import pydicom
from dicomhandler.dicom_info import DicomInfo
from synthetic import circle, write_structures

path = write_structures(
    sys.argv[1] + "/structures.dcm",
    [
        ("Cord", "ORGAN", [(k, "CLOSED_PLANAR", circle(5.0, centre=(0, 30))) for k in (3, 4)]),
        ("PTV", "PTV", [(k, "CLOSED_PLANAR", circle(20.0)) for k in (3, 4)]),
    ],
)
data = pydicom.dcmread(path)
data.ROIContourSequence.reverse()  # each item still names its ROI by ReferencedROINumber
buffer = io.StringIO()
DicomInfo(data).struct_to_csv(buffer, names=["Cord"])
x = pd.read_csv(io.StringIO(buffer.getvalue()))["x0 [mm]"]
moved = DicomInfo(data).add_margin("Cord", 5.0).dicom_struct
by_number = {item.ReferencedROINumber: item.ContourSequence[0].ContourData for item in moved.ROIContourSequence}
reach = {number: round(max(float(v) for v in points[::3]), 1) for number, points in by_number.items()}
print("dicomhandler", version("dicomhandler"), "Cord reaches x =", x.max(), "mm; after growing Cord:", reach)
assert x.max() == 20.0  # the PTV's; the cord has 5 mm
assert reach[1] == 5.0  # the cord stays
assert reach[2] > 24.0  # the PTV has grown
PY
