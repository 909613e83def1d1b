#!/usr/bin/env bash
# pydicom-seg 0.4.1 takes SliceThickness for the distance of frames where SpacingBetweenSlices is absent, as it may be, and
# is in what highdicom 0.22.0 writes. CT slices 4 mm thick every 2 mm are usual. Of four frames of 0.792 cc three arrive
# (two fall on one place, the later wins), 4 mm apart: 1.188 cc. The positions of the frames, which are there, say 2 mm.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  setuptools 'pydicom-seg==0.4.1' 'pydicom==2.4.5' 'numpy==1.26.4' 'SimpleITK==2.5.7' 'pillow==13.0.0' 'pillow-jpls==1.3.2'
"$work/env/bin/pip" install -q --disable-pip-version-check --no-deps 'highdicom==0.22.0'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version

import pydicom
import pydicom_seg
from highdicom.seg import Segmentation, SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from pydicom.sr.codedict import codes
from synthetic import np, uid, write_ct

image = [pydicom.dcmread(path) for path in write_ct(sys.argv[1] + "/ct", slices=6, rows=20, columns=25, gap=2.0)]
for one in image:
    one.SliceThickness = 4
mask = np.zeros((6, 20, 25), np.uint8)
mask[1:5, 5:15, 5:15] = 1
for k in range(1, 5):
    mask[k, 5, 5 + k] = 0
liver = SegmentDescription(1, "Liver", codes.SCT.Organ, codes.SCT.Liver, SegmentAlgorithmTypeValues.MANUAL)
words = (uid("seg series"), 1, uid("seg"), 1, "synthetic", "synthetic", "1", "1")
written = Segmentation(image, mask, SegmentationTypeValues.BINARY, [liver], *words)
read = pydicom_seg.SegmentReader().read(written)
found = read.segment_data(1)
cc = [round(float(v), 3) for v in (mask.sum() * 2 / 1000, found.sum() * np.prod(read.spacing) / 1000)]
print("pydicom-seg", version("pydicom-seg"), "slices", found.shape[0], "of", written.NumberOfFrames, "; cc true, read:", cc)
assert (found.shape[0], written.NumberOfFrames) == (3, 4)
assert cc == [0.792, 1.188]
PY
