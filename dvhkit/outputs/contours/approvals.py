"""Who approved which contours, and how reviewers agree: as JSON and for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from dvhkit.outputs.records import plain_record
from dvhkit.outputs.text import clean, clean_name
from dvhkit.results.contours.grades import APPROVAL_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from dvhkit.results.contours.grades import ApprovalCheck, RoiGrade

_LONGEST = 48


def approvals_document(check: ApprovalCheck) -> dict[str, object]:
    """Return the check of a record as a JSON object, ``holds`` first."""
    return {"schema": APPROVAL_SCHEMA, "holds": not check.faults, **plain_record(check, "approvals")}


def approvals_view(check: ApprovalCheck) -> Iterator[RenderableType]:
    """Yield what to print: entries, agreement of reviewers, what they disagree on, what speaks against the record."""
    counting = {name.casefold() for name in check.approvers}
    for entry in check.entries:
        counted = "counts" if entry.reviewer.casefold() in counting else "does not count"
        line = f"{entry.time}  {entry.reviewer}, {entry.role}: {len(entry.rois)} structures; {counted}"
        yield Text(clean(line))
    for two in check.kappas:
        kappas = ", ".join(
            f"{what} {'not defined' if value is None else format(value, '.2f')}"
            for what, value in (("kappa", two.kappa), ("weighted kappa", two.weighted_kappa))
        )
        who = f"{two.reviewer_a} and {two.reviewer_b}"
        yield Text(clean(f"{who}: {two.agreed} of {two.structures} grades alike; {kappas}"))
    for one in check.disagreements:
        grades = f"{one.reviewer_a} {one.grade_a}, {one.reviewer_b} {one.grade_b}"
        yield Text(clean(f"  {clean_name(one.roi, longest=_LONGEST)}: {grades}"), style="yellow")
    if check.added:
        names = ", ".join(clean_name(name, longest=_LONGEST) for name in check.added)
        yield Text(f"Nobody looked at: {names}", style="dim")
    for fault in check.faults:
        yield Text(clean(fault), style="bold red")
    if not check.faults:
        yield Text(f"The contours are those that {len(check.approvers)} approved.", style="green")


def grade_lines(grades: tuple[RoiGrade, ...]) -> Iterator[RenderableType]:
    """Yield a line a structure: its grade and why."""
    for grade in grades:
        why = f" ({'; '.join(grade.reasons)})" if grade.reasons else ""
        yield Text(clean(f"{clean_name(grade.roi, longest=_LONGEST)}: {grade.grade or 'not graded'}{why}"))
