"""One case of a run, in whatever process: read, audited, written into the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.archive.storage.keys import CAUSES, FileHashes, Key, content_digests, contours_digest, key_of
from dvhkit.archive.storage.store import Store
from dvhkit.engine.numba_start import start_numba
from dvhkit.engine.numerics import NUMERICS_VERSION
from dvhkit.errors import EngineError, OutputError
from dvhkit.jobs.batch import AuditOptions, CaseOutcome, audit_files, failed_record
from dvhkit.outputs.csv_text import summary_csv
from dvhkit.outputs.records import audit_document, case_text
from dvhkit.results.audit import AuditRecord, Verdict

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.outputs.report.article import Article
    from dvhkit.readers.case import CaseFiles

# What happened to a case. The last four may end otherwise the next time, and are tried again.
AUDITED, ERROR = "audited", "error"
FAULT, CRASHED, TIMEOUT, MEMORY = "fault", "crashed", "timeout", "memory"
FINAL = (AUDITED, ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all cases of a run share: where they lie, where results go, the options by name, and what is drawn.

    `reports` says whether each case gets a report of its own, `pictures` whether that shows the patient, and
    `articles` whether what it shows is handed back for a page of all cases.
    """

    run: Path
    root: Path
    options: Mapping[str, AuditOptions]
    reports: bool = False
    pictures: bool = False
    articles: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One case to do; `threads` of them compute its DVHs side by side, 0 for as many as the process has."""

    case_id: str
    files: CaseFiles
    options: str
    patient: str | None = None
    threads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What the run needs to know of a finished case; `article` is its report, where that is handed back."""

    case_id: str
    status: str
    all_met: bool
    hashes: dict[str, str] = field(default_factory=dict)
    article: Article | None = None


_setup: list[Setup] = []


def warm() -> None:
    """Start the engine and load what every case needs; called once a process, before there is a case."""
    start_numba()
    import dvhkit.jobs.audit
    import dvhkit.outputs.report.case_report  # noqa: F401


def prepare(setup: Setup) -> None:
    """Take in what all cases share; called once a process."""
    _setup[:] = [setup]


def do(task: Task) -> Done:
    """Audit one case and write it into the store.

    Raises
    ------
    OutputError
        If the store takes nothing more.
    """
    return audit_task(_setup[0], task)


def audit_task(setup: Setup, task: Task, *, seen: Callable[[Case], object] | None = None) -> Done:
    """Audit one case and write it into the store of `setup`; `seen` is called with what was read."""
    from dvhkit.jobs.numbers import side_by_side  # this process hands out cases, too, and needs no engine for that

    started = time.monotonic()
    options = setup.options[task.options]
    hashes = FileHashes()
    structures: list[dict[str, Any]] = []
    content: dict[str, str] = {}

    read: list[Case] = []

    def see(case: Case) -> None:
        if setup.pictures:
            read.append(case)
        structures.extend(_structure_rows(case))
        content.update(content_digests(case, [row["contours"] for row in structures]))
        if seen is not None:
            seen(case)

    key = _key(task.files, options, hashes)
    with side_by_side(task.threads):
        outcome = audit_files(task.files, options, setup.root, seen=see)
    status = _status(outcome)
    told = audit_document([outcome.record])
    document = case_document(
        task, outcome.record, status, told, key=key, structures=structures, seconds=time.monotonic() - started
    )
    document["case"]["content"] = json.dumps(content)
    document["text"] = case_text(document["document"])
    article = None
    if setup.reports:
        article = _write_report(setup, outcome.record, document["text"], read[0] if read else None)
    # After the report: a case that is in the store is not done again.
    Store(setup.run).put(document)
    return Done(
        case_id=task.case_id,
        status=status,
        all_met=outcome.record.all_met,
        hashes=hashes.kept(),
        article=article if setup.articles else None,
    )


def _write_report(setup: Setup, record: AuditRecord, text: str, case: Case | None) -> Article | None:
    """Write the report of a case, and return what a page of all cases shows of it: no pictures."""
    from dvhkit.archive.run_files import write_case_report

    if not setup.pictures or case is None:
        return write_case_report(setup.run, record, text=text)
    from dvhkit.jobs.pictures.scene import gather_scene

    write_case_report(setup.run, record, gather_scene(case, record), text=text)
    return None


def put_failure(setup: Setup, task: Task, status: str, reason: str, seconds: float) -> Done:
    """Write a case into the store that came to nothing: its process crashed, hung or ran out of memory."""
    record = failed_record(task.case_id, setup.options[task.options].protocol, reason)
    Store(setup.run).put(case_document(task, record, status, audit_document([record]), seconds=seconds))
    return Done(case_id=task.case_id, status=status, all_met=False)


def case_document(
    task: Task,
    record: AuditRecord,
    status: str,
    told: Mapping[str, object],
    *,
    key: Key | None = None,
    structures: Sequence[dict[str, Any]] = (),
    seconds: float,
) -> dict[str, Any]:
    """Return what the store keeps of a finished case; see `dvhkit.archive.storage.tables`.

    `told` is `dvhkit.outputs.records.audit_document` of its record.
    """
    cases: Any = told["cases"]
    counts = record.counts()
    files = task.files
    parts = dict(key.parts) if key is not None else dict.fromkeys(CAUSES, "")
    provenance = record.provenance
    return {
        "case": {
            "case_id": task.case_id,
            "status": status,
            "error": record.error,
            "all_met": record.all_met,
            "n_rules": len(record.rules) - counts[Verdict.NOT_APPLICABLE],
            "n_pass": counts[Verdict.PASS] + counts[Verdict.VARIATION] + counts[Verdict.WAIVED],
            "n_fail": counts[Verdict.FAIL],
            "n_findings": sum(f.level.value != "info" for f in record.findings),
            "protocol_id": record.protocol_id,
            "protocol_version": record.protocol_version,
            "prescription": record.prescription,
            "context": json.dumps(record.context or {}, sort_keys=True, default=str),
            "patient": task.patient,
            "key": key.whole if key is not None else "",
            "key_parts": json.dumps(parts),
            "numerics_version": NUMERICS_VERSION,
            "dvhkit_version": provenance.dvhkit_version if provenance else None,
            "rtstruct": files.rtstruct.name if files.rtstruct else None,
            "rtplan": files.rtplan.name if files.rtplan else None,
            "rtdose": " + ".join(path.name for path in files.rtdose) or None,
        },
        "document": cases[0],
        "structures": list(structures),
        "summary": summary_csv([record]).removeprefix(summary_csv([])),
        "run": {
            "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "dvhkit_version": provenance.dvhkit_version if provenance else None,
            "engine": provenance.engine if provenance else None,
            "libraries": json.dumps(provenance.libraries) if provenance else None,
            "inputs": json.dumps([[i.role, i.path, i.sha256] for i in provenance.inputs]) if provenance else None,
        },
    }


def _key(files: CaseFiles, options: AuditOptions, hashes: FileHashes) -> Key | None:
    try:
        return key_of(files, options, hashes)
    except OSError:
        return None  # the audit says which file cannot be read


def _status(outcome: CaseOutcome) -> str:
    if outcome.error is None:
        return AUDITED
    if isinstance(outcome.error, OutputError):
        raise outcome.error
    if isinstance(outcome.error, EngineError):
        # A lack of memory is the machine's, not the case's.
        return MEMORY if "MemoryError" in outcome.error.message else FAULT
    return ERROR


def _structure_rows(case: Case) -> list[dict[str, Any]]:
    return [
        {
            "roi": s.name,
            "roi_number": s.number,
            "roi_type": s.rt_roi_type,
            "n_contours": len(s.contours),
            "contours": contours_digest(s),
        }
        for s in case.structures
    ]
