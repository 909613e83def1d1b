"""`dvhkit inspect`: what is in a folder, how it links, what is odd."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.streams import STDOUT, out_console, write_json


def inspect(
    path: Annotated[Path, typer.Argument(help="Folder, or one file, to look at.")],
    json: Annotated[
        Optional[str],  # noqa: UP045 -- typer reads it
        typer.Option("--json", metavar="FILE|-", help="Write what was found as JSON."),
    ] = None,
) -> None:
    """Say what is there, how it links, and what is odd.

    [dim]Example:[/dim]  dvhkit inspect plans/case7
    """
    from dataclasses import asdict

    from dvhkit.readers.case import inventory

    found = inventory(path)
    if json:
        write_json(json, {"schema": "dvhkit/inventory/1", **asdict(found)})
    if json != STDOUT:
        from dvhkit.cli.inventory_view import inventory_view

        console = out_console()
        for renderable in inventory_view(found):
            console.print(renderable)
