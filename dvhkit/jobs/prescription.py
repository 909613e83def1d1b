"""The prescription that somebody gave: put into a case, and held against that of the plan."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from dvhkit.findings import Finding, Level
from dvhkit.units import number_text

if TYPE_CHECKING:
    from dvhkit.model.case import Case

# Two texts of one dose: 66 and 65.999.
_SAME_RTOL = 1e-3
# Findings that ask the user for a prescribed dose, or for a number of fractions.
_ASKS_FOR_DOSE = frozenset({"no-prescription", "several-prescriptions", "prescription-implausible"})
_ASKS_FOR_FRACTIONS = frozenset({"no-fractions"})


def with_user_prescription(case: Case, *, rx_gy: float | None, fractions: int | None) -> Case:
    """Return `case` with the prescribed dose and the number of fractions that the user gave, where given.

    Findings that ask for just that are answered, and leave the case.
    """
    answered: set[str] = set()
    if rx_gy is not None:
        case = case.with_prescription(rx_gy)
        answered |= _ASKS_FOR_DOSE
    if fractions is not None:
        case = replace(case, fractions=fractions)
        answered |= _ASKS_FOR_FRACTIONS
    return replace(case, findings=tuple(f for f in case.findings if f.code not in answered)) if answered else case


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
