#!/usr/bin/env bash
# dcm2niix 1.0.20260724 converts an RTDOSE as if it were an image: GridFrameOffsetVector is not read, so frames 2 mm
# apart lie 1 mm apart in the NIfTI file, frames stored from head to feet run the other way, and the values are the
# stored integers (DoseGridScaling is not applied). It warns only that a slice direction could not be determined.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  'dcm2niix==1.0.20260724' 'pydicom==3.0.2' 'nibabel==5.4.2' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nibabel
from synthetic import np, write_dose

work = Path(sys.argv[1])
rising = np.stack([np.full((6, 8), k + 1.0) for k in range(5)])  # 1 Gy at z = 0 ... 5 Gy at z = 8 mm
(work / "up").mkdir()
(work / "down").mkdir()
write_dose(work / "up/dose.dcm", rising, origin=(-7, -5, 0), offsets=[0, 2, 4, 6, 8], bits=16)
write_dose(work / "down/dose.dcm", rising[::-1], origin=(-7, -5, 8), offsets=[0, -2, -4, -6, -8], bits=16)
seen = {}
for name in ("up", "down"):
    command = [sys.prefix + "/bin/dcm2niix", "-f", name, "-o", str(work), str(work / name)]
    subprocess.run(command, check=True, capture_output=True)
    image = nibabel.load(work / f"{name}.nii")
    ends = [float((image.affine @ [0, 0, k, 1])[2]) for k in (0, 4)]
    seen[name] = (ends, [int(v) for v in np.asarray(image.dataobj)[0, 0, [0, 4]]])
print("dcm2niix", version("dcm2niix"), "z of the first and last frame, and their values:", seen)
assert seen == {"up": ([0, 4], [13107, 65535]), "down": ([8, 12], [65535, 13107])}  # true: z 0 to 8, 1 to 5 Gy
PY
