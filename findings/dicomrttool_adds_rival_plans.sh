#!/usr/bin/env bash
# DicomRTTool 6.2.0: `get_dose` adds every dose of a study whose DoseSummationType is PLAN. Two plans of one patient that
# were made to choose from, 50 and 52 Gy, each with its own RTPLAN reference, come back as one dose of 102 Gy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  'dicomrttool==6.2.0' 'pydicom==3.0.2' 'SimpleITK==2.5.7' 'numpy<3' 'pandas<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from DicomRTTool.ReaderWriter import DicomReaderWriter
from synthetic import circle, np, uid, write_ct, write_dose, write_structures

folder = Path(sys.argv[1]) / "in"
write_ct(folder)
write_structures(folder / "RS.dcm", [("GTV", "GTV", [(k, "CLOSED_PLANAR", circle(5)) for k in (3, 4, 5)])])
for name, gy in (("first", 50.0), ("rival", 52.0)):
    path = write_dose(
        folder / f"{name}.dcm", np.full((10, 20, 25), gy), origin=(-25, -20, 0), offsets=np.arange(0, 20, 2)
    )
    dose = pydicom.dcmread(path)
    dose.SOPInstanceUID = dose.file_meta.MediaStorageSOPInstanceUID = uid("dose", name)
    dose.SeriesInstanceUID = uid("series", "dose", name)
    dose.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = uid("plan", name)
    dose.save_as(path)
reader = DicomReaderWriter(description="finding", Contour_Names=["GTV"], arg_max=True)
reader.walk_through_folders(str(folder))
reader.get_images_and_mask()
reader.get_dose()
middle = float(reader.dose[5, 20, 25])
print("DicomRTTool", version("dicomrttool"), "plans of 50 and 52 Gy are read as", middle, "Gy")
assert abs(middle - 102) < 0.01
PY
