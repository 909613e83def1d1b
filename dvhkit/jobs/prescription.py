"""Whether the prescription that somebody gave is that of the plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dvhkit.findings import Finding, Level
from dvhkit.units import number_text

if TYPE_CHECKING:
    from dvhkit.model.case import Case

# Two texts of one dose: 66 and 65.999.
_SAME_RTOL = 1e-3


def prescription_findings(case: Case) -> tuple[Finding, ...]:
    """Return a finding where the dose or the fractions that a case is judged by are not those of its plan."""
    plan = case.plan
    if plan is None or case.summed is not None:
        return ()
    given = sorted({p.dose_gy for p in case.prescriptions} - {p.dose_gy for p in plan.prescriptions})
    stated = sorted({p.dose_gy for p in plan.prescriptions})
    unlike = [gy for gy in given if stated and not any(math.isclose(gy, own, rel_tol=_SAME_RTOL) for own in stated)]
    said = []
    if unlike:
        said.append(f"{_listed(unlike)} Gy where the plan prescribes {_listed(stated)} Gy")
    if plan.fractions_planned is not None and case.fractions not in (None, plan.fractions_planned):
        said.append(f"{case.fractions} fractions where the plan has {plan.fractions_planned}")
    if not said:
        return ()
    message = f"The prescription given by hand is not the plan's: {' and '.join(said)}. What was given is used."
    return (Finding(level=Level.WARNING, code="prescription-differs", message=message),)


def _listed(doses_gy: list[float]) -> str:
    return " and ".join(number_text(gy, digits=6) for gy in doses_gy)
