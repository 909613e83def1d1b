"""When is a plan set complete, and its audit: in other processes, one study after the other."""

from __future__ import annotations

import csv
import io
import logging
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from dvhkit.errors import DvhkitError
from dvhkit.jobs.clinic.received import is_complete
from dvhkit.outputs.files import write_text_whole
from dvhkit.services.spool import Kept, Spool

_log = logging.getLogger(__name__)

# An association may pause that long within one plan set.
_SETTLED_S = 1.0
_TICK_S = 0.1
_AUDIT_MOST_S = 3600.0
_EXIT_UNUSABLE, _EXIT_KILLED = 2, 3
# Studies that one audit takes: the start of a process is shared by them.
_MOST_AT_ONCE = 64
# Writing the pages of the whole run may take this part of the time while studies are waiting.
_PAGES_SHARE = 0.05
# Receiving goes before auditing: whoever sends waits for an answer. While objects come in without a pause nothing is
# looked at, for so long at most.
_NICE = 10
_PAUSE_S = 0.5
_BURST_MOST_S = 10.0
# An audit that leaves nothing of a study in the store is tried again: somebody else may have held the store.
_TRIES_MOST = 3
# The pages, tables and store of a run with one case take a fifth of this.
_FIRST_PAGES_BYTES = 1 << 20
_REST_S = 5.0


class Watch:
    """Audits studies once they are complete, or quiet for long enough.

    Parameters
    ----------
    told
        Called with one record a plan set: ``event, study, case_id, exit``; `exit` as `dvhkit audit` of it alone ends.
    protocol, plans
        What studies are held against: one protocol, or a plans file whose column ``case`` holds study UIDs. Where
        neither says anything, numbers are told and nothing is judged.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        quiet_s: float,
        told: Callable[[dict[str, Any]], None],
        protocol: str | None = None,
        plans: Path | None = None,
    ) -> None:
        self._spool, self._quiet_s, self._told = spool, quiet_s, told
        self._protocol, self._plans = protocol, plans
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._asked: dict[str, Future[bool]] = {}
        self._tries: dict[str, int] = {}
        self._arrived_s = -math.inf
        self._pool = _new_pool()
        self._pages_due_s = 0.0
        self._pages_lack = False
        self._rest_until_s = -math.inf
        self._is_resting = False
        for study in spool.studies():
            if not spool.audited(study):
                self._last[study] = time.monotonic()

    def arrived(self, study: str, kept: Kept) -> None:
        """Note that a study has a new object, and tell where another one lies that came under a UID that is taken."""
        if kept is Kept.CONFLICT:
            _log.warning("study %s: another object under a UID that is taken is in conflicts; the first counts", study)
        if kept is Kept.STORED:
            with self._lock:
                self._last[study] = self._arrived_s = time.monotonic()
                self._asked.pop(study, None)

    def run(self, stop: threading.Event) -> None:
        """Audit what is due until `stop` is set."""
        while not stop.wait(_TICK_S):
            if time.monotonic() < self._rest_until_s:
                continue
            try:
                self._step(stop)
            except (OSError, DvhkitError) as error:
                # DvhkitError: of the store, whose own files are written whole or not at all.
                self._rest(error.message if isinstance(error, DvhkitError) else str(error.strerror))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _step(self, stop: threading.Event) -> None:
        due = self._due()
        if not due and not self._pages_lack:
            return
        most = 1 if due and due[0] in self._tries else _MOST_AT_ONCE
        if self._free_bytes() < self._needed_bytes(due[:most]):
            self._rest("no space left on the disk")
        elif due:
            self._audit(due[:most], stop, more=len(due) > most)
        else:
            self._write_pages(stop)

    def _rest(self, why: str) -> None:
        """Leave the studies as they are for a while: what was received lies on the disk, and waits."""
        if not self._is_resting:
            _log.error("audits wait: %s", why)
        self._is_resting = True
        self._rest_until_s = time.monotonic() + _REST_S

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._spool.root).free

    def _needed_bytes(self, due: Sequence[str]) -> int:
        """Return what an audit of studies may write.

        Of a study numbers, and pictures of what was read: less than the study itself. What stands for all studies of
        the run, its pages and store, is written anew beside the old before it takes its place; other reports stay.
        """
        run = self._spool.root / "run"
        studies = sum(_bytes_in(self._spool.folder(study)) for study in due)
        pages = sum(_size_of(path) for path in run.glob("*.*"))
        return _FIRST_PAGES_BYTES + studies + pages + _bytes_in(run / "store")

    def _due(self) -> list[str]:
        """Return the studies to be audited now, those first that have waited longest."""
        now = time.monotonic()
        with self._lock:
            waiting = sorted(self._last.items(), key=lambda item: item[1])
            pause = now - self._arrived_s
        if waiting and pause < min(_PAUSE_S, self._quiet_s) and now - waiting[0][1] < _BURST_MOST_S:
            return []
        due = []
        for study, last in waiting:
            idle = now - last
            if idle >= self._quiet_s or (idle >= min(_SETTLED_S, self._quiet_s) and self._complete(study)):
                due.append(study)
        return due

    def _complete(self, study: str) -> bool:
        """Whether the links of a study resolve; asked once after each arrival, answered later."""
        with self._lock:
            asked = self._asked.get(study)
            if asked is None:
                try:
                    self._asked[study] = self._pool.submit(is_complete, self._spool.folder(study))
                except (BrokenProcessPool, RuntimeError):
                    self._pool = _new_pool()
                return False
        try:
            return asked.done() and bool(asked.result())
        except Exception:  # noqa: BLE001 -- then the quiet time decides
            return False

    def _audit(self, due: Sequence[str], stop: threading.Event, *, more: bool) -> None:
        """Audit studies into the one store of the spool, and tell each of their cases.

        The pages of the run hold every case: while studies come in fast they are not written for each batch.
        """
        fingerprints = {study: self._spool.fingerprint(study) for study in due}
        with self._lock:
            begun = {study: self._last.get(study) for study in due}
        run = self._spool.root / "run"
        if not self._store_is_free(run, stop):
            return
        command = [sys.executable, "-m", "dvhkit", "audit", *(str(self._spool.folder(study)) for study in due)]
        words = ["--out", str(run), "--keep-others", "--replace", *self._protocol_options(due)]
        began_s = time.monotonic()
        without_pages = more or began_s < self._pages_due_s
        code = self._wait([*command, *words, *(("--shard", "1/1") if without_pages else ())], stop)
        if code is None:
            return
        self._pages_lack = without_pages
        if not without_pages:
            self._pages_due_s = time.monotonic() + (time.monotonic() - began_s) / _PAGES_SHARE
        rows = _cases(run)
        left = {study for study in due if any(_is_of(case_id, study) for case_id in rows)}
        # What failed where there was no room for it was not the study's fault.
        if code >= _EXIT_UNUSABLE and not left and self._free_bytes() < self._needed_bytes(due):
            self._rest("too little space on the disk")
            return
        for study in due:
            if code >= _EXIT_UNUSABLE and study not in left:
                # Told in the end, and never marked: the next start tries it again.
                if self._again(study):
                    continue
            else:
                self._spool.mark_audited(study, fingerprints[study])
            with self._lock:
                if self._last.get(study) == begun[study]:  # nothing came meanwhile
                    self._last.pop(study, None)
                    self._asked.pop(study, None)
            uid = _study_uid(self._spool.folder(study))
            own = {case_id: _exit_of(row) for case_id, row in sorted(rows.items()) if _is_of(case_id, study)}
            for case_id, told in (own or {study: code}).items():
                record = {"event": "audited", "study": uid, "case_id": case_id, "exit": told}
                apart = self._spool.conflicts(study)
                self._told({**record, "conflicts": apart} if apart else record)
        self._is_resting = False

    def _store_is_free(self, run: Path, stop: threading.Event) -> bool:
        """Wait until nobody else writes into the run (a killed listener leaves an audit); False: we are to stop."""
        from dvhkit.archive.storage.store import Store, StoreBusyError

        while True:
            try:
                with Store(run).writing():
                    return True
            except StoreBusyError:
                if stop.wait(_TICK_S):
                    return False

    def _again(self, study: str) -> bool:
        """Whether a study that an audit left nothing of is tried once more, then by itself."""
        tries = self._tries.pop(study, 0) + 1
        if tries < _TRIES_MOST:
            self._tries[study] = tries
        return tries < _TRIES_MOST

    def _write_pages(self, stop: threading.Event) -> None:
        """Write the pages of the run, which lack cases."""
        self._pages_lack = False
        if self._wait([sys.executable, "-m", "dvhkit", "index", str(self._spool.root / "run")], stop) is None:
            self._pages_lack = True

    def _protocol_options(self, due: Sequence[str]) -> list[str]:
        """Return the words that say what the studies are held against; numbers alone where nobody said."""
        if self._plans is None:
            return ["--protocol", self._protocol or "none"]
        own = self._spool.root / "state" / "plans.csv"
        rows = _plan_rows(self._plans, set(due))
        if rows is None:
            return ["--protocol", "none"]
        write_text_whole(own, rows)
        return ["--plans", str(own), "--protocol", "none"]

    def _wait(self, command: Sequence[str], stop: threading.Event) -> int | None:
        """Run an audit; None where it was stopped with us, to be done at the next start."""
        # What goes wrong is for whoever watches us; an audit's own folders have hashes for names.
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
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


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin_worker)


def _begin_worker() -> None:
    """Yield to those who receive, and end with the listener however it ends: its worker waits for work for ever."""
    with suppress(OSError, AttributeError):
        os.nice(_NICE)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _bytes_in(folder: Path) -> int:
    return sum(map(_size_of, folder.rglob("*")))


def _size_of(path: Path) -> int:
    with suppress(OSError):  # a file that another process has just replaced
        return path.stat().st_size if path.is_file() else 0
    return 0


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


def _cases(run: Path) -> dict[str, dict[str, Any]]:
    """Return the row of each case in the store of a run."""
    from dvhkit.archive.storage.store import Store

    try:
        return Store(run).cases()
    except (OSError, ValueError, DvhkitError):
        return {}


def _is_of(case_id: str, study: str) -> bool:
    return case_id == study or case_id.startswith((f"{study}/", f"{study}~"))


def _exit_of(row: Mapping[str, Any]) -> int:
    """Return the exit code that an audit of this case alone has."""
    if row["status"] != "audited":
        return 2 if row["status"] == "error" else _EXIT_KILLED
    return 0 if row["all_met"] else 1


def _plan_rows(path: Path, due: set[str]) -> str | None:
    """Return the rows of a plans file that are about studies, called as their cases are; None where none is."""
    from dvhkit.services.spool import RefusedError, key_of

    with path.open(newline="", encoding="utf-8-sig") as file:
        sample = file.readline()
        file.seek(0)
        rows = list(csv.reader(file, delimiter=";" if sample.count(";") > sample.count(",") else ","))
    place = [cell.strip() for cell in rows[0]].index("case")
    kept = [rows[0]]
    for row in rows[1:]:
        name = row[place].strip() if len(row) > place else ""
        with suppress(RefusedError):
            name = key_of(name)
        if name.split("/")[0].split("~")[0] in due:
            kept.append([*row[:place], name, *row[place + 1 :]])
    if len(kept) == 1:
        return None
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(kept)
    return out.getvalue()
