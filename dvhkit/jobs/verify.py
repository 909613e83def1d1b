"""Whether a report is as it was made, and its data too."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.outputs.report.seal import is_report, page_faults, page_inputs

_MOST_REPORT_BYTES = 200_000_000


def read_report(path: Path) -> str:
    """Return the text of a report.

    Raises
    ------
    InputError
        If it cannot be read, or is no report that was sealed.
    """
    try:
        if path.stat().st_size > _MOST_REPORT_BYTES:
            raise InputError("is larger than any report.", path=path, remedy="Name a report.html of dvhkit.")
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"cannot be read ({reason}).", path=path, remedy="Name a report.html of dvhkit.") from error
    if not is_report(text):
        raise InputError("is no sealed report of dvhkit.", path=path, remedy="Name a report.html of dvhkit.")
    return text


def report_faults(page: str, data: Path | None = None) -> list[str]:
    """Return what is wrong with a report; with `data`, a folder, also which of its files are not there any more."""
    faults = page_faults(page)
    if data is None:
        return faults
    if not data.exists():
        raise InputError("there is no such folder.", path=data, remedy="Name the folder of the plan's DICOM files.")
    inputs = page_inputs(page)
    if not inputs:
        return [*faults, "The report does not say which files it was made from."]
    present = {_sha256(path) for path in ([data] if data.is_file() else sorted(data.rglob("*"))) if path.is_file()}
    faults += [
        f"The {role} that the report was made from (SHA-256 {digest[:16]}…) is not among the data: they are others now."
        for role, digest in inputs
        if digest not in present
    ]
    return faults


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
