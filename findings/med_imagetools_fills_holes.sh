#!/usr/bin/env bash
# med-imagetools 2.16.0 unites the contours of a slice: an inner contour, which by PS3.3 C.8.8.6.3 cuts a hole where it is
# enclosed, adds nothing. The wall of a bladder comes back as the whole bladder: 441 pixels of 1 mm2 where 262 mm2 were
# drawn. Nothing is said.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check --no-deps 'med-imagetools==2.16.0'
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'pydicom==3.0.2' 'SimpleITK==2.5.7' 'numpy<2.4' \
  'pandas<3' 'scikit-image<1' 'highdicom<1' 'matplotlib<4' 'joblib<2' 'structlog<26' 'pydantic-settings<3' 'dpath<3' \
  'dill<1' 'fasteners==0.19' 'click<9' 'pytz' 'pyyaml<7' 'rich' 'tqdm<5'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import SimpleITK as sitk
from imgtools.coretypes import MedImage, RTStructureSet
from synthetic import box, write_ct, write_structures

work = Path(sys.argv[1])
slices = write_ct(work / "ct")
rings = [(4, "CLOSED_PLANAR", box(-h, h, -h, h)) for h in (10.2, 6.2)]
write_structures(work / "RS.dcm", [("wall", "ORGAN", rings)])
image = sitk.ReadImage([str(path) for path in slices])
drawn = RTStructureSet.from_dicom(str(work / "RS.dcm"))
pixels = int(drawn.get_mask_ndarray(MedImage(image), "wall", (*image.GetSize()[::-1], 1)).sum())
print("med-imagetools", version("med-imagetools"), pixels, "pixels; drawn:", round(20.4**2 - 12.4**2), "mm2")
assert pixels == 441
PY
