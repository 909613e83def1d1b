"""What commands over many plans show alike: progress with time left, and the plans that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from dvhkit.cli.streams import note_console

_MOST_FAILED = 20


@contextmanager
def plan_progress(verb: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show how many plans are done and how long the rest takes, if somebody watches."""
    console = note_console()
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(verb, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def show_failed(failed: Sequence[Mapping[str, str]]) -> None:
    """Say which plans could not be used, and why, beside the results."""
    from dvhkit.outputs.text import clean

    console = note_console()
    for row in failed[:_MOST_FAILED]:
        console.print(clean(f"{row['case_id']}: {row['reason']}"), markup=False, highlight=False, soft_wrap=True)
    if len(failed) > _MOST_FAILED:
        console.print(f"{len(failed) - _MOST_FAILED} more plans failed: the files that are written name them.")
