#!/usr/bin/env bash
# idiscore 1.2.0, with its default profile, replaces each ROIName by the word CLEANED, since a name might hold identity.
# UIDs are mapped, links hold, contours stay; but which structure is the cord and which the target is gone, and readers
# that keep structures by name (many do) are left with one of them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check setuptools 'idiscore==1.2.0' 'pydicom==2.4.5' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

import pydicom
from idiscore.defaults import create_default_core
from synthetic import circle, write_structures

drawn = [(name, "ORGAN", [(3, "CLOSED_PLANAR", circle(r))]) for name, r in (("SpinalCord", 5.0), ("PTV_5000", 20.0))]
data = pydicom.dcmread(write_structures(sys.argv[1] + "/structures.dcm", drawn))
data.SpecificCharacterSet = "ISO_IR 100"
clean = create_default_core().deidentify(data)
names = [str(item.ROIName) for item in clean.StructureSetROISequence]
contours = [len(item.ContourSequence[0].ContourData) for item in clean.ROIContourSequence]
print("idiscore", version("idiscore"), "names:", names, "numbers in the contours:", contours)
assert names == ["CLEANED", "CLEANED"]
assert contours == [360, 360]
PY
