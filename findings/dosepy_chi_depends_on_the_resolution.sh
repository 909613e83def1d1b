#!/usr/bin/env bash
# dosepy 0.12.2: the distance criterion of its chi test (a form of gamma) is in pixels of the image as loaded, the
# gradient in those of the image resampled to 2 pixels a mm. With 10 pixels a mm (254 dpi) "3 mm" means 15 mm: a dose that
# rises by 1 Gy a mm and lies 6 mm aside passes 3 % / 3 mm everywhere; with 1 pixel a mm it means 1.5 mm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'dosepy==0.12.2' narwhals 'numpy<3'
QT_QPA_PLATFORM=offscreen MPLBACKEND=agg "$work/env/bin/python" -W ignore - <<'PY'
from importlib.metadata import version

import numpy as np
from Dosepy.image import ArrayImage
from Dosepy.tools.gamma import chi


def passing_pct(pixels_per_mm):
    """Return how many points pass 3 % / 3 mm where a dose of 1 Gy a mm lies 6 mm aside; chi is 1.41 everywhere."""
    at_mm = np.arange(100 * pixels_per_mm) / pixels_per_mm
    dose = np.broadcast_to(at_mm, (20 * pixels_per_mm, len(at_mm)))
    images = [ArrayImage(array.copy(), dpi=25.4 * pixels_per_mm) for array in (dose, np.maximum(dose - 6, 0))]
    return float(chi(*images, dose_ta=3, dist_ta=3)[1])


found = {pixels: round(passing_pct(pixels), 1) for pixels in (1, 2, 10)}
print("dosepy", version("dosepy"), "passing at 1, 2 and 10 pixels a mm:", found)
assert found[1] == 0 and found[2] < 5 and found[10] > 95
PY
