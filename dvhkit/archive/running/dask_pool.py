"""The work of a run on a Dask cluster that is there already: LocalCluster, dask-jobqueue, dask-kubernetes.

Workers must see the same folders under the same names as this process: each writes its finished cases into the store.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from dvhkit.archive.running.pool import Outcome, attempt
from dvhkit.archive.running.worker import FAULT, Setup, Task, audit_task
from dvhkit.errors import InputError

# Cases handed to the scheduler ahead of being done: enough that no worker waits, few enough to hold.
_AHEAD = 4


def run_on_dask(address: str, setup: Setup, tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Yield the outcome of each task as the cluster finishes it.

    A worker that ends with its walltime is no failure of the case: Dask gives the case to another one.

    Raises
    ------
    InputError
        If `distributed` is not installed, or nobody answers at the address.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise InputError("a Dask scheduler needs distributed.", remedy="pip install 'dvhkit[dask]'") from error
    try:
        client = Client(address, timeout=15, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no Dask scheduler answers there ({type(error).__name__}).", path=address, remedy="Check the address."
        ) from error
    with client:
        (shared,) = client.scatter([setup], broadcast=True)
        left = iter(tasks)
        running: dict[Any, tuple[Task, float]] = {}

        def submit() -> Any:  # noqa: ANN401 -- a Dask future
            task = next(left, None)
            if task is None:
                return None
            future = client.submit(_attempt, shared, task, key=f"dvhkit-{time.time_ns()}-{task.case_id}", pure=False)
            running[future.key] = (task, time.monotonic())
            return future

        n_threads = sum(client.nthreads().values()) or 1
        first = [submit() for _ in range(_AHEAD * n_threads)]
        # By its loop, since this client is nobody's default.
        done = as_completed([future for future in first if future is not None], loop=client.loop)
        for future in done:
            task, since = running.pop(future.key)
            yield _outcome(future, task, time.monotonic() - since)
            following = submit()
            if following is not None:
                done.add(following)


def _attempt(setup: Setup, task: Task) -> tuple[Any, str | None, str, Any]:
    return attempt(lambda one: audit_task(setup, one), task)


def _outcome(future: Any, task: Task, seconds: float) -> Outcome:  # noqa: ANN401
    error = future.exception()
    if error is not None:
        kind = "crashed" if type(error).__name__ == "KilledWorker" else FAULT
        return Outcome(task=task, failure=kind, reason=f"{type(error).__name__}: {error}", seconds=seconds)
    result, failure, reason, raised = future.result()
    return Outcome(task=task, result=result, failure=failure, reason=reason, error=raised, seconds=seconds)
