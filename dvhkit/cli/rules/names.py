"""`dvhkit names`: what the structures of a plan are called in TG-263, and what speaks against their names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from typer.core import TyperGroup

from dvhkit.cli.streams import STDOUT, out_console, write_json


class _ShowUnlessNamed(TyperGroup):
    """Takes `dvhkit names PATH` as `dvhkit names show PATH`; a folder called learn is ./learn."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- click or its copy in typer
        """Put the subcommand in where the first word is none."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["show", *args]
        return super().parse_args(ctx, args)


names_app = typer.Typer(
    name="names",
    cls=_ShowUnlessNamed,
    help="Show what the structures of a plan are called in TG-263: dvhkit names PATH; teach a clinic's spellings.",
    no_args_is_help=True,
)


@names_app.command()
def show(
    path: Annotated[Path, typer.Argument(help="Folder with the DICOM files of one plan.")],
    aliases: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--aliases", metavar="FILE", help="The clinic's own spellings (YAML)."),
    ] = None,
    tg263: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--tg263", metavar="FILE", help="Your copy of AAPM's TG-263 worksheet, saved as CSV."),
    ] = None,
    learn: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--learn", metavar="NAME=SPELLING", help="Add a spelling to the alias file first."),
    ] = None,
    json: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--json", metavar="FILE|-", help="Write the mapping as JSON."),
    ] = None,
) -> None:
    """Show what each structure's name means in TG-263; nothing is renamed.

    A name that merely looks alike is shown as a suggestion and never used. --learn teaches the alias file a spelling.

    [dim]Example:[/dim]  dvhkit names plans/case7 --aliases clinic.yaml --learn 'SpinalCord=Medulla'
    """
    from dataclasses import asdict

    from dvhkit.jobs.rules.names import names_of_plan
    from dvhkit.outputs.terminal.names import names_view

    found = names_of_plan(path, aliases=aliases, learn=learn or (), tg263=tg263)
    if json:
        write_json(json, {"schema": "dvhkit/names/1", **asdict(found)})
    if json != STDOUT:
        for renderable in names_view(found):
            out_console().print(renderable)


@names_app.command()
def learn(
    path: Annotated[Path, typer.Argument(help="Folder with the DICOM files of one plan.")],
    pairs: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="[NAME=SPELLING]...", help="What a structure of the plan stands for."),
    ] = None,
    file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--file", metavar="FILE", help="The alias file (YAML) to add to; made where there is none."),
    ] = None,
) -> None:
    """Add spellings of a plan to the clinic's alias file, then list what is still unknown.

    A spelling must be the name of a structure of the plan. Without any, nothing is written: what is unknown is listed
    with what it resembles, and you decide.

    [dim]Example:[/dim]  dvhkit names learn plans/case7 --file clinic.yaml 'SpinalCord=Medulla'
    """
    from dvhkit.jobs.rules.names import learn_names
    from dvhkit.outputs.terminal.names import learned_view

    for renderable in learned_view(learn_names(path, pairs or (), file)):
        out_console().print(renderable)
