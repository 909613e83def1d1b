"""Locks that the system lets go of when the process that holds them ends, however it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dvhkit.errors import InputError, OutputError


class StoreBusyError(InputError):
    """Another run is writing into the store."""


@contextmanager
def locked(path: Path, *, shared: bool = False, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock at `path`, alone or with others that share it; raises `StoreBusyError` after `wait_s`."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover -- Windows: one run at a time is the user's to see to
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as handle:
        _take(lambda: fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB), path, wait_s)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(
            f"nothing can be written into the store ({error.strerror}).",
            path=path.parent,
            remedy="Choose another --out.",
        ) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _take(lock: Callable[[], None], path: Path, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            return lock()
        except BlockingIOError:
            if time.monotonic() >= until:
                raise StoreBusyError(
                    "another run is writing into this store.", path=path.parent.parent, remedy="Wait for it, or end it."
                ) from None
            time.sleep(0.1)
        except OSError:
            return None  # a share without locks
