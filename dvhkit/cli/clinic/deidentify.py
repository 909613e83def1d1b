"""`dvhkit deidentify`: copies without identity, links kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.options import PlainJsonOption
from dvhkit.cli.streams import note_console, write_json
from dvhkit.errors import InputError

_KEY_BYTES = 32


def deidentify(
    path: Annotated[Path, typer.Argument(help="Folder or file with DICOM objects.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the copies; made if missing.")],
    keep_dates: Annotated[bool, typer.Option("--keep-dates", help="Leave dates as they are.")] = False,
    shift_dates: Annotated[
        bool, typer.Option("--shift-dates", help="Move all dates of a patient by one number of days.")
    ] = False,
    key: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option(
            "--key", metavar="FILE", help="Secret that makes new UIDs; made if missing. The same key, the same UIDs."
        ),
    ] = None,
    json: PlainJsonOption = None,
) -> None:
    """Write copies of DICOM objects without identity (PS3.15, table E.1-1).

    Links between objects, frames of reference and names of structures are kept, so that an audit of the copy is that of
    the original. Structure names, and words burned into pixels, are not looked at: check them yourself. Without --key
    the key is forgotten, and no second run gives the same UIDs.

    [dim]Example:[/dim]  dvhkit deidentify plans/case7 --out shared/case7 --shift-dates --key secret.key
    """
    from dvhkit.outputs.dicom.deidentified import deidentify as write_copies

    if keep_dates and shift_dates:
        raise InputError("--keep-dates and --shift-dates exclude each other.", remedy="Give one of them.")
    if not path.exists():
        raise InputError("there is no such file or folder.", path=path)
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    if out.resolve().is_relative_to(path.resolve()) or path.resolve() == out.resolve():
        raise InputError("copies must not lie among the originals.", path=out, remedy="Choose another --out.")
    dates = "keep" if keep_dates else "shift" if shift_dates else "table"
    found = write_copies(files, out, key=_key(key), dates=dates)  # type: ignore[arg-type]
    if json:
        write_json(json, {"schema": "dvhkit/deidentify/1", "written": found.written, "left_out": list(found.left_out)})
    note_console().print(f"{found.written} objects written, {len(found.left_out)} files left out", markup=False)


def _key(path: Path | None) -> bytes:
    import secrets

    from dvhkit.outputs.files import write_bytes_whole

    if path is None:
        return secrets.token_bytes(_KEY_BYTES)
    if path.exists():
        found = path.read_bytes().strip()
        if len(found) < _KEY_BYTES // 2:
            raise InputError("the key is too short to keep a secret.", path=path, remedy="Let a new one be made.")
        return found
    path.parent.mkdir(parents=True, exist_ok=True)
    made = secrets.token_hex(_KEY_BYTES).encode("ascii")
    path.touch(mode=0o600)
    write_bytes_whole(path, made + b"\n")  # which keeps the mode
    return made
