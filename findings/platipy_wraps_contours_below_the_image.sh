#!/usr/bin/env bash
# platipy 0.7.2: contours below the first slice of the image have a negative slice index, and Python counts those from the
# end. A cord that was drawn on four slices of which the image at hand (cropped, or a second series) holds two comes back
# with its lower part at the top of the image: 404 pixels where 202 are. Contours above the last slice are left out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check --no-deps 'platipy==0.7.2'
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'pydicom==2.4.4' 'pynetdicom==2.0.2' 'SimpleITK==2.5.7' \
  'scikit-image<0.26' 'numpy<2' 'pandas<3' 'matplotlib<4' 'click<9' 'loguru<1' 'requests<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import SimpleITK as sitk
from platipy.dicom.io.rtstruct_to_nifti import (
    read_dicom_image,
    read_dicom_struct_file,
    transform_point_set_from_dicom_struct,
)
from synthetic import circle, write_ct, write_structures

work = Path(sys.argv[1])
write_ct(work / "ct")  # slices at z = 0, 2, ..., 18 mm
drawn = [(k, "CLOSED_PLANAR", circle(5)) for k in (-2, -1, 0, 1)]
write_structures(work / "RS.dcm", [("cord", "ORGAN", drawn)])
image, structures = read_dicom_image(str(work / "ct")), read_dicom_struct_file(str(work / "RS.dcm"))
(mask,), _ = transform_point_set_from_dicom_struct(image, structures)
pixels = sitk.GetArrayFromImage(mask).sum(axis=(1, 2)).tolist()
print("platipy", version("platipy"), "pixels of each slice:", pixels)
assert [n > 0 for n in pixels] == [True, True] + 6 * [False] + [True, True]
PY
