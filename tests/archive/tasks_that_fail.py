"""Work for the pool's tests; a module of its own, since each worker imports it."""

from __future__ import annotations

import os
import signal
import time


def do(task: str) -> str:
    if task == "ends":
        os._exit(7)
    if task == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hangs":
        time.sleep(60)
    if task == "memory":
        raise MemoryError
    if task == "raises":
        raise ZeroDivisionError("by nothing")
    return f"{task} done with {os.environ.get('NUMBA_NUM_THREADS')} thread"
