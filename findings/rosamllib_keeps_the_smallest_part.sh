#!/usr/bin/env bash
# rosamllib 0.6.3: extract_largest_structure keeps the smallest part of a mask. Parts are numbered by size, the largest
# first, and the last number is taken. Of an organ of 400 voxels and a stray speck of 4, the speck is what comes back: who
# cleans automatic contours with it loses the organ. No warning.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'rosamllib==0.6.3' 'numpy<3'
"$work/env/bin/python" -W ignore - <<'PY'
from importlib.metadata import version

import numpy as np
from rosamllib.mask_processing import extract_largest_structure

mask = np.zeros((8, 20, 24), np.uint8)
mask[2:6, 3:13, 3:13] = 1
mask[3, 16:18, 18:20] = 1
kept = extract_largest_structure(mask).astype(bool)
print("rosamllib", version("rosamllib"), "parts of 400 and 4 voxels; the largest, it says:", int(kept.sum()))
assert kept.sum() == 4 and not kept[2:6, 3:13, 3:13].any()
PY
