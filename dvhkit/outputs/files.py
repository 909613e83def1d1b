"""Files written whole or not at all: a reader never meets half a report."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from dvhkit.errors import OutputError


def write_text_whole(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; line ends stay as they are.

    Raises
    ------
    OutputError
        If `text` has no UTF-8 form, or as in `write_bytes_whole`.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OutputError(
            f"The text cannot be written as UTF-8 ({error.reason} at character {error.start}).", path=path
        ) from error
    write_bytes_whole(path, data)


def write_bytes_whole(path: Path | str, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and take the place of `path` in one
    step. Missing parent folders are made. A file that is replaced keeps its permissions; a new one gets the usual
    ones of the user. A symbolic link stays, and its target is replaced. A device or pipe, which cannot be replaced, is
    written to as it is.

    Raises
    ------
    OutputError
        If `path` is a folder, or the disk refuses; then no temporary file is left and an old file is as it was.
    """
    target = Path(path)
    try:
        target = Path(os.path.realpath(target))
        kind = _kind(target)
        if kind is not None and stat.S_ISDIR(kind):
            raise OutputError("This is a folder.", path=path, remedy="Name a file inside it.")
        if kind is not None and not stat.S_ISREG(kind):
            target.write_bytes(data)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data, mode=None if kind is None else stat.S_IMODE(kind))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"The file cannot be written ({reason}).",
            path=_shown(path),
            remedy="Choose a folder that exists or can be made, is writable, and has space left.",
        ) from error


def require_writable_folder(folder: Path | str) -> None:
    """Try whether files can be written into `folder`, or it can be made: long work must not end in a refusal.

    Nothing is left behind, not even a folder that was missing.

    Raises
    ------
    OutputError
        If it is no folder, cannot be made, or takes no file.
    """
    try:
        nearest = Path(os.path.realpath(folder))
        while not nearest.exists():
            nearest = nearest.parent
        trial = nearest / f".{secrets.token_hex(8)}.tmp"
        trial.touch(exist_ok=False)
        trial.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"Nothing can be written into this folder ({reason}).",
            path=_shown(folder),
            remedy="Choose a folder that exists or can be made, is writable, and has space left.",
        ) from error


def _kind(target: Path) -> int | None:
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return None


def _replace(target: Path, data: bytes, *, mode: int | None) -> None:
    temporary = target.parent / f".{secrets.token_hex(8)}.tmp"
    # 0o666 less the user's umask, as for any new file; O_EXCL, so that nobody else's file is ever opened.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _shown(path: Path | str) -> str:
    return str(path).replace("\0", "�")
