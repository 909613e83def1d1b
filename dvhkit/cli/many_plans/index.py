"""`dvhkit index`: the index of a run as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.streams import out_console


def index(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `dvhkit audit --out` wrote.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--out", metavar="FILE", help="Where to write it; RUN/index.html if not named."),
    ] = None,
) -> None:
    """Write the index of a run anew: cases by rules on one page, to sort, filter and search.

    `dvhkit audit` writes it, too; this is for runs whose last part was a shard, or that another dvhkit made.

    [dim]Example:[/dim]  dvhkit index results
    """
    from dvhkit.archive.run_index import write_index
    from dvhkit.archive.storage.store import open_store

    path = write_index(open_store(run), out)
    out_console().print(f"  {path}", markup=False, highlight=False, soft_wrap=True)
