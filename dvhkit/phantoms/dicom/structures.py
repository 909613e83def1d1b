"""A phantom's structures as RTSTRUCT (PS3.3 A.19)."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian, RTStructureSetStorage

from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure
from dvhkit.phantoms.dicom.modules import (
    DATE,
    EXPLICIT_DS_LIMIT_BYTES,
    TIME,
    add_frame_of_reference,
    add_series,
    ds_list,
    items,
    new_object,
    reference,
)
from dvhkit.phantoms.dicom.uids import SetUids
from dvhkit.phantoms.sets.phantom_set import PhantomSet

# Retired, yet what RTReferencedStudySequence is filled with throughout.
_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
_DEFAULT_COLOR = (255, 255, 0)
# A contour belongs to a slice if its plane lies within this distance of it.
_ON_SLICE_MM = 0.01


def build_structure_set(phantom: PhantomSet, uids: SetUids) -> Dataset:
    """Return the RTSTRUCT of a phantom."""
    ds = new_object(phantom, uids, sop_class=RTStructureSetStorage, sop_instance=uids.structure_set)
    add_series(ds, modality="RTSTRUCT", series_uid=uids.structure_series, number=2, description="structures")
    add_frame_of_reference(ds, uids)
    ds.StructureSetLabel, ds.StructureSetName = phantom.label[:16], phantom.label[:64]
    ds.StructureSetDate, ds.StructureSetTime = DATE, TIME
    ds.InstanceNumber, ds.ApprovalStatus = "1", "UNAPPROVED"
    grid = phantom.image.grid if phantom.image else None
    ds.ReferencedFrameOfReferenceSequence = items([_referenced_frame(uids, grid)])
    ds.StructureSetROISequence = items(_roi_item(s, uids) for s in phantom.structures)
    drawn = phantom.structures[::-1] if phantom.contours_reversed else phantom.structures
    ds.ROIContourSequence = items(_contours_item(s, phantom, uids, grid) for s in drawn)
    ds.RTROIObservationsSequence = items(_observation_item(s) for s in phantom.structures)
    if _longest_contour_bytes(ds) > EXPLICIT_DS_LIMIT_BYTES:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return ds


def _referenced_frame(uids: SetUids, grid: Grid | None) -> Dataset:
    frame = Dataset()
    frame.FrameOfReferenceUID = uids.frame_of_reference
    if grid is not None:
        series = Dataset()
        series.SeriesInstanceUID = uids.image_series
        planes = range(len(grid.offsets_mm))
        series.ContourImageSequence = items(reference(CTImageStorage, uids.image(k)) for k in planes)
        study = reference(_DETACHED_STUDY, uids.study)
        study.RTReferencedSeriesSequence = items([series])
        frame.RTReferencedStudySequence = items([study])
    return frame


def _roi_item(structure: Structure, uids: SetUids) -> Dataset:
    item = Dataset()
    item.ROINumber = str(structure.number)
    item.ReferencedFrameOfReferenceUID = structure.frame_of_reference_uid or uids.frame_of_reference
    item.ROIName = structure.name
    item.ROIGenerationAlgorithm = "AUTOMATIC"
    return item


def _observation_item(structure: Structure) -> Dataset:
    item = Dataset()
    item.ObservationNumber = str(structure.number)
    item.ReferencedROINumber = str(structure.number)
    item.RTROIInterpretedType = structure.rt_roi_type
    item.ROIInterpreter = ""
    return item


def _contours_item(structure: Structure, phantom: PhantomSet, uids: SetUids, grid: Grid | None) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(structure.color_rgb or _DEFAULT_COLOR)
    if structure.contours:
        item.ContourSequence = items(_contour_item(c, phantom, uids, grid) for c in structure.contours)
    item.ReferencedROINumber = str(structure.number)
    return item


def _contour_item(contour: Contour, phantom: PhantomSet, uids: SetUids, grid: Grid | None) -> Dataset:
    item = Dataset()
    plane = _plane_of(contour, grid)
    if plane is not None:
        item.ContourImageSequence = items([reference(CTImageStorage, uids.image(plane))])
    item.ContourGeometricType = contour.kind.value
    item.NumberOfContourPoints = str(len(contour.points_mm))
    item.add(_contour_data(contour, phantom.contour_decimals))
    return item


def _contour_data(contour: Contour, decimals: int | None) -> Any:  # noqa: ANN401 -- pydicom's raw element
    """Return ContourData as bytes: pydicom checks each decimal string on its own, which takes most of the time."""
    value = "\\".join(ds_list(contour.points_mm.ravel().tolist(), decimals=decimals)).encode("ascii")
    value += b" " * (len(value) % 2)
    return RawDataElement(Tag("ContourData"), "DS", len(value), value, 0, False, True)


def _plane_of(contour: Contour, grid: Grid | None) -> int | None:
    if grid is None or len(contour.points_mm) == 0:
        return None
    along_mm = grid.to_grid_mm(contour.points_mm)[:, 2]
    plane = int(np.argmin(np.abs(grid.offsets_mm - along_mm[0])))
    return plane if np.all(np.abs(along_mm - grid.offsets_mm[plane]) <= _ON_SLICE_MM) else None


def _longest_contour_bytes(ds: Dataset) -> int:
    lengths = [
        len(contour.get_item("ContourData").value)
        for roi in ds.ROIContourSequence
        for contour in roi.get("ContourSequence", ())
    ]
    return max(lengths, default=0)
