#!/usr/bin/env bash
# dicom-discovery 0.11.0, a check of radiotherapy cohorts, calls a study OK while one of its doses belongs to a plan that
# is not there: it asks whether any dose refers to any plan that was found. Beside a plan and its dose lies the dose of a
# withdrawn plan: status OK, no finding, dose_links_plan True. Where both doses are of one series, as doses of beams and
# rival plans often are, one of the two files is looked at. "PTV" counts as contoured where a ring is called "Ring_PTV".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'dicom-discovery==0.11.0' 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import pydicom
from DICOM_discovery.rt_integrity import build_rt_integrity_from_dir
from pydicom.dataset import Dataset
from synthetic import RTSTRUCT, circle, np, uid, write_ct, write_dose, write_plan, write_structures

work = Path(sys.argv[1]) / "study"
write_ct(work / "ct")
drawn = [(k, "CLOSED_PLANAR", circle(5)) for k in (3, 4, 5)]
write_structures(work / "RS.dcm", [("GTV", "GTV", drawn), ("CTV", "CTV", drawn), ("Ring_PTV", "CONTROL", drawn)])
plan = pydicom.dcmread(write_plan(work / "RP.dcm"))
used = Dataset()
used.ReferencedSOPClassUID, used.ReferencedSOPInstanceUID = RTSTRUCT, uid("structures")
plan.ReferencedStructureSetSequence = [used]
plan.save_as(work / "RP.dcm", enforce_file_format=True)
values = np.full((5, 6, 8), 2.0)
write_dose(work / "RD.dcm", values, origin=(-7, -5, 0), offsets=[2.0 * k for k in range(5)])
other = pydicom.dcmread(write_dose(work / "RD2.dcm", values, origin=(-7, -5, 0), offsets=[2.0 * k for k in range(5)]))
other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = uid("dose of a withdrawn plan")
other.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID = uid("withdrawn plan")
other.save_as(work / "RD2.dcm", enforce_file_format=True)
table, index = build_rt_integrity_from_dir(str(work))
looked_at = int((index.table["modality"] == "RTDOSE").sum())
other.SeriesInstanceUID = uid("series of its own")
other.save_as(work / "RD2.dcm", enforce_file_format=True)
table, index = build_rt_integrity_from_dir(str(work))
row = table.iloc[0]
print("dicom-discovery", version("dicom-discovery"), "doses seen of two in one series:", looked_at, "; in two series:")
print(row[["rt_status", "dose_links_plan", "roi_PTV", "findings"]].to_dict())
assert looked_at == 1
assert row["rt_status"] == "OK" and row["dose_links_plan"] and row["roi_PTV"] and row["findings"] == ""
PY
