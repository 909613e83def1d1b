"""`dvhkit commission`: known answers on this installation, as a record to be signed off."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.streams import EXIT_NOT_MET, note_console, out_console


def commission(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where commission.html and .json are written.")],
    site: Annotated[str, typer.Option("--site", metavar="NAME", help="What the record calls the site.")] = "",
    plans: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--plans", metavar="FOLDER", help="Plans of the site's own: their numbers are kept, too."),
    ] = None,
    compare: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--compare", metavar="OLD", help="An earlier record: says which numbers changed since."),
    ] = None,
) -> None:
    """Test this installation on phantoms whose answers are known, and write a record to be signed off.

    Takes about a minute. Ends with 1 if a test failed.

    [dim]Example:[/dim]  dvhkit commission --out commissioning --site "Ward 3"
    """
    from dvhkit.jobs.commission.compare import read_record
    from dvhkit.jobs.commission.run import commission as run
    from dvhkit.outputs.commissioning.commission import commission_lines, write_record

    old = read_record(compare) if compare is not None else None
    console = note_console()
    record = run(
        site=site,
        plans=plans,
        compare=old,
        compare_name=f"{old.dvhkit_version}, {old.created_utc}" if old is not None else "",
        progress=lambda what: console.print(f"testing {what}", markup=False),
    )
    written = write_record(out, record)
    for line in commission_lines(record):
        out_console().print(line, markup=False, soft_wrap=True)
    for path in written:
        console.print(f"wrote {path}", markup=False)
    if not record.passed:
        raise typer.Exit(EXIT_NOT_MET)
