"""What a run writes beside its store: index.html and summary.csv always; the rest where somebody can read it.

::

    RUN/index.html       cases by rules, links to reports
    RUN/summary.csv      a row a case and rule
    RUN/audit.json       up to 500 cases
    RUN/report.html      up to 30 cases on one page; one plan with its slices
    RUN/reports/*.html   a report a case, where there are 2 to 500
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.archive.run_index import INDEX, REPORTS, report_path, write_index
from dvhkit.archive.storage.store import Store
from dvhkit.errors import DvhkitError
from dvhkit.outputs.csv_text import summary_csv
from dvhkit.outputs.files import write_text_whole
from dvhkit.outputs.records import audit_text, case_text, read_audit, records_of_texts
from dvhkit.results.audit import AuditRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.outputs.report.article import Article
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
    batch: list[str] = []
    for case_id, text in store.texts():
        if only is not None and case_id not in only:
            continue
        batch.append(text)
        if len(batch) == _AT_A_TIME:
            yield from records_of_texts(batch)
            batch = []
    yield from records_of_texts(batch)


def write_case_report(
    run: Path, record: AuditRecord, scene: Scene | None = None, *, text: str | None = None
) -> Article | None:
    """Write the report of one case of a run beside those of the others, and return it drawn where it has no pictures.

    `text` is the `case_text` of the record, if at hand.
    """
    from dvhkit.outputs.report.article import article_of
    from dvhkit.outputs.report.case_report import html_report, report_of
    from dvhkit.outputs.report.seal import record_sha256, text_sha256

    digest = record_sha256([record]) if text is None else text_sha256(audit_text([text]))
    article = article_of(record) if scene is None else None
    page = html_report([record], scene=scene, digest=digest) if article is None else report_of([article], digest)
    write_text_whole(report_path(run, record.case), page)
    return article


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
    articles: Mapping[str, Article] | None = None,
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
    articles
        Cases of the store that were drawn already, in the language of the environment.
    """
    run = store.run
    rows = _summary_rows(store)
    with_reports = has_case_reports(n_cases) if with_reports is None else with_reports
    is_on_one_page = n_cases <= _most(short=short)
    drawn = dict(articles or {}) if is_on_one_page and n_cases > 1 and not short else {}
    kept = dict(records or {}) if is_on_one_page else {}
    lacking = {case for case in rows if with_reports and not report_path(run, case).exists()}
    wanted = lacking | (set(rows) - set(drawn) if is_on_one_page else set())
    for record in (*kept.values(), *records_of(store, wanted - set(kept))) if wanted else ():
        if record.case in lacking:
            write_case_report(run, record)
        if is_on_one_page:
            kept[record.case] = record
    write_text_whole(run / "summary.csv", "".join([summary_csv([]), *(rows[case] for case in sorted(rows))]))
    written = ["summary.csv"]
    if n_cases <= MOST_IN_JSON:
        audit_json = audit_text(_as_written(text) for _, text in sorted(store.texts()))
        write_text_whole(run / "audit.json", audit_json)
        written.append("audit.json")
        if is_on_one_page and not (keep_report and n_cases == 1 and (run / "report.html").exists()):
            cases = [drawn.get(case) or kept[case] for case in sorted(rows)]
            html = _report(cases, audit_json, scene=scene, short=short, attachments=attachments)
            write_text_whole(run / "report.html", html)
        written += ["report.html"] if is_on_one_page else []
    for name in {"audit.json", "report.html"} - set(written):
        (run / name).unlink(missing_ok=True)
    _drop_reports(run, set(rows) if with_reports else set())
    write_index(store)
    return [*written, INDEX]


def _report(
    cases: Sequence[AuditRecord | Article],
    audit_json: str,
    *,
    scene: Scene | None,
    short: bool,
    attachments: Sequence[Attachment],
) -> str:
    """Return the report of all cases on one page, of which some may be drawn already."""
    from dvhkit.outputs.report.article import Article, article_of
    from dvhkit.outputs.report.case_report import html_report, report_of
    from dvhkit.outputs.report.seal import text_sha256

    digest = text_sha256(audit_json)
    records = [case for case in cases if not isinstance(case, Article)]
    if short or len(cases) == 1:
        return html_report(records, scene=scene, short=short, attachments=attachments, digest=digest)
    return report_of([case if isinstance(case, Article) else article_of(case) for case in cases], digest)


def _as_written(text: str) -> str:
    """Return a case as it stands in audit.json; an older dvhkit kept it on one line."""
    return text if text.startswith("{\n") else case_text(json.loads(text))


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
