"""RTSTRUCT: the contours of each ROI, by ROI number, straight from the stored bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dvhkit.errors import DicomReadError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.drawn_slices import with_slices_of_set
from dvhkit.model.structure import Contour, ContourKind, Structure, StructureSet
from dvhkit.readers.approval import rejection
from dvhkit.readers.archive.roles import Role, require_role
from dvhkit.readers.files.dicom_file import parse, quiet_pydicom, read_bytes, reading
from dvhkit.readers.files.elements import (
    DataSet,
    charset_of,
    count_numbers,
    has,
    integer,
    items,
    name_text,
    number,
    numbers,
    parse_numbers,
    raw_bytes,
    require_integer,
    text,
    where,
)
from dvhkit.readers.files.headers import frames_and_series
from dvhkit.readers.geometry import REACH_MM
from dvhkit.readers.wording import counted, listed

# No structure of a patient, and no table, is larger. A stray point makes one so.
_LARGEST_MM = 3000.0
_KINDS = {kind.value: kind for kind in ContourKind}
_REMEDY = "Export the structure set again."


@dataclass(slots=True)
class _Oddities:
    """What was met on the way, gathered by ROI so that each kind becomes one finding."""

    no_kind: list[str] = field(default_factory=list)
    unknown_kind: list[str] = field(default_factory=list)
    point_count: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)
    offset: list[str] = field(default_factory=list)
    offset_without_slab: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Rois:
    """Items of the three sequences that together describe one ROI, by ROI number."""

    contours: dict[int, list[DataSet]]
    observed_types: dict[int, str]
    odd: _Oddities


def read_structures(path: Path) -> tuple[StructureSet, tuple[Finding, ...]]:
    """Return the structure set in a file, and what is odd about it.

    Raises
    ------
    DicomReadError
        If the file is no structure set, or a contour holds something other than finite (x, y, z) triplets.
    """
    with quiet_pydicom(), reading(path):
        data = parse(read_bytes(path))
        require_role(data, Role.RTSTRUCT, path)
        rois = _Rois(_contour_items(data, path), _observed_types(data, path), _Oddities())
        charset = charset_of(data)
        members = items(data, "StructureSetROISequence", path=path)
        structures = tuple(_structure(roi, rois, charset, path) for roi in members)
        frames, _ = frames_and_series(data, path)
        structure_set = StructureSet(
            structures=with_slices_of_set(structures),
            sop_instance_uid=text(data, "SOPInstanceUID"),
            label=name_text(data, "StructureSetLabel", charset),
            frame_of_reference_uid=text(data, "FrameOfReferenceUID") or next(iter(frames), ""),
            path=path,
        )
        findings = _findings(
            structure_set,
            rois,
            contours_there=has(data, "ROIContourSequence"),
            types_there=has(data, "RTROIObservationsSequence"),
        )
    return structure_set, (*rejection(data, "structure set", path), *findings)


def _contour_items(data: DataSet, path: Path) -> dict[int, list[DataSet]]:
    found: dict[int, list[DataSet]] = {}
    for item in items(data, "ROIContourSequence", path=path):
        found.setdefault(require_integer(item, "ReferencedROINumber", path=path), []).append(item)
    return found


def _observed_types(data: DataSet, path: Path) -> dict[int, str]:
    """Return the interpreted type by ROI number; the first that says anything where several observe one ROI."""
    found: dict[int, str] = {}
    for item in items(data, "RTROIObservationsSequence", path=path):
        roi_number = integer(item, "ReferencedROINumber", path=path)
        stated = text(item, "RTROIInterpretedType").upper()
        if roi_number is not None and not found.get(roi_number):
            found[roi_number] = stated
    return found


def _structure(roi: DataSet, rois: _Rois, charset: tuple[str, ...], path: Path) -> Structure:
    number = require_integer(roi, "ROINumber", path=path)
    # Without a name its number is what tells it from others, here and in all that comes out.
    stored = name_text(roi, "ROIName", charset)
    name = stored if stored.strip() else f"#{number}"
    contours: list[Contour] = []
    color = None
    for item in rois.contours.get(number, []):
        contours += _contours(item, name, rois.odd, path)
        color = color or _color(item)
    return Structure(
        number=number,
        name=name,
        contours=tuple(contours),
        rt_roi_type=rois.observed_types.get(number, ""),
        color_rgb=color,
        frame_of_reference_uid=text(roi, "ReferencedFrameOfReferenceUID"),
    )


def _color(item: DataSet) -> tuple[int, int, int] | None:
    try:
        stored = numbers(item, "ROIDisplayColor")
    except DicomReadError:
        return None
    if len(stored) != 3 or not all(0 <= value <= 255 for value in stored):
        return None
    red, green, blue = (int(value) for value in stored)
    return red, green, blue


def _contours(item: DataSet, roi: str, odd: _Oddities, path: Path) -> list[Contour]:
    """Return the contours of one ROI; all their numbers are parsed at once."""
    stored = items(item, "ContourSequence", path=path)
    texts = [raw_bytes(contour, "ContourData") for contour in stored]
    counts = np.array([count_numbers(data) for data in texts], dtype=np.int64)
    broken = np.flatnonzero(counts % 3)
    if broken.size:
        message = f"ROI {roi!r}, contour {broken[0] + 1}: {counts[broken[0]]} numbers are no (x, y, z) triplets."
        raise DicomReadError(message, path=path, where=where("ContourData"), remedy=_REMEDY)
    try:
        values = parse_numbers(b"\\".join(data for data in texts if data), place=where("ContourData"), path=path)
    except DicomReadError as error:
        error.message = f"ROI {roi!r}: {error.message}"
        raise
    # NaN fails this comparison too.
    if not np.all(np.abs(values) <= REACH_MM):
        message = f"ROI {roi!r} has a point that is not finite, or farther than {REACH_MM:g} mm from the origin."
        raise DicomReadError(message, path=path, where=where("ContourData"), remedy=_REMEDY)
    if values.size and float(np.ptp(values.reshape(-1, 3), axis=0).max()) > _LARGEST_MM:
        odd.too_large.append(roi)
        return []
    ends = np.cumsum(counts)
    parts = (values[end - count : end].reshape(-1, 3) for end, count in zip(ends, counts, strict=True))
    contours = (_contour(one, points, roi, odd, path) for one, points in zip(stored, parts, strict=True))
    return [contour for contour in contours if contour is not None]


def _contour(item: DataSet, points_mm: FloatArray, roi: str, odd: _Oddities, path: Path) -> Contour | None:
    if not len(points_mm):
        return None
    declared = integer(item, "NumberOfContourPoints", path=path)
    if declared is not None and declared != len(points_mm):
        odd.point_count.append(f"{roi} ({len(points_mm)} of {declared})")
    if has(item, "ContourOffsetVector"):
        points_mm = points_mm + _offset_mm(item, roi, odd, path)
    stated = text(item, "ContourGeometricType").upper().replace(" ", "_")
    if not stated:
        odd.no_kind.append(roi)
        kind = ContourKind.CLOSED_PLANAR if len(points_mm) > 2 else ContourKind.POINT
        return Contour(points_mm=points_mm, kind=kind, image_uid=_image_uid(item, path))
    known = _KINDS.get(stated)
    if known is None:
        odd.unknown_kind.append(f"{roi} ({stated[:20]})")
        return None
    return Contour(points_mm=points_mm, kind=known, image_uid=_image_uid(item, path))


def _image_uid(item: DataSet, path: Path) -> str:
    """Return the image slice that a contour refers to; empty where it refers to none, or to several."""
    if not has(item, "ContourImageSequence"):
        return ""
    try:
        images = items(item, "ContourImageSequence", path=path)
    except DicomReadError:
        return ""
    return text(images[0], "ReferencedSOPInstanceUID") if len(images) == 1 else ""


def _offset_mm(item: DataSet, roi: str, odd: _Oddities, path: Path) -> FloatArray:
    """Return how far the middle plane of a contour's slab lies from the contour's points.

    Retired since 2020. The vector leads from the points to the plane that they bound, and counts only beside a slab
    thickness (PS3.3 C.8.8.6.2 of the 2020a edition).
    """
    offset = np.array(numbers(item, "ContourOffsetVector", path=path))
    if not offset.any():
        return np.zeros(3)
    if offset.size != 3 or not (number(item, "ContourSlabThickness", path=path) or 0.0) > 0:
        odd.offset_without_slab.append(roi)
        return np.zeros(3)
    if np.linalg.norm(offset) > REACH_MM:
        message = f"ROI {roi!r}: {np.linalg.norm(offset):g} mm are farther than any slab reaches."
        raise DicomReadError(message, path=path, where=where("ContourOffsetVector"), remedy=_REMEDY)
    odd.offset.append(roi)
    return offset


def _findings(structure_set: StructureSet, rois: _Rois, *, contours_there: bool, types_there: bool) -> list[Finding]:
    assert structure_set.path is not None
    place = structure_set.path.name
    odd = rois.odd
    known = {structure.number for structure in structure_set}
    orphans = sorted(set(rois.contours) - known)
    empty = [s.name for s in structure_set if not s.contours]
    nameless = [s.name for s in structure_set if s.name == f"#{s.number}"]
    names = [s.name for s in structure_set]
    numbers = [s.number for s in structure_set]
    shared = sorted({name for name in names if names.count(name) > 1})
    numbers_shared = len(known) < len(structure_set)
    table = (
        (
            not contours_there and len(structure_set) > 0,
            Level.SERIOUS,
            "no-contours",
            "The structure set names ROIs but holds no ROIContourSequence. The file may be cut short.",
        ),
        (
            not types_there and len(structure_set) > 0,
            Level.INFO,
            "roi-types-missing",
            "There is no RTROIObservationsSequence: which ROIs are targets or organs is not told.",
        ),
        (numbers_shared, Level.SERIOUS, "roi-number-shared", "Several ROIs bear one number, so they share contours."),
        (orphans, Level.WARNING, "contours-without-roi", f"Contours of ROI number {listed(orphans)} have no ROI."),
        (
            empty,
            Level.INFO,
            "empty-structures",
            f"Nothing is drawn in {counted(len(empty), 'structure')}: {listed(empty)}.",
        ),
        (
            nameless,
            Level.WARNING,
            "names-blank",
            f"{counted(len(nameless), 'ROI')} without a name: some archives blank ROIName where they anonymise. "
            f"They are called by their numbers: {listed(nameless)}.",
        ),
        (
            shared,
            Level.WARNING,
            "equal-names",
            f"Several structures are named {listed(shared)}: name the one you mean by its number, such as '#1'.",
        ),
        (
            odd.no_kind,
            Level.WARNING,
            "contour-type-missing",
            f"ContourGeometricType is missing in {listed(odd.no_kind)}: contours of three or more points are taken "
            "to be closed.",
        ),
        (
            odd.unknown_kind,
            Level.SERIOUS,
            "contour-type-unknown",
            f"Contours of an unknown type are left out: {listed(odd.unknown_kind)}.",
        ),
        (
            odd.too_large,
            Level.SERIOUS,
            "contours-implausible",
            f"Contours that span more than {_LARGEST_MM / 1000:g} m are left out, all of their structure: "
            f"{listed(odd.too_large)}. Look for a stray point.",
        ),
        (
            odd.offset,
            Level.WARNING,
            "contour-offset-applied",
            f"ContourOffsetVector (retired) moves the contours of {listed(odd.offset)}. Few systems heed it: compare "
            "volume and place with the planning system.",
        ),
        (
            odd.offset_without_slab,
            Level.WARNING,
            "contour-offset-ignored",
            f"ContourOffsetVector is not zero in {listed(odd.offset_without_slab)}, but means nothing without "
            "ContourSlabThickness: the contours are taken where their points lie.",
        ),
        (
            odd.point_count,
            Level.SERIOUS,
            "contour-point-count",
            f"Contours hold other numbers of points than they state: {listed(odd.point_count)}. They may be cut off.",
        ),
    )
    concerned = {
        "roi-number-shared": tuple(s.name for s in structure_set if numbers.count(s.number) > 1),
        "contour-type-unknown": tuple(odd.unknown_kind),
        "contours-implausible": tuple(odd.too_large),
        "contour-point-count": tuple(odd.point_count),
    }
    return [
        Finding(level=lv, code=code, message=msg, where=place, rois=concerned.get(code, ()))
        for hit, lv, code, msg in table
        if hit
    ]
