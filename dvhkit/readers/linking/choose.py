"""Which files are meant: the cases of a folder, or the one that a folder, a file and the user's own choice make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from dvhkit.errors import DicomReadError, InputError, LinkError
from dvhkit.findings import Finding, Level
from dvhkit.readers.archive.index import DicomIndex, FileEntry, Progress, find_files, index_files, scan
from dvhkit.readers.archive.roles import OBJECT_OF, OBJECTS, Role
from dvhkit.readers.linking.case_files import CaseFiles
from dvhkit.readers.linking.link import Choice, link

# What becomes of a dose that cannot be used; see `dvhkit.readers.case.read_case`.
DoseNeed = Literal["required", "if usable", "not needed"]


class Named(TypedDict, total=False):
    """DICOM files that a user may choose by hand, and how: the options of `dvhkit.readers.case.read_case`."""

    rtstruct: Path | str | None
    rtdose: Path | str | None
    rtplan: Path | str | None
    image: Path | str | None
    registration: Path | str | None
    same_frame: bool
    seg: Path | str | None
    dose: DoseNeed
    progress: Progress | None
    index: DicomIndex | None


class Chosen(Named, total=False):
    """All that may be chosen: masks of other formats as ``NAME=FILE``, too."""

    masks: Sequence[str]


_CHOICE = "Choose with --rtstruct, --rtdose or --rtplan, or name the folder of one case."


def find_cases(path: Path | str, *, progress: Progress | None = None) -> list[CaseFiles]:
    """Return the files of every case at or under `path`, ordered by label.

    UIDs decide what belongs together; folders decide nothing. Cases that cannot be read are in the list with their
    `problem`, so that nothing is dropped unseen; a case whose dose alone is unusable is there without it. If `path` is
    one RT file, the cases are those that it is part of.

    Raises
    ------
    InputError
        If there is nothing at `path`, or no structure set and no dose among it.
    """
    return find_cases_in(_index_for(path, {}, progress), path)


def find_cases_in(index: DicomIndex, path: Path | str | None = None) -> list[CaseFiles]:
    """Return the cases of an index, as `find_cases` does; if `path` is one RT file of it, those that it is part of."""
    own = _own_entry(Path(path), index) if path is not None else None
    cases = link(index, _choice({own.role: own} if own else {}))
    if not cases:
        raise _nothing(index)
    return list(_without_unusable_doses(cases, "if usable"))


def holds_plans(index: DicomIndex) -> bool:
    """Return whether an index holds several plans, rather than several readings of one.

    Plans are several where their patients are, or where more than one plan (or structure set without a plan) has a dose
    and can be read. Several doses of one plan are a choice for the user, and so is what is left of an older plan.
    """
    patient_of = {entry.path: entry.patient_key for entry in index.entries}
    cases = link(index, _choice({}))
    patients = {patient_of.get(file, "") for case in cases for file in (*case.drawn_in, *case.rtdose[:1])}
    plans = {case.rtplan or case.drawn_in for case in cases if case.rtdose and case.problem is None}
    return len(patients) > 1 or len(plans) > 1


def choose_files(path: Path | str | None = None, **chosen: Unpack[Chosen]) -> CaseFiles:
    """Return the files of the one case that `dvhkit.readers.case.read_case` reads, by the same rules and errors."""
    option = {
        Role.RTSTRUCT: chosen.get("rtstruct"),
        Role.RTDOSE: chosen.get("rtdose"),
        Role.RTPLAN: chosen.get("rtplan"),
        Role.REG: chosen.get("registration"),
        Role.SEG: chosen.get("seg"),
    }
    named = {role: _chosen_entry(Path(file), role) for role, file in option.items() if file is not None}
    known = chosen.get("index")
    index = _index_for(path, named, chosen.get("progress")) if known is None else known
    own = _own_entry(Path(path), index) if path is not None else None
    if own is not None:
        named.setdefault(own.role, own)
    image, masks = chosen.get("image"), tuple(chosen.get("masks") or ())
    choice = _choice(
        named,
        image=image_entries(Path(image)) if image is not None else None,
        same_frame=chosen.get("same_frame", False),
        bare=bool(masks or Role.SEG in named) and Role.RTSTRUCT not in named and not index.of_role(Role.RTSTRUCT),
    )
    cases = link(index, choice)
    if not cases:
        raise _nothing(index)
    files = _only_one(_without_unusable_doses(cases, need_of(chosen)), index)
    segmentations = (named[Role.SEG].path,) if Role.SEG in named else files.segmentations
    return replace(files, masks=masks, segmentations=segmentations)


def need_of(chosen: Chosen) -> DoseNeed:
    """Return what becomes of an unusable dose: whoever names a dose wants its numbers."""
    need = chosen.get("dose", "required")
    return "required" if need == "if usable" and chosen.get("rtdose") is not None else need


def _without_unusable_doses(cases: tuple[CaseFiles, ...], dose: DoseNeed) -> tuple[CaseFiles, ...]:
    """Return the cases less unusable doses, where the structures have no other dose that can be used; each once."""
    dosed = {case.drawn_in for case in cases if case.problem is None and case.rtdose}
    kept = [case if case.drawn_in in dosed else spared(case, dose) for case in cases]
    return tuple({_but_dose(case): case for case in kept}.values())


def spared(files: CaseFiles, dose: DoseNeed) -> CaseFiles:
    """Return the files less a dose that is unusable, as far as `dose` lets that pass."""
    passes = dose == "not needed" or (dose == "if usable" and not files.is_fault_of_frames)
    return files.without_dose() if passes else files


def _but_dose(files: CaseFiles) -> tuple[object, ...]:
    return files.drawn_in, files.rtplan, files.rtdose


def _choice(
    chosen: dict[Role, FileEntry],
    *,
    image: tuple[FileEntry, ...] | None = None,
    same_frame: bool = False,
    bare: bool = False,
) -> Choice:
    return Choice(
        rtstruct=chosen.get(Role.RTSTRUCT),
        rtdose=chosen.get(Role.RTDOSE),
        rtplan=chosen.get(Role.RTPLAN),
        image=image,
        same_frame=same_frame,
        bare=bare,
    )


def _own_entry(path: Path, index: DicomIndex) -> FileEntry | None:
    """Return the RT object that `path` is, or None for a folder or an image; raise if it is nothing that is read."""
    if not path.is_file():
        return None
    for item in index.unreadable:
        if item.path == path:
            raise DicomReadError(item.reason, path=path, remedy=item.remedy)
    if path in index.not_dicom:
        raise InputError("is no DICOM file.", path=path, remedy="Name the folder or a file of the DICOM export.")
    same = {path, *(first for first, copy in index.duplicates if copy == path)}
    choosable = {row.role for row in OBJECTS if row.option}
    return next((entry for entry in index.entries if entry.path in same and entry.role in choosable), None)


def _index_for(path: Path | str | None, chosen: dict[Role, FileEntry], progress: Progress | None) -> DicomIndex:
    if path is None:
        if not chosen:
            raise InputError(
                "nothing was named to read.", remedy="Name a folder, or files with --rtstruct and --rtdose."
            )
        entries: tuple[FileEntry, ...] = tuple(chosen.values())
        return DicomIndex(root=entries[0].path.parent, entries=entries)
    root = Path(path)
    index = scan(root.parent if root.is_file() else root, progress=progress)
    if not chosen:
        return index
    known = {entry.path.resolve() for entry in index.entries}
    extra = tuple(entry for entry in chosen.values() if entry.path.resolve() not in known)
    return replace(index, entries=index.entries + extra)


def _chosen_entry(path: Path, role: Role) -> FileEntry:
    option = OBJECT_OF[role].option
    if not path.is_file():
        raise InputError("there is no such file.", path=path, remedy=f"Check what you gave as {option}.")
    index = index_files([path], root=path.parent)
    if index.unreadable:
        raise DicomReadError(index.unreadable[0].reason, path=path, remedy=index.unreadable[0].remedy)
    if not index.entries:
        raise InputError("is no DICOM file.", path=path, remedy=f"Check what you gave as {option}.")
    entry = index.entries[0]
    if entry.role is not role:
        found = entry.modality or "something else"
        raise InputError(f"is no {role.value} but {found}.", path=path, remedy=f"Check what you gave as {option}.")
    return entry


def image_entries(path: Path) -> tuple[FileEntry, ...]:
    """Return the slices of the only image series in a folder, or of the one that a file is a slice of."""
    if not path.exists():
        raise InputError("there is no such folder.", path=path, remedy="Check the folder of the image.")
    folder = path.parent if path.is_file() else path
    entries = index_files(find_files(folder), root=folder).of_role(Role.IMAGE)
    entries = tuple(e for e in entries if "LOCALIZER" not in e.image().image_type)
    if path.is_file():  # one slice stands for its series
        named = {e.series_uid for e in entries if e.path == path}
        entries = tuple(e for e in entries if e.series_uid in named)
    series = {entry.series_uid for entry in entries}
    if len(series) == 1:
        return entries
    found = f"holds {len(series)} image series" if series else "holds no CT, MR or PET image"
    raise InputError(f"{found}.", path=path, remedy="Give the folder of one image series.")


def _only_one(cases: tuple[CaseFiles, ...], index: DicomIndex) -> CaseFiles:
    """Return the case that is meant: the only one, or the only one that has a dose and can be read."""
    if len(cases) == 1:
        return cases[0]
    ready = [case for case in cases if case.problem is None]
    dosed = [case for case in ready if case.rtdose]
    # Structures without dose are meant only where there is no dose at all.
    pool = dosed or ([] if any(case.rtdose for case in cases) else ready)
    if len(pool) == 1:
        others = "; ".join(
            case.problem.message if case.problem else case.describe() for case in cases if case != pool[0]
        )
        message = f"The only case that can be read with a dose is used. Left out: {others}"
        finding = Finding(level=Level.WARNING, code="other-candidates", message=message)
        return replace(pool[0], findings=(*pool[0].findings, finding))
    if not pool:
        raise next(case.problem for case in cases if case.problem is not None)
    listed = "; ".join(case.describe() for case in pool[:8]) + ("; ..." if len(pool) > 8 else "")
    raise LinkError(f"{len(pool)} cases are here: {listed}.", path=index.root, remedy=_CHOICE)


def _nothing(index: DicomIndex) -> InputError:
    if index.unreadable:
        first = index.unreadable[0]
        more = f" {len(index.unreadable) - 1} more files are unreadable." if len(index.unreadable) > 1 else ""
        return DicomReadError(first.reason, path=first.path, remedy=(first.remedy or "") + more)
    if not index.entries:
        found = f"{len(index.not_dicom)} files, none of them DICOM" if index.not_dicom else "no files"
        return InputError(f"holds {found}.", path=index.root, remedy="Name the folder with the DICOM export.")
    roles = Counter(entry.modality or "?" for entry in index.entries)
    found = ", ".join(f"{count} {name}" for name, count in sorted(roles.items()))
    return InputError(
        f"holds no structure set and no dose, only {found}.",
        path=index.root,
        remedy="Export the structure set (RTSTRUCT) and the dose (RTDOSE) too.",
    )
