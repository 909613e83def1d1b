#!/usr/bin/env bash
# pyradiobiology 1.0.33 knows doses in Gy and in cGy and refuses to mix them, but the 2 of EQD2 has no unit: in cGy it means
# fractions of 2 cGy. 60 Gy in 30 fractions are 60 Gy EQD2 whatever alpha/beta is; asked as 6000 cGy with alpha/beta 300 cGy
# they are 9934 cGy, which is BED but for a percent, still called EQD2. NTCP of the same organ goes from 0.05 to 1.00.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check 'pyradiobiology==1.0.33' 'numpy<3'
"$work/env/bin/python" -W ignore - <<'PY'
from importlib.metadata import version

import numpy as np
from pyradiobiology import LKB, Dose, DoseBag, DoseType, DoseUnit, LinearQuadratic

asked = {}
for unit, per_gy in ((DoseUnit.GY, 1.0), (DoseUnit.CGY, 100.0)):
    ratio = Dose(3.0 * per_gy, unit, DoseType.PHYSICAL_DOSE)
    total = DoseBag.create(data=np.array([60.0 * per_gy]), unit=unit, dose_type=DoseType.PHYSICAL_DOSE)
    eqd2 = LinearQuadratic(ratio, 30).eqd_two(total)
    organ = LKB(Dose(75.0 * per_gy, unit, DoseType.EQD2), m=0.12, n=0.1)
    asked[unit.name] = (
        round(float(eqd2.data[0]) / per_gy, 2),
        round(float(organ.response_from_pysical_dose(total, [1.0], ratio, 30)), 3),
    )
print("pyradiobiology", version("pyradiobiology"), "EQD2 in Gy and NTCP, by the unit that was asked in:", asked)
assert asked["GY"] == (60.0, 0.048), asked
assert asked["CGY"] == (99.34, 0.997), asked
PY
