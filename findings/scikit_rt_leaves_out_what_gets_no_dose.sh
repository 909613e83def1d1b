#!/usr/bin/env bash
# scikit-rt 0.8.2 takes the voxels of a structure whose dose is above 0 for the whole of it. A lung of which one half gets
# 10 Gy and the other nothing has a mean dose of 10 Gy, a median of 10 Gy and a least dose of 10 Gy, and its DVH is drawn of
# half its volume at 100 %. Doses that planning systems cut off below a threshold, and grids that hold exact zeros beside a
# field, are such doses. No word of it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
# Its own pins ask for numpy 1.23 and a hundred others, which no Python of today can install together.
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'pydicom==2.4.5' 'numpy<2' 'scipy<1.14' \
  'matplotlib<3.9' 'shapely<2.1' 'SimpleITK==2.5.7' 'scikit-image<0.25' 'nibabel<6' 'pandas<3' ipywidgets tomli tomli_w requests
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check --no-deps 'scikit-rt==0.8.2'
PYTHONPATH="$here" MPLBACKEND=agg "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

from skrt import Dose, Image, StructureSet
from synthetic import box, np, write_ct, write_dose, write_structures

work = Path(sys.argv[1])
write_ct(work / "ct")
outline = box(-10.5, 9.5, -10.5, 9.5)
lung = [(k, "CLOSED_PLANAR", outline) for k in range(2, 8)]
write_structures(work / "RS.dcm", [("Lung", "ORGAN", lung)])
dose = np.zeros((10, 40, 50))
dose[:, :, :25] = 10.0  # up to x = -1 mm; from x = 0 on there is none
write_dose(work / "RD.dcm", dose, origin=(-25, -20, 0), spacing=(1, 1), offsets=[2.0 * k for k in range(10)])
image = Image(str(work / "ct"))
roi = StructureSet(str(work / "RS.dcm"), image=image).get_roi("Lung")
given = Dose(str(work / "RD.dcm"), image=image)
mean, median, least = given.get_mean_dose(roi), given.get_dose_quantile(roi, 0.5), given.get_dose_in_roi(roi).min()
counted_cc, volume_cc = given.get_dose_in_roi(roi).size * 2.0 / 1000, roi.get_volume() / 1000
print(f"scikit-rt {version('scikit-rt')}: mean {mean:.2f} Gy (5 expected), median {median:.2f}, least {least:.2f} (0 expected);")
print(f"{counted_cc:.1f} of {volume_cc:.1f} cc are counted")
assert (round(mean, 2), round(median, 2), round(least, 2)) == (10.0, 10.0, 10.0)
assert (counted_cc, volume_cc) == (2.4, 4.8)
PY
