"""A run: what there is to do, less what is done, side by side, each case on disk before the next begins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from dvhkit.archive.run_files import MOST_IN_REPORT, has_case_reports
from dvhkit.archive.running.crew import Crew
from dvhkit.archive.running.pool import Outcome
from dvhkit.archive.running.terms import RunOptions, RunReport
from dvhkit.archive.running.worker import FAULT, FINAL, Done, Setup, Task, put_failure
from dvhkit.archive.storage.identity import identity_secret, pseudonym
from dvhkit.archive.storage.keys import FileHashes, key_of
from dvhkit.archive.storage.store import Store
from dvhkit.archive.work_list import ScanProgress, WorkList, files_under, make_work_list, shard_of, tree_stamp
from dvhkit.errors import DvhkitError, InputError, OutputError
from dvhkit.jobs.batch import AuditOptions
from dvhkit.model.case import Case

__all__ = ["RunOptions", "RunReport", "refuse_other_protocols", "run_archive"]

# Called with how many cases are done, how many there are to do, and the one that was just finished.
CaseProgress = Callable[[int, int, Done], None]
_STAMP_FILE = "scan.json"


def run_archive(
    paths: Sequence[Path],
    run: Path,
    options_of: Callable[[Sequence[str]], tuple[Mapping[str, AuditOptions], Mapping[str, str]]],
    how: RunOptions,
    *,
    scan_progress: ScanProgress | None = None,
    case_progress: CaseProgress | None = None,
    started: Callable[[RunReport], None] | None = None,
    work: WorkList | None = None,
) -> RunReport:
    """Audit every case under `paths` into the store of `run`, but those that are there already.

    Parameters
    ----------
    options_of
        Takes the case IDs; returns options by name, and the name for each case. A case without one is left out.
    started
        Called once with what is to be done, before it is done.
    work
        What there is to do, where that was chosen by hand; `paths` are not looked at then.

    Raises
    ------
    InputError
        If there is nothing to do at all, or the store cannot be used.
    OutputError
        If the store cannot be written; what was finished before is kept.
    """
    fresh = _first_missing(run)
    store = Store(run)
    store.create()
    try:
        with store.writing(how.shard_name):
            if not how.shard:
                store.drop_broken()
            store.fold()
            runner = _Run(store, paths, options_of, how, case_progress)
            try:
                return runner.go(scan_progress, started, work)
            finally:
                runner.crew.stop()
    except InputError:
        # Input that cannot be used leaves no folder behind.
        if fresh is not None and not store.cases():
            shutil.rmtree(fresh, ignore_errors=True)
        raise


def _first_missing(folder: Path) -> Path | None:
    """Return the outermost folder that has to be made for `folder`; None where it is there."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    return missing[-1] if missing else None


class _Run:
    def __init__(
        self,
        store: Store,
        paths: Sequence[Path],
        options_of: Callable[[Sequence[str]], tuple[Mapping[str, AuditOptions], Mapping[str, str]]],
        how: RunOptions,
        case_progress: CaseProgress | None,
    ) -> None:
        self.store, self.paths, self.options_of, self.how = store, paths, options_of, how
        self.case_progress = case_progress
        self.report = RunReport()
        self.hashes: dict[str, str] = {}
        self.crew = Crew(how)

    def go(
        self,
        scan_progress: ScanProgress | None,
        started: Callable[[RunReport], None] | None,
        work: WorkList | None,
    ) -> RunReport:
        report, shard = self.report, self.how.shard_name
        if work is None and self._is_unchanged():
            return report
        beside = self.how.keep_others
        seen = None if self.store.cases() else self.crew.start_ahead
        work = work or make_work_list(self.paths, progress=scan_progress, seen=seen, beside=beside)
        objects = partial(self.store.write_objects, work.objects, beside=self._below(work.root) if beside else None)
        options, name_of = self.options_of(list(work.cases))
        mine = [c for c in work.cases if c in name_of and self._is_mine(c)]
        reports = self.how.case_reports
        reports = has_case_reports(len(name_of)) if reports is None else reports
        setup = Setup(
            run=self.store.run,
            root=work.root,
            options=options,
            reports=reports,
            pictures=self.how.pictures,
            articles=len(name_of) <= MOST_IN_REPORT and not shard,
        )
        known = self.store.cases()
        if not self.how.replace:
            earlier = {c: str(row["protocol_id"] or "") for c, row in known.items()}
            refuse_other_protocols(self.store.run, earlier, {c: options[name_of[c]].protocol.id for c in mine})
        of_mine = set(mine)
        gone = [c for c in known if self._is_mine(c) and c not in of_mine and (not beside or self._is_here(c, work))]
        tasks = self._to_do(work, mine, options, name_of, known)
        report.n_cases, report.n_gone = len(mine), len(gone)
        report.n_kept = len(mine) - len(tasks)
        report.n_objects_left_out = sum(row.case_id is None for row in work.objects)
        if started is not None:
            started(report)
        self.store.journal("start", shard=shard, cases=len(mine), to_do=len(tasks))
        try:
            self._do(setup, tasks, objects)
        except KeyboardInterrupt:
            report.is_interrupted = True
        except OutputError as error:
            report.error = error
        return self._end(work, options, gone, of_mine)

    def _is_mine(self, case_id: str) -> bool:
        shard = self.how.shard
        return shard is None or shard_of(case_id, shard[1]) == shard[0]

    def _below(self, root: Path) -> list[str]:
        return [path.absolute().relative_to(root).as_posix() for path in self.paths]

    def _is_here(self, case_id: str, work: WorkList) -> bool:
        """Return whether a case was called by one of the folders that are looked at."""
        return any(case_id == name or case_id.startswith((f"{name}/", f"{name}~")) for name in self._below(work.root))

    # -- nothing to do

    def _is_unchanged(self) -> bool:
        """Return whether neither files nor options have changed since a run that left nothing undone."""
        last = self.store.load_json(_STAMP_FILE)
        if not last.get("files") or self.how.shard or self.how.keep_others:
            return False
        _, files = files_under(self.paths)
        if tree_stamp(files) != last["files"]:
            return False
        cases = self.store.cases()
        options, name_of = self.options_of(list(last.get("case_ids", [])))
        report = self.report
        if last.get("options") != _options_stamp(options, name_of) or set(cases) != set(name_of):
            return False
        if any(row["status"] not in FINAL or not row["key"] for row in cases.values()):
            return False
        report.cases, report.n_cases, report.n_kept = cases, len(cases), len(cases)
        report.n_stored = len(cases)
        report.n_objects_left_out = int(last.get("left_out", 0))
        return True

    # -- what is to be done

    def _to_do(
        self,
        work: WorkList,
        mine: Sequence[str],
        options: Mapping[str, AuditOptions],
        name_of: Mapping[str, str],
        known: Mapping[str, dict[str, Any]],
    ) -> list[Task]:
        hashes = FileHashes(self.store.load_json("hashes.json"))
        secret = identity_secret()
        tasks = []
        for case_id in mine:
            why = self._why(work, case_id, options[name_of[case_id]], known.get(case_id), hashes)
            if why:
                self.report.why[case_id] = why
                patient = pseudonym(work.patients.get(case_id, ""), secret)
                tasks.append(
                    Task(case_id=case_id, files=work.cases[case_id], options=name_of[case_id], patient=patient)
                )
        self.hashes = hashes.kept()
        # The largest first, so that no worker is left with it at the end; then by name, the same in every run.
        return sorted(tasks, key=lambda task: (-_size(task), task.case_id))

    def _why(
        self,
        work: WorkList,
        case_id: str,
        options: AuditOptions,
        known: Mapping[str, Any] | None,
        hashes: FileHashes,
    ) -> tuple[str, ...]:
        """Return why a case must be computed; empty where its result is there."""
        if known is None:
            return ("new",)
        if known["status"] not in FINAL:
            return (f"tried again: {known['status']} before",)
        try:
            key = key_of(work.cases[case_id], options, hashes)
        except OSError:
            return ("a file cannot be read",)
        return key.unlike(json.loads(known["key_parts"]))

    # -- doing it

    def _do(self, setup: Setup, tasks: Sequence[Task], meanwhile: Callable[[], None]) -> None:
        seen = self._keep if self.report.n_cases == 1 else None
        for outcome in self.crew.outcomes(setup, tasks, meanwhile=meanwhile, seen=seen):
            task: Task = outcome.task
            if isinstance(outcome.error, OutputError):
                raise outcome.error
            done = outcome.result or put_failure(setup, task, outcome.failure or FAULT, _told(outcome), outcome.seconds)
            self.hashes |= done.hashes
            self.report.computed += 1
            if done.article is not None:
                self.report.articles[done.case_id] = done.article
            if done.status not in FINAL:
                self.report.failed[done.status] = self.report.failed.get(done.status, 0) + 1
            self.store.journal("done", shard=self.how.shard_name, case_id=done.case_id, status=done.status)
            if self.case_progress is not None:
                self.case_progress(self.report.computed, len(tasks), done)

    def _keep(self, case: Case) -> None:
        self.report.case = case

    def _end(
        self, work: WorkList, options: Mapping[str, AuditOptions], gone: Sequence[str], mine: set[str]
    ) -> RunReport:
        report, others = self.report, self.how.keep_others
        try:
            self.store.fold(gone=() if report.is_interrupted else gone)
            stored = self.store.cases()
            report.n_stored = len(stored)
            report.cases = {c: row for c, row in stored.items() if c in mine} if others else stored
            earlier = self.store.load_json("hashes.json") if others else {}
            self.store.save_json("hashes.json", {**earlier, **self.hashes})
            is_ended = not report.is_interrupted and report.error is None and not self.how.shard
            _, name_of = self.options_of(list(work.cases))
            stamp = {
                "files": work.stamp,
                "options": _options_stamp(options, name_of),
                "case_ids": list(work.cases),
                "left_out": report.n_objects_left_out,
            }
            self.store.save_json(_STAMP_FILE, stamp if is_ended and not others else {})
            self.store.journal("end" if is_ended else "stopped", shard=self.how.shard_name, computed=report.computed)
        except OutputError as error:
            report.error = report.error or error
            with suppress(OSError, DvhkitError):
                report.cases = self.store.cases()
        return report


def _told(outcome: Outcome) -> str:
    return outcome.reason if outcome.failure != FAULT else f"a fault of ours: {outcome.reason}"


def _size(task: Task) -> int:
    with suppress(OSError, AttributeError):
        return sum(path.stat().st_size for path in task.files.drawn_in)
    return 0


def _options_stamp(options: Mapping[str, AuditOptions], name_of: Mapping[str, str]) -> str:
    from dvhkit.archive.storage.keys import digest, options_parts

    return digest(
        json.dumps([sorted((n, sorted(options_parts(o).items())) for n, o in options.items()), dict(name_of)])
    )


def refuse_other_protocols(run: Path, earlier: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise `InputError` where a case has a result of another protocol already: that is nobody's to lose."""
    others = {earlier[case] for case, protocol in now.items() if earlier.get(case) and earlier[case] != protocol}
    if others:
        raise InputError(
            f"this folder holds results of another protocol: {', '.join(sorted(others))}.",
            path=run,
            remedy="Name another --out, or say --replace.",
        )
