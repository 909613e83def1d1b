#!/usr/bin/env bash
# rt-utils 1.2.7 takes the two numbers of PixelSpacing (distance between rows, then between columns) the wrong way round.
# On pixels 1 mm high and 2 mm wide a mask of 10 x 10 pixels, which is 18 mm wide and 9 mm high from centre to centre, is
# written as a contour 9 mm wide and 18 mm high, in another place. Square pixels hide it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'rt-utils==1.2.7' 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version

from rt_utils import RTStructBuilder
from synthetic import np, write_ct

write_ct(sys.argv[1] + "/ct", rows=40, columns=30, spacing=(1.0, 2.0), origin=(-30, -20, 0))
mask = np.zeros((40, 30, 10), bool)
mask[10:20, 10:20, 4] = True  # true: x from -10 to 8, y from -10 to -1
new = RTStructBuilder.create_new(dicom_series_path=sys.argv[1] + "/ct")
new.add_roi(mask=mask, name="box")
points = np.array(new.ds.ROIContourSequence[0].ContourSequence[0].ContourData, float).reshape(-1, 3)
low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
print("rt-utils", version("rt-utils"), "contour from", low, "to", high)
assert low == [-20, 0, 8]
assert high == [-11, 18, 8]
PY
