"""`dvhkit names`: what the structures of a plan are called in TG-263, and what speaks against their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.streams import STDOUT, out_console, write_json
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from dvhkit.protocols.recognise import NameRow


def names(
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

    from dvhkit.protocols.facts import StructureFact
    from dvhkit.protocols.placed import place_structures
    from dvhkit.protocols.recognise import name_findings, recognise
    from dvhkit.protocols.tg263 import load_tg263
    from dvhkit.readers.case import read_case

    known = _aliases(aliases, learn or [])
    case = read_case(path)
    facts = [StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type) for s in case.structures]
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


def _aliases(path: Path | None, learn: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the clinic's spellings, grown by what is to be learned."""
    from dvhkit.outputs.files import write_text_whole
    from dvhkit.protocols.aliases import aliases_yaml, learned, load_aliases

    if path is None:
        if learn:
            raise InputError("--learn needs the file to write to.", remedy="Name it with --aliases FILE.")
        return {}
    known = load_aliases(path) if path.exists() or not learn else {}
    for text in learn:
        name, equals, spelling = text.partition("=")
        if not equals:
            raise InputError(f"{text!r} is no NAME=SPELLING.", remedy="Write --learn 'SpinalCord=Medulla'.")
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
