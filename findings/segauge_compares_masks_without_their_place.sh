#!/usr/bin/env bash
# segauge 0.1.0 reads array and spacing of a mask and drops where it lies. A DICOM SEG commonly stores the slices alone that
# hold something, so what is compared are two boxes cut out around two structures: one drawn 10 mm above the other on the same
# image has Dice 1.0, HD95 0.0 mm and surface Dice 1.0. NIfTI masks are taken the same way: an affine moved by 50 mm changes
# nothing. Where the two cover unlike numbers of slices it stops with an error about shapes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check \
  'segauge==0.1.0' 'highdicom==0.28.2' 'nibabel==5.4.2' 'pydicom==3.0.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import highdicom as hd
import nibabel as nib
import pydicom
import segauge
from pydicom.sr.codedict import codes
from synthetic import np, uid, write_ct

work = Path(sys.argv[1])
images = [pydicom.dcmread(path) for path in write_ct(work / "ct")]


def segment(name, first):
    """Write a block on three slices of the image as a DICOM SEG."""
    mask = np.zeros((len(images), images[0].Rows, images[0].Columns), np.uint8)
    mask[first : first + 3, 10:20, 20:30] = 1
    organ = codes.SCT.Organ
    about = hd.seg.SegmentDescription(1, "block", organ, organ, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
    kind = hd.seg.SegmentationTypeValues.BINARY
    made = hd.seg.Segmentation(
        images, mask, kind, [about], uid("seg", name), 1, uid("seg of", name), 1, "synthetic", "block", "1", "1"
    )
    made.save_as(work / f"{name}.dcm")
    return str(work / f"{name}.dcm")


def volume(name, z_mm):
    """Write a block as NIfTI whose first slice lies at z_mm."""
    mask = np.zeros((30, 30, 20), np.uint8)
    mask[10:20, 10:20, 5:10] = 1
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[2, 3] = z_mm
    nib.save(nib.Nifti1Image(mask, affine), work / f"{name}.nii")
    return str(work / f"{name}.nii")


cases = [
    segauge.Case("SEG, 10 mm apart", pred=segment("low", 1), gt=segment("high", 6)),
    segauge.Case("NIfTI, 50 mm apart", pred=volume("here", 0.0), gt=volume("there", 50.0)),
]
print("segauge", version("segauge"))
for row in segauge.evaluate(cases, n_resamples=10).rows:
    print(row["case_id"], "Dice", row["dice"], "HD95", row["hd95"], "surface Dice", row["nsd"], "(Dice 0 expected)")
    assert (row["dice"], row["hd95"], row["nsd"]) == (1.0, 0.0, 1.0)
PY
