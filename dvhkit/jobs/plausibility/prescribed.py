"""Whether the dose of a case can be what its plan prescribes: measured on the targets, told as findings."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from dvhkit.findings import Finding, Level
from dvhkit.jobs.plausibility.displaced import displaced_findings
from dvhkit.jobs.plausibility.fractions import fraction_findings
from dvhkit.jobs.plausibility.stored import stored_dose_findings
from dvhkit.jobs.plausibility.targets import Measured, Targets, is_brachy
from dvhkit.metrics.plausible import Told, judge_maximum, judge_unprescribed
from dvhkit.model.dose import DoseType
from dvhkit.units import number_text

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.plan import Plan, Prescription
    from dvhkit.model.structure import Structure

# Physical dose of protons is the prescribed one divided by an RBE of 1.1, where the target's dose is even.
_PHYSICAL_FRAC = (0.885, 0.935)


def dose_findings(numbers: Measured) -> tuple[Finding, ...]:
    """Return what makes the dose of a case doubtful; nothing of a case without dose, or of a sum of courses."""
    case = numbers.case
    if case.summed is not None or not _max_gy(case) > 0.0:
        return ()
    targets = Targets(numbers)
    found = (*_of_other_plan(numbers), *_by_prescription(targets))
    if not any(f.level is Level.SERIOUS for f in found):
        found = (*found, *displaced_findings(targets))
    return (*found, *fraction_findings(case), *stored_dose_findings(targets))


def _of_other_plan(numbers: Measured) -> tuple[Finding, ...]:
    """Hold a dose against the plan that lies beside it and that it does not name."""
    case, beside = numbers.case, numbers.case.plan_beside
    if beside is None or case.plan is not None:
        return ()
    name = beside.path.name if beside.path is not None else beside.label
    given = replace(case, plan=beside, plan_beside=None, prescriptions=beside.prescriptions)
    targets = Targets(numbers, given)
    unlike = [f for f in (*_by_prescription(targets), *displaced_findings(targets)) if f.level is Level.SERIOUS]
    message = f"The dose names another plan than the one that lies beside it ({name})"
    way_out = "If it is of that plan, say so with --rtplan; else export the dose of this one."
    if unlike:
        message = f"{message}, and does not fit what that plan prescribes: {unlike[0].gist}. {way_out}"
        return (Finding(level=Level.SERIOUS, code="dose-of-other-plan", message=message, where=name),)
    message = f"{message}; nothing in it speaks against that plan. {way_out}"
    return (Finding(level=Level.WARNING, code="dose-of-other-plan", message=message, where=name),)


def _by_prescription(targets: Targets) -> tuple[Finding, ...]:
    case = targets.case
    wanted = [p for p in case.prescriptions if math.isfinite(p.dose_gy) and p.dose_gy > 0]
    if not wanted:
        return (*_unprescribed(case), *_ion_kind(case, None))
    told = [_told(case, p) for p in wanted]
    found = [_judged(targets, p, t) for p, t in zip(wanted, told, strict=True) if _is_judged(targets, p, wanted)]
    odd = [finding for finding in found if finding is not None]
    ion = _ion_kind(case, (targets, wanted))
    if any(f.level is Level.SERIOUS for f in ion):
        odd = [f for f in odd if f.level is Level.SERIOUS]
    return (*dict.fromkeys(odd), *ion)


def _unprescribed(case: Case) -> tuple[Finding, ...]:
    told = Told(prescribed_gy=0.0, fractions=case.fractions, is_brachy=is_brachy(case), max_gy=_max_gy(case))
    impossible = judge_unprescribed(told)
    if impossible is not None:
        return (impossible,)
    message = (
        "No prescription is known, so whether the dose is that of the whole treatment is not checked. "
        "Give it with --rx."
    )
    return (Finding(level=Level.INFO, code="dose-unchecked", message=message),)


def _is_judged(targets: Targets, prescription: Prescription, wanted: list[Prescription]) -> bool:
    """Whether a prescription is held against a dose: one to an ROI always, of the others the highest."""
    loose = [p.dose_gy for p in wanted if targets.own(p) is None]
    return targets.own(prescription) is not None or prescription.dose_gy == max(loose)


def _judged(targets: Targets, prescription: Prescription, told: Told) -> Finding | None:
    own = targets.own(prescription)
    if own is None:
        return _of_any(targets, told)
    dose = targets.dose(own, prescribed=True)
    if dose is None:
        return _beyond_grid(targets, own)
    found = targets.judge(own, dose, told)
    if found is None or dose.is_target or found.level is not Level.SERIOUS:
        return found
    # The plan names an ROI that is no target: its number may be of another version of the structure set.
    if _of_any(targets, told) is None and targets.names:
        message = (
            f"The plan prescribes {number_text(told.prescribed_gy, digits=4)} Gy to {own.name}, which is no target and "
            "does not receive it, while a target does. Check that plan and structures are of one export."
        )
        return Finding(level=Level.WARNING, code="prescription-roi-doubtful", message=message, where=own.name)
    return found


def _of_any(targets: Targets, told: Told) -> Finding | None:
    """Judge a prescription that names no ROI: any target may meet it; if none does, the hottest is told of."""
    hottest: tuple[float, Finding] | None = None
    for structure in targets.structures:
        dose = targets.dose(structure)
        if dose is None:
            continue
        found = targets.judge(structure, dose, told)
        if found is None:
            return None
        reached = dose.d90_gy if told.is_brachy else dose.d50_gy
        # A warning says that the dose may well be right.
        rank = math.inf if found.level is not Level.SERIOUS else reached
        if hottest is None or rank > hottest[0]:
            hottest = rank, found
    if hottest is not None:
        return hottest[1]
    return _beyond_grid(targets, targets.structures[0]) if targets.structures else judge_maximum(told)


def _beyond_grid(targets: Targets, structure: Structure) -> Finding | None:
    if targets.covered_frac(structure) is None:
        return judge_maximum(_told(targets.case, targets.case.prescriptions[0]))
    share = number_text(100 * (targets.covered_frac(structure) or 0.0), digits=2)
    message = (
        f"Only {share} % of {structure.name} lie inside the dose grid, so this is hardly the dose of its plan. "
        "Check that dose and structures are of one plan."
    )
    return Finding(level=Level.SERIOUS, code="target-outside-dose", message=message, where=structure.name)


def _told(case: Case, prescription: Prescription) -> Told:
    plan = case.plan
    doses = {p.dose_gy for p in (*case.prescriptions, *(plan.prescriptions if plan else ()))}
    highest = max(p.dose_gy for p in case.prescriptions)
    phases = prescription.dose_gy < highest or (plan is not None and len(plan.fraction_groups) > 1)
    return Told(
        prescribed_gy=prescription.dose_gy,
        fractions=case.fractions,
        total_gy=sum({p.dose_gy for p in case.prescriptions}) if phases else prescription.dose_gy,
        others_gy=tuple(sorted(doses - {prescription.dose_gy})),
        parts_gy=_parts(plan),
        is_brachy=is_brachy(case),
        is_ion=plan is not None and plan.is_ion,
        max_gy=_max_gy(case),
    )


def _max_gy(case: Case) -> float:
    return float(case.dose.values_gy.max(initial=0.0)) if case.dose is not None else 0.0


def _parts(plan: Plan | None) -> tuple[tuple[str, float], ...]:
    """Return the dose of each beam and of each fraction group, where the plan has several and tells them."""
    if plan is None:
        return ()
    groups, beams = [], []
    for group in plan.fraction_groups:
        doses = [(n, gy * (group.fractions_planned or 0)) for n, gy in group.beam_doses_gy if gy > 0]
        groups.append((f"fraction group {group.number}", sum(gy for _, gy in doses)))
        beams += [(f"beam {n}", gy) for n, gy in doses]
    return tuple(part for parts in (groups, beams) if len(parts) > 1 for part in parts if part[1] > 0)


def _ion_kind(case: Case, judged: tuple[Targets, list[Prescription]] | None) -> tuple[Finding, ...]:
    """Return what the DoseType of an ion plan's dose leaves open: limits are meant in dose weighted by RBE."""
    dose, plan = case.dose, case.plan
    if dose is None or plan is None or not plan.is_ion or dose.dose_type is not DoseType.PHYSICAL:
        return ()
    code, kind = "ion-dose-physical", "The dose of this ion plan is marked PHYSICAL"
    if judged is None:
        message = f"{kind}, and without a prescription it does not tell whether it is weighted by RBE. Give --rx."
        return (Finding(level=Level.WARNING, code=code, message=message),)
    targets, wanted = judged
    for prescription in wanted:
        own = targets.own(prescription)
        for structure in (own,) if own is not None else targets.structures:
            found = targets.dose(structure)
            share = found.d50_gy / prescription.dose_gy if found is not None and found.is_even else 0.0
            if _PHYSICAL_FRAC[0] <= share <= _PHYSICAL_FRAC[1]:
                message = (
                    f"{kind}, and {structure.name} receives {number_text(100 * share, digits=3)} % of what is "
                    "prescribed, as physical dose does without the RBE of 1.1 that limits include. "
                    "Export the dose weighted by RBE (DoseType EFFECTIVE)."
                )
                return (Finding(level=Level.SERIOUS, code=code, message=message, where=structure.name),)
    message = f"{kind}; it fits the prescription, so it is taken to be weighted by RBE as that is."
    return (Finding(level=Level.INFO, code=code, message=message),)
