"""`dvhkit index`: the pages of a run, written anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.options import LanguageOption, write_pages_in
from dvhkit.cli.streams import out_console


def index(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `dvhkit audit --out` wrote.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--out", metavar="FILE", help="Where to write it; RUN/index.html if not named."),
    ] = None,
    language: LanguageOption = None,
) -> None:
    """Write the pages of a run anew: its index (cases by rules, to sort, filter and search) and what stands beside it.

    `dvhkit audit` writes them, too; this is for runs whose last part was a shard, or that another dvhkit made. With
    --out the index alone.

    [dim]Example:[/dim]  dvhkit index results
    """
    from dvhkit.archive.run_files import write_run_files
    from dvhkit.archive.run_index import INDEX, write_index
    from dvhkit.archive.storage.store import open_store

    write_pages_in(language)
    store = open_store(run)
    if out is None:
        write_run_files(store, len(store.cases()), keep_report=True)
    path = write_index(store, out) if out is not None else run / INDEX
    out_console().print(f"  {path}", markup=False, highlight=False, soft_wrap=True)
