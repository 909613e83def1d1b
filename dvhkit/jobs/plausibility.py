"""Whether the dose of a case can be what its plan prescribes: measured on the targets, told as findings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.findings import Finding, Level
from dvhkit.metrics.plausible import TargetDose, Told, judge_maximum, judge_target, judge_unprescribed
from dvhkit.model.dose import DoseType
from dvhkit.protocols.naming.organs import is_target
from dvhkit.units import number_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.jobs.numbers import CaseNumbers
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.case import Case
    from dvhkit.model.dvh import Dvh
    from dvhkit.model.plan import Plan, Prescription
    from dvhkit.model.structure import Structure

# The ROI types of targets, those first that are prescribed to.
_TARGET_TYPES = ("PTV", "CTV", "GTV", "IRRAD_VOLUME", "TREATED_VOLUME")
# A target of which less lies inside the dose grid cannot be judged by that part.
_LEAST_COVERED_FRAC = 0.5
# The hottest part of a grid, for telling where it lies.
_HOT_FRAC = 0.9
# Physical dose of protons is the prescribed one divided by an RBE of 1.1, where the target's dose is even.
_PHYSICAL_FRAC = (0.885, 0.935)


def dose_findings(numbers: CaseNumbers) -> tuple[Finding, ...]:
    """Return what makes the dose of a case doubtful; nothing of a case without dose, or of a sum of courses."""
    case = numbers.case
    if case.summed is not None or not _max_gy(case) > 0.0:
        return ()
    wanted = [p for p in case.prescriptions if math.isfinite(p.dose_gy) and p.dose_gy > 0]
    if not wanted:
        return (*_unprescribed(case), *_ion_kind(case, None))
    targets = _Targets(numbers)
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


def _is_judged(targets: _Targets, prescription: Prescription, wanted: list[Prescription]) -> bool:
    """Whether a prescription is held against a dose: one to an ROI always, of the others the highest."""
    loose = [p.dose_gy for p in wanted if targets.own(p) is None]
    return targets.own(prescription) is not None or prescription.dose_gy == max(loose)


def _judged(targets: _Targets, prescription: Prescription, told: Told) -> Finding | None:
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


def _of_any(targets: _Targets, told: Told) -> Finding | None:
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


def _beyond_grid(targets: _Targets, structure: Structure) -> Finding | None:
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


def is_brachy(case: Case) -> bool:
    """Whether the dose is that of sources inside or beside the target."""
    of_dose = case.dose is not None and case.dose.summation_type == "BRACHY"
    return of_dose or (case.plan is not None and case.plan.is_brachy)


def _ion_kind(case: Case, judged: tuple[_Targets, list[Prescription]] | None) -> tuple[Finding, ...]:
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


@dataclass(slots=True)
class _Targets:
    """The targets of a case and their doses, each measured once."""

    numbers: CaseNumbers
    _doses: dict[int, TargetDose | None]
    _dvhs: dict[int, Dvh | None]

    def __init__(self, numbers: CaseNumbers) -> None:
        self.numbers = numbers
        self._doses, self._dvhs = {}, {}

    @property
    def case(self) -> Case:
        return self.numbers.case

    @property
    def structures(self) -> list[Structure]:
        """The targets by type or name, those that are prescribed to first."""
        drawn = [s for s in self.case.structures if not s.is_empty]
        found = [s for s in drawn if _is_target(s)]
        return sorted(found, key=lambda s: (_rank(s.rt_roi_type), s.number))

    @property
    def names(self) -> list[str]:
        return [s.name for s in self.structures]

    def own(self, prescription: Prescription) -> Structure | None:
        """Return the ROI that a prescription is for, if it names one that encloses a volume."""
        same = [s for s in self.case.structures if s.number == prescription.roi_number and not s.is_empty]
        return same[0] if len(same) == 1 else None

    def covered_frac(self, structure: Structure) -> float | None:
        dvh = self._dvh(structure)
        return None if dvh is None or not dvh.volume_cc > 0 else dvh.covered_cc / dvh.volume_cc

    def _dvh(self, structure: Structure) -> Dvh | None:
        if id(structure) not in self._dvhs:
            try:
                self._dvhs[id(structure)] = self.numbers.plain_dvh(structure)
            except GeometryError:
                self._dvhs[id(structure)] = None
        return self._dvhs[id(structure)]

    def dose(self, structure: Structure, *, prescribed: bool = False) -> TargetDose | None:
        """Return what a target receives; None where it has no volume, or most of it lies outside the dose grid."""
        if id(structure) not in self._doses:
            dvh, covered = self._dvh(structure), self.covered_frac(structure)
            usable = dvh is not None and covered is not None and covered >= _LEAST_COVERED_FRAC
            self._doses[id(structure)] = _target_dose(structure, dvh) if usable and dvh is not None else None
        found = self._doses[id(structure)]
        return None if found is None else replace(found, prescribed=prescribed)

    def judge(self, structure: Structure, dose: TargetDose, told: Told) -> Finding | None:
        """Judge a target; one that seems wrong is judged again by its part inside the body, and by what lies around."""
        if judge_target(dose, told) is None:
            return None
        inside = self._inside_body(structure)
        dose = dose if inside is None else replace(inside, prescribed=dose.prescribed)
        if judge_target(dose, told) is None:
            return None
        dose = replace(dose, hot_away_mm=self._hot_away_mm(structure))
        own = {p.roi_number for p in self.case.prescriptions}
        rivals = [d for s in self.structures if s is not structure and s.number not in own if (d := self.dose(s))]
        apart = [r for r in rivals if not self._overlaps(structure, r.name)]
        return judge_target(dose, told, apart)

    def _inside_body(self, structure: Structure) -> TargetDose | None:
        """Return the dose of the part inside the body's outline: a PTV may reach out of the skin, into air."""
        from dvhkit.engine.combine import combine

        try:
            part = combine("&", structure, self.numbers.body_structure(), name=structure.name)
            dvh = self.numbers.plain_dvh(part)
        except (NotEvaluable, GeometryError):
            return None
        return _target_dose(structure, dvh) if dvh.covered_cc > 0 else None

    def _overlaps(self, structure: Structure, name: str) -> bool:
        """Whether another target may lie in or around this one, judged by the boxes around them."""
        other = next(s for s in self.structures if s.name == name)
        (low, high), (other_low, other_high) = _box(structure), _box(other)
        return bool(np.all(low <= other_high) and np.all(other_low <= high))

    def _hot_away_mm(self, structure: Structure) -> float:
        dose = self.case.dose
        assert dose is not None
        values, grid = dose.values_gy, dose.grid
        k, j, i = np.nonzero(values >= _HOT_FRAC * float(values.max()))
        along = np.array([i.mean() * grid.spacing_mm[0], j.mean() * grid.spacing_mm[1], grid.offsets_mm[k].mean()])
        low, high = _box(structure)
        return float(np.linalg.norm(grid.origin_mm + along @ grid.axes - (low + high) / 2))


def _is_target(structure: Structure) -> bool:
    return structure.rt_roi_type in _TARGET_TYPES or is_target(structure.name)


def _rank(rt_roi_type: str) -> int:
    return _TARGET_TYPES.index(rt_roi_type) if rt_roi_type in _TARGET_TYPES else len(_TARGET_TYPES)


def _box(structure: Structure) -> tuple[FloatArray, FloatArray]:
    points = np.concatenate([c.points_mm for c in structure.closed_contours])
    return points.min(axis=0), points.max(axis=0)


def _target_dose(structure: Structure, dvh: Dvh) -> TargetDose:
    d98, d95, d90, d50, d2 = _doses_at(dvh, (0.02, 0.05, 0.10, 0.50, 0.98))
    return TargetDose(
        name=structure.name,
        d98_gy=d98,
        d95_gy=d95,
        d90_gy=d90,
        d50_gy=d50,
        d2_gy=d2,
        is_target=_is_target(structure),
        is_ptv=structure.rt_roi_type == "PTV",
    )


def _doses_at(dvh: Dvh, colder_fracs: Iterable[float]) -> list[float]:
    """Return the doses below which these fractions of the covered volume stay."""
    below = np.cumsum(dvh.part_cc)
    at = np.searchsorted(below, np.array([*colder_fracs]) * below[-1])
    return [float(d) for d in dvh.dose_gy[np.minimum(at, len(dvh.dose_gy) - 1)]]
