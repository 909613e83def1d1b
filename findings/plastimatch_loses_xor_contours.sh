#!/usr/bin/env bash
# plastimatch 1.9.4 (Debian) skips contours of type CLOSEDPLANAR_XOR, the one that PS3.3 C.8.8.6.3 gives for rings with
# holes. A structure drawn so is missing from the RTSTRUCT that it writes and from its masks; it ends with 0 and names no
# structure. The same ring as two CLOSED_PLANAR contours arrives.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'pydicom==3.0.2' 'numpy<3'
# Debian's package and what it needs, unpacked beside the system instead of installed.
mkdir -p "$work/debs/partial"
apt-get -qq -y --download-only --reinstall -o Dir::Cache::archives="$work/debs" install plastimatch >/dev/null
for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/debian"; done
libraries=$(find "$work/debian" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export LD_LIBRARY_PATH="$libraries"
"$work/debian/usr/bin/plastimatch" --version | grep -F 'plastimatch version 1.9.4'
PYTHONPATH="$here" LD_LIBRARY_PATH='' "$work/env/bin/python" - "$work" <<'PY'
import sys

from synthetic import box, write_ct, write_structures

write_ct(sys.argv[1] + "/in/ct", spacing=(2.0, 2.0), rows=20, columns=25, origin=(-24, -19, 0))
rings = (box(-10, 10, -10, 10), box(-6, 6, -6, 6))
write_structures(
    sys.argv[1] + "/in/structures.dcm",
    [
        ("Nested", "ORGAN", [(k, "CLOSED_PLANAR", ring) for k in (3, 4, 5) for ring in rings]),
        ("Xor", "ORGAN", [(k, "CLOSEDPLANAR_XOR", ring) for k in (3, 4, 5) for ring in rings]),
    ],
)
PY
"$work/debian/usr/bin/plastimatch" convert --input "$work/in" --output-dicom "$work/out" \
  --output-prefix "$work/masks" --prefix-format mha >/dev/null
LD_LIBRARY_PATH='' "$work/env/bin/python" - "$work" <<'PY'
import sys
from pathlib import Path

import pydicom

work = Path(sys.argv[1])
found = [pydicom.dcmread(path) for path in (work / "out").iterdir()]
(structures,) = [data for data in found if data.Modality == "RTSTRUCT"]
names = [str(item.ROIName) for item in structures.StructureSetROISequence]
masks = sorted(path.name for path in (work / "masks").iterdir())
print("structures in the RTSTRUCT:", names, "masks:", masks)
assert names == ["Nested"]
assert masks == ["Nested.mha"]
PY
