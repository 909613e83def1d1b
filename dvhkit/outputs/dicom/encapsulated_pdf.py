"""A PDF as DICOM object in the study of a plan: Encapsulated PDF (PS3.3 A.45.1)."""

from __future__ import annotations

import copy
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dvhkit.errors import InputError, OutputError
from dvhkit.outputs.dicom.in_study import encoded, put_in_study
from dvhkit.outputs.files import write_bytes_whole

ENCAPSULATED_PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"


def write_encapsulated_pdf(path: Path, pdf: bytes, *, source: Path, title: str) -> str:
    """Write a PDF as a new object in the study of `source`; return its SOP instance UID.

    Parameters
    ----------
    source
        The RTPLAN (or another RT object) that the document is about; it is never touched.
    title
        What viewers list it under.

    Raises
    ------
    InputError
        If the source cannot be read, or what is to be written is no PDF.
    OutputError
        If the file cannot be written, or is the source itself.
    """
    if not pdf.startswith(b"%PDF-"):
        raise InputError("what is to be encapsulated is no PDF.", path=path)
    if path.exists() and path.samefile(source):
        raise OutputError("that is the plan itself; it is never overwritten.", path=path, remedy="Name another file.")
    try:
        origin = pydicom.dcmread(source, force=True, stop_before_pixels=True)
        about = origin.SOPClassUID, origin.SOPInstanceUID
    except (OSError, ValueError, AttributeError, KeyError, NotImplementedError) as error:
        raise InputError("it cannot be read as DICOM.", path=source) from error
    found = _begin(origin, title)
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = about
    found.SourceInstanceSequence = [item]
    found.EncapsulatedDocumentLength = len(pdf)
    found.EncapsulatedDocument = pdf + b"\x00" * (len(pdf) % 2)
    write_bytes_whole(path, encoded(found))
    return str(found.SOPInstanceUID)


def _begin(origin: Dataset, title: str) -> Dataset:
    now = datetime.now()
    found = Dataset()
    if "SpecificCharacterSet" in origin:
        found.SpecificCharacterSet = copy.deepcopy(origin.SpecificCharacterSet)
    put_in_study(found, origin)
    found.SOPClassUID, found.SOPInstanceUID = ENCAPSULATED_PDF_CLASS, generate_uid()
    found.SeriesInstanceUID, found.SeriesNumber, found.Modality = generate_uid(), 1, "DOC"
    found.SeriesDescription = "dvhkit"
    found.Manufacturer = found.ManufacturerModelName = "dvhkit"
    found.SoftwareVersions = f"dvhkit {version('dvhkit')}"
    found.ConversionType = "WSD"
    found.InstanceNumber = 1
    found.ContentDate, found.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    found.AcquisitionDateTime = ""
    # Whether words on a page name the patient nobody can promise: structures and plans are called by people.
    found.BurnedInAnnotation = "YES"
    found.DocumentTitle = title
    found.ConceptNameCodeSequence = []
    found.VerificationFlag = "UNVERIFIED"
    found.MIMETypeOfEncapsulatedDocument = "application/pdf"
    return found
