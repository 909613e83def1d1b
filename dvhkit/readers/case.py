"""Files to a `Case`: found, linked, read, checked against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dvhkit.errors import DicomReadError, GeometryError, InputError, LinkError
from dvhkit.findings import Finding, Level
from dvhkit.model.case import Case, Source
from dvhkit.model.dose import Dose
from dvhkit.model.image import ImageSeries
from dvhkit.model.plan import Plan
from dvhkit.model.structure import StructureSet
from dvhkit.readers.archive.index import DicomIndex, FileEntry, Progress, find_files, index_files, scan
from dvhkit.readers.archive.roles import Role
from dvhkit.readers.image_series import build_series
from dvhkit.readers.linking.case_files import CaseFiles, unusable_dose
from dvhkit.readers.linking.consistency import kind_of_dose, on_image_slices, roi_references, structures_on_image
from dvhkit.readers.linking.frames import FrameJoiner
from dvhkit.readers.linking.link import Choice, link
from dvhkit.readers.rtdose import read_dose
from dvhkit.readers.rtdose_sets import compare_with_parts, read_dose_set
from dvhkit.readers.rtplan import read_plan
from dvhkit.readers.rtstruct import read_structures

if TYPE_CHECKING:
    from dvhkit.readers.archive.inventory import Inventory

__all__ = ["CaseFiles", "find_cases", "find_cases_in", "inventory", "read_case", "read_dose", "read_files"]

# What becomes of a dose that cannot be used; see `read_case`.
DoseNeed = Literal["required", "if usable", "not needed"]

_OPTIONS = {Role.RTSTRUCT: "--rtstruct", Role.RTDOSE: "--rtdose", Role.RTPLAN: "--rtplan", Role.REG: "registration"}
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
    patients = {patient_of.get(file, "") for case in cases for file in (case.rtstruct, *case.rtdose[:1]) if file}
    plans = {case.rtplan or case.rtstruct for case in cases if case.rtdose and case.problem is None}
    return len(patients) > 1 or len(plans) > 1


def inventory(
    path: Path | str,
    *,
    read: bool = False,
    deepen: Callable[[Case], Case] | None = None,
    progress: Progress | None = None,
    case_progress: Progress | None = None,
) -> Inventory:
    """Return what lies at or under `path`: patients, studies, series, objects, and how they link.

    Parameters
    ----------
    read
        Read every case too, so that what is odd inside its files is told as well.
    deepen
        Looks further into each case that was read, and returns it with what was found.
    progress, case_progress
        Called after each file whose header was looked at, and after each case that was read, with their number so far.
    """
    from dvhkit.readers.archive.inventory import make_inventory

    count = 0

    def read_one(files: CaseFiles) -> Case:
        nonlocal count
        count += 1
        if case_progress is not None:
            case_progress(count)
        case = read_files(files)
        return case if deepen is None else deepen(case)

    return make_inventory(scan(path, progress=progress), read=read_one if read else None)


def read_case(
    path: Path | str | None = None,
    *,
    rtstruct: Path | str | None = None,
    rtdose: Path | str | None = None,
    rtplan: Path | str | None = None,
    image: Path | str | None = None,
    registration: Path | str | None = None,
    same_frame: bool = False,
    dose: DoseNeed = "required",
    progress: Progress | None = None,
    index: DicomIndex | None = None,
) -> Case:
    """Return the one case in a folder, or the one that the named files make.

    Parameters
    ----------
    path
        A folder, or one RT file in it, which is then taken and the rest of its folder searched for what belongs to it.
    rtstruct, rtdose, rtplan, image
        Files (for the image: the folder of its slices) that override what the UIDs say.
    registration
        A spatial registration (REG) that joins the frames of dose and structures; those under `path` are found.
    same_frame
        Vouch that dose and structures share a frame of reference although their UIDs differ; a serious finding
        remembers it.
    dose
        What becomes of a dose that cannot be used: ``required`` raises; ``if usable`` goes on without one that by its
        header is none of the whole plan in Gy, and a serious finding, ``dose-unusable``, says why; ``not needed`` does
        so for a damaged file, and for dose and structures in unlike frames, too.
    index
        What lies under `path`, where that is known already: no header is read again.

    Raises
    ------
    LinkError
        If there is more than one case, or the files do not belong together; the candidates are listed.
    InputError
        If there is nothing to read, or a file cannot be used.
    """
    if rtdose is not None and dose == "if usable":
        dose = "required"  # whoever names a dose wants its numbers
    files = choose_files(
        path,
        rtstruct=rtstruct,
        rtdose=rtdose,
        rtplan=rtplan,
        image=image,
        registration=registration,
        same_frame=same_frame,
        dose=dose,
        progress=progress,
        index=index,
    )
    return read_files(files, dose=dose)


def choose_files(
    path: Path | str | None = None,
    *,
    rtstruct: Path | str | None = None,
    rtdose: Path | str | None = None,
    rtplan: Path | str | None = None,
    image: Path | str | None = None,
    registration: Path | str | None = None,
    same_frame: bool = False,
    dose: DoseNeed = "required",
    progress: Progress | None = None,
    index: DicomIndex | None = None,
) -> CaseFiles:
    """Return the files of the one case that `read_case` reads, by the same rules and with the same errors."""
    named = {Role.RTSTRUCT: rtstruct, Role.RTDOSE: rtdose, Role.RTPLAN: rtplan, Role.REG: registration}
    chosen = {role: _chosen_entry(Path(file), role) for role, file in named.items() if file is not None}
    index = _index_for(path, chosen, progress) if index is None else index
    own = _own_entry(Path(path), index) if path is not None else None
    if own is not None:
        chosen.setdefault(own.role, own)
    images = _chosen_image(Path(image)) if image is not None else None
    choice = _choice(chosen, image=images, same_frame=same_frame)
    cases = link(index, choice)
    if not cases:
        raise _nothing(index)
    return _only_one(_without_unusable_doses(cases, dose), index)


def _without_unusable_doses(cases: tuple[CaseFiles, ...], dose: DoseNeed) -> tuple[CaseFiles, ...]:
    """Return the cases less unusable doses, where the structures have no other dose that can be used; each once."""
    dosed = {case.rtstruct for case in cases if case.problem is None and case.rtdose}
    spared = [case if case.rtstruct in dosed else _spared(case, dose) for case in cases]
    return tuple({_but_dose(case): case for case in spared}.values())


def _spared(files: CaseFiles, dose: DoseNeed) -> CaseFiles:
    """Return the files less a dose that is unusable, as far as `dose` lets that pass."""
    passes = dose == "not needed" or (dose == "if usable" and not files.is_fault_of_frames)
    return files.without_dose() if passes else files


def _but_dose(files: CaseFiles) -> tuple[object, ...]:
    return files.rtstruct, files.rtplan, files.rtdose


def _choice(
    chosen: dict[Role, FileEntry], *, image: tuple[FileEntry, ...] | None = None, same_frame: bool = False
) -> Choice:
    return Choice(
        rtstruct=chosen.get(Role.RTSTRUCT),
        rtdose=chosen.get(Role.RTDOSE),
        rtplan=chosen.get(Role.RTPLAN),
        image=image,
        same_frame=same_frame,
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
    return next((entry for entry in index.entries if entry.path in same and entry.role in _OPTIONS), None)


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
    option = _OPTIONS[role]
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


def _chosen_image(path: Path) -> tuple[FileEntry, ...]:
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


def read_files(files: CaseFiles, *, dose: DoseNeed = "required") -> Case:
    """Return the case that `files` make; `dose` as in `read_case`.

    Raises
    ------
    LinkError
        If the files cannot be used together: `files.problem`, or dose and structures in different frames.
    DicomReadError
        If a file cannot be used.
    """
    files = _spared(files, dose)
    if files.problem is not None:
        raise files.problem
    if files.rtstruct is None:
        raise InputError("there are no structures.", remedy="Name the structure set with --rtstruct.")
    findings = list(files.findings)
    structures, found = read_structures(files.rtstruct)
    findings += found
    given = _read_dose(files, findings, need=dose)
    plan = _read_plan(files, findings)
    image = _read_image(files, findings)
    if image is not None:
        structures = on_image_slices(structures, image)
    if given is not None and not files.same_frame:
        joiner = FrameJoiner(given, files.registrations)
        structures = joiner.structures(structures, findings)
        image = joiner.image(image, findings) if image is not None else None
    findings = [*kind_of_dose(plan, given, findings), *roi_references(structures, plan, given)]
    if image is not None and image.frame_of_reference_uid == structures.frame_of_reference_uid:
        findings += structures_on_image(structures, image)
    return Case(
        label=files.label,
        structures=structures,
        dose=given,
        plan=plan,
        image=image,
        prescriptions=plan.prescriptions if plan else (),
        fractions=plan.fractions_planned if plan else None,
        findings=tuple(findings),
        sources=_sources(files, structures, given, plan, image),
    )


def read_image(path: Path | str) -> ImageSeries:
    """Return the only image series in a folder, or the series that a file is a slice of.

    Raises
    ------
    InputError
        If there is none, or more than one.
    DicomReadError
        If its slices make no series.
    """
    return build_series(_chosen_image(Path(path)))[0]


def _read_dose(files: CaseFiles, findings: list[Finding], *, need: DoseNeed) -> Dose | None:
    if not files.rtdose:
        return None
    try:
        dose, found = read_dose_set(files.rtdose, files.assembly)
    except (DicomReadError, GeometryError, LinkError) as fault:
        if need != "not needed":  # a damaged file may hold what was asked for
            raise
        findings.append(unusable_dose(fault))
        return None
    findings += found
    if files.beam_doses:
        findings += compare_with_parts(dose, files.beam_doses)
    return dose


def _read_plan(files: CaseFiles, findings: list[Finding]) -> Plan | None:
    if files.rtplan is None:
        return None
    plan, found = read_plan(files.rtplan)
    findings += found
    return plan


def _read_image(files: CaseFiles, findings: list[Finding]) -> ImageSeries | None:
    """Return the image, or None with a finding where its slices make no series: a DVH does not need it."""
    entries = files.image_entries or index_files(list(files.image), root=Path()).of_role(Role.IMAGE)
    if not entries:
        return None
    try:
        image, found = build_series(entries)
    except DicomReadError as error:
        message = f"The image cannot be used and is left out: {error.where or ''} {error.message} {error.remedy or ''}"
        place = Path(error.path).name if error.path else ""
        findings.append(Finding(level=Level.SERIOUS, code="image-unusable", message=message, where=place))
        return None
    findings += found
    return image


def _sources(
    files: CaseFiles, structures: StructureSet, dose: Dose | None, plan: Plan | None, image: ImageSeries | None
) -> tuple[Source, ...]:
    assert files.rtstruct is not None
    sources = [Source(role="RTSTRUCT", path=files.rtstruct, sop_instance_uid=structures.sop_instance_uid)]
    if dose is not None:
        uids = (dose.sop_instance_uid,) + ("",) * (len(files.rtdose) - 1)
        sources += [Source(role="RTDOSE", path=p, sop_instance_uid=u) for p, u in zip(files.rtdose, uids, strict=True)]
    if plan is not None and files.rtplan is not None:
        sources.append(Source(role="RTPLAN", path=files.rtplan, sop_instance_uid=plan.sop_instance_uid))
    if image is not None:
        pairs = zip(image.paths, image.sop_instance_uids, strict=True)
        sources += [Source(role=image.modality, path=path, sop_instance_uid=uid) for path, uid in pairs]
    return tuple(sources)
