"""Name and ID of the patient, for those who ask for them: read anew, and kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvhkit.readers.files.dicom_file import parse, quiet_pydicom, read_bytes, reading
from dvhkit.readers.files.elements import charset_of, name_text

if TYPE_CHECKING:
    from pathlib import Path


def read_patient(path: Path) -> tuple[str, str]:
    """Return PatientName and PatientID of a DICOM file; empty where they are not stated."""
    with quiet_pydicom(), reading(path):
        data = parse(read_bytes(path))
        charset = charset_of(data)
        return name_text(data, "PatientName", charset), name_text(data, "PatientID", charset)
