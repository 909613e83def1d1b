"""Whether the number of fractions agrees with what the plan's beams give in each and what it prescribes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dvhkit.findings import Finding, Level
from dvhkit.units import number_text

if TYPE_CHECKING:
    from dvhkit.model.case import Case

# BeamDose is that at a point of the plan's own: at the peak of a dose prescribed to its 40 % isodose 2.5 times what is
# prescribed, at an edge as little as 0.6 of it. Beyond, a number of fractions explains it if
# the beams then give what is prescribed as closely as systems write it.
_LIKELY = (0.6, 2.6)
_SAME_FRAC = 0.01


def fraction_findings(case: Case) -> tuple[Finding, ...]:
    """Return a warning where beams give the prescribed dose in another number of fractions than is planned."""
    plan = case.plan
    if plan is None or plan.is_brachy or len(plan.fraction_groups) != 1 or case.fractions != plan.fractions_planned:
        return ()
    each_gy = sum(gy for _, gy in plan.fraction_groups[0].beam_doses_gy if math.isfinite(gy) and gy > 0)
    planned = plan.fractions_planned
    wanted = [p.dose_gy for p in case.prescriptions if math.isfinite(p.dose_gy) and p.dose_gy > 0]
    if planned is None or each_gy <= 0 or not wanted:
        return ()
    if any(_LIKELY[0] <= each_gy * planned / dose <= _LIKELY[1] for dose in wanted):
        return ()
    for dose_gy in sorted(wanted, reverse=True):
        number = round(dose_gy / each_gy)
        if number >= 1 and abs(number * each_gy / dose_gy - 1.0) <= _SAME_FRAC:
            return (_doubtful(planned, number, each_gy, dose_gy),)
    return ()


def _doubtful(planned: int, number: int, each_gy: float, dose_gy: float) -> Finding:
    each, total, dose = (number_text(value, digits=4) for value in (each_gy, each_gy * planned, dose_gy))
    message = (
        f"By their BeamDose the beams give {each} Gy in a fraction, {total} Gy in the {planned} that are planned, "
        f"where {dose} Gy are prescribed: that takes {number}. Limits by fractions, and EQD2, hang on it. "
        "Check the plan, or give the number with --fractions."
    )
    return Finding(level=Level.WARNING, code="fractions-doubtful", message=message)
