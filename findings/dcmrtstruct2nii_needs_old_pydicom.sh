#!/usr/bin/env bash
# dcmrtstruct2nii 5 asks for no version of pydicom, gets pydicom 3, and calls `pydicom.read_file`, which pydicom 3 no
# longer has: a fresh installation cannot read any structure set. With pydicom 2.4 the same file is listed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'dcmrtstruct2nii==5' 'pydicom==3.0.2'
cat > "$work/try.py" <<'PY'
import sys

from dcmrtstruct2nii import list_rt_structs

try:
    print(list_rt_structs(sys.argv[1]))
except AttributeError as error:
    print("AttributeError:", error)
PY
PYTHONPATH="$here" "$work/env/bin/python" - "$work/RS.dcm" <<'PY'
import sys

from synthetic import circle, write_structures

write_structures(sys.argv[1], [("GTV", "GTV", [(k, "CLOSED_PLANAR", circle(5)) for k in (3, 4, 5)])])
PY
new=$("$work/env/bin/python" "$work/try.py" "$work/RS.dcm" | tail -n 1)
"$work/env/bin/pip" install -q --disable-pip-version-check 'pydicom==2.4.4' 'numpy<2'
old=$("$work/env/bin/python" "$work/try.py" "$work/RS.dcm" | tail -n 1)
echo "dcmrtstruct2nii 5 with pydicom 3.0.2: $new"
echo "dcmrtstruct2nii 5 with pydicom 2.4.4: $old"
[[ $new == "AttributeError: module 'pydicom' has no attribute 'read_file'" && $old == "['GTV']" ]]
