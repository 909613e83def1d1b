"""RTDOSE with our DVHs: the dose, or a sum or another grid of it, and DVHSequence (PS3.3 C.8.8.3 and C.8.8.4)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid
from pydicom.valuerep import format_number_as_ds

from dvhkit.errors import InputError, OutputError
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.dvh import DOSE_EQUALITY_RTOL, Dvh
from dvhkit.outputs.dicom.consistent import require_consistent
from dvhkit.outputs.dicom.in_study import encoded, put_in_study
from dvhkit.outputs.files import write_bytes_whole

RTDOSE_CLASS = "1.2.840.10008.5.1.4.1.1.481.2"
_RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
# Curves are stored in whole steps of 1 cGy, as few of them as let a curve fit the 65534 bytes of an explicit DS.
BIN_GY = 0.01
_BINS_MOST = 3_600
_LO_MOST = 64
_KEPT = ("SpecificCharacterSet", "StudyDescription", "TissueHeterogeneityCorrection", "NormalizationPoint")


def write_rtdose(
    path: Path | str,
    dose: Dose,
    dvhs: Mapping[int, Dvh],
    *,
    source: Path | str,
    structure_set_uid: str,
    bits: Literal[16, 32] = 32,
    comment: str = "",
) -> str:
    """Write a dose with DVHs as a new RTDOSE in the study of `source`; return its SOP instance UID.

    Parameters
    ----------
    dose
        Values and grid to write; planes must be parallel, their distances may differ.
    dvhs
        By ROI number of the structure set; stored cumulative, in cc and Gy.
    source
        An RTDOSE of the same study: patient, study and referenced plans are its. It is never touched.
    bits
        Of each voxel. In 16 bits the dose is rounded to 1/65535 of its maximum.

    Raises
    ------
    InputError
        If the source is no RTDOSE, or the dose is negative.
    OutputError
        If the file cannot be written, or is the source itself.
    """
    path, source = Path(path), Path(source)
    if path.exists() and source.exists() and path.samefile(source):
        raise OutputError("that is the dose itself; it is never overwritten.", path=path, remedy="Name another file.")
    origin = _read_source(source)
    found = _begin(origin, dose, comment)
    _add_grid(found, dose)
    _add_values(found, dose, bits)
    _add_references(found, origin, dose, structure_set_uid)
    if dvhs:
        found.DVHSequence = [_dvh_item(number, dvh, found.DoseType) for number, dvh in sorted(dvhs.items())]
    require_consistent(found)
    write_bytes_whole(path, encoded(found))
    return str(found.SOPInstanceUID)


def _read_source(source: Path) -> Dataset:
    try:
        found = pydicom.dcmread(source, force=True, stop_before_pixels=True)
        is_dose = found.get("Modality") == "RTDOSE" or found.get("SOPClassUID") == RTDOSE_CLASS
    except (OSError, ValueError, AttributeError, KeyError, NotImplementedError) as error:
        raise InputError("it cannot be read as DICOM.", path=source) from error
    if not is_dose:
        raise InputError("it is no RTDOSE.", path=source)
    return found


def _begin(origin: Dataset, dose: Dose, comment: str) -> Dataset:
    now = datetime.now()
    found = Dataset()
    for keyword in _KEPT:
        if keyword in origin:
            found[keyword] = copy.deepcopy(origin[keyword])
    put_in_study(found, origin)
    found.SOPClassUID, found.SOPInstanceUID = RTDOSE_CLASS, generate_uid()
    found.SeriesInstanceUID, found.SeriesNumber, found.Modality = generate_uid(), 1, "RTDOSE"
    found.SeriesDescription = "dvhkit"
    found.OperatorsName, found.InstanceNumber = "", 1
    found.InstanceCreationDate, found.InstanceCreationTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    found.ContentDate, found.ContentTime = found.InstanceCreationDate, found.InstanceCreationTime
    found.Manufacturer = found.ManufacturerModelName = "dvhkit"
    found.SoftwareVersions = f"dvhkit {version('dvhkit')}"
    found.FrameOfReferenceUID = dose.frame_of_reference_uid or str(origin.get("FrameOfReferenceUID", generate_uid()))
    found.PositionReferenceIndicator = str(origin.get("PositionReferenceIndicator", "") or "")
    if comment:
        found.DoseComment = comment if len(comment) <= _LO_MOST else f"{comment[: _LO_MOST - 3]}..."
    return found


def _text(value: float) -> str:
    return str(format_number_as_ds(float(value) + 0.0))


def _add_grid(found: Dataset, dose: Dose) -> None:
    grid = dose.grid
    offsets = grid.offsets_mm - grid.offsets_mm[0]
    first = grid.origin_mm + grid.offsets_mm[0] * grid.normal
    found.ImagePositionPatient = [_text(round(v, 6)) for v in first]
    found.ImageOrientationPatient = [_text(round(v, 10)) for v in (*grid.axes[0], *grid.axes[1])]
    # PixelSpacing names the distance of rows first.
    found.PixelSpacing = [_text(grid.spacing_mm[1]), _text(grid.spacing_mm[0])]
    found.Rows, found.Columns = grid.n_rows, grid.n_columns
    found.NumberOfFrames = len(offsets)
    found.FrameIncrementPointer = Tag("GridFrameOffsetVector")
    found.GridFrameOffsetVector = [_text(round(v, 6)) for v in offsets]
    found.SliceThickness = _text(grid.plane_spacing_mm) if len(offsets) > 1 else ""


def _add_values(found: Dataset, dose: Dose, bits: int) -> None:
    values = dose.values_gy
    if values.min(initial=0.0) < 0 or dose.dose_type is DoseType.ERROR:
        raise InputError("a dose with negative values is not written.", remedy="Export the dose itself.")
    limit = 2**bits - 1
    # The step is rounded to its text first, upwards, so that the greatest dose fits.
    step = float(_text(float(values.max(initial=0.0)) / limit * (1 + 1e-9) or 1.0))
    stored = np.minimum(np.rint(values / step), limit).astype("<u2" if bits == 16 else "<u4")
    found.SamplesPerPixel, found.PhotometricInterpretation, found.PixelRepresentation = 1, "MONOCHROME2", 0
    found.BitsAllocated = found.BitsStored = bits
    found.HighBit = bits - 1
    found.DoseUnits, found.DoseType = "GY", dose.dose_type.value
    found.DoseSummationType = dose.summation_type or "PLAN"
    found.DoseGridScaling = _text(step)
    found.PixelData = np.ascontiguousarray(stored).tobytes()
    found["PixelData"].VR = "OW"


def _add_references(found: Dataset, origin: Dataset, dose: Dose, structure_set_uid: str) -> None:
    known = {str(item.get("ReferencedSOPInstanceUID", "")): item for item in origin.get("ReferencedRTPlanSequence", [])}
    plans = []
    for uid in dict.fromkeys(dose.referenced_plan_uids):
        item = copy.deepcopy(known[uid]) if uid in known else Dataset()
        if uid not in known:
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.5", uid
        plans.append(item)
    if plans:
        found.ReferencedRTPlanSequence = plans
    if structure_set_uid:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = _RTSTRUCT_CLASS, structure_set_uid
        found.ReferencedStructureSetSequence = [item]


def _dvh_item(roi_number: int, dvh: Dvh, dose_type: str) -> Dataset:
    top = dvh.max_gy or 0.0
    width = max(BIN_GY, float(np.ceil(top / _BINS_MOST / BIN_GY) * BIN_GY))
    edges = np.arange(int(np.ceil(top / width)) + 2) * width
    below = np.concatenate([[0.0], np.cumsum(dvh.part_cc)])
    volume = below[-1] - below[np.searchsorted(dvh.dose_gy, edges * (1 - DOSE_EQUALITY_RTOL), side="left")]
    volume[0] = dvh.volume_cc  # what lies outside the grid has no dose, and belongs to the structure
    item = Dataset()
    reference = Dataset()
    reference.ReferencedROINumber, reference.DVHROIContributionType = roi_number, "INCLUDED"
    item.DVHReferencedROISequence = [reference]
    item.DVHType, item.DoseUnits, item.DoseType = "CUMULATIVE", "GY", dose_type
    item.DVHDoseScaling, item.DVHVolumeUnits, item.DVHNumberOfBins = "1", "CM3", len(edges)
    step = _text(width)
    item.add_new("DVHData", "DS", [part for v in volume for part in (step, f"{max(v, 0.0):.10g}")])
    if dvh.min_gy is not None and dvh.max_gy is not None:
        item.DVHMinimumDose, item.DVHMaximumDose = _text(dvh.min_gy), _text(dvh.max_gy)
        item.DVHMeanDose = _text(dvh.mean_gy)
    return item
