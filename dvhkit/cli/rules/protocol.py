"""`dvhkit protocol`: which protocols there are, what one says, whether a file is sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.streams import EXIT_NOT_MET, out_console
from dvhkit.errors import InputError

protocol_app = typer.Typer(name="protocol", help="List, show and check protocols.", no_args_is_help=True)


@protocol_app.command("list")
def list_() -> None:
    """List the shipped protocols.

    [dim]Example:[/dim]  dvhkit protocol list
    """
    from dvhkit.jobs.rules.protocols import shipped_protocols
    from dvhkit.outputs.terminal.listing import listing_table

    out_console().print(listing_table(shipped_protocols()))


@protocol_app.command()
def show(
    protocol: Annotated[str, typer.Argument(metavar="ID|FILE", help="A shipped protocol's ID, or a YAML file.")],
) -> None:
    """Show what a protocol asks for, and where each number comes from.

    [dim]Example:[/dim]  dvhkit protocol show oligoprogressive-liver-2025
    """
    from dvhkit.jobs.rules.protocols import shown_protocol
    from dvhkit.outputs.terminal.protocol import protocol_view

    console = out_console()
    for renderable in protocol_view(shown_protocol(protocol)):
        console.print(renderable)


@protocol_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A protocol's YAML file.")],
) -> None:
    """Check a protocol file, and lint it for slips that real constraint tables have.

    Exit code 0 if it is sound; 1 if it can be read but a number in it is almost surely wrong; 2, with file and line,
    if it cannot be used.

    [dim]Example:[/dim]  dvhkit protocol check my-clinic.yaml
    """
    from dvhkit.jobs.rules.protocols import checked_protocol
    from dvhkit.outputs.text import clean

    found = checked_protocol(file)
    for finding in found.findings:
        typer.echo(clean(str(finding)))
    serious = found.serious_count
    verdict = f"{serious} likely mistake{'s' if serious > 1 else ''}" if serious else "sound"
    typer.echo(clean(f"{file}: {verdict}. Protocol {found.id} version {found.version}, {found.rule_count} rules."))
    if serious:
        raise typer.Exit(EXIT_NOT_MET)


@protocol_app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A shipped ID, or a .yaml, .csv, .json or .xml file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A .yaml, .csv, .json or .xml file; made anew.")],
    form: Annotated[
        Optional[str],  # noqa: UP045 -- typer reads it
        typer.Option("--format", help="yaml, csv, proknow, planscorecard or eclipse; else by the ending of OUT."),
    ] = None,
    eclipse_codes: Annotated[
        str,
        typer.Option("--eclipse-codes", metavar="ANSWERS", help="How an Eclipse file is meant, where it is asked."),
    ] = "",
) -> None:
    """Convert a protocol between our YAML, constraint tables and other systems' files.

    .csv: constraint table; .json: ProKnow scorecard, or PlanScoreCard with --format planscorecard (which of the two a
    file is, is seen when it is read); .xml: Eclipse clinical protocol.

    What a format cannot hold is listed, never dropped in silence. Exit code 1 if part of IN could not be read.

    [dim]Example:[/dim]  dvhkit protocol convert clinic.csv clinic.yaml
    """
    from dvhkit.jobs.rules.protocols import converted_protocol
    from dvhkit.outputs.files import write_text_whole
    from dvhkit.outputs.text import clean

    made = converted_protocol(source, target, form=form, eclipse_codes=eclipse_codes)
    write_text_whole(target, made.text)
    remarks = (*made.unread, *made.lost)
    for finding in remarks:
        typer.echo(clean(str(finding)), err=True)
    typer.echo(clean(f"{target}: {made.rule_count} rules read, {len(remarks)} remarks."))
    if not made.is_whole:
        raise typer.Exit(EXIT_NOT_MET)


@protocol_app.command()
def new(
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The .yaml file to write; it must not be there yet.")],
    from_plan: Annotated[
        Path, typer.Option("--from-plan", metavar="PATH", help="Folder with the DICOM files of one plan.")
    ],
) -> None:
    """Write a commented template of a protocol for the structures of a plan.

    Every limit in it is yours to fill in: until then its rules are commented out, and only what measures stands.

    [dim]Example:[/dim]  dvhkit protocol new clinic.yaml --from-plan plans/case7
    """
    from dvhkit.jobs.rules.template import protocol_template
    from dvhkit.outputs.files import write_text_whole
    from dvhkit.outputs.text import clean

    if target.exists():
        raise InputError("the file is there already.", path=target, remedy="Name another, or take it away.")
    text, count = protocol_template(from_plan, name=target.stem)
    write_text_whole(target, text)
    typer.echo(clean(f"{target}: a template with {count} structures. Fill it in, then: dvhkit protocol check {target}"))


@protocol_app.command()
def schema() -> None:
    """Print the JSON Schema of protocol files, for editors that check while one types.

    [dim]Example:[/dim]  dvhkit protocol schema > protocol.schema.json
    """
    import json

    from dvhkit.jobs.rules.protocols import protocol_json_schema

    typer.echo(json.dumps(protocol_json_schema(), indent=2))
