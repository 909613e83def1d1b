"""`dvhkit contours`: structure sets compared, checked, agreed upon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.lazy import Entry, lazy_group
from dvhkit.cli.options import (
    ContextOption,
    FractionsOption,
    PageOption,
    RegistrationsOption,
    ResultsJsonOption,
    RxOption,
    SameFrameOption,
)
from dvhkit.cli.put_out import CsvOption, put_out
from dvhkit.cli.streams import EXIT_NOT_MET, announce_first_run

_ELSEWHERE = {
    "consensus": Entry(
        "dvhkit.cli.drawn.consensus:consensus",
        "Say what several observers agree upon: majority vote beside STAPLE, kappa with its interval, each against "
        "others.",
    ),
    "approve": Entry(
        "dvhkit.cli.drawn.approve:approve",
        "Add a reviewer's approval to a record: who, when, which object, a hash of each contour, the grades.",
    ),
    "approvals": Entry(
        "dvhkit.cli.drawn.approve:approvals",
        "Tell whether a record of approvals holds for a structure set, and how its reviewers agree.",
    ),
}
contours_app = typer.Typer(
    name="contours",
    cls=lazy_group(_ELSEWHERE),
    help="Compare, check and agree on contours.",
    no_args_is_help=True,
)

DrawnPath = Annotated[Path, typer.Argument(help="RTSTRUCT file, or a folder that holds one.")]


@contours_app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The reference: an RTSTRUCT file, or a folder with one.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="What is held against it.")],
    roi: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--roi", help="Structures of A, with * and ? as wildcards; repeatable. All that pair otherwise."),
    ] = None,
    pairs: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--pairs", metavar="FILE", help="CSV of two columns roi_a,roi_b, where names do not tell."),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="name|number", help="Pair by name or by ROI number.")] = "name",
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="MM", min=0.0, help="For surface Dice and added path length.")
    ] = 2.0,
    dose: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--dose", metavar="RTDOSE", help="Also measure dose metrics with A's and with B's contours."),
    ] = None,
    protocol: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--protocol", metavar="ID|FILE", help="Whose metrics, and whether a verdict flips."),
    ] = None,
    context: ContextOption = None,
    criteria: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--criteria", metavar="FILE", help="Grade B's contours by these limits (YAML; shipped: example)."),
    ] = None,
    rx: RxOption = None,
    fractions: FractionsOption = None,
    registration: RegistrationsOption = None,
    same_frame: SameFrameOption = False,
    json: ResultsJsonOption = None,
    csv: CsvOption = None,
    report: PageOption = None,
) -> None:
    r"""Compare two structure sets: overlap, distances, lines to draw anew, and what it does to the dose metrics.

    Measured on the solids that the contours stand for, ends included. Hausdorff distances are between surfaces in
    space; HD95 comes in both published definitions; surface Dice and added path length are at the tolerance.

    [dim]Example:[/dim]  dvhkit contours compare RS_a.dcm RS_b.dcm --dose RD.dcm --protocol ning-2023 --csv pairs.csv
    """
    from dvhkit.errors import InputError
    from dvhkit.jobs.contours.compare import DoseQuestion, compare_structures
    from dvhkit.jobs.contours.grading import graded
    from dvhkit.jobs.contours.structure_sets import read_pairs
    from dvhkit.outputs.contours import comparison as views
    from dvhkit.outputs.contours.approvals import grade_lines
    from dvhkit.outputs.tables import findings_panels
    from dvhkit.protocols.files.context import load_context
    from dvhkit.protocols.files.criteria import load_criteria

    if by not in ("name", "number"):
        raise InputError(f"structures pair by name or number, not by {by!r}.")
    limits = load_criteria(criteria) if criteria else None
    announce_first_run()
    asked = None
    if dose is not None or protocol is not None:
        given = load_context(context) if context else None
        asked = DoseQuestion(dose=dose, protocol=protocol, context=given, rx_gy=rx, fractions=fractions)
    found = compare_structures(
        a,
        b,
        roi=roi,
        pairs=read_pairs(pairs) if pairs else None,
        by=by,
        tolerance_mm=tolerance,
        registration=registration,
        same_frame=same_frame,
        dose=asked,
    )
    found = graded(found, limits) if limits else found
    put_out(
        (*views.comparison_view(found), *grade_lines(found.grades), *findings_panels(found.findings)),
        json=(json, views.comparison_document(found)),
        texts=[
            (csv, views.comparison_csv(found)),
            (str(report) if report else None, views.comparison_html(found) if report else ""),
        ],
    )


@contours_app.command()
def check(
    path: DrawnPath,
    repair: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--repair", metavar="OUT.dcm", help="Write a new set with the safe repairs; the old one stays."),
    ] = None,
    cohort: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--cohort", metavar="BANDS.json", help="Usual ranges, as `dvhkit contours bands` writes them."),
    ] = None,
    json: ResultsJsonOption = None,
    csv: CsvOption = None,
) -> None:
    """Look for what is wrong with the contours of one structure set: each finding with its slice and its place.

    Exit code 0: nothing serious and no warning; 1: something to look at; 2: unusable input.

    [dim]Example:[/dim]  dvhkit contours check plans/case7 --repair repaired.dcm
    """
    from dvhkit.findings import Level
    from dvhkit.jobs.contours.check import check_contours
    from dvhkit.outputs.contours import checks as views

    found = check_contours(path, repair=repair, cohort=cohort)
    put_out(views.checks_view(found), json=(json, views.checks_document(found)), texts=[(csv, views.checks_csv(found))])
    if any(f.severity is not Level.INFO for f in found.findings):
        raise typer.Exit(EXIT_NOT_MET)


@contours_app.command()
def bands(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="RTSTRUCT files, or folders with one each.")],
    out: Annotated[Path, typer.Option("--out", metavar="BANDS.json", help="Where the ranges go.")],
) -> None:
    """Write what structures of a cohort are like, for `contours check --cohort`: volume, size, parts on a slice.

    Ranges are the median and 3.5 standard deviations of the logarithm, estimated from the median deviation, of
    structures that occur in 8 sets or more, by TG-263 name.

    [dim]Example:[/dim]  dvhkit contours bands plans/*/RS.dcm --out bands.json
    """
    from dvhkit.cli.streams import note_console, write_text
    from dvhkit.jobs.contours.bands import bands_text, make_bands

    found = make_bands(paths)
    write_text(str(out), bands_text(found))
    for told in found.left_out:
        note_console().print(f"left out {told}", markup=False, soft_wrap=True)
    note_console().print(f"wrote {out}: {len(found.structures)} structures", markup=False, soft_wrap=True)
