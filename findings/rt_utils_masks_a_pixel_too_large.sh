#!/usr/bin/env bash
# rt-utils 1.2.7: masks read from contours hold every pixel that the outline touches. A square of 20 x 20 mm on pixels
# of 1 mm, its edges through pixel centres, has 21 x 21 pixels (10 % too many); one of 4 x 4 mm has 25 (56 % too many).
# Written back from the mask, the outline runs through the centres of the border pixels, so the error is hidden by a
# round trip: what shrinks on the way out has grown on the way in.
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
from synthetic import box, np, write_ct, write_structures

work = Path(sys.argv[1])
write_ct(work / "ct")
rois = [(f"box{n}", "PTV", [(4, "CLOSED_PLANAR", box(-n / 2, n / 2, -n / 2, n / 2))]) for n in (20, 4)]
write_structures(work / "RS.dcm", rois)
read = RTStructBuilder.create_from(dicom_series_path=str(work / "ct"), rt_struct_path=str(work / "RS.dcm"))
masks = {n: read.get_roi_mask_by_name(f"box{n}") for n in (20, 4)}
new = RTStructBuilder.create_new(dicom_series_path=str(work / "ct"))
new.add_roi(mask=masks[20], name="back")
points = np.array(new.ds.ROIContourSequence[0].ContourSequence[0].ContourData, float).reshape(-1, 3)
size = np.ptp(points, axis=0)[:2]
print("rt-utils", version("rt-utils"), {n: int(mask.sum()) for n, mask in masks.items()}, "written back", size)
assert {n: int(mask.sum()) for n, mask in masks.items()} == {20: 441, 4: 25}
assert size.tolist() == [20.0, 20.0]
PY
