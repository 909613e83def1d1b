"""Rules on what is prescribed: a verdict for each prescription, since every lesion is to get its dose."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.checks.properties import prescription_value
from dvhkit.protocols.facts import CaseFacts
from dvhkit.protocols.files.rules import PropertyCheck, Protocol, Rule, StructureSelector
from dvhkit.protocols.naming.regions import RoiRef
from dvhkit.protocols.naming.select import select
from dvhkit.protocols.verdict import decided_row
from dvhkit.results.audit import RuleResult
from dvhkit.units import number_text

# Dose, ROI number and origin of a prescription.
_Stated = tuple[float, int | None, str]


def prescription_rows(rule: Rule, check: PropertyCheck, protocol: Protocol, facts: CaseFacts) -> Iterator[RuleResult]:
    """Yield a row for each prescription; raises `NotEvaluable` where there is none."""
    usable = [p for p in facts.prescriptions() if math.isfinite(p.dose_gy) and p.dose_gy > 0]
    prescriptions = tuple(dict.fromkeys((p.dose_gy, p.roi_number, p.origin) for p in usable))
    if check.target is not None:
        prescriptions = _of_target(check.target, prescriptions, protocol, facts)
    if not prescriptions and check.name != "prescription.fractions":
        raise NotEvaluable("the plan states no prescription; say it yourself.", reason=Reason.NO_PRESCRIPTION)
    fractions = facts.fractions()
    if check.name == "prescription.fractions":
        yield decided_row(rule, prescription_value(check.name, 0.0, fractions))
        return
    names = {s.number: s.name for s in facts.structures()}
    for dose_gy, roi_number, origin in prescriptions:
        roi = "" if roi_number is None else names.get(roi_number, f"#{roi_number}")
        in_fractions = "" if fractions is None else f" in {fractions} fractions"
        note = f"{number_text(dose_gy, digits=8)} Gy{in_fractions} ({origin})"
        yield decided_row(rule, prescription_value(check.name, dose_gy, fractions), roi=roi, note=note)


def _of_target(
    target: StructureSelector, stated: tuple[_Stated, ...], protocol: Protocol, facts: CaseFacts
) -> tuple[_Stated, ...]:
    """Return the prescriptions to `target`; raises `NotEvaluable` where none is tied to it."""
    regions = [found.region for found in select(target, protocol, facts.structures())]
    numbers = {region.number for region in regions if isinstance(region, RoiRef)}
    own = tuple(one for one in stated if one[1] in numbers)
    if not own:
        raise NotEvaluable(f"no prescription is stated to {target}.", reason=Reason.NO_PRESCRIPTION)
    return own
