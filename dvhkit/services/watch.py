"""When is a plan set complete, and its audit: in other processes, one study after the other."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dvhkit.jobs.received import is_complete
from dvhkit.services.spool import Kept, Spool

# An association may pause that long within one plan set.
_SETTLED_S = 1.0
_TICK_S = 0.1
_AUDIT_MOST_S = 3600.0
_EXIT_KILLED = 3


class Watch:
    """Audits studies once they are complete, or quiet for long enough.

    `told` is called with one record a plan set: ``event, study, case_id, exit``.
    """

    def __init__(
        self, spool: Spool, *, audit_options: Sequence[str], quiet_s: float, told: Callable[[dict[str, Any]], None]
    ) -> None:
        self._spool, self._options, self._quiet_s, self._told = spool, tuple(audit_options), quiet_s, told
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._asked: dict[str, Future[bool]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        for study in spool.studies():
            if not spool.audited(study):
                self._last[study] = time.monotonic()

    def arrived(self, study: str, kept: Kept) -> None:
        """Note that a study has a new object."""
        if kept is Kept.STORED:
            with self._lock:
                self._last[study] = time.monotonic()
                self._asked.pop(study, None)

    def run(self, stop: threading.Event) -> None:
        """Audit what is due until `stop` is set."""
        while not stop.wait(_TICK_S):
            due = self._due()
            if due is not None:
                self._audit(due, stop)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _due(self) -> str | None:
        now = time.monotonic()
        with self._lock:
            waiting = sorted(self._last.items(), key=lambda item: item[1])
        for study, last in waiting:
            idle = now - last
            if idle >= self._quiet_s or (idle >= min(_SETTLED_S, self._quiet_s) and self._complete(study)):
                return study
        return None

    def _complete(self, study: str) -> bool:
        """Whether the links of a study resolve; asked once after each arrival, answered later."""
        with self._lock:
            asked = self._asked.get(study)
            if asked is None:
                try:
                    self._asked[study] = self._pool.submit(is_complete, self._spool.folder(study))
                except (BrokenProcessPool, RuntimeError):
                    self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
                return False
        try:
            return asked.done() and bool(asked.result())
        except Exception:  # noqa: BLE001 -- then the quiet time decides
            return False

    def _audit(self, study: str, stop: threading.Event) -> None:
        fingerprint = self._spool.fingerprint(study)
        with self._lock:
            begun = self._last.get(study)
        out = self._spool.root / "run" / study
        command = [sys.executable, "-m", "dvhkit", "audit", str(self._spool.folder(study)), "--out", str(out)]
        code = self._wait([*command, *self._options], stop)
        if code is None:
            return
        self._spool.mark_audited(study, fingerprint)
        with self._lock:
            if self._last.get(study) == begun:  # nothing came meanwhile
                self._last.pop(study, None)
                self._asked.pop(study, None)
        uid = _study_uid(self._spool.folder(study))
        for case_id in _cases(out) or [study]:
            self._told({"event": "audited", "study": uid, "case_id": case_id, "exit": code})

    def _wait(self, command: Sequence[str], stop: threading.Event) -> int | None:
        """Run an audit; None where it was stopped with us, to be done at the next start."""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + _AUDIT_MOST_S
        while process.poll() is None:
            if stop.wait(_TICK_S):
                process.terminate()
                process.wait()
                return None
            if time.monotonic() > end:
                process.kill()
                process.wait()
                return _EXIT_KILLED
        return process.returncode if process.returncode >= 0 else _EXIT_KILLED


def _study_uid(folder: Path) -> str:
    from dvhkit.services.wire import data_set_offset, study_uid

    for path in sorted(folder.iterdir()):
        stored = path.read_bytes()
        offset = data_set_offset(stored[:4096])
        uid = study_uid(stored[offset:], _transfer_syntax(stored[:offset]))
        if uid:
            return uid
    return ""


def _transfer_syntax(head: bytes) -> str:
    from io import BytesIO

    from pydicom import dcmread

    return str(dcmread(BytesIO(head), force=True).file_meta.TransferSyntaxUID)


def _cases(out: Path) -> list[str]:
    """Return the cases of an audit, as its record names them."""
    try:
        document = json.loads((out / "audit.json").read_text(encoding="utf-8"))
        return [str(case.get("case_id") or case["case"]) for case in document["cases"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
