"""Several plans on one command line: ``first second@4/5`` is the first plan and four of five fractions of a second."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.cli.streams import reading_progress
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from dvhkit.model.case import Case

_FRACTIONS = re.compile(r"(?P<path>.+)@(?:(?P<delivered>\d{1,3})/)?(?P<planned>\d{1,3})")


def plan_parts(plan: str) -> tuple[Path, int | None, int | None]:
    """Return path, planned and delivered fractions of ``PLAN@DELIVERED/PLANNED``; a file may have an @ of its own."""
    path, at, _ = plan.rpartition("@")
    if not at or Path(plan).exists() or not Path(path).exists():
        return Path(plan), None, None
    match = _FRACTIONS.fullmatch(plan)
    if match is None or int(match["planned"]) == 0:
        raise InputError(
            f"{plan.rpartition('@')[2][:20]!r} is no number of fractions.",
            path=path,
            remedy="Write PLAN@PLANNED or PLAN@DELIVERED/PLANNED, whole numbers from 1 to 999, such as first@20/25.",
        )
    delivered = match["delivered"]
    return Path(path), int(match["planned"]), None if delivered is None else int(delivered)


def read_plans(plans: Sequence[str], rtstruct: Path | None = None) -> list[Case]:
    """Read each plan; a lone RTDOSE file takes the structures of the first plan."""
    from dvhkit.jobs.read import read_case

    cases: list[Case] = []
    for plan in plans:
        path, _, _ = plan_parts(plan)
        structures = rtstruct or (cases[0].structures.path if cases and path.is_file() else None)
        with reading_progress() as progress:
            if path.is_file() and structures is not None:
                cases.append(read_case(rtdose=path, rtstruct=structures, progress=progress))
            else:
                cases.append(read_case(path, rtstruct=rtstruct if not cases else None, progress=progress))
    return cases


def _with_dose_findings(case: Case, number: int) -> Case:
    """Return a course with what is doubtful about its dose: of the sum it could not be told."""
    from dataclasses import replace

    from dvhkit.jobs.numbers import CaseNumbers

    found = [replace(f, message=f"Plan {number}: {f.message}") for f in CaseNumbers(case).dose_findings()]
    return replace(case, findings=(*case.findings, *found))


def summed_case(
    plans: Sequence[str], *, rtstruct: Path | None = None, eqd2_alpha_beta_gy: float | None, allow_unlike: bool
) -> Case:
    """Return the first plan's case with the dose of all plans together."""
    from dvhkit.jobs.sums.cases import course_of, sum_cases

    cases = [_with_dose_findings(case, n) for n, case in enumerate(read_plans(plans, rtstruct), 1)]
    courses = []
    for number, (case, plan) in enumerate(zip(cases, plans, strict=True), 1):
        _, planned, delivered = plan_parts(plan)
        label = f"plan {number}"
        courses.append(course_of(case, label=label, fractions_planned=planned, fractions_delivered=delivered))
    return sum_cases(cases, courses, eqd2_alpha_beta_gy=eqd2_alpha_beta_gy, allow_unlike=allow_unlike)
