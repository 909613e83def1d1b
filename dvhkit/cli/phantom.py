"""`dvhkit phantom`: sets with known answers, for any planning system, and what it makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dvhkit.cli.put_out import JsonOption
from dvhkit.cli.streams import EXIT_NOT_MET, note_console, out_console

phantom_app = typer.Typer(name="phantom", help="DICOM sets whose answers are known.", no_args_is_help=True)


@phantom_app.command("list")
def list_(
    long: Annotated[bool, typer.Option("--long", "-l", help="Say what each is, and after whom.")] = False,
) -> None:
    """List the phantoms, a name a line."""
    from dvhkit.phantoms.sets.catalogue import phantom_titles

    for name, title in phantom_titles().items():
        out_console().print(f"{name:28} {title}" if long else name, markup=False, soft_wrap=True)


@phantom_app.command("write")
def write(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Which; see `dvhkit phantom list`.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to; several get a folder each.")],
) -> None:
    """Write phantoms as CT, RTSTRUCT, RTPLAN and RTDOSE, each with its truth.json and truth.csv.

    [dim]Example:[/dim]  dvhkit phantom write linear-si-2mm --out phantom
    """
    from dvhkit.phantoms.sets.catalogue import phantom_titles, require_phantom, write_phantom

    wanted = list(phantom_titles()) if names == ["all"] else list(dict.fromkeys(names))
    for name in wanted:
        require_phantom(name)
    for name in wanted:
        folder = out if len(wanted) == 1 else out / name
        paths = write_phantom(folder, name)
        note_console().print(f"wrote {len(paths)} files into {folder}", markup=False, soft_wrap=True)


@phantom_app.command("grade")
def grade(
    truth: Annotated[str, typer.Argument(metavar="NAME|TRUTH", help="A phantom's name, its truth.json or its folder.")],
    measured: Annotated[
        Path,
        typer.Argument(help="RTDOSE with DVHs, a text export, JSON of `dvhkit dvh`, or CSV with roi, metric, value."),
    ],
    reading: Annotated[
        str, typer.Option("--reading", help="The truth to hold it against: solid, stack or grid.")
    ] = "solid",
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="PCT", min=0.0, help="What a value may be off by, in percent.")
    ] = 3.0,
    json: JsonOption = None,
) -> None:
    """Hold what a planning system made of a phantom against what is true; ends with 1 where a value misses it.

    [dim]Example:[/dim]  dvhkit phantom grade linear-si-2mm exported.txt --reading stack
    """
    from dvhkit.cli.put_out import put_out
    from dvhkit.jobs.commission.grade_phantom import grade_phantom
    from dvhkit.outputs.commissioning.phantom_grade import grade_document, grade_lines

    result = grade_phantom(truth, measured, reading=reading, tolerance_pct=tolerance)
    put_out(grade_lines(result), json=(json, grade_document(result)), texts=[])
    if result.beyond:
        raise typer.Exit(EXIT_NOT_MET)
