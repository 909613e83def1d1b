"""Many cases under one folder: each is audited by itself, and one that fails does not stop the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dvhkit.errors import DvhkitError, EngineError, InputError
from dvhkit.jobs.audit_options import AuditOptions
from dvhkit.jobs.contours.approvals import with_evidence
from dvhkit.jobs.prescription import with_user_prescription
from dvhkit.jobs.read import read_files
from dvhkit.model.case import Case
from dvhkit.protocols.files.load import Protocol
from dvhkit.protocols.files.waivers import apply_waivers
from dvhkit.readers.linking.case_files import CaseFiles
from dvhkit.readers.linking.choose import find_cases
from dvhkit.results.audit import AuditRecord

__all__ = ["AuditOptions", "CaseOutcome", "audit_cases", "audit_files", "audit_one", "find_cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """One case's record; `error` is what stopped it, if anything did; `case` what was read, where it was to be kept."""

    record: AuditRecord
    error: DvhkitError | None = None
    case: Case | None = None


def audit_cases(
    work: Sequence[CaseFiles], options: AuditOptions, *, root: Path | None = None, keep: bool = False
) -> Iterator[CaseOutcome]:
    """Audit each case of `work` in turn, and yield its outcome.

    Parameters
    ----------
    root
        Input files are recorded by their path below this folder: a path above it may name a patient.
    keep
        Keep each case that was read with its outcome, such as for the pictures of a report.
    """
    for files in work:
        yield audit_files(files, options, root, keep=keep)


def audit_one(case: Case, options: AuditOptions, *, root: Path | None = None) -> AuditRecord:
    """Audit a case that was read, with the prescription that the user gave; `root` as in `audit_cases`."""
    from dvhkit.jobs.audit import record_of  # the engine loads where cases are worked on, not where they are handed out

    case = with_user_prescription(case, rx_gy=options.rx_gy, fractions=options.fractions)
    if options.approvals:
        case, context = with_evidence(case, options.context, options.approvals)
        options = replace(options, context=context)
    record = record_of(case, options)
    if options.waivers:
        record = replace(record, rules=apply_waivers(record.rules, options.waivers))
    return _below(record, root)


def audit_files(
    files: CaseFiles,
    options: AuditOptions,
    root: Path | None,
    *,
    keep: bool = False,
    seen: Callable[[Case], object] | None = None,
) -> CaseOutcome:
    """Read a case and audit it; what goes wrong is in the outcome.

    `seen` is called with the case that was read; `keep` keeps it with the outcome.
    """
    try:
        case = read_files(files, dose="if usable")
        case = with_user_prescription(case, rx_gy=options.rx_gy, fractions=options.fractions)
        if seen is not None:
            seen(case)
        return CaseOutcome(record=audit_one(case, options, root=root), case=case if keep else None)
    except DvhkitError as error:
        return _failed(files, options, error, root)
    except OSError as error:
        # A share that went away between two looks at a file.
        lost = InputError(f"cannot be read ({error.strerror}).", path=error.filename, remedy="Check the folder.")
        return _failed(files, options, lost, root)
    except Exception as error:  # noqa: BLE001 -- a fault in one case must not cost the others their result
        fault = EngineError(f"{type(error).__name__}: {error}")
        return CaseOutcome(
            record=failed_record(files.label, options.protocol, f"a fault of ours: {fault}"), error=fault
        )


def _failed(files: CaseFiles, options: AuditOptions, error: DvhkitError, root: Path | None) -> CaseOutcome:
    told = str(error) if root is None else told_below(str(error), root)
    return CaseOutcome(record=failed_record(files.label, options.protocol, told), error=error)


def failed_record(label: str, protocol: Protocol, message: str) -> AuditRecord:
    """Return the record of a case that could not be judged."""
    return AuditRecord(
        case=label,
        protocol_id=protocol.id,
        protocol_version=protocol.version,
        protocol_title=protocol.title,
        error=message,
    )


def told_below(text: str, root: Path) -> str:
    """Return a message with each path below `root` told from there: what lies above may name a patient or a machine."""
    for base in sorted({str(root), str(root.absolute()), str(root.resolve())}, key=len, reverse=True):
        if base not in ("", os.curdir, os.sep):
            text = text.replace(base.rstrip(os.sep) + os.sep, "")
    return text


def _below(record: AuditRecord, root: Path | None) -> AuditRecord:
    if root is None or record.provenance is None:
        return record
    inputs = tuple(replace(i, path=_relative(i.path, root)) for i in record.provenance.inputs)
    findings = tuple(replace(f, message=told_below(f.message, root)) for f in record.findings)
    return replace(record, findings=findings, provenance=replace(record.provenance, inputs=inputs))


def _relative(path: str, root: Path) -> str:
    return str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else Path(path).name
