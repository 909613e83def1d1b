"""What part an object plays in a case: by its SOP class, or by its modality where the class says nothing."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from dvhkit.errors import DicomReadError
from dvhkit.readers.files.elements import (
    DataSet,
    text,
)

_DICOM_ROOT = "1.2.840.10008."
_SOP_PREFIX = "1.2.840.10008.5.1.4.1.1."


class Role(StrEnum):
    """What part an object plays in a case."""

    IMAGE = "IMAGE"
    RTSTRUCT = "RTSTRUCT"
    RTPLAN = "RTPLAN"
    RTDOSE = "RTDOSE"
    REG = "REG"
    OTHER = "OTHER"


# SOP class UID, without the common prefix -> role.
_ROLES = {
    "2": Role.IMAGE,  # CT
    "2.1": Role.IMAGE,  # enhanced CT
    "2.2": Role.IMAGE,  # legacy converted enhanced CT
    "4": Role.IMAGE,  # MR
    "4.1": Role.IMAGE,  # enhanced MR
    "4.4": Role.IMAGE,  # legacy converted enhanced MR
    "128": Role.IMAGE,  # PET
    "128.1": Role.IMAGE,  # legacy converted enhanced PET
    "130": Role.IMAGE,  # enhanced PET
    "481.2": Role.RTDOSE,
    "481.3": Role.RTSTRUCT,
    "481.5": Role.RTPLAN,
    "481.8": Role.RTPLAN,  # RT Ion Plan
    "66.1": Role.REG,
}
ION_PLAN_CLASS = _SOP_PREFIX + "481.8"
_MODALITY_ROLES = {
    "CT": Role.IMAGE,
    "MR": Role.IMAGE,
    "PT": Role.IMAGE,
    "RTDOSE": Role.RTDOSE,
    "RTSTRUCT": Role.RTSTRUCT,
    "RTPLAN": Role.RTPLAN,
    "REG": Role.REG,
}
_NOUNS = {Role.RTSTRUCT: "structure set", Role.RTPLAN: "plan", Role.RTDOSE: "dose"}


def role_of(sop_class: str, modality: str) -> Role:
    """Return the role of an object.

    The modality counts only where there is no SOP class, or one that is none of DICOM's, as anonymisers leave it: a
    screenshot of a CT has the modality CT, too.
    """
    if sop_class.startswith(_DICOM_ROOT):
        return _ROLES.get(sop_class.removeprefix(_SOP_PREFIX), Role.OTHER)
    return _MODALITY_ROLES.get(modality.upper(), Role.OTHER)


def require_role(data: DataSet, role: Role, path: Path) -> None:
    """Raise `DicomReadError` if an object plays another role than `role`."""
    modality = text(data, "Modality").upper()
    if role_of(text(data, "SOPClassUID"), modality) is not role:
        raise DicomReadError(
            f"is no {_NOUNS[role]} but {modality or 'of no modality'}.",
            path=path,
            remedy="Name a file of the right kind.",
        )
