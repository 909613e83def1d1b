"""Files to a `Case`: found, linked, read, checked against each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from dvhkit.errors import DicomReadError, GeometryError, InputError, LinkError
from dvhkit.findings import Finding, Level
from dvhkit.model.case import Case, Source
from dvhkit.model.dose import Dose
from dvhkit.model.image import ImageSeries
from dvhkit.model.plan import Plan
from dvhkit.model.structure import StructureSet
from dvhkit.readers.archive.index import Progress, index_files, scan
from dvhkit.readers.archive.roles import Role
from dvhkit.readers.image_series import build_series
from dvhkit.readers.linking.case_files import CaseFiles, unusable_dose
from dvhkit.readers.linking.choose import Chosen, DoseNeed, choose_files, find_cases, image_entries, need_of, spared
from dvhkit.readers.linking.consistency import kind_of_dose, on_image_slices, roi_references, structures_on_image
from dvhkit.readers.linking.frames import FrameJoiner
from dvhkit.readers.rtdose import read_dose
from dvhkit.readers.rtdose_sets import compare_with_parts, read_dose_set
from dvhkit.readers.rtplan import read_plan
from dvhkit.readers.rtstruct import read_structures

if TYPE_CHECKING:
    from dvhkit.results.inventory import Inventory

__all__ = ["CaseFiles", "find_cases", "inventory", "read_case", "read_dose", "read_files"]

# From the files, the image and the ROI numbers that are taken to the structures and what is odd about them.
Drawn = Callable[[CaseFiles, ImageSeries | None, Collection[int]], tuple[StructureSet, Sequence[Finding]]]


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


def read_case(path: Path | str | None = None, *, drawn: Drawn | None = None, **chosen: Unpack[Chosen]) -> Case:
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
    seg
        A DICOM SEG whose segments become structures; those under `path` do so where there is no structure set.
    masks
        ``NAME=FILE`` of masks (NIfTI, NRRD, MetaImage, DICOM SEG) that become structures.
    drawn
        How masks become structures (`dvhkit.jobs.read.read_case`, which is this with it); without it they are refused.
    index
        What lies under `path`, where that is known already: no header is read again.

    Raises
    ------
    LinkError
        If there is more than one case, or the files do not belong together; the candidates are listed.
    InputError
        If there is nothing to read, or a file cannot be used.
    """
    return read_files(choose_files(path, **chosen), dose=need_of(chosen), drawn=drawn)


def read_files(files: CaseFiles, *, dose: DoseNeed = "required", drawn: Drawn | None = None) -> Case:
    """Return the case that `files` make; `dose` and `drawn` as in `read_case`.

    Raises
    ------
    LinkError
        If the files cannot be used together: `files.problem`, or dose and structures in different frames.
    DicomReadError
        If a file cannot be used.
    """
    files = spared(files, dose)
    if files.problem is not None:
        raise files.problem
    if not files.drawn_in:
        raise InputError("there are no structures.", remedy="Name the structure set with --rtstruct.")
    findings = list(files.findings)
    first = len(findings)
    given = _read_dose(files, findings, need=dose)
    plan = _read_plan(files, findings)
    image = _read_image(files, findings)
    taken = {n for n in (p.roi_number for p in plan.prescriptions) if n is not None} if plan else set()
    structures, found = (drawn or _of_structure_set)(files, image, taken)
    findings[first:first] = found
    if image is not None:
        structures = on_image_slices(structures, image)
    if given is not None and not files.same_frame:
        joiner = FrameJoiner(given, files.registrations)
        structures = joiner.structures(structures, findings)
        image = joiner.image(image, findings) if image is not None else None
    findings = [
        *kind_of_dose(plan, given, findings),
        *(roi_references(structures, plan, given) if files.rtstruct is not None else ()),
    ]
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
        plan_beside=_read_plan_beside(files),
    )


def _of_structure_set(files: CaseFiles, *_: object) -> tuple[StructureSet, tuple[Finding, ...]]:
    if files.rtstruct is None or len(files.drawn_in) > 1:
        raise InputError("masks are no contours yet.", path=files.drawn_in[-1], remedy="Read them by dvhkit.read_case.")
    return read_structures(files.rtstruct)


def read_image(path: Path | str) -> ImageSeries:
    """Return the only image series in a folder, or the series that a file is a slice of.

    Raises
    ------
    InputError
        If there is none, or more than one.
    DicomReadError
        If its slices make no series.
    """
    return build_series(image_entries(Path(path)))[0]


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


def _read_plan_beside(files: CaseFiles) -> Plan | None:
    """Return the plan that the dose does not name; None where there is none, or it cannot be read: it is not needed."""
    if files.plan_beside is None or files.rtplan is not None:
        return None
    try:
        return read_plan(files.plan_beside)[0]
    except DicomReadError:
        return None


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
    sources = [
        Source(role="RTSTRUCT", path=path, sop_instance_uid=structures.sop_instance_uid)
        if path == files.rtstruct
        else Source(role="SEG" if path in files.segmentations else "MASK", path=path, sop_instance_uid="")
        for path in files.drawn_in
    ]
    if dose is not None:
        uids = (dose.sop_instance_uid,) + ("",) * (len(files.rtdose) - 1)
        sources += [Source(role="RTDOSE", path=p, sop_instance_uid=u) for p, u in zip(files.rtdose, uids, strict=True)]
    if plan is not None and files.rtplan is not None:
        sources.append(Source(role="RTPLAN", path=files.rtplan, sop_instance_uid=plan.sop_instance_uid))
    if image is not None:
        pairs = zip(image.paths, image.sop_instance_uids, strict=True)
        sources += [Source(role=image.modality, path=path, sop_instance_uid=uid) for path, uid in pairs]
    return tuple(sources)
