"""What linking needs to know of each kind of object, taken from its header."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from dvhkit.readers.files.elements import (
    DataSet,
    charset_of,
    integer,
    items,
    name_text,
    number,
    numbers,
    text,
)
from dvhkit.readers.files.header_file import HeaderRead
from dvhkit.readers.wording import counted

# Beams that deliver treatment; the others (SETUP, portal films) have no dose.
_TREATING = ("", "TREATMENT", "CONTINUATION")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What linking needs to know of an object."""

    @property
    def summary(self) -> str:
        """What an inventory says of the object; empty where that is nothing."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader(Header):
    """Geometry of one slice; None or empty where the header does not say.

    An enhanced multi-frame image has its geometry in `frames`, one header a frame in stored order. `is_cut` tells
    that the file is shorter than its pixels.
    """

    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    n_rows: int | None
    n_columns: int | None
    slice_thickness_mm: float | None
    patient_position: str
    image_type: tuple[str, ...]
    n_frames: int
    gantry_tilt_deg: float | None
    acquisition: int | None = None
    frames: tuple[ImageHeader, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureSetHeader(Header):
    """What a structure set refers to."""

    label: str
    frame_uids: tuple[str, ...]
    series_uids: tuple[str, ...]
    image_uids: frozenset[str]
    n_rois: int

    @property
    def summary(self) -> str:
        """Its label, and how many ROIs it has."""
        return f"{self.label or 'no label'}, {self.n_rois} ROIs"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeader(Header):
    """What a plan refers to, and the beams that must have dose: per fraction group, its treatment beams."""

    label: str
    is_ion: bool
    structure_set_uids: tuple[str, ...]
    dose_uids: tuple[str, ...]
    groups: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def summary(self) -> str:
        """Its label, and whether it is one of ions."""
        kind = "ion plan" if self.is_ion else "plan"
        return f"{self.label or 'no label'}, {kind}, {counted(len(self.groups), 'fraction group')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseHeader(Header):
    """What a dose grid is, refers to, and where it lies."""

    summation_type: str
    units: str
    dose_type: str
    plan_uids: tuple[str, ...]
    structure_set_uids: tuple[str, ...]
    group_numbers: tuple[int, ...]
    beam_numbers: tuple[int, ...]
    n_frames: int
    n_rows: int | None
    n_columns: int | None
    pixel_spacing_mm: tuple[float, ...]
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    comment: str = ""

    @property
    def summary(self) -> str:
        """What it is the sum of, and its size."""
        size = f"{self.n_frames} × {self.n_rows} × {self.n_columns}"
        return f"{self.summation_type or 'no summation type'}, {self.units or 'no units'}, {size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationHeader(Header):
    """The frames that a spatial registration joins."""

    frame_uids: tuple[str, ...]


# Everything that the functions below look at; all else is skipped unread.
KEYWORDS = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "SeriesDescription",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "SliceThickness",
    "PatientPosition",
    "GantryDetectorTilt",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "FrameOfReferenceUID",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "PixelSpacing",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "StructureSetLabel",
    "ReferencedFrameOfReferenceSequence",
    "StructureSetROISequence",
    "RTPlanLabel",
    "FractionGroupSequence",
    "BeamSequence",
    "IonBeamSequence",
    "ReferencedStructureSetSequence",
    "ReferencedDoseSequence",
    "DoseUnits",
    "DoseType",
    "DoseComment",
    "DoseSummationType",
    "ReferencedRTPlanSequence",
    "RegistrationSequence",
)
_ION_PLAN_CLASS = "1.2.840.10008.5.1.4.1.1.481.8"
_PLAIN_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


def is_ion_plan(data: DataSet) -> bool:
    """Whether a plan is one of ions, by its SOP class."""
    return text(data, "SOPClassUID") == _ION_PLAN_CLASS


def image_header(read: HeaderRead, path: Path) -> ImageHeader:
    """Return the geometry of an image slice, or of each frame of a multi-frame image."""
    data = read.data
    # Compressed pixels may be of any length.
    plain = read.syntax in _PLAIN_SYNTAXES and read.ends_at is not None
    return slice_header(data, path, room=path.stat().st_size - (read.ends_at or 0) if plain else None)


def slice_header(data: DataSet, path: Path, *, room: int | None = None) -> ImageHeader:
    """Return the geometry of an image; `room` is the number of bytes that the file has for pixels in plain encoding."""
    n_rows, n_columns = integer(data, "Rows", path=path), integer(data, "Columns", path=path)
    n_frames = integer(data, "NumberOfFrames", path=path) or 1
    bits = (n_rows or 0) * (n_columns or 0) * n_frames * (integer(data, "BitsAllocated", path=path) or 0)
    header = ImageHeader(
        position_mm=numbers(data, "ImagePositionPatient", path=path),
        orientation=numbers(data, "ImageOrientationPatient", path=path),
        pixel_spacing_mm=numbers(data, "PixelSpacing", path=path),
        n_rows=n_rows,
        n_columns=n_columns,
        slice_thickness_mm=number(data, "SliceThickness", path=path),
        patient_position=text(data, "PatientPosition").upper(),
        image_type=tuple(text(data, "ImageType").upper().split("\\")),
        n_frames=n_frames,
        gantry_tilt_deg=number(data, "GantryDetectorTilt", path=path),
        acquisition=_acquisition(data),
        is_cut=room is not None and bits > 8 * room,
    )
    per_frame = items(data, "PerFrameFunctionalGroupsSequence", path=path)
    if not per_frame:
        return header
    shared = items(data, "SharedFunctionalGroupsSequence", path=path)[:1]
    return replace(header, frames=tuple(_frame(header, (one, *shared), path) for one in per_frame))


def _frame(header: ImageHeader, groups: tuple[DataSet, ...], path: Path) -> ImageHeader:
    """Return the geometry of one frame: what is its own comes before what all frames share."""

    def found(sequence: str, keyword: str) -> tuple[float, ...]:
        parts = (numbers(item, keyword, path=path) for group in groups for item in items(group, sequence, path=path))
        return next((part for part in parts if part), ())

    return replace(
        header,
        position_mm=found("PlanePositionSequence", "ImagePositionPatient"),
        orientation=found("PlaneOrientationSequence", "ImageOrientationPatient"),
        pixel_spacing_mm=found("PixelMeasuresSequence", "PixelSpacing"),
        slice_thickness_mm=next(iter(found("PixelMeasuresSequence", "SliceThickness")), None),
        n_frames=1,
    )


def _acquisition(data: DataSet) -> int | None:
    """Return AcquisitionNumber; None where it is missing or no number, which is no reason to refuse an image."""
    stated = text(data, "AcquisitionNumber")
    return int(stated) if stated.isdecimal() and len(stated) <= 12 else None


def structure_set_header(read: HeaderRead, path: Path) -> StructureSetHeader:
    """Return what a structure set refers to."""
    data = read.data
    frames, series = frames_and_series(data, path)
    return StructureSetHeader(
        label=name_text(data, "StructureSetLabel", charset_of(data)),
        frame_uids=frames,
        series_uids=tuple(text(one, "SeriesInstanceUID") for one in series),
        image_uids=frozenset(
            text(image, "ReferencedSOPInstanceUID")
            for one in series
            for image in items(one, "ContourImageSequence", path=path)
        ),
        n_rois=len(items(data, "StructureSetROISequence", path=path)),
    )


def frames_and_series(data: DataSet, path: Path) -> tuple[tuple[str, ...], list[DataSet]]:
    """Return the frames of reference that a structure set names, that of most ROIs first, and its series items."""
    rois = items(data, "StructureSetROISequence", path=path)
    frames = [uid for uid, _ in Counter(text(roi, "ReferencedFrameOfReferenceUID") for roi in rois).most_common()]
    series: list[DataSet] = []
    for frame in items(data, "ReferencedFrameOfReferenceSequence", path=path):
        frames.append(text(frame, "FrameOfReferenceUID"))
        for study in items(frame, "RTReferencedStudySequence", path=path):
            series += items(study, "RTReferencedSeriesSequence", path=path)
    return _unique(frames), series


def plan_header(read: HeaderRead, path: Path) -> PlanHeader:
    """Return what a plan refers to."""
    data, is_ion = read.data, is_ion_plan(read.data)
    return PlanHeader(
        label=name_text(data, "RTPlanLabel", charset_of(data)),
        is_ion=is_ion,
        structure_set_uids=references(data, "ReferencedStructureSetSequence"),
        dose_uids=references(data, "ReferencedDoseSequence"),
        groups=_groups(data, path, is_ion=is_ion),
    )


def _groups(data: DataSet, path: Path, *, is_ion: bool) -> tuple[tuple[int, tuple[int, ...]], ...]:
    beams = items(data, "IonBeamSequence" if is_ion else "BeamSequence", path=path)
    silent = {
        integer(beam, "BeamNumber", path=path)
        for beam in beams
        if text(beam, "TreatmentDeliveryType").upper() not in _TREATING
    }
    groups = []
    for group in items(data, "FractionGroupSequence", path=path):
        named = (integer(b, "ReferencedBeamNumber", path=path) for b in items(group, "ReferencedBeamSequence"))
        treating = tuple(n for n in named if n is not None and n not in silent)
        groups.append((integer(group, "FractionGroupNumber", path=path) or 0, treating))
    return tuple(groups)


def dose_header(read: HeaderRead, path: Path) -> DoseHeader:
    """Return what a dose grid is and refers to."""
    data = read.data
    plans = items(data, "ReferencedRTPlanSequence", path=path)
    groups = [group for plan in plans for group in items(plan, "ReferencedFractionGroupSequence", path=path)]
    beams = [beam for group in groups for beam in items(group, "ReferencedBeamSequence", path=path)]
    group_numbers = (integer(group, "ReferencedFractionGroupNumber", path=path) for group in groups)
    beam_numbers = (integer(beam, "ReferencedBeamNumber", path=path) for beam in beams)
    return DoseHeader(
        summation_type=text(data, "DoseSummationType").upper(),
        units=text(data, "DoseUnits").upper(),
        dose_type=text(data, "DoseType").upper(),
        plan_uids=references(data, "ReferencedRTPlanSequence"),
        structure_set_uids=references(data, "ReferencedStructureSetSequence"),
        group_numbers=tuple(n for n in group_numbers if n is not None),
        beam_numbers=tuple(n for n in beam_numbers if n is not None),
        n_frames=integer(data, "NumberOfFrames", path=path) or 1,
        n_rows=integer(data, "Rows", path=path),
        n_columns=integer(data, "Columns", path=path),
        pixel_spacing_mm=numbers(data, "PixelSpacing", path=path),
        position_mm=numbers(data, "ImagePositionPatient", path=path),
        orientation=numbers(data, "ImageOrientationPatient", path=path),
        comment=name_text(data, "DoseComment", charset_of(data)),
    )


def registration_header(read: HeaderRead, path: Path) -> RegistrationHeader:
    """Return the frames that a spatial registration joins: its own and those it maps from."""
    data = read.data
    mapped = [text(item, "FrameOfReferenceUID") for item in items(data, "RegistrationSequence", path=path)]
    return RegistrationHeader(frame_uids=_unique([text(data, "FrameOfReferenceUID"), *mapped]))


def references(data: DataSet, keyword: str) -> tuple[str, ...]:
    """Return the SOP instance UIDs that a reference sequence names."""
    return _unique([text(item, "ReferencedSOPInstanceUID") for item in items(data, keyword)])


def _unique(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
