"""The DICOM modules that every object of a set shares (PS3.3 C.7): patient, study, series, frame, equipment."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from dvhkit.errors import OutputError
from dvhkit.model.grid import Grid
from dvhkit.phantoms.dicom.uids import SetUids, content_uid
from dvhkit.phantoms.sets.phantom_set import PhantomSet

# A phantom has no time: fixed, so that files are the same in every run.
DATE = "20250101"
TIME = "120000"
MANUFACTURER = "dvhkit"
# An explicit-VR DS element has a 16-bit length (PS3.5 7.1.2).
EXPLICIT_DS_LIMIT_BYTES = 65534


def ds_text(value: float, *, decimals: int | None = None) -> str:
    """Return a number as a decimal string of at most 16 characters (PS3.5 6.2, VR DS)."""
    number = float(value)
    if decimals is not None:
        number = round(number, decimals)
    number += 0.0  # -0 becomes 0
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return str(format_number_as_ds(number))


def ds_list(values: Iterable[float], *, decimals: int | None = None) -> list[str]:
    """Return numbers as decimal strings."""
    return [ds_text(v, decimals=decimals) for v in values]


def new_object(phantom: PhantomSet, uids: SetUids, *, sop_class: str, sop_instance: str) -> Dataset:
    """Return a data set with file meta, SOP common, patient, study and equipment modules."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = UID(content_uid("implementation"))
    ds.file_meta.ImplementationVersionName = "DVHKIT_PHANTOM"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.InstanceCreationDate, ds.InstanceCreationTime = DATE, TIME
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, sop_instance
    _add_patient_and_study(ds, phantom, uids)
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = "analytic phantom"
    ds.SoftwareVersions = "1"
    return ds


def _add_patient_and_study(ds: Dataset, phantom: PhantomSet, uids: SetUids) -> None:
    ds.PatientName, ds.PatientID = phantom.patient_name, phantom.patient_id
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "synthetic: no patient was ever imaged"
    ds.StudyInstanceUID = uids.study
    ds.StudyDate, ds.StudyTime = DATE, TIME
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "1", "", ""
    ds.StudyDescription = phantom.label[:64]


def add_series(ds: Dataset, *, modality: str, series_uid: str, number: int, description: str) -> None:
    """Add the (RT) series module."""
    ds.Modality = modality
    ds.SeriesInstanceUID = series_uid
    ds.SeriesNumber = str(number)
    ds.SeriesDescription = description
    ds.SeriesDate, ds.SeriesTime = DATE, TIME
    ds.OperatorsName = ""


def add_frame_of_reference(ds: Dataset, uids: SetUids) -> None:
    """Add the frame of reference module."""
    ds.FrameOfReferenceUID = uids.frame_of_reference
    ds.PositionReferenceIndicator = ""


def add_image_plane(ds: Dataset, grid: Grid, *, plane: int) -> None:
    """Add position, orientation and pixel spacing of one plane of `grid` (PS3.3 C.7.6.2)."""
    position = grid.origin_mm + grid.offsets_mm[plane] * grid.normal
    ds.ImagePositionPatient = ds_list(position)
    ds.ImageOrientationPatient = ds_list(np.concatenate([grid.axes[0], grid.axes[1]]))
    # PixelSpacing is rows first; the grid is columns first.
    ds.PixelSpacing = ds_list([grid.spacing_mm[1], grid.spacing_mm[0]])
    ds.Rows, ds.Columns = grid.n_rows, grid.n_columns


def reference(sop_class: str, sop_instance: str) -> Dataset:
    """Return an item that refers to an object."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
    return item


def items(datasets: Iterable[Dataset]) -> Sequence:
    """Return a sequence of these items."""
    return Sequence(list(datasets))


def save(ds: Dataset, path: Path | str) -> Path:
    """Write a data set that `new_object` began; raises `OutputError` where the file cannot be written."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        implicit = ds.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
        ds.save_as(target, enforce_file_format=True, implicit_vr=implicit, little_endian=True)
    except OSError as error:
        raise OutputError(
            f"the file cannot be written: {error.strerror or error}.", path=target, remedy="Choose another folder."
        ) from error
    return target
