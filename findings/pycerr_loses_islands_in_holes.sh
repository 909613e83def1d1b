#!/usr/bin/env bash
# pycerr 2.5.1 keeps the pixels that exactly one contour of a slice encloses. For a hole that is right; an island inside a
# hole (a nodule in a cavity, a seed in a wall) lies within three contours and is lost: 216 pixels of 1 mm2 where
# 279 mm2 were drawn, 209 mm2 without the island.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check --no-deps 'pycerr==2.5.1'
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'pydicom==3.0.2' 'SimpleITK==2.5.7' 'numpy<2.4' 'scipy<2' \
  'pandas<3' 'h5py<4' 'nibabel<6' 'scikit-image<1' 'scikit-learn<2' 'PyWavelets<2' 'shapely<3' 'matplotlib<4' \
  'numba<1' 'python-dateutil<3' 'pyyaml<7' 'ipywidgets<9'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import contextlib
import io
import sys
from importlib.metadata import version
from pathlib import Path

import cerr.plan_container
from cerr.contour import rasterseg
from synthetic import box, write_ct, write_structures

work = Path(sys.argv[1]) / "in"
write_ct(work)
rings = [(4, "CLOSED_PLANAR", box(-h, h, -h, h)) for h in (10.2, 7.2, 4.2)]
write_structures(work / "RS.dcm", [("nested", "ORGAN", rings)])
with contextlib.redirect_stdout(io.StringIO()):
    plan = cerr.plan_container.loadDcmDir(str(work))
mask = rasterseg.getStrMask(0, plan)
inner = int(mask[16:24, 21:29].sum())
drawn = 20.4**2 - 14.4**2 + 8.4**2
print("pycerr", version("pycerr"), int(mask.sum()), "pixels,", inner, "of them in the island; drawn:", round(drawn), "mm2")
assert (int(mask.sum()), inner) == (216, 0)
PY
