"""`dvhkit query` and `dvhkit table`: ask the store of a run, or hand it on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.options import RunArgument
from dvhkit.cli.streams import STDOUT, out_console, write_json_list, write_text
from dvhkit.errors import InputError

_MOST_ROWS = 200


def query(
    run: RunArgument,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="A question in SQL.")],
    json: Annotated[
        Optional[str],  # noqa: UP045 -- typer reads it
        typer.Option("--json", metavar="FILE|-", help="Write the rows as JSON: a list of objects."),
    ] = None,
) -> None:
    """Ask the store of a run in SQL (DuckDB).

    Tables: cases, rules, metrics, findings, curves, structures, objects, provenance, records.

    [dim]Example:[/dim]  dvhkit query results "SELECT rule_id, avg((verdict = 'pass')::int) FROM rules GROUP BY 1"
    """
    from rich.table import Table

    from dvhkit.archive.storage.query import query as ask
    from dvhkit.outputs.text import clean

    answer = ask(run, sql)
    if json is not None:
        write_json_list(json, answer.objects())
    if json == STDOUT:
        return
    table = Table(box=None, pad_edge=False)
    for column in answer.columns:
        table.add_column(clean(column))
    for row in answer.rows[:_MOST_ROWS]:
        table.add_row(*("–" if value is None else clean(str(value)) for value in row))
    console = out_console()
    console.print(table)
    if len(answer.rows) > _MOST_ROWS:
        console.print(f"  ... {len(answer.rows) - _MOST_ROWS} more rows: --json FILE", style="dim")


def table(
    run: RunArgument,
    csv: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--csv", metavar="FILE|-", help="Write as CSV."),
    ] = None,
    xlsx: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--xlsx", metavar="FILE", help="Write as an Excel workbook."),
    ] = None,
    parquet: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--parquet", metavar="FILE", help="Write as Parquet."),
    ] = None,
) -> None:
    """Write a run as one table: a row a case and rule, and one for each case that could not be judged.

    [dim]Example:[/dim]  dvhkit table results --xlsx results.xlsx
    """
    from dvhkit.archive.storage.query import csv_text, parquet_bytes, store_at, verdict_table, write_xlsx
    from dvhkit.outputs.files import write_bytes_whole

    if csv is None and xlsx is None and parquet is None:
        raise InputError("no file was named to write to.", remedy="Give --csv, --xlsx or --parquet FILE.")
    with store_at(run) as store:
        found = verdict_table(store)
    if csv is not None:
        write_text(csv, csv_text(found))
    if xlsx is not None:
        write_bytes_whole(xlsx, write_xlsx(found, xlsx))
    if parquet is not None:
        write_bytes_whole(parquet, parquet_bytes(found))
