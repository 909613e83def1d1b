"""What lies in a folder: every DICOM file's header, found by content, whatever it is called."""

from __future__ import annotations

import filecmp
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dvhkit.errors import DicomReadError, DvhkitError, InputError
from dvhkit.readers.archive.person import Person, person_of
from dvhkit.readers.archive.roles import HEADER_TAGS, OBJECT_OF, Role, last_for, role_of
from dvhkit.readers.files.dicom_file import quiet_pydicom, reading
from dvhkit.readers.files.elements import (
    DataSet,
    charset_of,
    name_text,
    text,
)
from dvhkit.readers.files.header_file import read_header
from dvhkit.readers.files.headers import (
    DoseHeader,
    Header,
    ImageHeader,
    PlanHeader,
    RegistrationHeader,
    StructureSetHeader,
)

# Waiting for a network drive overlaps; parsing holds the interpreter's lock, so few files are read faster in turn.
_THREADS = 4
_MANY_FILES = 400
_CHUNK = 32
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_EXPORT_AGAIN = "Copy or export the file again: it is cut short."

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One DICOM file, by its header.

    Attributes
    ----------
    patient_key
        Digest of the patient's ID, or else name: tells patients apart and is never shown. Empty where there is
        neither.
    person
        What else is said of the patient, for comparison; never shown.
    """

    path: Path
    role: Role
    modality: str
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    description: str
    patient_key: str = field(repr=False)
    header: Header | None = field(repr=False)
    person: Person = field(default_factory=Person, repr=False)

    def image(self) -> ImageHeader:
        """Return the header of an image."""
        assert isinstance(self.header, ImageHeader)
        return self.header

    def structures(self) -> StructureSetHeader:
        """Return the header of a structure set."""
        assert isinstance(self.header, StructureSetHeader)
        return self.header

    def plan(self) -> PlanHeader:
        """Return the header of a plan."""
        assert isinstance(self.header, PlanHeader)
        return self.header

    def dose(self) -> DoseHeader:
        """Return the header of a dose grid."""
        assert isinstance(self.header, DoseHeader)
        return self.header

    def registration(self) -> RegistrationHeader:
        """Return the header of a registration."""
        assert isinstance(self.header, RegistrationHeader)
        return self.header


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file that is DICOM but cannot be read, and why."""

    path: Path
    reason: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomIndex:
    """Every DICOM object under a folder.

    Attributes
    ----------
    entries
        One a SOP instance, ordered by path; more than one where files claim one identity but differ.
    duplicates
        Byte-for-byte copies of a file in `entries`, left out: (file kept, copy).
    conflicts
        Files that bear one SOP instance UID but differ: (first, other). RT objects are both in `entries`, since
        nobody can say which is meant; of image slices only the first is.
    not_dicom
        Files that are something else.
    """

    root: Path
    entries: tuple[FileEntry, ...]
    duplicates: tuple[tuple[Path, Path], ...] = ()
    conflicts: tuple[tuple[Path, Path], ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    not_dicom: tuple[Path, ...] = ()

    def of_role(self, role: Role) -> tuple[FileEntry, ...]:
        """Return the entries that play `role`."""
        return tuple(entry for entry in self.entries if entry.role is role)


def scan(path: Path | str, *, progress: Progress | None = None) -> DicomIndex:
    """Return the index of all DICOM files at or under `path`, read by their headers only.

    Parameters
    ----------
    path
        A folder of any depth, or one file.
    progress
        Called after each file with the number of files looked at so far.

    Raises
    ------
    InputError
        If there is no such file or folder.
    """
    root = Path(path)
    if not root.exists():
        raise InputError("there is no such file or folder.", path=root, remedy="Check the name.")
    return index_files(find_files(root), root=root, progress=progress)


def index_files(
    files: list[Path],
    *,
    root: Path,
    progress: Progress | None = None,
    seen: Callable[[FileEntry], None] | None = None,
) -> DicomIndex:
    """Return the index of the given files; `seen` is called with each entry as it is found."""
    found: list[FileEntry] = []
    unreadable: list[Unreadable] = []
    not_dicom: list[Path] = []
    with quiet_pydicom():
        for count, (file, result) in enumerate(zip(files, _entries(files), strict=True), start=1):
            if isinstance(result, FileEntry):
                found.append(result)
                if seen is not None:
                    seen(result)
            elif result is None:
                not_dicom.append(file)
            else:
                place = f"{result.where}: " if result.where else ""
                unreadable.append(Unreadable(path=file, reason=place + result.message, remedy=result.remedy))
            if progress is not None:
                progress(count)
    entries, duplicates, conflicts = _sort_out(found)
    return DicomIndex(
        root=root,
        entries=tuple(entries),
        duplicates=tuple(duplicates),
        conflicts=tuple(conflicts),
        unreadable=tuple(unreadable),
        not_dicom=tuple(not_dicom),
    )


def _entries(files: list[Path]) -> Iterator[FileEntry | DvhkitError | None]:
    if len(files) < _MANY_FILES:
        yield from map(_try_entry, files)
        return
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for results in pool.map(lambda chunk: [_try_entry(path) for path in chunk], chunks):
            yield from results


def find_files(root: Path) -> list[Path]:
    """Return all regular files at or under `root`, sorted, and the folders that cannot be opened.

    A folder that links to one already seen is passed over.
    """
    if root.is_file():
        return [root]
    # Texts are joined, asked and sorted several times faster than paths; archives hold many files.
    return [Path(name) for name in sorted(_walk(root), key=lambda name: name.split(os.sep))]  # noqa: PTH206


def _walk(root: Path) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    closed: list[str] = []
    for folder, folders, names in os.walk(root, followlinks=True, onerror=lambda error: closed.append(error.filename)):
        status = os.stat(folder)  # noqa: PTH116 -- see find_files
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        # A pipe or device would block; a dangling link is no file.
        full = [os.path.join(folder, name) for name in names]  # noqa: PTH118
        yield from filter(os.path.isfile, full)
    # What cannot be looked into is handed on as it is, so that it is told and not passed over.
    yield from closed


def _try_entry(path: Path) -> FileEntry | DvhkitError | None:
    try:
        return read_entry(path)
    except DvhkitError as error:
        return error


def read_entry(path: Path) -> FileEntry | None:
    """Return a file's entry, or None if it is no DICOM file. Raises `DicomReadError` if it is a broken one."""
    with reading(path):
        read = read_header(path, specific_tags=HEADER_TAGS, last_for=last_for)
        if read is None:
            return None
        data = read.data
        sop_class, modality = text(data, "SOPClassUID"), text(data, "Modality").upper()
        if not sop_class and not modality:
            if read.is_part10 and read.media_class != _DIRECTORY_CLASS:
                raise DicomReadError("holds no object after its file meta.", remedy=_EXPORT_AGAIN)
            return None
        role = role_of(sop_class, modality)
        return FileEntry(
            path=path,
            role=role,
            modality=modality,
            sop_class_uid=sop_class,
            sop_instance_uid=text(data, "SOPInstanceUID"),
            study_uid=text(data, "StudyInstanceUID"),
            series_uid=text(data, "SeriesInstanceUID"),
            frame_of_reference_uid=text(data, "FrameOfReferenceUID"),
            description=name_text(data, "SeriesDescription", charset_of(data)),
            patient_key=_patient_key(data),
            header=OBJECT_OF[role].header(read, path) if role in OBJECT_OF else None,
            person=person_of(data),
        )


def _patient_key(data: DataSet) -> str:
    identity = text(data, "PatientID") or text(data, "PatientName")
    return hashlib.sha256(identity.encode()).hexdigest()[:16] if identity else ""


def _sort_out(found: list[FileEntry]) -> tuple[list[FileEntry], list[tuple[Path, Path]], list[tuple[Path, Path]]]:
    """Return what to keep, the copies, and the files that claim one identity but differ."""
    same_uid: dict[str, list[FileEntry]] = {}
    entries: list[FileEntry] = []
    duplicates: list[tuple[Path, Path]] = []
    conflicts: list[tuple[Path, Path]] = []
    for entry in sorted(found, key=lambda e: e.path):
        kept = same_uid.setdefault(entry.sop_instance_uid, []) if entry.sop_instance_uid else []
        twin = next((k for k in kept if _same_bytes(k.path, entry.path)), None)
        if twin is not None:
            duplicates.append((twin.path, entry.path))
            continue
        if kept:
            conflicts.append((kept[0].path, entry.path))
            if entry.role is Role.IMAGE:
                continue
        kept.append(entry)
        entries.append(entry)
    return entries, duplicates, conflicts


def _same_bytes(one: Path, other: Path) -> bool:
    return filecmp.cmp(one, other, shallow=False)
