"""`dvhkit contours approve` and `approvals`: who looked at which contours, and whether it still holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.put_out import JsonOption, put_out
from dvhkit.cli.streams import EXIT_NOT_MET

if TYPE_CHECKING:
    from dvhkit.results.contours.grades import RoiGrade

SetPath = Annotated[Path, typer.Argument(metavar="PATH", help="RTSTRUCT file, or a folder that holds one.")]


def approve(
    path: SetPath,
    record: Annotated[
        Path, typer.Option("--record", metavar="FILE", help="The record; made if missing, added to else.")
    ],
    reviewer: Annotated[str, typer.Option("--reviewer", metavar="CODE", help="Name or code of who approves.")],
    role: Annotated[str, typer.Option("--role", help="As what.")] = "radiation oncologist",
    roi: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Option("--roi", help="Structures looked at, with * and ? as wildcards; repeatable. All otherwise."),
    ] = None,
    grade: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--grade", metavar="ROI=GRADE[:REASON]", help="pp, av or uv, or in words; repeatable."),
    ] = None,
    criteria: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--criteria", metavar="FILE", help="Grade by these limits what --grade does not name."),
    ] = None,
    against: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--against", metavar="RTSTRUCT", help="The reference that --criteria compare with."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Add a reviewer's approval to a record: who, when, which object, a hash of each contour, the grades.

    Exit code 1 if the record does not hold: contours changed since an earlier entry, or graded unacceptable. The seal
    shows changes; it is no cryptographic signature.

    [dim]Example:[/dim]  dvhkit contours approve RS.dcm --record approvals.json --reviewer RO1 --grade 'GTV=av: stalk'
    """
    from dvhkit.jobs.contours import approvals
    from dvhkit.outputs.contours import approvals as views

    check = approvals.approve(
        path, record, reviewer=reviewer, role=role, roi=roi, grades=_grades(path, grade or (), criteria, against, roi)
    )
    put_out(views.approvals_view(check), json=(json, views.approvals_document(check)), texts=())
    if check.faults:
        raise typer.Exit(EXIT_NOT_MET)


def _grades(
    path: Path, given: list[str] | tuple[()], criteria: str | None, against: Path | None, roi: list[str] | None
) -> dict[str, RoiGrade]:
    from dvhkit.errors import InputError
    from dvhkit.jobs.contours.grading import grade_option, grades_against

    if (criteria is None) != (against is None):
        raise InputError("--criteria grade against a reference: name both --criteria and --against.")
    found = grades_against(path, against, criteria, roi) if criteria is not None and against is not None else {}
    for text in given:
        one = grade_option(text)
        found[one.roi] = one
    return found


def approvals(
    record: Annotated[Path, typer.Argument(metavar="RECORD", help="A record that `contours approve` wrote.")],
    path: SetPath,
    json: JsonOption = None,
) -> None:
    """Tell whether a record of approvals holds for a structure set, and how its reviewers agree.

    Exit code 0: all contours are those that were approved; 1: contours changed since, something was graded
    unacceptable, or the record was altered; 2: unusable input.

    [dim]Example:[/dim]  dvhkit contours approvals approvals.json RS.dcm
    """
    from dvhkit.jobs.contours.approvals import check_record
    from dvhkit.outputs.contours import approvals as views

    check = check_record(record, path)
    put_out(views.approvals_view(check), json=(json, views.approvals_document(check)), texts=())
    if check.faults:
        raise typer.Exit(EXIT_NOT_MET)
