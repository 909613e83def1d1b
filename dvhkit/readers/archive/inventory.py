"""What lies in a folder, told without a name: patients by number, their studies, series, objects, and the links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from dvhkit.errors import DvhkitError
from dvhkit.findings import Finding, Level
from dvhkit.model.case import Case
from dvhkit.readers.archive.index import DicomIndex, FileEntry
from dvhkit.readers.archive.roles import Role
from dvhkit.readers.linking.case_files import CaseFiles
from dvhkit.readers.linking.link import link
from dvhkit.readers.wording import counted, shown
from dvhkit.results.inventory import (
    Inventory,
    ObjectRecord,
    PatientRecord,
    SeriesRecord,
    StudyRecord,
    TripleRecord,
    UnreadableRecord,
)


def make_inventory(index: DicomIndex, *, read: Callable[[CaseFiles], Case] | None = None) -> Inventory:
    """Return the inventory of an index. An empty one is no error: it says what is not there.

    With `read` each triple is read too, so that its findings are those of its contours and pixels as well.
    """
    roles = Counter(entry.role.value for entry in index.entries)
    counts = {role.value: roles.get(role.value, 0) for role in Role}
    kept = {entry.path for entry in index.entries}
    counts |= {
        "conflicting": sum(other not in kept for _, other in index.conflicts),
        "copies": len(index.duplicates),
        "unreadable": len(index.unreadable),
        "not_dicom": len(index.not_dicom),
    }
    return Inventory(
        root=str(index.root),
        patients=_patients(index),
        triples=tuple(_triple(case, read) for case in link(index)),
        findings=tuple(_findings(index)),
        unreadable=tuple(
            UnreadableRecord(path=str(u.path), reason=u.reason, remedy=u.remedy or "") for u in index.unreadable
        ),
        counts=counts,
    )


def _patients(index: DicomIndex) -> tuple[PatientRecord, ...]:
    patients: dict[str, dict[str, dict[str, list[FileEntry]]]] = {}
    for entry in index.entries:
        studies = patients.setdefault(entry.patient_key, {})
        studies.setdefault(entry.study_uid, {}).setdefault(entry.series_uid, []).append(entry)
    return tuple(
        PatientRecord(
            number=number,
            studies=tuple(
                StudyRecord(study_instance_uid=uid, series=tuple(_series(s, found) for s, found in series.items()))
                for uid, series in studies.items()
            ),
        )
        for number, studies in enumerate(patients.values(), start=1)
    )


def _series(uid: str, entries: list[FileEntry]) -> SeriesRecord:
    return SeriesRecord(
        series_instance_uid=uid,
        modality=entries[0].modality,
        description=entries[0].description,
        frame_of_reference_uid=entries[0].frame_of_reference_uid,
        n_objects=len(entries),
        objects=tuple(
            ObjectRecord(
                role=e.role.value,
                modality=e.modality,
                description=e.header.summary if e.header is not None else "",
                sop_instance_uid=e.sop_instance_uid,
                path=str(e.path),
            )
            for e in entries
        ),
    )


def _triple(case: CaseFiles, read: Callable[[CaseFiles], Case] | None) -> TripleRecord:
    problem, findings = case.problem, case.findings
    rois: tuple[str, ...] = ()
    if read is not None and problem is None:
        try:
            whole = read(case)
            findings, rois = whole.findings, whole.structures.names
        except DvhkitError as error:
            problem = error
    return TripleRecord(
        label=case.label,
        rtstruct=str(case.rtstruct) if case.rtstruct else None,
        rtdose=tuple(map(str, case.rtdose)),
        rtplan=str(case.rtplan) if case.rtplan else None,
        n_image_files=len(case.image),
        links=case.links,
        findings=findings,
        problem=str(problem) if problem else None,
        rois=rois,
    )


def _findings(index: DicomIndex) -> list[Finding]:
    findings = []
    if index.duplicates:
        message = f"{counted(len(index.duplicates), 'file')} left out, byte for byte the same as another."
        findings.append(Finding(level=Level.INFO, code="duplicate-files", message=message))
    for first, other in index.conflicts:
        message = f"{shown(first, index.root)} and {shown(other, index.root)} claim to be the same object, but differ."
        findings.append(Finding(level=Level.SERIOUS, code="same-uid-differs", message=message, where=other.name))
    if index.unreadable:
        message = (
            f"{counted(len(index.unreadable), 'DICOM file')} left out, unreadable: each is listed with the reason."
        )
        findings.append(Finding(level=Level.WARNING, code="unreadable-files", message=message))
    return findings
