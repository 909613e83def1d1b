"""`dvhkit check-dvh`: a planning system's DVHs beside ours, and the conventions between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.options import (
    CasePath,
    EngineOption,
    ImageOption,
    RegistrationOption,
    RtdoseOption,
    RtplanOption,
    RtstructOption,
    SameFrameOption,
    open_case,
)
from dvhkit.cli.streams import EXIT_NOT_MET, STDOUT, announce_first_run, note_console, out_console, write_json


def check_dvh(
    path: CasePath = None,
    tps: Annotated[
        Optional[list[Path]],  # noqa: UP045 -- typer reads it
        typer.Option(
            "--tps", metavar="FILE", help="DVHs exported as text (Eclipse, RayStation, Monaco, CSV); repeatable."
        ),
    ] = None,
    json: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--json", metavar="FILE|-", help="Write the comparison as JSON."),
    ] = None,
    rtstruct: RtstructOption = None,
    rtdose: RtdoseOption = None,
    rtplan: RtplanOption = None,
    image: ImageOption = None,
    registration: RegistrationOption = None,
    same_frame: SameFrameOption = False,
    engine: EngineOption = None,
) -> None:
    """Compare the planning system's DVHs with ours: they agree, a convention explains them, or nothing does.

    Compared are the DVHs stored in the RTDOSE and those of text exports. Exit code 1 where one is not explained.

    [dim]Example:[/dim]  dvhkit check-dvh plans/case7 --tps case7_eclipse.txt
    """
    from dvhkit.jobs.second_check.check_dvh import check_dvh as compare
    from dvhkit.outputs.second_check import check_document, check_view

    case = open_case(
        path,
        rtstruct=rtstruct,
        rtdose=rtdose,
        rtplan=rtplan,
        image=image,
        registration=registration,
        same_frame=same_frame,
    )
    announce_first_run()
    found = compare(case, tps or (), engine=engine)
    if json:
        write_json(json, check_document(found, case.findings))
    if json != STDOUT:
        for renderable in check_view(found):
            out_console().print(renderable, markup=False)
        if json:
            note_console().print(f"wrote {json}", markup=False)
    raise typer.Exit(0 if found.all_clear else EXIT_NOT_MET)
