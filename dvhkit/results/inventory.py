"""What lies in a folder, told without a name: plain frozen records, to JSON by `dataclasses.asdict`."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """One DICOM object: what it is, its UID, and its path as a string."""

    role: str
    modality: str
    description: str
    sop_instance_uid: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRecord:
    """One series; the slices of an image series are counted, and listed like any other object."""

    series_instance_uid: str
    modality: str
    description: str
    frame_of_reference_uid: str
    n_objects: int
    objects: tuple[ObjectRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """One study."""

    study_instance_uid: str
    series: tuple[SeriesRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRecord:
    """One patient, by a number that counts from 1 in the order of paths."""

    number: int
    studies: tuple[StudyRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TripleRecord:
    """One (structure set, plan, dose) triple with its image; `problem` says why it cannot be read, if so.

    Attributes
    ----------
    rois
        Names of the structures, if the triple was read.
    """

    label: str
    rtstruct: str | None
    rtdose: tuple[str, ...]
    rtplan: str | None
    n_image_files: int
    links: tuple[str, ...]
    findings: tuple[Finding, ...]
    problem: str | None
    rois: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRecord:
    """A DICOM file that cannot be read, why, and what can be done about it."""

    path: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything in a folder; plain, so that ``dataclasses.asdict`` gives JSON.

    Attributes
    ----------
    counts
        Objects by role, and ``copies``, ``conflicting`` (image slices left out because another bears their UID),
        ``unreadable``, ``not_dicom``: together every file once.
    """

    root: str
    patients: tuple[PatientRecord, ...]
    triples: tuple[TripleRecord, ...]
    findings: tuple[Finding, ...]
    unreadable: tuple[UnreadableRecord, ...]
    counts: dict[str, int]
