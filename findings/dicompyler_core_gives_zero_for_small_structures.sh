#!/usr/bin/env bash
# dicompyler-core 0.5.6: a dose at a volume that a small structure does not have, or has only in one step, is 0.00 Gy. A
# box of 0.1 cc (a cochlea) with doses from 28 to 32 Gy has D98 = D95 = 0.00 Gy, though its least dose is 28 Gy, and D0.5cc
# = D1cc = 0.00 Gy: what should have no answer passes every limit on an organ and fails every one on a target. The bin
# whose volume is nearest is taken, the first of equals, which is the one at 0 Gy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --no-compile --disable-pip-version-check setuptools 'dicompyler-core==0.5.6' 'pydicom==2.4.5' 'numpy<3'
PYTHONPATH="$here" "$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

from dicompylercore import dvhcalc
from synthetic import box, np, write_dose, write_structures

work = Path(sys.argv[1])
rising = np.broadcast_to(30 + 2.0 * np.arange(25) - 24, (10, 20, 25))  # 1 Gy a mm to the left
dose = write_dose(work / "RD.dcm", rising, origin=(-24, -20, 0), offsets=[2.0 * k for k in range(10)])
drawn = [(k, "CLOSED_PLANAR", box(-3, 3, -2, 2)) for k in (4, 5)]
structures = write_structures(work / "RS.dcm", [("Cochlea_L", "ORGAN", drawn)])
dvh = dvhcalc.get_dvh(str(structures), str(dose), 1)
said = {name: dvh.statistic(name).value for name in ("D98", "D95", "D0.5cc", "D1cc")}
print("dicompyler-core", version("dicompyler-core"), f"{dvh.volume:.3f} cc, least dose {dvh.min:.2f} Gy:", said)
assert dvh.min > 28 and set(said.values()) == {0.0}
PY
