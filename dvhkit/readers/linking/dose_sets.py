"""Which dose files make up one dose: a plan's own, the sum of all its beams, or planes stored one by one.

DoseSummationType (3004,000A) says what a file holds (PS3.3 C.8.8.3). PLAN is the whole delivery of one plan. BEAM is
one or more beams of a fraction group, FRACTION one fraction group over all its fractions, so either counts only if all
of its kind are there. The SESSION kinds hold a single fraction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from dvhkit.errors import DvhkitError, LinkError
from dvhkit.findings import Finding, Level
from dvhkit.readers.archive.index import FileEntry
from dvhkit.readers.files.headers import DoseHeader, PlanHeader
from dvhkit.readers.rtdose import read_dose, refusal
from dvhkit.readers.wording import counted, listed

_ATOL_MM = 1e-3
# A message that names more files than these is not read.
_MOST_TOLD = 8
_WHOLE = ("PLAN", "MULTI_PLAN", "PLAN_OVERVIEW", "BRACHY", "")


class Assembly(StrEnum):
    """How the files of a dose come together."""

    ONE = "one file"
    SUM = "sum of files"
    PLANES = "one file a plane"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseSet:
    """The files of one dose.

    Attributes
    ----------
    parts
        Files whose sum ought to equal this dose: compared with it, never added to it.
    problem
        Why these files are no usable dose; None if they are.
    """

    entries: tuple[FileEntry, ...]
    assembly: Assembly
    parts: tuple[FileEntry, ...] = ()
    findings: tuple[Finding, ...] = ()
    problem: DvhkitError | None = field(default=None, compare=False)

    @property
    def header(self) -> DoseHeader:
        """Header of the first file."""
        return self.entries[0].dose()


def dose_sets(doses: Iterable[FileEntry], plans: dict[str, PlanHeader]) -> list[DoseSet]:
    """Return the doses that the files make up, plan by plan; `plans` by SOP instance UID."""
    groups: dict[tuple[tuple[object, ...], str, str], list[FileEntry]] = {}
    for dose in doses:
        header = dose.dose()
        # Doses that point to no plan have nothing in common that says they belong together.
        owner: tuple[object, ...] = header.plan_uids or (dose.frame_of_reference_uid, "no plan")
        groups.setdefault((owner, header.dose_type, header.units), []).append(dose)
    found = []
    for (owner, dose_type, units), group in groups.items():
        problem = refusal(units, dose_type, group[0].path)
        if problem is None:
            found += _of_plan(group, _plan_of(owner, plans))
        else:
            found.append(DoseSet(entries=tuple(group), assembly=Assembly.SUM, problem=problem))
    return found


def chosen_dose(entry: FileEntry) -> DoseSet:
    """Return the dose that the user chose by hand, whatever part of a treatment it says it is."""
    kind = entry.dose().summation_type
    findings: tuple[Finding, ...] = ()
    if kind not in ("PLAN", "MULTI_PLAN", "PLAN_OVERVIEW"):
        message = f"DoseSummationType of the chosen dose is {kind or 'missing'}: it may be part of the treatment only."
        findings = (Finding(level=Level.WARNING, code="dose-may-be-partial", message=message, where=entry.path.name),)
    problem = refusal(entry.dose().units, entry.dose().dose_type, entry.path)
    return DoseSet(entries=(entry,), assembly=Assembly.ONE, findings=findings, problem=problem)


def _plan_of(owner: object, plans: dict[str, PlanHeader]) -> PlanHeader | None:
    return plans.get(str(owner[0])) if isinstance(owner, tuple) and len(owner) == 1 else None


def _of_plan(group: list[FileEntry], plan: PlanHeader | None) -> list[DoseSet]:
    by_type: dict[str, list[DoseSet]] = {}
    for one in _join_planes(group):
        by_type.setdefault(one.header.summation_type, []).append(one)
    whole = [one for kind in _WHOLE for one in by_type.get(kind, [])]
    beams, fractions = by_type.get("BEAM", []), by_type.get("FRACTION", [])
    if whole:
        plan_doses = by_type.get("PLAN", [])
        if len(plan_doses) == 1 and beams:
            compared = _with_parts(plan_doses[0], beams, plan)
            whole = [compared if one is plan_doses[0] else one for one in whole]
        return [_with_doubt(one) for one in _told_apart(whole)]
    if fractions:
        return _fractions(fractions, plan)
    if beams:
        return _beams(beams, plan)
    return [_partial(one) for ones in by_type.values() for one in ones]


def _told_apart(whole: list[DoseSet]) -> list[DoseSet]:
    """Return the doses of one plan, where there are several each with a finding that says what tells them apart."""
    if len(whole) < 2:
        return whole
    comments = [one.header.comment for one in whole]
    told = []
    for one in whole:
        own = one.header.comment
        says = f"This one says: {own!r}" if own else "This one says nothing (no DoseComment)"
        alone = "" if own and comments.count(own) == 1 else ", which does not tell it from the others"
        message = (
            f"{len(whole)} whole doses of this plan are here, such as those of robust scenarios; each is a case of its "
            f"own. {says}{alone}. Make sure which is the one to judge."
        )
        place = one.entries[0].path.name
        finding = Finding(level=Level.WARNING, code="several-doses-of-plan", message=message, where=place)
        told.append(_with_finding(one, finding))
    return told


def _with_doubt(one: DoseSet) -> DoseSet:
    kind = one.header.summation_type
    if kind not in ("", "BRACHY"):
        return one
    message = (
        f"DoseSummationType is {kind or 'missing'}, so whether the file holds the whole plan is not told. "
        "It is taken to: compare the prescription with the dose."
    )
    return _with_finding(one, Finding(level=Level.WARNING, code="dose-may-be-partial", message=message))


def _with_parts(plan_dose: DoseSet, beams: list[DoseSet], plan: PlanHeader | None) -> DoseSet:
    """Return the plan's dose, with its beams noted for comparison where they are all there on its grid."""
    complete = _missing_beams(beams, plan) == [] and all(same_grid(plan_dose, beam) for beam in beams)
    message = (
        f"{counted(len(beams), 'per-beam dose')} of the plan beside its plan dose: that is used, and nothing is added."
    )
    note = Finding(level=Level.INFO, code="beam-doses-not-added", message=message)
    return DoseSet(
        entries=plan_dose.entries,
        assembly=plan_dose.assembly,
        parts=tuple(beam.entries[0] for beam in beams) if complete else (),
        findings=(*plan_dose.findings, note),
    )


def _fractions(fractions: list[DoseSet], plan: PlanHeader | None) -> list[DoseSet]:
    if len(fractions) == 1:
        groups = None if plan is None else len(plan.groups)
        if groups == 1:
            return fractions
        if groups is None:
            message = (
                "The dose is that of one fraction group (all its fractions) and its plan is not there, so whether the "
                "plan has more groups is unknown."
            )
            finding = Finding(level=Level.WARNING, code="dose-of-fraction-group", message=message)
            return [_with_finding(fractions[0], finding)]
    wanted = sorted(number for number, _ in plan.groups) if plan else []
    found = sorted(n for one in fractions for n in one.header.group_numbers)
    if wanted and wanted == found and _on_one_grid(fractions):
        return [_sum(fractions, "fraction groups")]
    return [_refused(fractions, f"doses of single fraction groups: {found or 'unnumbered'} of {wanted or 'unknown'}")]


def _beams(beams: list[DoseSet], plan: PlanHeader | None) -> list[DoseSet]:
    missing = _missing_beams(beams, plan)
    if missing is None:
        reason = f"per-beam doses, and whether they are all beams of the plan is unknown: {_why_unknown(beams, plan)}"
    elif missing:
        reason = f"per-beam doses, and those of beam {', '.join(map(str, missing))} are missing: {_said_by(beams)}"
    elif not _on_one_grid(beams):
        reason = "per-beam doses on different grids"
    else:
        return [_sum(beams, "beams") if len(beams) > 1 else beams[0]]
    return [_refused(beams, reason)]


def _missing_beams(beams: list[DoseSet], plan: PlanHeader | None) -> list[int] | None:
    """Return the treatment beams without dose; None if that cannot be told, or a beam would count twice."""
    if plan is None:
        return None
    wanted = [number for _, numbers in plan.groups for number in numbers]
    found = [number for beam in beams for number in beam.header.beam_numbers]
    if not wanted or len(set(found)) != len(found) or any(not beam.header.beam_numbers for beam in beams):
        return None
    return sorted(set(wanted) - set(found))


def _why_unknown(beams: list[DoseSet], plan: PlanHeader | None) -> str:
    """Return which file says what of its beams, where that does not add up."""
    if plan is None:
        return f"{_said_by(beams)}, and the plan that names its beams is not there"
    if not any(numbers for _, numbers in plan.groups):
        return f"{_said_by(beams)}, and the plan names no beam"
    holders: dict[int, list[str]] = {}
    for beam in beams:
        for number in beam.header.beam_numbers:
            holders.setdefault(number, []).append(beam.entries[0].path.name)
    twice = [
        f"beam {number} is in {counted(len(files), 'file')} ({listed(files)})"
        for number, files in sorted(holders.items())
        if len(files) > 1
    ]
    odd = [beam for beam in beams if len(beam.header.beam_numbers) != 1]
    return "; ".join([*twice, *([_said_by(odd)] if odd else [])])


def _said_by(beams: list[DoseSet]) -> str:
    """Return to which beams each file refers, and which holds nothing but zeros."""
    told = []
    for beam in beams:
        numbers = beam.header.beam_numbers
        refers = f"refers to beam{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
        empty = " and holds only zeros" if _holds_only_zeros(beam) else ""
        told.append(f"{beam.entries[0].path.name} {refers if numbers else 'names no beam'}{empty}")
    return "; ".join(told[:_MOST_TOLD]) + (f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else "")


def _holds_only_zeros(one: DoseSet) -> bool:
    try:
        return not any(read_dose(entry.path)[0].values_gy.any() for entry in one.entries)
    except DvhkitError:
        return False  # what is wrong with the file is told where it is read


def _sum(parts: list[DoseSet], what: str) -> DoseSet:
    message = f"There is no plan dose; the doses of all {len(parts)} {what} are summed."
    return DoseSet(
        entries=tuple(part.entries[0] for part in parts),
        assembly=Assembly.SUM,
        findings=(Finding(level=Level.INFO, code="doses-summed", message=message),),
    )


def _partial(one: DoseSet) -> DoseSet:
    return _refused([one], f"a dose of DoseSummationType {one.header.summation_type}, which is part of a treatment")


def _refused(parts: list[DoseSet], reason: str) -> DoseSet:
    entries = tuple(entry for part in parts for entry in part.entries)
    problem = LinkError(
        f"there is no dose of the whole plan, only {reason}.",
        path=entries[0].path,
        remedy="Export the plan dose, or choose one file with --rtdose if you want its DVH all the same.",
    )
    return DoseSet(entries=entries, assembly=Assembly.SUM, problem=problem)


def _with_finding(one: DoseSet, finding: Finding) -> DoseSet:
    return DoseSet(entries=one.entries, assembly=one.assembly, parts=one.parts, findings=(*one.findings, finding))


def _join_planes(group: list[FileEntry]) -> list[DoseSet]:
    """Return the files of a group, those that hold one plane each of the same stack joined."""
    stacks: dict[tuple[object, ...], list[FileEntry]] = {}
    for entry in group:
        header = entry.dose()
        alone: object = None if header.n_frames == 1 and len(header.position_mm) == 3 else entry.path
        stacks.setdefault((alone, *_stack_key(header)), []).append(entry)
    joined = []
    for stack in stacks.values():
        if len(stack) > 1 and _is_stack(stack):
            joined.append(DoseSet(entries=tuple(stack), assembly=Assembly.PLANES))
        else:
            joined += [DoseSet(entries=(entry,), assembly=Assembly.ONE) for entry in stack]
    return joined


def _stack_key(header: DoseHeader) -> tuple[object, ...]:
    return (
        header.summation_type,
        header.beam_numbers,
        header.group_numbers,
        header.n_rows,
        header.n_columns,
        header.pixel_spacing_mm,
        header.orientation,
    )


def _is_stack(stack: list[FileEntry]) -> bool:
    """Return whether planes lie one above the other, each at its own height."""
    orientation = stack[0].dose().orientation
    if len(orientation) != 6:
        return False
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    apart = np.array([entry.dose().position_mm for entry in stack]) - np.array(stack[0].dose().position_mm)
    heights = np.sort(apart @ np.cross(row, column))
    sideways = np.abs(apart @ np.stack([row, column]).T).max()
    return bool(sideways <= _ATOL_MM and np.diff(heights).min() > _ATOL_MM)


def _on_one_grid(parts: list[DoseSet]) -> bool:
    return all(same_grid(parts[0], part) for part in parts[1:])


def same_grid(one: DoseSet, other: DoseSet) -> bool:
    """Return whether two doses have the same first voxel, orientation, pixel size and matrix, by their headers."""
    if Assembly.PLANES in (one.assembly, other.assembly):
        return False
    a, b = one.header, other.header
    if (a.n_frames, a.n_rows, a.n_columns) != (b.n_frames, b.n_rows, b.n_columns):
        return False
    lattice_a = (*a.position_mm, *a.orientation, *a.pixel_spacing_mm)
    lattice_b = (*b.position_mm, *b.orientation, *b.pixel_spacing_mm)
    return len(lattice_a) == len(lattice_b) and bool(np.allclose(lattice_a, lattice_b, rtol=0, atol=_ATOL_MM))
