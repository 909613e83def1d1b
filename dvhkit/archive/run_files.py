"""What a run writes beside its store: summary.csv always; audit.json and report.html where somebody can read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.archive.store import Store
from dvhkit.outputs.csv_text import summary_csv
from dvhkit.outputs.files import write_text_whole
from dvhkit.outputs.records import json_text, read_audit
from dvhkit.results.audit import AUDIT_SCHEMA, AuditRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.results.scene import Scene

# A JSON file of a gigabyte, or a page of a thousand plots, serves nobody: larger runs are asked through their store.
MOST_IN_JSON = 500
MOST_IN_REPORT = 30
_AT_A_TIME = 50


def records_of(store: Store) -> Iterator[AuditRecord]:
    """Yield the record of each case in a store, some at a time in memory."""
    batch: list[object] = []
    for document in store.documents():
        batch.append(document)
        if len(batch) == _AT_A_TIME:
            yield from _records(batch)
            batch = []
    yield from _records(batch)


def _records(documents: Sequence[object]) -> tuple[AuditRecord, ...]:
    return read_audit(json_text({"schema": AUDIT_SCHEMA, "cases": list(documents)})) if documents else ()


def write_run_files(store: Store, n_cases: int, scene: Scene | None = None) -> list[str]:
    """Write summary.csv, audit.json and report.html of a run, and return the names of those that were written.

    `scene` is what the report of one plan shows of the patient. audit.json and report.html hold every case, so they are
    left out (and old ones taken away) where there are too many.
    """
    run = store.run
    written = ["summary.csv"]
    heading = ""
    rows: dict[str, str] = {}
    kept: dict[str, AuditRecord] = {}
    for record in records_of(store):
        heading, _, rows[record.case] = summary_csv([record]).partition("\n")
        if n_cases <= MOST_IN_REPORT:
            kept[record.case] = record
    write_text_whole(run / "summary.csv", "".join([heading, "\n", *(rows[case] for case in sorted(rows))]))
    if n_cases <= MOST_IN_JSON:
        documents = sorted(store.documents(), key=lambda d: str(d["case"]))
        write_text_whole(run / "audit.json", json_text({"schema": AUDIT_SCHEMA, "cases": documents}))
        written.append("audit.json")
    if n_cases <= MOST_IN_REPORT:
        from dvhkit.outputs.report.case_report import html_report

        write_text_whole(run / "report.html", html_report([kept[case] for case in sorted(kept)], scene=scene))
        written.append("report.html")
    for name in {"audit.json", "report.html"} - set(written):
        (run / name).unlink(missing_ok=True)
    return written


def has_run_files(run: Path, n_cases: int) -> bool:
    """Return whether the files that a run of so many cases writes are there."""
    names = ["summary.csv"]
    names += ["audit.json"] if n_cases <= MOST_IN_JSON else []
    names += ["report.html"] if n_cases <= MOST_IN_REPORT else []
    return all((run / name).exists() for name in names)
