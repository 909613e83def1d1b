"""RTSTRUCT: derived structures written as DICOM that planning systems accept."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from dvhkit.errors import InputError, OutputError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import ContourKind, Structure
from dvhkit.outputs.dicom.consistent import require_consistent
from dvhkit.outputs.dicom.in_study import PATIENT_AND_STUDY, put_in_study
from dvhkit.outputs.files import write_bytes_whole
from dvhkit.outputs.rtstruct.keyhole import Holes, stored_rings
from dvhkit.outputs.rtstruct.references import Slices, complete_references, frame_uid, list_referred_images
from dvhkit.outputs.rtstruct.roi_types import DEFINED_TYPES, colour_of

RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
# Eclipse and others show, and some store, no more.
NAME_LONGEST = 16
_NAME_VR_LONGEST = 64
# An explicit VR of DS counts its length in 16 bits.
_DS_BYTES_MAX = 65534
_FIRST_ITEMS = ("StudyDescription", "FrameOfReferenceUID", "PositionReferenceIndicator", "SpecificCharacterSet")
_TYPE_2_OF_ITEMS = (
    ("StructureSetROISequence", "ROIName"),
    ("StructureSetROISequence", "ROIGenerationAlgorithm"),
    ("RTROIObservationsSequence", "RTROIInterpretedType"),
    ("RTROIObservationsSequence", "ROIInterpreter"),
)
_APPROVAL = ("ReviewDate", "ReviewTime", "ReviewerName")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoi:
    """A structure to be written.

    Attributes
    ----------
    structure
        Name, type, colour and contours; its number is not kept. The set's own numbers go on.
    how
        How it was derived, such as ``CTV + 5mm``: stored as ROI Description.
    """

    structure: Structure
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: the names as stored, the object's UID, and what was odd."""

    path: Path
    names: tuple[str, ...]
    sop_instance_uid: str
    findings: tuple[Finding, ...] = ()


def write_rtstruct(
    path: Path | str,
    rois: Sequence[NewRoi],
    *,
    source: Path | str | None,
    image: ImageSeries | None = None,
    keep_existing: bool = False,
    holes: Holes = "keyhole",
    label: str = "dvhkit",
    name_longest: int = NAME_LONGEST,
) -> Written:
    """Write structures as a new RTSTRUCT; the one that they derive from is never touched.

    Patient, study, frame of reference and the references to image slices are those of `source`; series and instance
    are new, and the source is named as predecessor.

    Parameters
    ----------
    path
        The file to write; parents are made. It must not be `source`.
    source
        The RTSTRUCT from which the structures were derived; None for new ones, whose patient and study are the image's.
    image
        Its slices are referred to contour by contour; without it, what the source's own contours refer to at the same
        height.
    keep_existing
        Whether to write a copy of the source with the new structures added, rather than these alone.
    holes
        How a hole is stored: ``keyhole`` (one outline with a narrow channel, which every system reads), ``xor``
        (CLOSEDPLANAR_XOR, new in 2024) or ``nested`` (an outline inside another).
    name_longest
        Longer names are cut, with a finding; at most 64.

    Raises
    ------
    InputError
        If there is nothing to write, or the source is no RTSTRUCT.
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    if not rois:
        raise InputError("there is no structure to write.")
    if source is not None:
        refuse_overwriting(path, Path(source))
    origin = read_source(Path(source)) if source is not None else _of_image(image)
    found = copy.deepcopy(origin) if keep_existing else _new_from(origin)
    findings: list[Finding] = []
    stamp(found, origin, label)
    taken = {str(item.get("ROIName", "")) for item in found.get("StructureSetROISequence", [])}
    complete_references(found, image)
    if not found.get("FrameOfReferenceUID"):
        found.FrameOfReferenceUID = frame_uid(found, image)
    slices = Slices(origin, image)
    names = []
    for roi in rois:
        name, said = _fitting_name(roi.structure.name, taken, min(name_longest, _NAME_VR_LONGEST))
        findings += _near_twin(name, taken)
        taken.add(name)
        names.append(name)
        findings += said
        if roi.structure.is_empty:
            findings.append(_empty(name))
        if roi.structure.rt_roi_type and roi.structure.rt_roi_type not in DEFINED_TYPES:
            findings.append(_odd_type(name, roi.structure.rt_roi_type))
        _append(found, roi, name, slices, holes)
    findings += _unread_holes(found, names) if holes == "xor" else []
    list_referred_images(found, len(names))
    require_consistent(found)
    write_bytes_whole(path, encoded(found))
    return Written(path=path, names=tuple(names), sop_instance_uid=str(found.SOPInstanceUID), findings=tuple(findings))


def refuse_overwriting(path: Path, source: Path) -> None:
    """Refuse to write over the structure set that a new one derives from."""
    if path.exists() and source.exists() and path.samefile(source):
        raise OutputError(
            "that is the structure set from which the new one derives; it is never overwritten.",
            path=path,
            remedy="Name another file with --out.",
        )


def read_source(source: Path) -> Dataset:
    """Return an RTSTRUCT as pydicom reads it; raises `InputError` where it is none."""
    try:
        dataset = pydicom.dcmread(source, force=True)
        is_rtstruct = dataset.get("Modality") == "RTSTRUCT" or dataset.get("SOPClassUID") == RTSTRUCT_CLASS
    except (OSError, ValueError, AttributeError, KeyError, NotImplementedError) as error:
        raise InputError("it cannot be read as DICOM.", path=source) from error
    if not is_rtstruct:
        raise InputError("it is no RTSTRUCT.", path=source)
    return dataset


def _of_image(image: ImageSeries | None) -> Dataset:
    """Return a data set with the patient and study of an image, and nothing else."""
    if image is None or not image.paths:
        raise InputError("there is neither a structure set nor an image to take patient and study from.")
    try:
        header = pydicom.dcmread(image.paths[0], force=True, stop_before_pixels=True)
    except (OSError, ValueError, AttributeError, KeyError, NotImplementedError) as error:
        raise InputError("it cannot be read as DICOM.", path=image.paths[0]) from error
    origin = Dataset()
    for keyword in (*PATIENT_AND_STUDY, *_FIRST_ITEMS):
        if keyword in header:
            origin[keyword] = copy.deepcopy(header[keyword])
    return origin


def _new_from(origin: Dataset) -> Dataset:
    """Return a dataset without structures: patient, study and references of `origin`."""
    found = Dataset()
    for keyword in _FIRST_ITEMS:
        if keyword in origin:
            found[keyword] = copy.deepcopy(origin[keyword])
    if "ReferencedFrameOfReferenceSequence" in origin:
        found.ReferencedFrameOfReferenceSequence = copy.deepcopy(origin.ReferencedFrameOfReferenceSequence)
    found.StructureSetROISequence = []
    found.ROIContourSequence = []
    found.RTROIObservationsSequence = []
    found.Manufacturer = "dvhkit"
    found.ManufacturerModelName = "dvhkit"
    found.SeriesNumber = 1
    found.OperatorsName = ""
    return found


def stamp(found: Dataset, origin: Dataset, label: str) -> None:
    """Give the object its own identity, and fill what must not be missing."""
    now = datetime.now()
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    put_in_study(found, origin)
    found.SOPClassUID = RTSTRUCT_CLASS
    found.SOPInstanceUID = generate_uid()
    found.SeriesInstanceUID = generate_uid()
    found.Modality = "RTSTRUCT"
    found.InstanceCreationDate, found.InstanceCreationTime = date, time
    found.StructureSetLabel = label[:NAME_LONGEST]
    found.StructureSetDate, found.StructureSetTime = date, time
    found.SoftwareVersions = f"dvhkit {version('dvhkit')}"
    found.SpecificCharacterSet = "ISO_IR 192"
    for keyword in ("SeriesNumber", "OperatorsName", "Manufacturer", "PositionReferenceIndicator"):
        if keyword not in found:
            setattr(found, keyword, 1 if keyword == "SeriesNumber" else "")
    for sequence, keyword in _TYPE_2_OF_ITEMS:
        for item in found.get(sequence, None) or []:
            if keyword not in item:
                setattr(item, keyword, "")
    found.ApprovalStatus = "UNAPPROVED"
    for keyword in _APPROVAL:
        if keyword in found:
            del found[keyword]
    if "SOPInstanceUID" in origin:
        before = Dataset()
        before.ReferencedSOPClassUID = RTSTRUCT_CLASS
        before.ReferencedSOPInstanceUID = origin.SOPInstanceUID
        found.PredecessorStructureSetSequence = [before]


def _fitting_name(name: str, taken: set[str], longest: int) -> tuple[str, list[Finding]]:
    """Return a name that is short enough and not yet in the set."""
    plain = "".join(c if c.isprintable() and c != "\\" else "_" for c in name).strip() or "derived"
    short = plain[:longest].strip()
    findings = []
    if short != name.strip():
        findings.append(_renamed("name-cut", f"The name {plain!r} was cut to {short!r}.", short))
    number = 2
    unique = short
    while unique in taken:
        tail = f"~{number}"
        unique = short[: longest - len(tail)] + tail
        number += 1
    if unique != short:
        findings.append(
            _renamed("name-taken", f"{short!r} is in the structure set already; {unique!r} is new.", unique)
        )
    return unique, findings


def _near_twin(name: str, taken: set[str]) -> list[Finding]:
    """Return a finding if a name differs from another in nothing but case, blanks or the like."""
    twins = sorted(other for other in taken if _folded(other) == _folded(name))
    if not twins:
        return []
    message = (
        f"{name!r} differs from {twins[0]!r} of the same structure set in case, blanks or separators only: systems "
        "that do not tell them apart mix them up."
    )
    return [Finding(level=Level.WARNING, code="name-near-twin", message=message, where=name)]


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum() or letter in "+-~^.")


def _unread_holes(found: Dataset, names: Sequence[str]) -> list[Finding]:
    """Return a finding if holes were stored in a form that common readers do not know."""
    kind = ContourKind.CLOSEDPLANAR_XOR.value
    new = found.ROIContourSequence[-len(names) :]
    holed = [
        name
        for name, roi in zip(names, new, strict=True)
        if any(c.ContourGeometricType == kind for c in roi.get("ContourSequence", None) or [])
    ]
    if not holed:
        return []
    message = (
        "Holes are stored as CLOSEDPLANAR_XOR, which is new in DICOM (2024): readers that know CLOSED_PLANAR alone "
        "drop such contours, or fill the holes. Use keyhole for files that others must read."
    )
    return [Finding(level=Level.WARNING, code="holes-xor", message=message, where=", ".join(holed))]


def _append(found: Dataset, roi: NewRoi, name: str, slices: Slices, holes: Holes) -> None:
    structure = roi.structure
    number = 1 + max((int(item.ROINumber) for item in found.StructureSetROISequence), default=0)
    entry = Dataset()
    entry.ROINumber = number
    entry.ReferencedFrameOfReferenceUID = structure.frame_of_reference_uid or slices.frame_uid
    entry.ROIName = name
    if roi.how:
        entry.ROIDescription = f"Derived by dvhkit: {roi.how}"[:1024]
    entry.ROIGenerationAlgorithm = "AUTOMATIC"
    found.StructureSetROISequence.append(entry)
    drawn = Dataset()
    drawn.ROIDisplayColor = list(structure.color_rgb or colour_of(structure.rt_roi_type))
    drawn.ReferencedROINumber = number
    items = [contour_item(points, kind, slices) for points, kind in stored_rings(structure, holes)]
    if items:
        drawn.ContourSequence = items
    found.ROIContourSequence.append(drawn)
    observation = Dataset()
    numbers = [int(item.ObservationNumber) for item in found.RTROIObservationsSequence if "ObservationNumber" in item]
    observation.ObservationNumber = 1 + max(numbers, default=0)
    observation.ReferencedROINumber = number
    observation.RTROIInterpretedType = structure.rt_roi_type
    observation.ROIInterpreter = ""
    found.RTROIObservationsSequence.append(observation)


def contour_item(points_mm: FloatArray, kind: ContourKind, slices: Slices) -> Dataset:
    """Return one contour as an item of ContourSequence, with the image slice that it lies on."""
    item = Dataset()
    reference = slices.at(points_mm)
    if reference is not None:
        item.ContourImageSequence = [reference]
    item.ContourGeometricType = kind.value
    item.NumberOfContourPoints = len(points_mm)
    item.add(_decimal_strings(points_mm))
    return item


def _decimal_strings(points_mm: FloatArray) -> Any:  # noqa: ANN401 -- pydicom's raw element
    """Return ContourData as bytes: a tenth of a micrometre and at most 16 characters a number.

    Raw, because pydicom's own decimal strings take minutes for a large structure set.
    """
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    if np.abs(points_mm).max() >= 1e6 or not np.isfinite(points_mm).all():
        raise OutputError("a contour lies more than a kilometre away, or holds a coordinate that is not a number.")
    text = "\\".join(_decimal(v) for v in points_mm.ravel().tolist())
    value = text.encode("ascii")
    value += b" " * (len(value) % 2)
    return RawDataElement(Tag("ContourData"), "DS", len(value), value, 0, False, True)


def _decimal(value: float) -> str:
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def encoded(found: Dataset) -> bytes:
    """Return the file's bytes; in the implicit transfer syntax where a contour is too long for the explicit one."""
    implicit = _longest_contour(found) > _DS_BYTES_MAX
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(RTSTRUCT_CLASS)
    meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    meta.TransferSyntaxUID = UID(ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)
    found.file_meta = meta
    buffer = BytesIO()
    try:
        pydicom.dcmwrite(
            buffer, found, implicit_vr=implicit, little_endian=True, enforce_file_format=True, overwrite=True
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise OutputError(
            f"the structure set cannot be encoded: {type(error).__name__}.",
            remedy="If you asked for a copy of the existing set, write the new structures alone.",
        ) from error
    return buffer.getvalue()


def _longest_contour(found: Dataset) -> int:
    lengths = [0]
    for roi in found.ROIContourSequence:
        for contour in roi.get("ContourSequence", None) or []:
            element = contour.get_item("ContourData")
            if element is None:
                continue
            raw = element.value
            lengths.append(len(raw) if isinstance(raw, bytes) else sum(len(str(v)) + 1 for v in raw))
    return max(lengths)


def _renamed(code: str, message: str, where: str) -> Finding:
    return Finding(level=Level.INFO, code=code, message=message, where=where)


def _odd_type(name: str, kind: str) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="type-not-defined",
        message=f"{kind[:30]!r} is no interpreted type that DICOM defines; planning systems may not know it.",
        where=name,
    )


def _empty(name: str) -> Finding:
    return Finding(
        level=Level.WARNING, code="derived-empty", message="The structure was written without contours.", where=name
    )
