#!/usr/bin/env bash
# deid 0.4.13 with its default recipe removes SOPInstanceUID, StudyInstanceUID and FrameOfReferenceUID, and the UIDs inside
# references, instead of mapping them. A plan, its dose and its structures come out as files of which none can be told to
# belong to another: who joins them by folder or order joins the doses of rival plans as well. SOPClassUID goes too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check setuptools 'deid==0.4.13' 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

import pydicom
from deid.config import DeidRecipe
from deid.dicom import replace_identifiers
from synthetic import np, write_dose, write_plan

flat = np.full((3, 4, 5), 2.0)
paths = [
    str(write_plan(sys.argv[1] + "/plan.dcm")),
    str(write_dose(sys.argv[1] + "/dose.dcm", flat, origin=(0, 0, 0), offsets=[0, 2, 4])),
]
assert "ReferencedSOPInstanceUID" in pydicom.dcmread(paths[1]).ReferencedRTPlanSequence[0]
plan, dose = replace_identifiers(dicom_files=paths, ids=None, save=False, deid=DeidRecipe())
lost = [key for key in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID") if key not in dose]
left = [item.to_json_dict() for item in dose.ReferencedRTPlanSequence]
print("deid", version("deid"), "lost:", lost, "; left of the reference to the plan:", left)
assert lost == ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"]
assert "SOPInstanceUID" not in plan
assert left == [{}]
PY
