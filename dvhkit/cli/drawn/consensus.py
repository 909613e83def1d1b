"""`dvhkit contours consensus`: several observers of the same structures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.options import PageOption, RegistrationsOption, SameFrameOption
from dvhkit.cli.put_out import CsvOption, JsonOption, put_out


def consensus(
    paths: Annotated[
        list[Path], typer.Argument(metavar="A B C…", help="One RTSTRUCT file, or folder with one, an observer.")
    ],
    roi: Annotated[
        Optional[list[str]],  # noqa: UP045 -- typer reads it
        typer.Option("--roi", help="Structures, with * and ? as wildcards; repeatable. All that two drew otherwise."),
    ] = None,
    margin: Annotated[
        float,
        typer.Option("--margin", metavar="MM", min=0.0, help="Empty space around, for kappa and STAPLE."),
    ] = 10.0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="MM", min=0.0, help="For surface Dice against the others.")
    ] = 2.0,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="Write majority and STAPLE contours as RTSTRUCT."),
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="With --out: a copy of the first structure set with the result added to it.")
    ] = False,
    levels: Annotated[
        bool, typer.Option("--levels", help="With --out: also what at least 1, 2, … observers took in.")
    ] = False,
    registration: RegistrationsOption = None,
    same_frame: SameFrameOption = False,
    json: JsonOption = None,
    csv: CsvOption = None,
    report: PageOption = None,
) -> None:
    """Say what several observers agree upon: majority vote beside STAPLE, kappa with its interval, each against others.

    [dim]Example:[/dim]  dvhkit contours consensus RS_a.dcm RS_b.dcm RS_c.dcm --roi GTV --out consensus.dcm
    """
    from dvhkit.jobs.contours.consensus import consensus_of
    from dvhkit.outputs.contours import consensus as views
    from dvhkit.outputs.tables import findings_panels

    found = consensus_of(
        paths,
        roi=roi,
        margin_mm=margin,
        tolerance_mm=tolerance,
        out=out,
        levels=levels,
        add=add,
        registration=registration,
        same_frame=same_frame,
    )
    put_out(
        (*views.consensus_view(found), *findings_panels(found.findings)),
        json=(json, views.consensus_document(found)),
        texts=[
            (csv, views.consensus_csv(found)),
            (str(report) if report else None, views.consensus_html(found) if report else ""),
        ],
    )
