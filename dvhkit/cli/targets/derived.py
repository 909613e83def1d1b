"""What the commands that make structures share: their options, and how they begin and end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from dvhkit.cli.options import open_case
from dvhkit.cli.streams import STDOUT, announce_first_run, note_console, out_console, write_json
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from dvhkit.jobs.targets.derived import Made
    from dvhkit.model.case import Case
    from dvhkit.results.derived import DerivedFile

DERIVED_SCHEMA = "dvhkit/derived/1"

RoiOption = Annotated[
    str, typer.Option("--roi", metavar="ROI", help="The structure, by name, '#number' or expression ('Liver - GTV').")
]
MarginOption = Annotated[
    str, typer.Option("--margin", metavar="MM", help="'5' for all sides, or 'L=5,R=7,A=6,P=8,S=9,I=10' (patient's).")
]
OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="The RTSTRUCT to write.")]
NameOption = Annotated[
    Optional[str],  # noqa: UP045 -- typer reads it
    typer.Option("--name", help="Name of the result (16 characters; longer ones are cut)."),
]
TypeOption = Annotated[
    str, typer.Option("--type", metavar="TYPE", help="Interpreted type of the result: CTV, PTV, AVOIDANCE, ...")
]
InsideOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--inside", metavar="ROI[:MM]", help="Keep the result inside a structure ('BODY:3': 3 mm inside)."),
]
AwayOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--away-from", metavar="ROI[:MM]", help="Keep it away from a structure ('SpinalCord:3'); repeatable."),
]
BarrierOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--barrier", metavar="ROI", help="Let it neither into a structure nor on behind it; repeatable."),
]
AddOption = Annotated[
    bool, typer.Option("--add", help="Write a copy of the whole structure set with the result added to it.")
]
HolesOption = Annotated[
    Literal["keyhole", "xor", "nested"],
    typer.Option("--holes", help="How holes are stored; every system reads keyholes."),
]


def opened(path: Path | None, rtstruct: Path | None, image: Path | None, roi: str) -> Case:
    """Read the case of the arguments for a command that starts from `roi`."""
    if not roi.strip():
        raise InputError("no structure is named.", remedy="Name it with --roi.")
    case = open_case(path, rtstruct=rtstruct, rtdose=None, image=image)
    announce_first_run()
    return case


def finish(
    case: Case,
    made: Made,
    *,
    out: Path,
    name: str | None,
    rt_type: str,
    add: bool,
    holes: Literal["keyhole", "xor", "nested"],
    json: str | None,
) -> None:
    """Name the result, write it and say what was done."""
    from dvhkit.jobs.targets.derived import write_derived

    result = made.named(name, rt_type).result
    say(write_derived(case, [result], sources=[made.source], out=out, add=add, holes=holes), json)


def say(written: DerivedFile, json: str | None) -> None:
    """Say what was written, as JSON and in the terminal."""
    from dataclasses import asdict

    from dvhkit.outputs.terminal.derived import derived_view

    if json:
        write_json(json, {"schema": DERIVED_SCHEMA, **asdict(written)})
    if json != STDOUT:
        for renderable in derived_view(written):
            out_console().print(renderable)
        note_console().print(f"wrote {written.out}", markup=False, soft_wrap=True)
