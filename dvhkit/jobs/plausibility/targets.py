"""The targets of a case and what each receives, measured once."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.metrics.plausible import TargetDose, Told, judge_target
from dvhkit.model.roi_kinds import TARGET_KINDS, kind_by_name
from dvhkit.protocols.naming.organs import is_target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.findings import Finding
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.case import Case
    from dvhkit.model.dose import StoredDvh
    from dvhkit.model.dvh import Dvh
    from dvhkit.model.plan import Prescription
    from dvhkit.model.structure import Structure

# The ROI types of targets, those first that are prescribed to.
_TARGET_TYPES = ("PTV", "CTV", "GTV", "IRRAD_VOLUME", "TREATED_VOLUME")
# High-, intermediate- and low-risk volumes of brachytherapy bear their risk first (GEC-ESTRO).
_RISK = re.compile(r"^[HIL]R[-_ ]?(?=[CG]TV)", re.IGNORECASE)
# A target of which less lies inside the dose grid cannot be judged by that part.
_LEAST_COVERED_FRAC = 0.5
# The hottest part of a grid, for telling where it lies.
_HOT_FRAC = 0.9


class Measured(Protocol):
    """What is asked of a case's numbers (`dvhkit.jobs.numbers.CaseNumbers`): these do not have to know who asks."""

    case: Case

    def plain_dvh(self, structure: Structure) -> Dvh:
        """Return the DVH of contours, without bands."""

    def body_structure(self) -> Structure:
        """Return the body's outline; raises `NotEvaluable` where it is not plain which ROI that is."""

    def stored_dvhs_of(self, structure: Structure) -> list[StoredDvh]:
        """Return the DVHs that the planning system stored for a structure."""


@dataclass(slots=True)
class Targets:
    """The targets of a case and their doses, each measured once."""

    numbers: Measured
    case: Case
    _doses: dict[int, TargetDose | None]
    _dvhs: dict[int, Dvh | None]

    def __init__(self, numbers: Measured, case: Case | None = None) -> None:
        """Measure by `numbers`; `case` is theirs, or the same with another plan."""
        self.numbers = numbers
        self.case = numbers.case if case is None else case
        self._doses, self._dvhs = {}, {}

    @property
    def structures(self) -> list[Structure]:
        """The targets by type or name, those that are prescribed to first."""
        drawn = [s for s in self.case.structures if not s.is_empty]
        found = [s for s in drawn if is_target_structure(s)]
        return sorted(found, key=lambda s: (_rank(s.rt_roi_type), s.number))

    @property
    def names(self) -> list[str]:
        """The names of the targets."""
        return [s.name for s in self.structures]

    def own(self, prescription: Prescription) -> Structure | None:
        """Return the ROI that a prescription is for, if it names one that encloses a volume."""
        same = [s for s in self.case.structures if s.number == prescription.roi_number and not s.is_empty]
        return same[0] if len(same) == 1 else None

    def covered_frac(self, structure: Structure) -> float | None:
        """Return which part of a structure lies inside the dose grid; None where it has no volume."""
        dvh = self.dvh(structure)
        return None if dvh is None or not dvh.volume_cc > 0 else dvh.covered_cc / dvh.volume_cc

    def dvh(self, structure: Structure) -> Dvh | None:
        """Return the DVH of a structure, measured once; None where its contours mean nothing in space."""
        if id(structure) not in self._dvhs:
            try:
                self._dvhs[id(structure)] = self.numbers.plain_dvh(structure)
            except GeometryError:
                self._dvhs[id(structure)] = None
        return self._dvhs[id(structure)]

    def dose(self, structure: Structure, *, prescribed: bool = False) -> TargetDose | None:
        """Return what a target receives; None where it has no volume, or most of it lies outside the dose grid."""
        if id(structure) not in self._doses:
            dvh, covered = self.dvh(structure), self.covered_frac(structure)
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


def is_brachy(case: Case) -> bool:
    """Whether the dose is that of sources inside or beside the target."""
    of_dose = case.dose is not None and case.dose.summation_type == "BRACHY"
    return of_dose or (case.plan is not None and case.plan.is_brachy)


def is_target_structure(structure: Structure) -> bool:
    """Whether an ROI is a target, by its type, or where that says nothing else by its name (PTV_Boost, HR-CTV)."""
    named = is_target(structure.name) or kind_by_name(_RISK.sub("", structure.name)) in TARGET_KINDS
    return structure.rt_roi_type in _TARGET_TYPES or named


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
        is_target=is_target_structure(structure),
        is_ptv=structure.rt_roi_type == "PTV",
    )


def _doses_at(dvh: Dvh, colder_fracs: Iterable[float]) -> list[float]:
    """Return the doses below which these fractions of the covered volume stay."""
    below = np.cumsum(dvh.part_cc)
    at = np.searchsorted(below, np.array([*colder_fracs]) * below[-1])
    return [float(d) for d in dvh.dose_gy[np.minimum(at, len(dvh.dose_gy) - 1)]]
