"""Who does the cases of a run: worker processes, a Dask cluster, or this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dvhkit.archive.running.pool import Outcome, Pool, attempt, automatic_jobs
from dvhkit.archive.running.terms import RunOptions
from dvhkit.archive.running.worker import Setup, Task, audit_task, do, prepare, warm
from dvhkit.readers.archive.index import FileEntry
from dvhkit.readers.archive.roles import Role

if TYPE_CHECKING:
    from dvhkit.model.case import Case

# As many cases as no machine has cores for.
_MANY = 1 << 20


class Crew:
    """Those of one run."""

    def __init__(self, how: RunOptions) -> None:
        self._how = how
        self._pool: Pool | None = None
        self._patients: set[tuple[str, str]] = set()

    def stop(self) -> None:
        """End the workers, whatever happened."""
        if self._pool is not None:
            self._pool.stop()

    def start_ahead(self, entry: FileEntry) -> None:
        """Start workers as soon as the headers show a second plan to be computed: they load while the list is made."""
        if self._pool is not None or entry.role is not Role.RTSTRUCT or self._how.scheduler is not None:
            return
        self._patients.add((entry.patient_key, entry.study_uid))
        if len(self._patients) == 2:
            jobs = automatic_jobs(2) if self._how.jobs is None else self._how.jobs
            if jobs > 1:
                self._pool = self._new_pool(self._how.jobs or automatic_jobs(_MANY))
                self._pool.start(2)

    def outcomes(
        self,
        setup: Setup,
        tasks: Sequence[Task],
        *,
        meanwhile: Callable[[], None],
        seen: Callable[[Case], object] | None = None,
    ) -> Iterator[Outcome]:
        """Yield the outcome of each task as it is done.

        Parameters
        ----------
        meanwhile
            Called once, as soon as the workers are at it.
        seen
            Called with what was read of a case, where this process does it.
        """
        how = self._how
        if how.scheduler is not None:
            from dvhkit.archive.running.dask_pool import run_on_dask

            meanwhile()
            yield from run_on_dask(how.scheduler, setup, tasks)
        elif how.jobs == 0 or (len(tasks) <= 1 and how.case_timeout_s is None):
            meanwhile()
            yield from _here(setup, tasks, seen)
        else:
            jobs = min(how.jobs or automatic_jobs(len(tasks)), max(len(tasks), 1))
            if self._pool is None or jobs == 1:
                # One worker that nobody asked for is all that the memory, or the only case, allows: it may use every
                # core.
                self._pool = self._new_pool(jobs, all_threads=how.jobs is None and jobs == 1)
            yield from self._pool.run(
                iter(_last_wide(tasks, jobs)), given=setup, timeout_s=how.case_timeout_s, meanwhile=meanwhile
            )

    @staticmethod
    def _new_pool(jobs: int, *, all_threads: bool = False) -> Pool:
        return Pool(do, jobs, setup=prepare, warm=warm, all_threads=all_threads, needs_main=False)


def _last_wide(tasks: Sequence[Task], jobs: int) -> list[Task]:
    """Return the tasks, of which the last half as many as workers have two threads: other workers then have ended."""
    first = len(tasks) - jobs // 2
    return [task if n < first else replace(task, threads=2) for n, task in enumerate(tasks)]


def _here(setup: Setup, tasks: Sequence[Task], seen: Callable[[Case], object] | None) -> Iterator[Outcome]:
    """Do the tasks in this process, with all its threads."""
    for task in tasks:
        since = time.monotonic()
        result, failure, reason, error = attempt(partial(audit_task, setup, seen=seen), task)
        seconds = time.monotonic() - since
        yield Outcome(task=task, result=result, failure=failure, reason=reason, error=error, seconds=seconds)
