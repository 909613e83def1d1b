"""A case with the dose of several courses together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.jobs.sums.courses import Course, DoseSum, eqd2_sum, physical_sum
from dvhkit.model.case import Case, SummedDose
from dvhkit.model.dose import DoseType


def sum_cases(
    cases: Sequence[Case],
    courses: Sequence[Course],
    *,
    eqd2_alpha_beta_gy: float | None = None,
    allow_unlike: bool = False,
) -> Case:
    """Return the first case with the dose of all courses together, on its own structures.

    Parameters
    ----------
    courses
        One for each case, in their order (`course_of`): its dose, and how many of its fractions were given.
    eqd2_alpha_beta_gy
        Add in EQD2 with this alpha/beta, each voxel by its own dose per fraction; None adds physical doses.
    allow_unlike
        Add physical doses although the doses per fraction differ, or are not known, with a serious finding.

    Returns
    -------
    Case
        With the findings of all cases. It has no prescription, for there is none of the sum; who says one adds it with
        `Case.with_prescription`. `Case.summed` says what the dose is, so that limits are applied to no other fractions
        than theirs.

    Raises
    ------
    InputError, LinkError, GeometryError
        As `dvhkit.jobs.sums.courses.physical_sum` and `eqd2_sum`.
    """
    if eqd2_alpha_beta_gy is None:
        made = physical_sum(courses, allow_unlike=allow_unlike)
    else:
        made = eqd2_sum(courses, eqd2_alpha_beta_gy)
    first = cases[0]
    findings = dict.fromkeys(finding for case in cases for finding in case.findings)
    return replace(
        first,
        label=" + ".join(dict.fromkeys(case.label for case in cases)),
        dose=made.dose,
        plan=None,
        prescriptions=(),
        fractions=None,
        findings=(*made.findings, *_twice(courses), *_unlike_radiation(cases), *findings),
        sources=tuple(dict.fromkeys(source for case in cases for source in case.sources)),
        summed=_summed(courses, made, eqd2_alpha_beta_gy),
    )


def course_of(
    case: Case, *, label: str, fractions_planned: int | None = None, fractions_delivered: int | None = None
) -> Course:
    """Return a case's dose as a course of treatment; the fractions given by hand come before those of the plan.

    Raises
    ------
    InputError
        If the case has no dose.
    """
    if case.dose is None:
        raise InputError("the plan has no dose to add.", where=label, remedy="Name its RTDOSE file.")
    doses_gy = {p.dose_gy for p in case.prescriptions}
    return Course(
        dose=case.dose,
        fractions_planned=fractions_planned or case.fractions,
        fractions_delivered=fractions_delivered,
        prescribed_gy=next(iter(doses_gy)) if len(doses_gy) == 1 else None,
        label=label,
        is_ion=case.plan is not None and case.plan.is_ion,
    )


def _unlike_radiation(cases: Sequence[Case]) -> list[Finding]:
    """Return a finding where ion doses that lack their RBE, or may lack it, are added to those of photons."""
    ions = [c for c in cases if c.plan is not None and c.plan.is_ion]
    physical = [c for c in ions if c.dose is not None and c.dose.dose_type is DoseType.PHYSICAL]
    if not physical or len(ions) == len(cases):
        return []
    message = (
        "The dose of an ion plan marked PHYSICAL is added to that of another kind of radiation, so the sum is neither "
        "physical nor weighted by RBE. Export the ion dose weighted by RBE, as PHYSICAL only if that is what it holds."
    )
    return [Finding(level=Level.SERIOUS, code="unlike-radiation-summed", message=message)]


def _twice(courses: Sequence[Course]) -> list[Finding]:
    """Return a finding where one and the same dose is added more than once: most likely a plan was named twice."""
    uids = [course.dose.sop_instance_uid for course in courses if course.dose.sop_instance_uid]
    if len(set(uids)) == len(uids):
        return []
    message = "one and the same dose is added more than once; is a plan named twice?"
    return [Finding(level=Level.WARNING, code="dose-added-twice", message=message)]


def _summed(courses: Sequence[Course], made: DoseSum, eqd2_alpha_beta_gy: float | None) -> SummedDose:
    """Return what the sum is; of like fractions their number, that were given, is known."""
    alike = eqd2_alpha_beta_gy is None and not any(f.code == "unlike-fractions-summed" for f in made.findings)
    given = [c.fractions_planned if c.fractions_delivered is None else c.fractions_delivered for c in courses]
    known = [n for n in given if n is not None]
    return SummedDose(
        description=made.description,
        eqd2_alpha_beta_gy=eqd2_alpha_beta_gy,
        fractions=sum(known) if alike and len(known) == len(given) else None,
        dose_per_fraction_gy=courses[0].dose_per_fraction_gy if alike else None,
    )
