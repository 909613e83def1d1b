#!/usr/bin/env bash
# rtplan-complexity 1.1.0 multiplies each step of CumulativeMetersetWeight by the beam's monitor units without dividing by
# FinalCumulativeMetersetWeight, which need not be 1: many systems write 100, some the monitor units themselves (PS3.3
# C.8.8.14: weights are fractions of the final one). The same arc of 200 MU is delivered in 20 s when its last weight is
# 1 and in 2000 s when it is 100, with dose rates of 600 and 6 MU/min, and nothing is said. Modulation scores are right.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check \
  'rtplan-complexity==1.1.0' 'pydicom==3.0.2' 'numpy<3' 'scipy<2' 'pandas<3' 'shapely<3'
PYTHONPATH="$here" "$work/env/bin/python" - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

from rtplan_complexity import calculate_plan_metrics, parse_rtplan
from synthetic import write_plan

found = {}
for last in (1, 100):
    plan = calculate_plan_metrics(parse_rtplan(str(write_plan(Path(sys.argv[1]) / f"{last}.dcm", final_weight=last))))
    beam = plan.beam_metrics[0]
    found[last] = [round(v, 3) for v in (plan.MCS, plan.total_mu, plan.total_delivery_time, beam.avg_dose_rate)]
print("rtplan-complexity", version("rtplan-complexity"), "last weight: MCS, MU, seconds, MU/min:", found)
assert found[1][:2] == found[100][:2]
assert found[1][2:] == [20.0, 600.0]
assert found[100][2:] == [2000.0, 6.0]
PY
