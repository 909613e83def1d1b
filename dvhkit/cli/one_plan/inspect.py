"""`dvhkit inspect`: what is in a folder, how it links, what is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from dvhkit.cli.streams import STDOUT, note_console, out_console, reading_progress, write_json
from dvhkit.errors import InputError

if TYPE_CHECKING:
    from dvhkit.results.inventory import Inventory


def inspect(
    path: Annotated[Path, typer.Argument(help="Folder, or one file, to look at.")],
    json: Annotated[
        Optional[str],  # noqa: UP045 -- typer reads it
        typer.Option("--json", metavar="FILE|-", help="Write what was found as JSON."),
    ] = None,
    read: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--read/--no-read",
            help="Read every case and compute its DVHs: all is told that dvh would find. By default if there is one.",
        ),
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Number files and folders, hash UIDs, leave free texts out.")
    ] = False,
) -> None:
    """Say what is there, how it links, and what is odd.

    [dim]Example:[/dim]  dvhkit inspect plans/case7
    """
    from dataclasses import asdict

    from dvhkit.jobs.anonymous_inventory import anonymous as without_identity
    from dvhkit.jobs.inspect import inspect_folder

    with reading_progress() as progress, _case_progress(wanted=bool(read)) as case_progress:
        found = inspect_folder(path, read=read, progress=progress, case_progress=case_progress)
    if not found.patients:
        raise _nothing(found)
    if anonymous:
        found = without_identity(found)
    if json:
        write_json(json, {"schema": "dvhkit/inventory/1", **asdict(found)})
    if json != STDOUT:
        from dvhkit.outputs.terminal.inventory import inventory_view

        console = out_console()
        for renderable in inventory_view(found):
            console.print(renderable)


@contextmanager
def _case_progress(*, wanted: bool) -> Iterator[Callable[[int], None] | None]:
    """Show how many cases have been read, if somebody watches."""
    console = note_console()
    if not (wanted and console.is_terminal):
        yield None
        return
    yield lambda count: console.print(f"reading case {count} ...", end="\r")


def _nothing(found: Inventory) -> InputError:
    if found.unreadable:
        first = found.unreadable[0]
        return InputError(first.reason, path=first.path, remedy=first.remedy or "Export the file again.")
    n_files = found.counts.get("not_dicom", 0)
    return InputError(
        f"holds {n_files} files, none of them DICOM." if n_files else "holds no files.",
        path=found.root,
        remedy="Name the folder with the DICOM export.",
    )
