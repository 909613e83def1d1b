"""The table of DICOM objects that are read: a new one is one reader file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import DicomReadError
from dvhkit.readers.files.elements import DataSet, text
from dvhkit.readers.files.header_file import HeaderRead
from dvhkit.readers.files.headers import (
    KEYWORDS,
    Header,
    dose_header,
    image_header,
    plan_header,
    registration_header,
    structure_set_header,
)
from dvhkit.readers.files.tags import tag_of
from dvhkit.readers.masks.segmentation import segmentation_header

if TYPE_CHECKING:
    from pydicom.tag import BaseTag

_DICOM_ROOT = "1.2.840.10008."
_SOP_PREFIX = "1.2.840.10008.5.1.4.1.1."


class Role(StrEnum):
    """What part an object plays in a case."""

    IMAGE = "IMAGE"
    RTSTRUCT = "RTSTRUCT"
    RTPLAN = "RTPLAN"
    RTDOSE = "RTDOSE"
    REG = "REG"
    SEG = "SEG"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomObject:
    """A kind of object: how it is known, what linking takes from its header, how people hear of it.

    Attributes
    ----------
    classes
        SOP class UIDs, without the prefix that all share.
    modalities
        What counts where there is no SOP class, or one that is none of DICOM's, as anonymisers leave it.
    header
        From the elements of a header to what linking needs to know.
    keywords
        What `header` looks at beside `headers.KEYWORDS`.
    stops_at
        Keyword of the element before which reading stops.
    option
        How a file of it is named on the command line.
    unused
        Why one that is there may be part of no case.
    """

    role: Role
    noun: str
    classes: tuple[str, ...]
    modalities: tuple[str, ...]
    header: Callable[[HeaderRead, Path], Header]
    keywords: tuple[str, ...] = ()
    stops_at: str = "PixelData"
    option: str = ""
    unused: str


OBJECTS = (
    DicomObject(
        role=Role.IMAGE,
        noun="image",
        # CT, MR and PET: plain, enhanced, legacy converted enhanced.
        classes=("2", "2.1", "2.2", "4", "4.1", "4.4", "128", "130", "128.1"),
        modalities=("CT", "MR", "PT"),
        header=image_header,
        unused="no case refers to this series",
    ),
    DicomObject(
        role=Role.RTSTRUCT,
        noun="structure set",
        classes=("481.3",),
        modalities=("RTSTRUCT",),
        header=structure_set_header,
        stops_at="ROIContourSequence",
        option="--rtstruct",
        unused="another structure set of its frame has the dose",
    ),
    DicomObject(
        role=Role.RTPLAN,
        noun="plan",
        classes=("481.5", "481.8"),  # photons and electrons; ions
        modalities=("RTPLAN",),
        header=plan_header,
        option="--rtplan",
        unused="no dose here refers to it",
    ),
    DicomObject(
        role=Role.RTDOSE,
        noun="dose",
        classes=("481.2",),
        modalities=("RTDOSE",),
        header=dose_header,
        option="--rtdose",
        unused="another dose is the plan's; this one is a part of it",
    ),
    DicomObject(
        role=Role.REG,
        noun="registration",
        classes=("66.1",),
        modalities=("REG",),
        header=registration_header,
        option="--registration",
        unused="it joins no frames that a case needs joined",
    ),
    DicomObject(
        role=Role.SEG,
        noun="segmentation",
        classes=("66.4", "66.7"),  # by segment; label map
        modalities=("SEG",),
        header=segmentation_header,
        keywords=("SegmentSequence", "ReferencedSeriesSequence"),
        stops_at="SharedFunctionalGroupsSequence",
        option="--seg",
        unused="its segments become structures where there is no structure set, or by --seg",
    ),
)
OBJECT_OF = {row.role: row for row in OBJECTS}
HEADER_TAGS: list[BaseTag | int] = [tag_of(word) for word in (*KEYWORDS, *(w for row in OBJECTS for w in row.keywords))]
_BY_CLASS = {suffix: row for row in OBJECTS for suffix in row.classes}
_BY_MODALITY = {modality: row for row in OBJECTS for modality in row.modalities}
_STOPS = {(_SOP_PREFIX + suffix).encode(): tag_of(row.stops_at) for suffix, row in _BY_CLASS.items()}
_SOP_CLASS_TAG = b"\x08\x00\x16\x00"
_PIXELS = tag_of("PixelData")


def role_of(sop_class: str, modality: str) -> Role:
    """Return the role of an object.

    The modality counts only where there is no SOP class, or one that is none of DICOM's, as anonymisers leave it: a
    screenshot of a CT has the modality CT, too.
    """
    if sop_class.startswith(_DICOM_ROOT):
        row = _BY_CLASS.get(sop_class.removeprefix(_SOP_PREFIX))
    else:
        row = _BY_MODALITY.get(modality.upper())
    return Role.OTHER if row is None else row.role


def last_for(start: bytes) -> BaseTag | int:
    """Return the tag before which the header of a file ends, by its first bytes: most end at their pixels."""
    value = start.find(_SOP_CLASS_TAG) + 8  # the same place in implicit and explicit encoding
    length = int.from_bytes(start[value - 2 : value], "little") or int.from_bytes(start[value - 4 : value], "little")
    return _STOPS.get(start[value : value + length].rstrip(b"\x00 "), _PIXELS)


def require_role(data: DataSet, role: Role, path: Path) -> None:
    """Raise `DicomReadError` if an object plays another role than `role`."""
    modality = text(data, "Modality").upper()
    if role_of(text(data, "SOPClassUID"), modality) is not role:
        raise DicomReadError(
            f"is no {OBJECT_OF[role].noun} but {modality or 'of no modality'}.",
            path=path,
            remedy="Name a file of the right kind.",
        )
