"""Dose of several courses together: physically, or in EQD2 voxel by voxel. Planned and delivered fractions differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvhkit.engine.dose_sum import OnOneGrid, on_one_grid
from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.metrics.radiobiology.biology import LQ_DISPUTED_ABOVE_GY, eqd2_gy
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import Dose, DoseType
from dvhkit.units import number_text

# 2 Gy is typed as 2.0 and computed as 60 / 30.
_SAME_DOSE_RTOL = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """One plan's dose and how much of it was given.

    Attributes
    ----------
    dose
        Of all planned fractions together, as RTDOSE holds it.
    fractions_planned, fractions_delivered
        What `dose` is of, and how many of them were given; None for the latter where all were.
    prescribed_gy
        Prescribed dose of all planned fractions, None if not known: what tells like from unlike fractionations.
    label
        How reports call it.
    is_ion
        Whether it is of an ion plan, whose EFFECTIVE dose is weighted by RBE and may be added to physical dose of
        photons, of which the RBE is 1.
    """

    dose: Dose
    fractions_planned: int | None
    fractions_delivered: int | None = None
    prescribed_gy: float | None = None
    label: str = ""
    is_ion: bool = False

    def __post_init__(self) -> None:
        planned, delivered = self.fractions_planned, self.fractions_delivered
        if planned is not None and planned < 1:
            raise InputError(f"a course has at least one planned fraction, not {planned}.")
        if delivered is not None and (delivered < 0 or planned is None):
            raise InputError("delivered fractions need the number of planned ones, and cannot be less than 0.")
        if planned is not None and delivered is not None and delivered > planned:
            raise InputError(
                f"{delivered} fractions of {planned} planned ones cannot have been given.",
                remedy="Write PLAN@DELIVERED/PLANNED, such as first@20/25.",
            )

    @property
    def delivered_frac(self) -> float:
        """Delivered fractions over planned ones."""
        if self.fractions_delivered is None or self.fractions_planned is None:
            return 1.0
        return self.fractions_delivered / self.fractions_planned

    @property
    def dose_per_fraction_gy(self) -> float | None:
        """Prescribed dose per fraction; None where prescription or fractions are not known."""
        if self.prescribed_gy is None or self.fractions_planned is None:
            return None
        return self.prescribed_gy / self.fractions_planned

    def __str__(self) -> str:
        planned, delivered = self.fractions_planned, self.fractions_delivered
        if planned is None:
            return f"{self.label} (fractions not stated)"
        given = planned if delivered is None else delivered
        return f"{self.label} ({given} of {planned} fractions)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoseSum:
    """The dose of several courses together, what it is in words, and what is odd about it."""

    dose: Dose
    description: str
    findings: tuple[Finding, ...]


def physical_sum(courses: Sequence[Course], *, allow_unlike: bool = False) -> DoseSum:
    """Return the sum of the delivered doses in physical Gy.

    Raises
    ------
    InputError
        If there are less than two courses, or their dose per fraction differs or is not known: a Gy of one is then no
        Gy of the other. `allow_unlike` adds them all the same, with a serious finding.
    LinkError, GeometryError
        As `dvhkit.engine.dose_sum.on_one_grid`.
    """
    _check(courses)
    unlike = _why_unlike(courses)
    if unlike and not allow_unlike:
        raise InputError(
            f"the physical doses are not added: {unlike}.",
            remedy="Sum in EQD2 (--eqd2 ALPHA_BETA), or ask for it all the same (--unlike-fractions).",
        )
    together = on_one_grid([course.dose for course in courses])
    total = np.zeros(together.grid.shape_zyx)
    for course, value in zip(courses, together.values_gy, strict=True):
        total += course.delivered_frac * value
    findings = []
    if unlike:
        message = f"{unlike}; a Gy of one is no Gy of the other."
        findings.append(_finding(Level.SERIOUS, "unlike-fractions-summed", message))
    kinds = {course.dose.dose_type for course in courses}
    what = "physical dose" if len(kinds) == 1 else "dose weighted by RBE"
    made = _result(courses, together, total, what, findings)
    return made if len(kinds) == 1 else replace(made, dose=replace(made.dose, dose_type=DoseType.EFFECTIVE))


def eqd2_sum(courses: Sequence[Course], alpha_beta_gy: float) -> DoseSum:
    """Return the sum of the delivered doses, each converted to EQD2 voxel by voxel by its own dose per fraction.

    In a voxel with dose D of n planned fractions, of which m were given, a course counts
    ``m/n D (D/n + alpha/beta) / (2 + alpha/beta)``: a fraction not given makes the others no smaller. Doses are
    resampled first and converted then. No recovery between the courses is assumed (Fowler 1989, Br J Radiol 62:679).

    Raises
    ------
    InputError
        If there are less than two courses, one does not state its fractions, or alpha/beta is not positive.
    """
    _check(courses)
    unknown = next((course for course in courses if course.fractions_planned is None), None)
    if unknown is not None:
        raise InputError(
            f"EQD2 needs the fractions of {unknown.label or 'each course'}.", remedy="State them: PLAN@FRACTIONS."
        )
    if not (alpha_beta_gy > 0 and math.isfinite(alpha_beta_gy)):
        raise InputError(f"alpha/beta must be a positive number of Gy, not {alpha_beta_gy!r}.")
    together = on_one_grid([course.dose for course in courses])
    total = np.zeros(together.grid.shape_zyx)
    steepest_gy = 0.0
    for course, value in zip(courses, together.values_gy, strict=True):
        assert course.fractions_planned is not None
        total += course.delivered_frac * eqd2_gy(value, course.fractions_planned, alpha_beta_gy)
        steepest_gy = max(steepest_gy, float(value.max()) / course.fractions_planned)
    findings = []
    if steepest_gy > LQ_DISPUTED_ABOVE_GY:
        message = (
            f"the linear-quadratic model is disputed above {LQ_DISPUTED_ABOVE_GY:g} Gy per fraction; "
            f"there are up to {number_text(steepest_gy, digits=3)} Gy here."
        )
        findings.append(_finding(Level.WARNING, "eqd2-model-disputed", message))
    what = f"EQD2 with alpha/beta {number_text(alpha_beta_gy)} Gy"
    made = _result(courses, together, total, what, findings)
    return replace(made, dose=replace(made.dose, dose_type=DoseType.EFFECTIVE))


def _check(courses: Sequence[Course]) -> None:
    if len(courses) < 2:
        raise InputError("a sum needs at least two courses.", remedy="Name the plans one after the other.")
    kinds = {course.dose.dose_type for course in courses}
    if len(kinds) > 1 and not _is_weighted(courses):
        listed = " and ".join(sorted(kind.value for kind in kinds))
        raise InputError(f"doses of unlike kinds ({listed}) are not added.", remedy="Export all as one DoseType.")


def _is_weighted(courses: Sequence[Course]) -> bool:
    """Whether doses of unlike kinds are all weighted by RBE: those of ions by theirs, those of photons by 1."""
    return all(course.is_ion == (course.dose.dose_type is DoseType.EFFECTIVE) for course in courses)


def _why_unlike(courses: Sequence[Course]) -> str:
    """Return why the fractionations are, or may be, unlike; empty where they are alike."""
    doses_gy = [course.dose_per_fraction_gy for course in courses]
    known = [dose for dose in doses_gy if dose is not None]
    if len(known) < len(doses_gy):
        missing = courses[doses_gy.index(None)]
        return f"the dose per fraction of {missing.label or 'a course'} is not known, so it may be unlike the others"
    if max(known) - min(known) > _SAME_DOSE_RTOL * max(known):
        listed = " and ".join(number_text(dose, digits=4) for dose in sorted(set(known)))
        return f"they are given in unlike fractions, of {listed} Gy"
    return ""


def _result(
    courses: Sequence[Course], together: OnOneGrid, total: FloatArray, what: str, findings: list[Finding]
) -> DoseSum:
    description = f"sum in {what} of " + " and ".join(str(course) for course in courses)
    if together.cut_frac > 0:
        message = (
            f"{number_text(100 * together.cut_frac, digits=3)} % of the first dose grid lie outside another one; there "
            "is no sum there, and structures that reach into it are not covered."
        )
        findings = [*findings, _finding(Level.WARNING, "sum-grid-cut", message)]
    dose = replace(
        courses[0].dose,
        grid=together.grid,
        values_gy=total,
        summation_type="MULTI_PLAN",
        sop_instance_uid="",
        referenced_plan_uids=tuple(uid for course in courses for uid in course.dose.referenced_plan_uids),
        stored_dvhs=(),
        paths=tuple(path for course in courses for path in course.dose.paths),
    )
    return DoseSum(dose=dose, description=description, findings=tuple(findings))


def _finding(level: Level, code: str, message: str) -> Finding:
    return Finding(level=level, code=code, message=message)
