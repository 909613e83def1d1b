"""What a run writes beside its store: index.html and summary.csv always; the rest where somebody can read it.

::

    RUN/index.html       cases by rules, links to reports
    RUN/summary.csv      a row a case and rule
    RUN/audit.json       up to 500 cases
    RUN/report.html      up to 30 cases on one page; one plan with its slices
    RUN/reports/*.html   a report a case, where there are 2 to 500
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.archive.run_index import INDEX, REPORTS, report_path, write_index
from dvhkit.archive.storage.store import Store
from dvhkit.errors import DvhkitError
from dvhkit.outputs.csv_text import summary_csv
from dvhkit.outputs.files import write_text_whole
from dvhkit.outputs.records import json_text, read_audit, records_of_cases
from dvhkit.results.audit import AUDIT_SCHEMA, AuditRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.results.attachment import Attachment
    from dvhkit.results.scene import Scene

# A JSON file of a gigabyte, or a page of a thousand plots, serves nobody: larger runs are asked through their store.
MOST_IN_JSON = 500
MOST_IN_REPORT = 30
MOST_IN_SHORT = 300
MOST_REPORTS = 500
# In the head of a report of one page a case.
SHORT_MARK = '<meta name="dvhkit-form" content="short">'
_HEAD_BYTES = 4096
_AT_A_TIME = 50


def records_of(store: Store, only: Collection[str] | None = None) -> Iterator[AuditRecord]:
    """Yield the record of each case in a store (or of some), some at a time in memory."""
    batch: list[object] = []
    for document in store.documents():
        if only is not None and document["case"] not in only:
            continue
        batch.append(document)
        if len(batch) == _AT_A_TIME:
            yield from _records(batch)
            batch = []
    yield from _records(batch)


def _records(documents: Sequence[object]) -> tuple[AuditRecord, ...]:
    return records_of_cases(documents)


def write_case_report(
    run: Path, record: AuditRecord, scene: Scene | None = None, *, told: Mapping[str, object] | None = None
) -> None:
    """Write the report of one case of a run beside those of the others; `told` is its `audit_document`, if at hand."""
    from dvhkit.outputs.report.case_report import html_report
    from dvhkit.outputs.report.seal import text_sha256

    digest = None if told is None else text_sha256(json_text(told))
    write_text_whole(report_path(run, record.case), html_report([record], scene=scene, digest=digest))


def has_case_reports(n_cases: int) -> bool:
    """Return whether each case of a run of so many has a report of its own."""
    return 1 < n_cases <= MOST_REPORTS


def write_run_files(
    store: Store,
    n_cases: int,
    scene: Scene | None = None,
    *,
    short: bool = False,
    with_reports: bool | None = None,
    attachments: Sequence[Attachment] = (),
    keep_report: bool = False,
    records: Mapping[str, AuditRecord] | None = None,
) -> list[str]:
    """Write what stands beside the store of a run, and return the names of what was written.

    audit.json and report.html hold every case, so they are left out (and old ones taken away) where there are too many.

    Parameters
    ----------
    scene
        What the report of one plan shows of the patient.
    short
        One page a case in report.html.
    with_reports
        Whether each case has a report of its own; None for where there are few enough. Reports that are there stay:
        whoever computes a case writes its report.
    attachments
        What is filed in the report of one plan.
    keep_report
        A report of one plan that is there stays, with its slices, attachments and signatures, which no store holds.
    records
        Those of the store by case, where they were read already.
    """
    run = store.run
    written = ["summary.csv"]
    rows = _summary_rows(store)
    with_reports = has_case_reports(n_cases) if with_reports is None else with_reports
    lacking = {case for case in rows if with_reports and not report_path(run, case).exists()}
    is_on_one_page = n_cases <= _most(short=short)
    kept = dict(records or {}) if is_on_one_page else {}
    wanted = (set(rows) if is_on_one_page else lacking) - set(kept)
    for record in records_of(store, wanted) if wanted else ():
        if is_on_one_page:
            kept[record.case] = record
        elif record.case in lacking:
            write_case_report(run, record)
    for case in lacking & set(kept):
        write_case_report(run, kept[case])
    write_text_whole(run / "summary.csv", "".join([summary_csv([]), *(rows[case] for case in sorted(rows))]))
    audit_json = None
    if n_cases <= MOST_IN_JSON:
        cases = sorted(store.documents(), key=lambda d: str(d["case"]))
        audit_json = json_text({"schema": AUDIT_SCHEMA, "cases": cases})
        write_text_whole(run / "audit.json", audit_json)
        written.append("audit.json")
    if keep_report and n_cases == 1 and (run / "report.html").exists():
        written.append("report.html")
    elif is_on_one_page:
        from dvhkit.outputs.report.case_report import html_report
        from dvhkit.outputs.report.seal import text_sha256

        shown = [kept[case] for case in sorted(kept)]
        digest = None if audit_json is None else text_sha256(audit_json)
        html = html_report(shown, scene=scene, short=short, attachments=attachments, digest=digest)
        write_text_whole(run / "report.html", html)
        written.append("report.html")
    for name in {"audit.json", "report.html"} - set(written):
        (run / name).unlink(missing_ok=True)
    _drop_reports(run, set(rows) if with_reports else set())
    write_index(store)
    return [*written, INDEX]


def _summary_rows(store: Store) -> dict[str, str]:
    """Return the lines of summary.csv by case."""
    rows = dict(store.summaries())
    untold = {case for case, text in rows.items() if text is None}
    for record in records_of(store, untold) if untold else ():
        rows[record.case] = summary_csv([record]).removeprefix(summary_csv([]))
    return {case: text or "" for case, text in rows.items()}


def _drop_reports(run: Path, cases: set[str]) -> None:
    """Take away the reports of cases that are no longer there."""
    expected = {report_path(run, case) for case in cases}
    for path in (run / REPORTS).glob("*.html"):
        if path not in expected:
            path.unlink(missing_ok=True)


def has_run_files(run: Path, n_cases: int, *, short: bool = False) -> bool:
    """Return whether the files that a run of so many cases writes are there, the report in the form asked for."""
    names = ["summary.csv", INDEX]
    names += ["audit.json"] if n_cases <= MOST_IN_JSON else []
    names += ["report.html"] if n_cases <= _most(short=short) else []
    return all((run / name).exists() for name in names) and _is_short(run / "report.html") == short


def _most(*, short: bool) -> int:
    return MOST_IN_SHORT if short else MOST_IN_REPORT


def _is_short(report: Path) -> bool:
    try:
        with report.open("rb") as file:
            return SHORT_MARK.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def protocols_in(run: Path) -> dict[str, str]:
    """Return the protocol's ID of each case whose result is in a run's folder, by its store or by its audit.json."""
    store = Store(run)
    if (store.folder / "store.json").exists():
        return {case: str(row["protocol_id"] or "") for case, row in store.cases().items()}
    try:
        records = read_audit((run / "audit.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeError, DvhkitError):
        return {}
    return {record.case: record.protocol_id for record in records}
