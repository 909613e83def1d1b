"""Which prescription a percent dose refers to: exactly one, or none at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.plan import Prescription
from dvhkit.units import number_text

# The ways to say what percent doses refer to: one, none, or all that there are (several unlike ones are ambiguous).
PrescriptionChoice = Prescription | Sequence[Prescription] | None

_SAME_DOSE_RTOL = 1e-6  # two texts of the same dose, such as 60 and 60.000001


def prescriptions_for(prescriptions: Sequence[Prescription], roi_number: int | None = None) -> tuple[Prescription, ...]:
    """Return the prescriptions that bear on a structure: its own if it has one, else all.

    With 60 Gy to PTV_High and 54 Gy to PTV_Low, V100% of PTV_Low refers to 54 Gy, while that of an organ at risk
    stays ambiguous.
    """
    own = tuple(p for p in prescriptions if roi_number is not None and p.roi_number == roi_number)
    return own or tuple(prescriptions)


def the_prescription(choice: PrescriptionChoice) -> Prescription:
    """Return the one prescription of `choice`; those of the same dose count as one.

    Raises
    ------
    NotEvaluable
        With NO_PRESCRIPTION if there is none, AMBIGUOUS_PRESCRIPTION if there are several of unlike dose.
    """
    given = (choice,) if isinstance(choice, Prescription) else tuple(choice or ())
    usable = [p for p in given if math.isfinite(p.dose_gy) and p.dose_gy > 0]
    if not usable:
        raise NotEvaluable(
            "percent of the prescription needs a prescription and the plan states none; say it yourself.",
            reason=Reason.NO_PRESCRIPTION,
        )
    first = usable[0]
    if any(abs(p.dose_gy - first.dose_gy) > _SAME_DOSE_RTOL * first.dose_gy for p in usable):
        doses = ", ".join(f"{number_text(d, digits=6)} Gy" for d in sorted({p.dose_gy for p in usable}, reverse=True))
        raise NotEvaluable(
            f"percent of the prescription is ambiguous: there are {doses}; say yourself which one counts.",
            reason=Reason.AMBIGUOUS_PRESCRIPTION,
        )
    return first


def describe(prescription: Prescription) -> str:
    """Return what percent refers to, for the note beside a number."""
    return f"100 % = {number_text(prescription.dose_gy, digits=8)} Gy ({prescription.origin})"
