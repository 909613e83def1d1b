"""The record of who approved which contours: entries with content hashes, each sealed together with those before it."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.jobs.contours.grading import last_words, reviewers_compared
from dvhkit.jobs.contours.structure_sets import read_drawn, wanted
from dvhkit.results.contours.grades import (
    APPROVAL_SCHEMA,
    GRADES,
    UNACCEPTABLE,
    Approval,
    ApprovalCheck,
    RoiGrade,
    RoiHash,
)

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure, StructureSet

CONTEXT_KEY = "contour_approvers"
# Coordinates are texts: rounding beyond this is no change of a contour.
_PER_MM = 1000.0
_LONGEST = 64
# Professions that look at contours and are no physician's.
_OTHER_ROLE = re.compile(r"physicist|physiker|dosimetrist|therapist|radiographer|technolog|engineer|student", re.I)
_MOST_BYTES = 20_000_000


def structure_sha256(structure: Structure) -> str:
    """Return the SHA-256 of a structure's name and contours, in whatever order they are stored."""
    rings = sorted(
        contour.kind.value.encode() + np.rint(contour.points_mm * _PER_MM).astype("<i8").tobytes()
        for contour in structure.contours
    )
    digest = hashlib.sha256(structure.name.strip().encode())
    for ring in rings:
        digest.update(len(ring).to_bytes(8, "little") + ring)
    return digest.hexdigest()


def approve(
    path: Path,
    record: Path,
    *,
    reviewer: str,
    role: str = "radiation oncologist",
    roi: Sequence[str] | None = None,
    grades: Mapping[str, RoiGrade] | None = None,
) -> ApprovalCheck:
    """Add a reviewer's entry to a record, made if missing, and return how the record stands.

    Raises
    ------
    InputError
        If the record is no such record or was altered, a grade is of no structure, or nothing is drawn.
    """
    from dvhkit.outputs.files import write_text_whole

    for what, said in (("reviewer", reviewer), ("role", role)):
        if not said.strip() or len(said) > _LONGEST or not said.isprintable():
            raise InputError(f"the {what} is a name or code of 1 to {_LONGEST} characters.")
    structures = read_drawn(path).structures
    looked_at = [s for s in wanted(structures.structures, roi) if not s.is_empty]
    if not looked_at:
        raise InputError("nothing is drawn that could be approved.", path=path)
    given = grades or {}
    strange = sorted(set(given) - {s.name for s in looked_at})
    if strange:
        raise InputError(f"a grade is given for {strange[0]!r}, which is not among the structures looked at.")
    before = read_record(record) if record.exists() else ()
    faults = _seal_faults(before)
    if faults:
        raise InputError(faults[0], path=record, remedy="Begin a new record.")
    entry = Approval(
        reviewer=reviewer.strip(),
        role=role.strip(),
        time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        sop_instance_uid=structures.sop_instance_uid,
        rois=tuple(RoiHash(roi=s.name, sha256=structure_sha256(s)) for s in looked_at),
        grades=tuple(given.values()),
        seal="",
    )
    entries = (*before, replace(entry, seal=_seal(entry, before[-1].seal if before else "")))
    document = {"schema": APPROVAL_SCHEMA, "entries": [asdict(e) for e in entries]}
    write_text_whole(record, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return check_entries(entries, structures)


def read_record(path: Path) -> tuple[Approval, ...]:
    """Return the entries of a record.

    Raises
    ------
    InputError
        If it cannot be read, or is no such record.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError("is larger than any record of approvals.", path=path)
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != APPROVAL_SCHEMA:
            raise InputError("is no record of approvals.", path=path)
        return tuple(_entry(item) for item in document["entries"])
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}).", path=path) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is no record of approvals, or was cut off.", path=path) from error


def _entry(item: Mapping[str, Any]) -> Approval:
    grades = tuple(
        RoiGrade(roi=str(g["roi"]), grade=str(g["grade"]), reasons=tuple(map(str, g["reasons"])))
        for g in item["grades"]
    )
    if any(g.grade not in ("", *GRADES) for g in grades):
        raise ValueError
    texts = {key: str(item[key]) for key in ("reviewer", "role", "time", "sop_instance_uid", "seal")}
    rois = tuple(RoiHash(roi=str(r["roi"]), sha256=str(r["sha256"])) for r in item["rois"])
    return Approval(**texts, rois=rois, grades=grades)


def _seal(entry: Approval, before: str) -> str:
    text = json.dumps({**asdict(entry), "seal": before}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _seal_faults(entries: Sequence[Approval]) -> list[str]:
    before = ""
    for n, entry in enumerate(entries, start=1):
        if entry.seal != _seal(entry, before):
            return [f"Entry {n} of the record was altered, or one before it was taken out."]
        before = entry.seal
    return []


def check_record(record: Path, path: Path) -> ApprovalCheck:
    """Return whether a record holds for the structure set in a file or folder."""
    return check_entries(read_record(record), read_drawn(path).structures)


def check_entries(entries: Sequence[Approval], structures: StructureSet) -> ApprovalCheck:
    """Return whose approval holds for a structure set, and what speaks against the others."""
    faults = _seal_faults(entries)
    now = {s.name: structure_sha256(s) for s in structures if not s.is_empty}
    approvers = []
    for said in last_words(entries).values():
        changed = [roi for roi, word in said.of_rois.items() if now.get(roi) != word.sha256]
        refused = [roi for roi, word in said.of_rois.items() if word.grade == UNACCEPTABLE]
        if changed:
            faults.append(f"Changed or gone since {said.reviewer} approved them ({said.time}): {', '.join(changed)}.")
        if refused:
            faults.append(f"{said.reviewer} graded as {UNACCEPTABLE}: {', '.join(refused)}.")
        if not changed and not refused:
            approvers.append(said.reviewer)
    seen = {r.roi for entry in entries for r in entry.rois}
    kappas, disagreements = reviewers_compared(entries)
    altered = bool(_seal_faults(entries))
    return ApprovalCheck(
        approvers=() if altered else tuple(approvers),
        faults=tuple(faults),
        entries=tuple(entries),
        added=tuple(name for name in now if name not in seen),
        kappas=kappas,
        disagreements=disagreements,
    )


def with_evidence(
    case: Case, context: Mapping[str, object], records: Sequence[tuple[Approval, ...]]
) -> tuple[Case, dict[str, object]]:
    """Return the case and its context, with the number of approvers that records of its contours give evidence of.

    A record is of a case if it names the case's structure set, or holds for its contours. What it says replaces what
    the context states: every contour that anybody looked at has as many approvers, or more. Whose role is another than
    a physician's does not count.
    """
    answered = dict(context)
    approvers: dict[str, set[str]] = {}
    faults: list[str] = []
    found = False
    for entries in records:
        check = check_entries(entries, case.structures)
        if case.structures.sop_instance_uid in {e.sop_instance_uid for e in entries} or check.approvers:
            found = True
            faults += check.faults
            for key, said in last_words(entries).items():
                for roi in said.of_rois:
                    counts = said.reviewer in check.approvers and not _OTHER_ROLE.search(said.role)
                    approvers.setdefault(roi, set()).update({key} if counts else ())
    if not found:
        return case, answered
    answered[CONTEXT_KEY] = min(map(len, approvers.values()), default=0)
    told = [Finding(level=Level.WARNING, code="approval-does-not-hold", message=fault) for fault in faults]
    return replace(case, findings=(*case.findings, *told)), answered
