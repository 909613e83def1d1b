"""What every object has that is written into a study: its patient, its study, and a whole file."""

from __future__ import annotations

import copy
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from dvhkit.errors import OutputError

PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


def put_in_study(found: Dataset, origin: Dataset) -> None:
    """Give an object the patient and study of another; attributes of type 2 are there even if that one lacks them."""
    for keyword in PATIENT_AND_STUDY:
        if keyword in origin:
            found[keyword] = copy.deepcopy(origin[keyword])
        elif keyword not in found:
            setattr(found, keyword, generate_uid() if keyword == "StudyInstanceUID" else "")


def encoded(found: Dataset) -> bytes:
    """Return an object as the bytes of a file, Explicit VR Little Endian; raises `OutputError`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(found.SOPClassUID), found.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta = meta
    buffer = BytesIO()
    try:
        pydicom.dcmwrite(buffer, found, implicit_vr=False, little_endian=True, enforce_file_format=True, overwrite=True)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise OutputError(f"the object cannot be encoded: {type(error).__name__}.") from error
    return buffer.getvalue()
