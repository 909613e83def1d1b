#!/usr/bin/env bash
# rt-utils 1.2.7: contours that enclose nothing come back as filled masks, without a word. A POINT (a marker, a dose
# reference) is one pixel; an OPEN_PLANAR line of three points (a measuring line, a couch edge) is a filled triangle.
# Volumes and doses of such "structures" look like any other's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'rt-utils==1.2.7' 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

from rt_utils import RTStructBuilder
from synthetic import np, write_ct, write_structures

work = Path(sys.argv[1])
write_ct(work / "ct")
line = np.array([[-10.0, -10.0], [10.0, -10.0], [10.0, 10.0]])
rois = [
    ("marker", "MARKER", [(4, "POINT", np.array([[3.0, 4.0]]))]),
    ("line", "ORGAN", [(4, "OPEN_PLANAR", line)]),
]
write_structures(work / "RS.dcm", rois)
read = RTStructBuilder.create_from(dicom_series_path=str(work / "ct"), rt_struct_path=str(work / "RS.dcm"))
pixels = {name: int(read.get_roi_mask_by_name(name).sum()) for name in ("marker", "line")}
print("rt-utils", version("rt-utils"), "pixels of 1 mm2:", pixels)
assert pixels == {"marker": 1, "line": 231}
PY
