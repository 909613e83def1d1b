"""`dvhkit names`: what the structures of a plan are called in TG-263, and what speaks against their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer
from typer.core import TyperGroup

from dvhkit.cli.streams import STDOUT, out_console, write_json
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from dvhkit.model.case import Case
    from dvhkit.protocols.facts import StructureFact
    from dvhkit.protocols.naming.recognise import NameRow


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

    from dvhkit.jobs.read import read_case
    from dvhkit.protocols.naming.placed import place_structures
    from dvhkit.protocols.naming.recognise import name_findings, recognise
    from dvhkit.protocols.naming.tg263 import load_tg263

    known = _aliases(aliases, learn or [])
    case = read_case(path, dose="not needed")
    facts = _facts(case)
    rows = recognise(facts, known, load_tg263(tg263) if tg263 else None)
    findings = name_findings(rows, place_structures(case.structures))
    if json:
        listed = {"names": [asdict(row) for row in rows], "findings": [asdict(f) for f in findings]}
        write_json(json, {"schema": "dvhkit/names/1", **listed})
    if json != STDOUT:
        from dvhkit.outputs.text import clean

        console = out_console()
        console.print(_table(rows))
        for finding in findings:
            console.print(clean(str(finding)), markup=False)


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
    from dvhkit.jobs.read import read_case
    from dvhkit.outputs.text import clean
    from dvhkit.protocols.facts import StructureFact
    from dvhkit.protocols.naming.recognise import Recognition, name_findings, recognise

    if file is None:
        raise InputError("learning needs the file to write to.", remedy="Name it with --file FILE.")
    case = read_case(path, dose="not needed")
    _require_drawn(pairs or [], [s.name for s in case.structures])
    known = _aliases(file, pairs or [], may_be_new=True)
    console = out_console()
    for text in pairs or []:
        name, _, spelling = text.partition("=")
        console.print(clean(f"learned: {spelling.strip()} is {name.strip()}"), markup=False)
    rows = recognise(_facts(case), known)
    for finding in name_findings(rows, ()):
        console.print(clean(str(finding)), markup=False)
    meant = dict.fromkeys(text.partition("=")[0].strip() for text in pairs or [])
    for row in recognise([StructureFact(name=name, number=0, rt_roi_type="") for name in meant]):
        if row.how is Recognition.NONE:
            told = f"note: {row.roi} is no TG-263 name of ours; only rules that say {row.roi} use it"
            console.print(clean(told), markup=False)
    unknown = [row for row in rows if row.how is Recognition.NONE]
    for row in unknown:
        hint = f"; did you mean '{row.suggestion}={row.roi}'?" if row.suggestion else ""
        console.print(clean(f"not known: {row.roi}{hint}"), markup=False)
    if not unknown:
        console.print("Every structure is known.")


def _require_drawn(pairs: list[str], names: list[str]) -> None:
    """Refuse a spelling that no structure of the plan has: most likely it is mistyped."""
    for text in pairs:
        spelling = text.partition("=")[2].strip()
        if "=" in text and spelling not in names:
            raise InputError(
                f"no structure of the plan is called {spelling!r}.", remedy=f"Use one of {', '.join(sorted(names))}."
            )


def _facts(case: Case) -> list[StructureFact]:
    from dvhkit.protocols.facts import StructureFact

    return [StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type) for s in case.structures]


def _aliases(path: Path | None, learn: list[str], *, may_be_new: bool = False) -> dict[str, tuple[str, ...]]:
    """Return the clinic's spellings, grown by what is to be learned."""
    from dvhkit.outputs.files import write_text_whole
    from dvhkit.protocols.naming.aliases import aliases_yaml, learned, load_aliases

    if path is None:
        if learn:
            raise InputError("--learn needs the file to write to.", remedy="Name it with --aliases FILE.")
        return {}
    known = load_aliases(path) if path.exists() or not (learn or may_be_new) else {}
    for text in learn:
        name, equals, spelling = text.partition("=")
        if not equals:
            raise InputError(f"{text!r} is no NAME=SPELLING.", remedy="Write it as 'SpinalCord=Medulla'.")
        known = learned(known, name, spelling)
    if learn:
        write_text_whole(path, aliases_yaml(known))
    return known


def _table(rows: tuple[NameRow, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from dvhkit.outputs.text import clean

    table = Table(box=None, pad_edge=False)
    for heading in ("Structure", "Type", "TG-263", "FMA", "Recognised by"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        how = f"{row.how.value}; did you mean {row.suggestion}?" if row.suggestion else row.how.value
        cells = (row.roi, row.rt_roi_type, row.standard or "-", row.fma, how)
        table.add_row(*(Text(clean(cell)) for cell in cells))
    return table
