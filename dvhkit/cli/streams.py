"""Where the command line writes: terminal, files, or standard output for `-`."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

EXIT_NOT_MET = 1
EXIT_UNUSABLE = 2
EXIT_FAULT = 3

STDOUT = "-"


# What tables and messages hold beyond ASCII, for streams whose encoding knows it not.
_PLAIN = {"±": "+-", "×": "x", "…": "...", "–": "-", "·": "-", "≤": "<=", "≥": ">="}
_PLAINLY = "dvhkit-plainly"


def never_fail_on_letters() -> None:
    """Let standard output and error take any text: a letter that their encoding lacks becomes a plain one, or `?`."""
    codecs.register_error(_PLAINLY, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAINLY)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def out_console() -> Console:
    """Return the console for results.

    Where the reader of our pipe has left (``| head``) the rest goes nowhere, and the command goes on: it may have files
    to write yet.
    """
    from rich.console import Console

    class PatientConsole(Console):
        def on_broken_pipe(self) -> None:
            print_no_more()

    return PatientConsole(highlight=False)


def print_no_more() -> None:
    """Send all that is yet to be printed nowhere: the reader of our pipe has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note_console() -> Console:
    """Return the console for progress and remarks: standard error, so that piped results stay clean."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@contextmanager
def reading_progress() -> Iterator[Callable[[int], None] | None]:
    """Show how many files have been looked at, if somebody watches; yields what readers take as `progress`."""
    console = note_console()
    if not console.is_terminal:
        yield None
        return
    with console.status("reading headers ...") as status:
        yield lambda count: status.update(f"reading headers: {count} files")


def announce_first_run(*, load: bool = True) -> None:
    """Start the engine; say why it takes a moment, where its kernels have not been compiled on this machine yet.

    Without `load` other processes start it.
    """
    from dvhkit.jobs.first_run import is_first_run, load_engine

    if load:
        load_engine()
    if is_first_run():
        note_console().print("Compiling the engine for this machine; this happens once and takes some seconds.")


def write_text(target: str, text: str) -> None:
    """Write `text` to the file `target`, whole or not at all, or to standard output for ``-``; in UTF-8 both."""
    if target == STDOUT:
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write((text if text.endswith("\n") else text + "\n").encode("utf-8"))
            sys.stdout.flush()
        except BrokenPipeError:
            print_no_more()
        return
    from dvhkit.outputs.files import write_text_whole

    write_text_whole(Path(target), text)


def write_json(target: str, document: Mapping[str, object]) -> None:
    """Write `document` as JSON to a file or, for ``-``, to standard output."""
    from dvhkit.outputs.records import json_text

    write_text(target, json_text(document))


def write_json_list(target: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Write `rows` as a JSON list of objects; what JSON does not know (a date) becomes its text, a NaN becomes null."""
    import json
    import math

    def plain(value: object) -> object:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    objects = [{key: plain(value) for key, value in row.items()} for row in rows]
    write_text(target, json.dumps(objects, indent=1, ensure_ascii=False, default=str))
