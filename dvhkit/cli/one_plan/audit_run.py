"""`dvhkit audit` over an archive: progress, what is kept, the overview, the exit code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.cli.options import worker_count
from dvhkit.cli.report_form import Form
from dvhkit.cli.streams import (
    EXIT_FAULT,
    EXIT_NOT_MET,
    EXIT_UNUSABLE,
    announce_first_run,
    note_console,
    out_console,
    write_json,
)
from dvhkit.errors import EngineError, InputError

if TYPE_CHECKING:
    from dvhkit.archive.run import RunOptions, RunReport
    from dvhkit.archive.storage.store import Store
    from dvhkit.archive.work_list import WorkList
    from dvhkit.jobs.batch import AuditOptions, CaseOutcome
    from dvhkit.jobs.rules.audit_words import LoadProtocol
    from dvhkit.results.audit import AuditRecord
    from dvhkit.results.scene import Scene

# A terminal is no place for a thousand tables: the rest is in the summary and the report.
MOST_SHOWN = 3
_MOST_LISTED = 50
_EXIT_INTERRUPTED = 130
_WHAT = {
    "index.html": "cases by rules, with links: open it in a browser",
    "report.html": "the report: open it in a browser",
    "report.pdf": "the report, to print and file",
    "summary.csv": "one row a case and rule",
    "audit.json": "everything, for programs",
    "store": "tables for `dvhkit query`, DuckDB, pandas, polars",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the cases are held against."""

    options: AuditOptions
    load: LoadProtocol
    plans: Path | None
    has_protocol: bool

    def for_cases(self, case_ids: Sequence[str]) -> tuple[Mapping[str, AuditOptions], Mapping[str, str]]:
        """Return options by name, and the name for each case."""
        if self.options.waivers and len(case_ids) != 1:
            raise InputError(f"waivers are for one plan; here are {len(case_ids)}.", remedy="Audit that plan alone.")
        if self.options.tps and len(case_ids) != 1:
            raise InputError(f"--tps is for one plan; here are {len(case_ids)}.", remedy="Audit that plan alone.")
        if self.plans is None:
            return {"": self.options}, dict.fromkeys(case_ids, "")
        from dvhkit.archive.plans_csv import options_for, read_plans

        return options_for(read_plans(self.plans), self.options, self.load, case_ids, has_protocol=self.has_protocol)


def refuse_other_protocol(out: Path, options: AuditOptions, *, replace: bool) -> None:
    """Refuse to write over the results of another protocol."""
    from dvhkit.archive.run import refuse_other_protocols
    from dvhkit.archive.run_files import protocols_in

    if not replace:
        refuse_other_protocols(out, protocols_in(out), dict.fromkeys(protocols_in(out), options.protocol.id))


def run_options(
    jobs: str,
    *,
    shard: str | None,
    scheduler: str | None,
    case_timeout_s: float | None,
    case_reports: bool | None = None,
    pictures: bool = False,
    replace: bool = False,
    keep_others: bool = False,
) -> RunOptions:
    """Return how a run goes about its work, from the words of the command line."""
    from dvhkit.archive.run import RunOptions
    from dvhkit.archive.work_list import parse_shard

    return RunOptions(
        jobs=worker_count(jobs),
        shard=parse_shard(shard) if shard is not None else None,
        scheduler=scheduler,
        case_timeout_s=case_timeout_s,
        case_reports=case_reports,
        pictures=pictures,
        replace=replace,
        keep_others=keep_others,
    )


def audit_run(
    paths: Sequence[Path],
    out: Path,
    asked: Asked,
    how: RunOptions,
    form: Form,
    *,
    why: bool,
    work: WorkList | None = None,
) -> int:
    """Audit every case under `paths` (or of `work`) into `out`, show what came of it, and return the exit code."""
    from dvhkit.archive.run import run_archive
    from dvhkit.archive.storage.store import Store

    def started(found: RunReport) -> None:
        # Of several cases each is computed by a worker; this process needs no engine then.
        announce_first_run(load=found.n_cases - found.n_kept == 1)
        if why:
            _say_why(found)

    with _progress() as (scanned, finished):
        report = run_archive(
            paths,
            out,
            asked.for_cases,
            how,
            scan_progress=scanned,
            case_progress=finished,
            started=started,
            work=work,
        )
    if report.is_interrupted or report.error is not None:
        return _stopped(report, out)
    store = Store(out)
    if report.n_stored == 1:
        _raise_alone(report)
    records = _records(report, store)
    _show(report, store, records)
    if not how.shard:
        _write(report, store, out, paths, how, form, records)
    return _exit_code(report)


def show_one(outcome: CaseOutcome, out: Path, form: Form) -> int:
    """Show and write the audit of a sum, or of files chosen by hand: no case of an archive. Return the exit code."""
    from dvhkit.jobs.pictures.scene import gather_scene
    from dvhkit.outputs import records, tables
    from dvhkit.outputs.files import write_text_whole
    from dvhkit.outputs.report import case_report

    if outcome.error is not None:
        raise outcome.error
    console, record = out_console(), outcome.record
    wanted = form.pictures is not False and not form.short and outcome.case is not None
    scene = gather_scene(outcome.case, record) if wanted and outcome.case is not None else None
    for renderable in tables.audit_view(record):
        console.print(renderable)
    write_json(str(out / "audit.json"), records.audit_document([record]))
    write_text_whole(out / "summary.csv", tables.summary_csv([record]))
    html = case_report.html_report([record], scene=scene, short=form.short, attachments=form.attachments)
    write_text_whole(out / "report.html", html)
    _say_written(out, ["report.html", *form.print_in(out), "summary.csv", "audit.json"])
    return 0 if record.all_met else EXIT_NOT_MET


def show_status(out: Path) -> None:
    """Say how many cases of a run are done, failed and left, how fast it goes, and how long it takes yet."""
    from dvhkit.archive.storage.status import status_of

    console = out_console()
    for line in status_of(out).lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int, int], None] | None, Callable[[int, int, Any], None] | None]]:
    """Show files and cases as they are done, with rate and time left, if somebody watches."""
    console = note_console()
    if not console.is_terminal:
        yield None, None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        files = progress.add_task("reading headers", total=None, rate="")
        cases = progress.add_task("auditing", total=None, rate="", visible=False)
        began: list[float] = []

        def scanned(count: int, total: int) -> None:
            progress.update(files, completed=count, total=total)

        def finished(count: int, total: int, _done: object) -> None:
            if not began:
                began.append(time.monotonic())
            hours = (time.monotonic() - began[0]) / 3600
            rate = f"{(count - 1) / hours:,.0f} an hour" if count > 1 and hours > 0 else ""
            progress.update(cases, completed=count, total=total, visible=True, rate=rate)

        yield scanned, finished


def _say_why(report: RunReport) -> None:
    console = out_console()
    for case_id, causes in sorted(report.why.items()):
        console.print(f"  {case_id}: {', '.join(causes)}", markup=False, highlight=False, soft_wrap=True)
    if not report.why:
        console.print("  nothing is computed: every result is there.")


def _stopped(report: RunReport, out: Path) -> int:
    kept = sum(1 for row in report.cases.values() if row["status"] in ("audited", "error"))
    message = f"{kept} of {report.n_cases} cases are kept in {out}; the same command goes on from there."
    note_console().print(f"dvhkit: stopped. {message}", markup=False, highlight=False, soft_wrap=True)
    if report.error is not None:
        raise report.error
    return _EXIT_INTERRUPTED


def _raise_alone(report: RunReport) -> None:
    """Raise what stopped the only case, as one plan's command ends."""
    row = next(iter(report.cases.values()))
    if row["status"] == "error":
        raise InputError(str(row["error"]))
    if row["status"] != "audited":
        raise EngineError(str(row["error"]).removeprefix("a fault of ours: "))


def _records(report: RunReport, store: Store) -> dict[str, AuditRecord] | None:
    """Return the record of each case in order, where there are few enough to be listed."""
    from dvhkit.archive.run_files import records_of

    if report.n_cases > _MOST_LISTED:
        return None
    return {record.case: record for record in sorted(records_of(store, report.cases), key=lambda record: record.case)}


def _show(report: RunReport, store: Store, records: Mapping[str, AuditRecord] | None) -> None:
    from dvhkit.outputs import tables
    from dvhkit.outputs.terminal.matrix import matrix_view

    console = out_console()
    if records is not None:
        listed = list(records.values())
        for record in listed[:MOST_SHOWN]:
            for renderable in tables.audit_view(record):
                console.print(renderable)
        if len(listed) > 1:
            console.print(tables.audit_summary_table(listed))
    if report.n_cases > 1:
        errors = {case: str(row["error"]) for case, row in report.cases.items() if row["error"]}
        for renderable in matrix_view((cell for cell in store.verdicts() if cell[0] in report.cases), errors):
            console.print(renderable)
        console.print(_headline(report), markup=False, soft_wrap=True)


def _headline(report: RunReport) -> str:
    met = sum(bool(row["all_met"]) for row in report.cases.values())
    lost = sum(row["error"] is not None for row in report.cases.values())
    rest = report.n_cases - met - lost
    text = f"  {report.n_cases} cases: {met} met every rule, {rest} did not, {lost} could not be judged"
    parts = [f"{report.computed} computed, {report.n_kept} kept from before"]
    if report.n_gone:
        parts.append(f"{report.n_gone} are no longer there and were taken out")
    if report.n_objects_left_out:
        parts.append(f"{report.n_objects_left_out} objects take part in no case (table objects)")
    return f"{text}; {'; '.join(parts)}."


def _scene(report: RunReport, store: Store, paths: Sequence[Path], form: Form) -> Scene | None:
    """Return what the report of one plan shows of the patient."""
    from dvhkit.archive.run_files import records_of
    from dvhkit.errors import DvhkitError
    from dvhkit.jobs.pictures.scene import gather_scene, read_again

    if report.n_stored != 1 or form.short or form.pictures is False:
        return None
    try:
        case = report.case or read_again(paths)
    except DvhkitError:
        return None  # the record was kept from before; its report then does without slices
    return gather_scene(case, next(records_of(store)))


def _write(
    report: RunReport,
    store: Store,
    out: Path,
    paths: Sequence[Path],
    how: RunOptions,
    form: Form,
    records: Mapping[str, AuditRecord] | None,
) -> None:
    from dvhkit.archive.run_files import has_run_files, write_run_files
    from dvhkit.archive.storage.store import has_arrow

    stands = has_run_files(out, report.n_stored, short=form.short)
    written = ["summary.csv"]
    if form.attachments and report.n_stored != 1:
        raise InputError(
            f"attached files are for one plan; here are {report.n_stored}.", remedy="Audit that plan alone."
        )
    if report.computed or report.n_gone or not stands or form.attachments:
        scene = _scene(report, store, paths, form)
        reports = how.case_reports or None
        written = write_run_files(
            store,
            report.n_stored,
            scene,
            short=form.short,
            with_reports=reports,
            attachments=form.attachments,
            records=records,
            articles=report.articles,
        )
    shown = ["report.html", *form.print_in(out), "index.html", "summary.csv", "audit.json"]
    if report.n_stored > 1:
        shown.insert(0, shown.pop(shown.index("index.html")))
    shown = [name for name in shown if name in written or stands or name == "report.pdf"]
    _say_written(out, [*(n for n in shown if (out / n).exists()), *(["store"] if has_arrow() else [])])
    if not has_arrow():
        note_console().print(
            "dvhkit: no Parquet tables, since pyarrow is not installed: pip install 'dvhkit\\[archive]'", soft_wrap=True
        )


def _say_written(out: Path, names: Sequence[str]) -> None:
    from rich.text import Text

    from dvhkit.outputs.text import clean

    for name in names:
        out_console().print(Text.assemble(f"  {clean(str(out / name))}  ", (_WHAT[name], "dim")), soft_wrap=True)


def _exit_code(report: RunReport) -> int:
    rows = report.cases.values()
    if any(row["status"] not in ("audited", "error") for row in rows):
        return EXIT_FAULT
    if all(row["error"] for row in rows):
        return EXIT_UNUSABLE
    return 0 if all(row["all_met"] for row in rows) else EXIT_NOT_MET
