"""`dvhkit audit`: one or many plans held against a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.options import EngineOption, FractionsOption, RxOption, UncoveredOption
from dvhkit.cli.streams import (
    EXIT_FAULT,
    EXIT_NOT_MET,
    EXIT_UNUSABLE,
    announce_first_run,
    note_console,
    out_console,
    reading_progress,
    write_json,
)
from dvhkit.errors import EngineError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dvhkit.batch.cases import CaseOutcome
    from dvhkit.protocols.waivers import Waiver


def audit(
    path: Annotated[Path, typer.Argument(help="Folder with the DICOM files of one plan or of many.")],
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="ID|FILE", help="A shipped protocol's ID, or a YAML file.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results; made if missing.")],
    context: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--context", metavar="FILE", help="Clinical context (YAML) that rules depend on."),
    ] = None,
    aliases: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--aliases", metavar="FILE", help="The clinic's own spellings of structure names (YAML)."),
    ] = None,
    waivers: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--waivers", metavar="FILE", help="Waivers of failed rules (YAML), for one plan."),
    ] = None,
    verified_only: Annotated[
        bool, typer.Option("--verified-only", help="Leave out rules whose limit was not checked against its source.")
    ] = False,
    rx: RxOption = None,
    fractions: FractionsOption = None,
    engine: EngineOption = None,
    uncovered: UncoveredOption = "refuse",
) -> None:
    """Hold one plan, or every plan under a folder, against a protocol.

    Writes audit.json, summary.csv and report.html into the --out folder. Exit code 0: every rule met; 1: some rule
    failed or could not be judged, or none applied; 2: unusable input; 3: a fault of ours.

    [dim]Example:[/dim]  dvhkit audit plans/ --protocol oligoprogressive-liver-2025 --out results
    """
    from dvhkit.batch.cases import AuditOptions, audit_cases, find_cases
    from dvhkit.outputs import records as documents
    from dvhkit.outputs import report, tables
    from dvhkit.outputs.files import write_text_whole
    from dvhkit.protocols.aliases import load_aliases, with_aliases
    from dvhkit.protocols.context import load_context
    from dvhkit.protocols.load import load_protocol
    from dvhkit.protocols.waivers import load_waivers

    loaded = load_protocol(protocol).verified_only() if verified_only else load_protocol(protocol)
    loaded = with_aliases(loaded, load_aliases(aliases)) if aliases else loaded
    waived = load_waivers(waivers, loaded) if waivers else ()
    options = AuditOptions(
        protocol=loaded,
        context=load_context(context) if context else {},
        rx_gy=rx,
        fractions=fractions,
        engine=engine,
        uncovered=uncovered,
    )
    with reading_progress() as reading:
        work = find_cases(path, progress=reading)
    if waived and len(work) != 1:
        raise InputError(f"waivers are for one plan; here are {len(work)}.", path=path, remedy="Audit that plan alone.")
    announce_first_run()
    outcomes = list(_with_progress(audit_cases(work, options, root=path), len(work)))
    outcomes = [_waived(outcome, waived) for outcome in outcomes]
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    audited = [outcome.record for outcome in outcomes]
    console = out_console()
    for record in audited[:MOST_SHOWN]:
        for renderable in tables.audit_view(record):
            console.print(renderable)
    if len(audited) > 1:
        console.print(tables.audit_summary_table(audited))
    write_json(str(out / "audit.json"), documents.audit_document(audited))
    write_text_whole(out / "summary.csv", tables.summary_csv(audited))
    write_text_whole(out / "report.html", report.html_report(audited))
    for name, what in WRITTEN:
        console.print(f"  {out / name}  [dim]{what}[/dim]", soft_wrap=True)
    raise typer.Exit(_exit_code(outcomes))


# A terminal is no place for a thousand tables: the rest is in the summary and the report.
MOST_SHOWN = 3
WRITTEN = (
    ("report.html", "the report: open it in a browser"),
    ("summary.csv", "one row a case and rule"),
    ("audit.json", "everything, for programs"),
)


def _with_progress(outcomes: Iterable[CaseOutcome], total: int) -> Iterable[CaseOutcome]:
    if total == 1:
        yield from outcomes
        return
    from rich.progress import Progress

    with Progress(console=note_console(), transient=True) as progress:
        task = progress.add_task("auditing", total=total)
        for outcome in outcomes:
            progress.advance(task)
            yield outcome


def _waived(outcome: CaseOutcome, waivers: Sequence[Waiver]) -> CaseOutcome:
    from dataclasses import replace

    from dvhkit.protocols.waivers import apply_waivers

    rules = apply_waivers(outcome.record.rules, waivers)
    return replace(outcome, record=replace(outcome.record, rules=rules))


def _exit_code(outcomes: Sequence[CaseOutcome]) -> int:
    if any(isinstance(outcome.error, EngineError) for outcome in outcomes):
        return EXIT_FAULT
    if all(outcome.record.error for outcome in outcomes):
        return EXIT_UNUSABLE
    return 0 if all(outcome.record.all_met for outcome in outcomes) else EXIT_NOT_MET
