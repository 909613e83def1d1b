"""`dvhkit verify` and `dvhkit sign`: is a report as it was made, and who stands for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.streams import EXIT_NOT_MET, out_console

ReportArgument = Annotated[Path, typer.Argument(metavar="REPORT", help="A report.html.")]


def verify(
    report: ReportArgument,
    data: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--data", metavar="PATH", help="Folder of the plan: are its files those of the report?"),
    ] = None,
) -> None:
    """Tell whether a report, its signatures and its data are as they were.

    Exit code 0: all as it was; 1: something was altered; 2: no report. The seal shows changes by accident or by
    hand; it is no cryptographic signature.

    [dim]Example:[/dim]  dvhkit verify results/report.html --data plans/case7
    """
    from dvhkit.jobs.verify import read_report, report_faults
    from dvhkit.outputs.report.seal import signatures
    from dvhkit.outputs.text import clean

    page = read_report(report)
    faults = report_faults(page, data)
    console = out_console()
    for fault in faults:
        console.print(f"✗ {fault}", markup=False, soft_wrap=True)
    if faults:
        raise typer.Exit(EXIT_NOT_MET)
    signed = signatures(page)
    console.print("✓ The report is as it was sealed." + (" Its data are the same." if data else ""), markup=False)
    for one in signed:
        console.print(f"  signed by {clean(one.text, longest=200)}", markup=False, soft_wrap=True)
    if not signed:
        console.print("  Nobody has signed it.", markup=False)


def sign(
    report: ReportArgument,
    name: Annotated[str, typer.Option("--name", help="Who signs.")],
    role: Annotated[str, typer.Option("--role", help="As what, such as 'physicist'.")],
    date: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--date", metavar="YYYY-MM-DD", help="The day; today where not given."),
    ] = None,
) -> None:
    """Put a signature into a report that is as it was made; trials ask for two.

    [dim]Example:[/dim]  dvhkit sign results/report.html --name "A. Jansen" --role "radiation oncologist"
    """
    import datetime

    from dvhkit.errors import InputError
    from dvhkit.jobs.verify import read_report, report_faults
    from dvhkit.outputs.files import write_text_whole
    from dvhkit.outputs.report.seal import signatures, with_signature

    try:
        day = datetime.date.fromisoformat(date) if date else datetime.datetime.now(datetime.UTC).date()
    except ValueError:
        raise typer.BadParameter("a date is written as 2026-11-30.") from None
    if not name.strip() or not role.strip():
        raise typer.BadParameter("a signature needs a name and a role.")
    page = read_report(report)
    faults = report_faults(page)
    if faults:
        raise InputError(faults[0], path=report, remedy="Make the report again, and sign that.")
    signed = with_signature(page, name=name, role=role, date=day.isoformat())
    write_text_whole(report, signed)
    out_console().print(f"{len(signatures(signed))} signature(s) in {report.name}", markup=False)
