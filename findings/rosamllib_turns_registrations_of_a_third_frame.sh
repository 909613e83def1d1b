#!/usr/bin/env bash
# rosamllib 0.6.3 applies one matrix of a Spatial Registration and ignores the other. PS3.3 C.20.2 lets each item take its
# frame into the frame of the registration, which may be a third one. Then the first item counts as the moving image and
# the second as the fixed one, whichever they are: a day's image that the object moves 4 mm up stays where it was, and one
# that it moves 4 mm down is moved 4 mm up. Where the frame of the registration is that of the planning image, it is right.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'rosamllib==0.6.3' 'pydicom==3.0.2' 'numpy<3' ipython
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
import SimpleITK as sitk
from rosamllib.readers import DICOMImageReader, REGReader
from rosamllib.registration import ImageRegistration
from synthetic import np, uid, write_ct, write_registration

work = Path(sys.argv[1])
images = {}
for name in ("planning", "day"):  # a block on the slice at 8 mm, the same in both images
    for path in write_ct(work / name):
        data = pydicom.dcmread(path)
        data.FrameOfReferenceUID, data.SeriesInstanceUID = uid("frame", name), uid("series", name)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = uid(name, data.InstanceNumber)
        pixels = np.zeros((data.Rows, data.Columns), np.int16)
        if data.InstanceNumber == 5:
            pixels[15:25, 20:30] = 1000
        data.PixelData = pixels.tobytes()
        data.save_as(path, enforce_file_format=True)
    images[name] = DICOMImageReader(str(work / name)).read()


def lands_at_mm(frame, planning_mm, day_mm):
    """Return where the block of the day's image lies on the planning image, in mm along z."""
    items = [(uid("frame", "planning"), (0, 0, planning_mm)), (uid("frame", "day"), (0, 0, day_mm))]
    path = write_registration(work / "REG.dcm", uid("frame", frame), items)
    moved = ImageRegistration(REGReader(str(path)).read(), images["planning"], images["day"]).apply_registration()
    return [2.0 * int(k) for k in np.flatnonzero(sitk.GetArrayFromImage(moved).max(axis=(1, 2)) > 500)]


right = lands_at_mm("planning", 0, 4)
up, down = lands_at_mm("a third one", 0, 4), lands_at_mm("a third one", 4, 0)
print("rosamllib", version("rosamllib"), "frame of the planning image:", right, "(12 expected)")
print("a third frame: day moved up by 4 mm:", up, "(12 expected); down by 4 mm:", down, "(4 expected)")
assert (right, up, down) == ([12.0], [8.0], [12.0])
PY
