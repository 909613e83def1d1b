"""A run: what there is to do, less what is done, side by side, each case on disk before the next begins."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.archive.run_files import MOST_IN_REPORT, has_case_reports
from dvhkit.archive.running.pool import Outcome, Pool, attempt, automatic_jobs
from dvhkit.archive.running.worker import FAULT, FINAL, Done, Setup, Task, audit_task, do, prepare, put_failure, warm
from dvhkit.archive.storage.identity import identity_secret, pseudonym
from dvhkit.archive.storage.keys import FileHashes, key_of
from dvhkit.archive.storage.store import Store
from dvhkit.archive.work_list import ScanProgress, WorkList, files_under, make_work_list, shard_of, tree_stamp
from dvhkit.errors import DvhkitError, InputError, OutputError
from dvhkit.jobs.batch import AuditOptions
from dvhkit.model.case import Case
from dvhkit.readers.archive.index import FileEntry
from dvhkit.readers.archive.roles import Role

if TYPE_CHECKING:
    from dvhkit.outputs.report.article import Article

# Called with how many cases are done, how many there are to do, and the one that was just finished.
CaseProgress = Callable[[int, int, Done], None]
_STAMP_FILE = "scan.json"
# As many cases as no machine has cores for.
_MANY = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run goes about its work; none of it changes a result.

    Attributes
    ----------
    jobs
        Worker processes; None for as many as suit the machine, 0 to work in this process, as one case does anyway.
    shard
        ``(i, n)``: do the i-th of n parts, by case ID.
    scheduler
        Address of a Dask scheduler that does the work in place of processes of our own.
    case_reports, pictures
        Whether each case gets a report of its own (None: where there are 2 to 500), and whether that shows slices.
    replace
        Whether results of another protocol may be replaced.
    keep_others
        Cases of the store that lie elsewhere than under the paths stay in it.
    """

    jobs: int | None = None
    case_timeout_s: float | None = None
    shard: tuple[int, int] | None = None
    scheduler: str | None = None
    case_reports: bool | None = None
    pictures: bool = False
    replace: bool = False
    keep_others: bool = False

    @property
    def shard_name(self) -> str:
        """The name of the shard in files; empty for a whole run."""
        return "" if self.shard is None else f"{self.shard[0]}-of-{self.shard[1]}"


@dataclass(slots=True, kw_only=True)
class RunReport:
    """What a run came to.

    Attributes
    ----------
    why
        By case that was computed, the causes: ``new``, words of `dvhkit.archive.storage.keys.CAUSES`, or
        ``tried again: …``.
    computed, failed
        How many cases were computed, and by status those that came to nothing.
    cases
        The row of each case in the table ``cases``.
    is_interrupted
        Whether Ctrl-C or a signal ended it.
    n_stored
        How many cases the store holds: more than `n_cases` where others were kept.
    case
        What was read of the only case, where there is but one and it was computed.
    articles
        Cases that were computed, drawn as a report of all cases shows them, where there are few enough for one.
    """

    n_cases: int = 0
    n_stored: int = 0
    n_kept: int = 0
    n_gone: int = 0
    n_objects_left_out: int = 0
    why: dict[str, tuple[str, ...]] = field(default_factory=dict)
    computed: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_interrupted: bool = False
    error: DvhkitError | None = None
    case: Case | None = None
    articles: dict[str, Article] = field(default_factory=dict)


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
                runner.stop()
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
        self.pool: Pool | None = None
        self.patients: set[tuple[str, str]] = set()

    def stop(self) -> None:
        """End the workers, whatever happened."""
        if self.pool is not None:
            self.pool.stop()

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
        work = work or make_work_list(self.paths, progress=scan_progress, seen=self._start_ahead, beside=beside)
        self.store.write_objects(work.objects, beside=self._below(work.root) if beside else None)
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
            self._do(setup, tasks)
        except KeyboardInterrupt:
            report.is_interrupted = True
        except OutputError as error:
            report.error = error
        return self._end(work, options, gone, of_mine)

    def _start_ahead(self, entry: FileEntry) -> None:
        """Start workers as soon as the headers show a second plan to be computed: they load while the list is made."""
        if self.pool is not None or entry.role is not Role.RTSTRUCT or self.how.scheduler is not None:
            return
        self.patients.add((entry.patient_key, entry.study_uid))
        if len(self.patients) == 2 and not self.store.cases():
            jobs = automatic_jobs(2) if self.how.jobs is None else self.how.jobs
            if jobs > 1:
                self.pool = Pool(do, self.how.jobs or automatic_jobs(_MANY), setup=prepare, warm=warm)
                self.pool.start(2)

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

    def _do(self, setup: Setup, tasks: Sequence[Task]) -> None:
        for outcome in self._outcomes(setup, tasks):
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

    def _outcomes(self, setup: Setup, tasks: Sequence[Task]) -> Iterator[Outcome]:
        how = self.how
        if how.scheduler is not None:
            from dvhkit.archive.running.dask_pool import run_on_dask

            return run_on_dask(how.scheduler, setup, tasks)
        if how.jobs == 0 or (len(tasks) <= 1 and how.case_timeout_s is None):
            return self._here(setup, tasks)
        jobs = min(how.jobs or automatic_jobs(len(tasks)), max(len(tasks), 1))
        if self.pool is None or jobs == 1:
            # One worker that nobody asked for is all that the memory, or the only case, allows: it may use every core.
            alone = how.jobs is None and jobs == 1
            self.pool = Pool(do, jobs, setup=prepare, warm=warm, all_threads=alone)
        return self.pool.run(iter(tasks), given=setup, timeout_s=how.case_timeout_s)

    def _here(self, setup: Setup, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Do the tasks in this process, with all its threads."""
        for task in tasks:
            since = time.monotonic()
            seen = self._keep if self.report.n_cases == 1 else None
            result, failure, reason, error = attempt(partial(audit_task, setup, seen=seen), task)
            seconds = time.monotonic() - since
            yield Outcome(task=task, result=result, failure=failure, reason=reason, error=error, seconds=seconds)

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
