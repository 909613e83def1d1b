"""Work in processes of their own: one that crashes, is killed, hangs or eats memory costs its own task alone.

Each worker has one task in flight and its own pipe, so that nothing is shared that a dying worker could leave locked.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any

from dvhkit.errors import DvhkitError

# Threads of the libraries that a worker loads.
_ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# A worker of clinical size takes 0.4 GB; what is kept free for it.
WORKER_BYTES = 1 << 30
_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one task: its `result`, or why there is none.

    Attributes
    ----------
    failure
        ``crashed``, ``timeout``, ``memory`` or ``fault``; None where there is a result.
    error
        What the work raised, if it raised a `DvhkitError`.
    """

    task: Any
    result: Any = None
    failure: str | None = None
    reason: str = ""
    seconds: float = 0.0
    error: DvhkitError | None = None


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Connection
    task: Any = None
    since: float = 0.0
    is_told: bool = False
    is_ready: bool = False


def run_isolated(
    work: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    jobs: int,
    timeout_s: float | None = None,
    setup: Callable[[Any], None] | None = None,
    given: Any = None,  # noqa: ANN401 -- whatever `setup` takes
    all_threads: bool = False,
) -> Iterator[Outcome]:
    """Yield the outcome of each task as it is done, in no set order.

    Parameters
    ----------
    work
        A function of a module: each worker imports it.
    tasks
        Taken one by one, as workers come free.
    timeout_s
        Longest time for one task; the worker is then killed.
    setup, given
        What each worker calls once, before its first task.
    all_threads
        Whether a worker may use every core; otherwise it has one thread, as many workers being meant as cores.

    Notes
    -----
    Workers are spawned, never forked, and end when the pipe to this process does. A script that calls this needs the
    usual ``if __name__ == "__main__":``.
    """
    pool = Pool(work, jobs, setup=setup, all_threads=all_threads)
    try:
        yield from pool.run(iter(tasks), given=given, timeout_s=timeout_s)
    finally:
        pool.stop()


class Pool:
    """Workers of `run_isolated`, for who wants them started before there is a task.

    Parameters
    ----------
    warm
        What each worker calls as soon as it lives: loads what its work will need.
    needs_main
        Whether a worker imports the main module of this program, as Python has it: needed where work or tasks are
        defined there, and the time of its imports otherwise.
    """

    def __init__(
        self,
        work: Callable[[Any], Any],
        jobs: int,
        *,
        setup: Callable[[Any], None] | None = None,
        warm: Callable[[], None] | None = None,
        all_threads: bool = False,
        needs_main: bool = True,
    ) -> None:
        self._needs_main = needs_main
        self._context = mp.get_context("spawn")
        self._about = (work, setup, warm, memory_limit(jobs))
        self._jobs = jobs
        self._threads: Mapping[str, str] = {} if all_threads else dict.fromkeys(_ONE_THREAD, "1")
        self._timeout_s: float | None = None
        self._workers: list[_Worker] = []
        # A worker that dies before its first task has no case to blame: three in a row, and the fault is ours.
        self._stillborn = 0

    def start(self, count: int) -> None:
        """Start some workers, at most as many as there will be; they wait for what `run` is given."""
        while len(self._workers) < min(count, self._jobs):
            self._workers.append(self._start())

    def run(
        self,
        tasks: Iterator[Any],
        *,
        given: Any = None,  # noqa: ANN401 -- whatever `setup` takes
        timeout_s: float | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Iterator[Outcome]:
        """Yield the outcome of each task; see `run_isolated`. `meanwhile` is called once all are at work."""
        left, self._timeout_s = _Ahead(tasks), timeout_s
        while left or any(w.task is not None for w in self._workers):
            if left:
                self.start(self._jobs)
            for worker in self._workers:
                if not worker.is_told:
                    worker.is_told = True
                    _send(worker, given)
                if worker.is_ready and worker.task is None and left:
                    self._give(worker, left.take())
            if meanwhile is not None:
                meanwhile()
                meanwhile = None
            yield from self._collect()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        with _environment(self._threads), contextlib.nullcontext() if self._needs_main else _without_main():
            process = self._context.Process(target=_serve, args=(theirs, *self._about), daemon=True)
            process.start()
        theirs.close()
        return _Worker(process=process, pipe=ours)

    def _give(self, worker: _Worker, task: Any) -> None:  # noqa: ANN401
        worker.task, worker.since = (task,), time.monotonic()
        _send(worker, task)

    def _collect(self) -> Iterator[Outcome]:
        """Yield what has come in, or what has been lost, since the last look."""
        sources: list[Any] = [w.pipe for w in self._workers] + [w.process.sentinel for w in self._workers]
        wait(sources, timeout=_POLL_S if self._timeout_s else 5.0)
        for worker in list(self._workers):
            message = _received(worker)
            if message == "ready":
                worker.is_ready, self._stillborn = True, 0
            elif message is not None:
                yield self._done(worker, message)
            elif not worker.process.is_alive():
                yield from self._lost(worker)
            elif worker.task and self._timeout_s and time.monotonic() - worker.since > self._timeout_s:
                worker.process.kill()
                yield self._gone(worker, "timeout", f"took longer than {self._timeout_s:g} s and was stopped")

    def _done(self, worker: _Worker, message: tuple[Any, ...]) -> Outcome:
        result, failure, reason, error = message
        (task,), worker.task = worker.task, None
        seconds = time.monotonic() - worker.since
        return Outcome(task=task, result=result, failure=failure, reason=reason, error=error, seconds=seconds)

    def _lost(self, worker: _Worker) -> Iterator[Outcome]:
        if worker.task is None:
            self._remove(worker)
            self._stillborn += not worker.is_ready
            if self._stillborn >= 3:
                raise DvhkitError(f"worker processes end at once ({_death(worker)}).", remedy="Use --jobs 1.")
            return
        yield self._gone(worker, "crashed", f"the worker process {_death(worker)}")

    def _gone(self, worker: _Worker, failure: str, reason: str) -> Outcome:
        (task,), seconds = worker.task, time.monotonic() - worker.since
        self._remove(worker)
        return Outcome(task=task, failure=failure, reason=reason, seconds=seconds)

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(5)

    def stop(self) -> None:
        """End all workers; what they have in hand is lost.

        One that waits has nothing in hand: what it did is on disk, and to let Python take it down takes its time.
        """
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(5)


class _Ahead:
    """Tasks, with a look at whether there is one more."""

    def __init__(self, tasks: Iterator[Any]) -> None:
        self._tasks = tasks
        self._next: list[Any] = list(islice(tasks, 1))

    def __bool__(self) -> bool:
        return bool(self._next)

    def take(self) -> Any:  # noqa: ANN401
        task = self._next.pop()
        self._next += islice(self._tasks, 1)
        return task


def _send(worker: _Worker, message: Any) -> None:  # noqa: ANN401
    with contextlib.suppress(OSError):  # it is dead: its sentinel tells
        worker.pipe.send(message)


def _received(worker: _Worker) -> Any:  # noqa: ANN401
    try:
        return worker.pipe.recv() if worker.pipe.poll() else None
    except (EOFError, OSError):
        return None


def _death(worker: _Worker) -> str:
    worker.process.join(5)
    code = worker.process.exitcode
    if code is not None and code < 0:
        hint = "; most likely the memory ran out: use fewer --jobs" if -code == getattr(signal, "SIGKILL", 9) else ""
        with contextlib.suppress(ValueError):
            return f"was killed ({signal.Signals(-code).name}{hint})"
        return f"was killed (signal {-code})"
    return f"ended with code {code}"


def _serve(
    pipe: Connection,
    work: Callable[[Any], Any],
    setup: Callable[[Any], None] | None,
    warm: Callable[[], None] | None,
    memory_bytes: int | None,
) -> None:
    """Run tasks until the pipe ends: the life of a worker."""
    # Ctrl-C is the parent's to handle; it reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(memory_bytes)
    if warm is not None:
        warm()
    try:
        given = pipe.recv()
        if setup is not None:
            setup(given)
        pipe.send("ready")
        while True:
            pipe.send(attempt(work, pipe.recv()))
    except (EOFError, OSError):
        return


def attempt(work: Callable[[Any], Any], task: Any) -> tuple[Any, str | None, str, DvhkitError | None]:  # noqa: ANN401
    """Return the result of `work`, or the kind of failure, the reason and the error."""
    try:
        return work(task), None, "", None
    except DvhkitError as error:
        return None, "fault", str(error), error
    except MemoryError:
        return None, "memory", "needs more memory than a worker has; use fewer --jobs", None
    except Exception as error:  # noqa: BLE001 -- a fault in one task must not cost the others their result
        return None, "fault", f"{type(error).__name__}: {error}", None


def _limit_memory(most_bytes: int | None) -> None:
    """Let an allocation beyond `most_bytes` fail in this process, before the system kills another."""
    if most_bytes is None:
        return
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, hard))


def available_bytes() -> int | None:
    """Return the memory that is free for us, by the system and by our control group; None where nobody says."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 -- no path of a user
            line = next(line for line in file if line.startswith("MemAvailable"))
        found.append(int(line.split()[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:  # noqa: PTH123
            limit = int(file.read())
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:  # noqa: PTH123
            found.append(max(limit - int(file.read()), 0))
    return min(found) if found else None


def memory_limit(jobs: int) -> int | None:
    """Return how much memory each of `jobs` workers may take: an equal share, never less than what a case needs."""
    free = available_bytes()
    return None if free is None else max(int(free * 0.9 / jobs), WORKER_BYTES)


def automatic_jobs(n_tasks: int) -> int:
    """Return how many workers suit this machine: one a core, fewer where memory or work is short."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    free = available_bytes()
    by_memory = cores if free is None else max(1, free // WORKER_BYTES)
    return max(1, min(cores, by_memory, n_tasks))


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Let a process that is about to start believe that this program has no main module to be imported."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables that a process about to start inherits."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
