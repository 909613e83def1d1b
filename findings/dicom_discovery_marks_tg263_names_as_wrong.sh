#!/usr/bin/env bash
# dicom-discovery 0.11.0 checks names of structures against TG-263 by a short list that is not TG-263's. OpticNrv_L,
# Glnd_Lacrimal_L, Lobe_Temporal_R, Cavity_Oral, Bone_Mandible, Lungs, Liver and Kidney_L stand in the report and are called
# nonconformant; OpticNerve_L, LacrimalGland_L, TemporalLobe_R and OralCavity, which do not stand in it, pass. Whoever
# renames by it leaves the standard.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'dicom-discovery==0.11.0' 'pydicom==3.0.2' 'numpy<3'
"$work/env/bin/python" -W ignore - <<'PY'
from importlib.metadata import version

from DICOM_discovery.tg263 import nonconformant_rois

standard = ["OpticNrv_L", "Glnd_Lacrimal_L", "Lobe_Temporal_R", "Cavity_Oral", "Bone_Mandible", "Lungs", "Liver", "Kidney_L"]
invented = ["OpticNerve_L", "LacrimalGland_L", "TemporalLobe_R", "OralCavity"]
refused = nonconformant_rois([*standard, *invented])
print("dicom-discovery", version("dicom-discovery"), "refuses", refused)
assert refused == sorted(standard)
PY
