"""`dvhkit send` and `dvhkit fetch`: objects to an archive and from one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from dvhkit.cli.options import PlainJsonOption
from dvhkit.cli.streams import EXIT_NOT_MET, note_console, write_json
from dvhkit.errors import InputError


def send(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders or files to send.")],
    to: Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where the receiver listens.")],
    ae: Annotated[str, typer.Argument(metavar="AE", help="The receiver's AE title.")],
    calling: Annotated[str, typer.Option("--calling", metavar="AE", help="Our AE title.")] = "DVHKIT",
    tls_ca: Annotated[
        Optional[Path],  # noqa: UP045 -- typer reads it
        typer.Option("--tls-ca", metavar="FILE", help="Use TLS; this authority vouches for the receiver."),
    ] = None,
    tls_cert: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--tls-cert", metavar="FILE", help="Our certificate, where the receiver asks for one."),
    ] = None,
    tls_key: Annotated[Optional[Path], typer.Option("--tls-key", metavar="FILE", help="Its key.")] = None,  # noqa: UP045
    json: PlainJsonOption = None,
) -> None:
    """Send DICOM files to an archive or planning system. Exit code 1 where one was not taken.

    [dim]Example:[/dim]  dvhkit send plans/case7 plans/case8 localhost:4242 ORTHANC
    """
    from dvhkit.services.sender import Tls
    from dvhkit.services.sender import send as send_files

    if tls_cert is not None and tls_ca is None:
        raise InputError("TLS needs the authority that vouches for the receiver.", remedy="Give --tls-ca FILE.")
    tls = Tls(authority=tls_ca, certificate=tls_cert, key=tls_key) if tls_ca is not None else None
    host, _, port = to.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"{to!r} is no HOST:PORT.", remedy="Such as localhost:4242.")
    files = _files(paths)
    found = send_files(files, host, int(port), ae, calling=calling, tls=tls)
    # What is no DICOM was not meant.
    named = {str(path) for path in paths}
    failed = {path: why for path, why in found.failed.items() if why != "no DICOM file" or path in named}
    if json:
        write_json(json, {"schema": "dvhkit/send/1", "sent": found.sent, "failed": failed})
    note_console().print(f"{found.sent} objects sent, {len(failed)} failed", markup=False)
    for path, why in list(failed.items())[:20]:
        note_console().print(f"  {path}: {why}", markup=False)
    if failed or not found.sent:
        raise typer.Exit(EXIT_NOT_MET)


def _files(paths: list[Path]) -> list[Path]:
    """Return all files of files and folders, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InputError("there is no such file or folder.", path=path)
        found |= dict.fromkeys([path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()))
    return list(found)


def fetch(
    study: Annotated[str, typer.Option("--study", metavar="UID", help="StudyInstanceUID.")],
    dicomweb: Annotated[str, typer.Option("--dicomweb", metavar="URL", help="Root of the archive's DICOMweb service.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if missing.")],
    json: PlainJsonOption = None,
) -> None:
    """Fetch a study over DICOMweb. Exit code 1 where fewer objects came than the archive says it has.

    [dim]Example:[/dim]  dvhkit fetch --dicomweb http://localhost:8042/dicom-web --study 1.2.3 --out study
    """
    from dvhkit.services.sender import fetch as fetch_study

    found = fetch_study(dicomweb, study, out)
    got, stated = len(found.got), len(found.stated)
    if json:
        write_json(json, {"schema": "dvhkit/fetch/1", "fetched": got, "stated": stated})
    note_console().print(f"{got} of {stated} objects fetched", markup=False)
    if not found.is_whole:
        raise typer.Exit(EXIT_NOT_MET)
