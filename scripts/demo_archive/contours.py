"""The structure set of a case, written in one go: pydicom checks each of 50,000 numbers, which here are known good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from dvhkit.model.structure import Contour
from dvhkit.phantoms.dicom.modules import items, reference
from dvhkit.phantoms.dicom.structures import build_structure_set
from dvhkit.phantoms.dicom.uids import SetUids
from dvhkit.phantoms.sets.phantom_set import PhantomSet

_CONTOUR_DATA = Tag("ContourData")


def structure_set(phantom: PhantomSet, uids: SetUids, *, is_multiframe: bool) -> Dataset:
    """Return the RTSTRUCT; with `is_multiframe` its contours refer to frames of one object."""
    empty = replace(phantom, structures=tuple(replace(s, contours=()) for s in phantom.structures))
    ds = build_structure_set(empty, uids)
    if is_multiframe:
        study = ds.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        study.RTReferencedSeriesSequence[0].ContourImageSequence = items(
            [reference(EnhancedCTImageStorage, uids.image(0))]
        )
    assert phantom.image is not None
    planes = phantom.image.grid.origin_mm[2] + phantom.image.grid.offsets_mm
    decimals = phantom.contour_decimals or 3
    for structure, roi in zip(phantom.structures, ds.ROIContourSequence, strict=True):
        if structure.contours:
            roi.ContourSequence = items(
                _item(contour, _link(contour, planes, uids, is_multiframe=is_multiframe), decimals)
                for contour in structure.contours
            )
    return ds


def _link(contour: Contour, planes: np.ndarray, uids: SetUids, *, is_multiframe: bool) -> Dataset:
    plane = int(np.argmin(np.abs(planes - contour.points_mm[0, 2])))
    if not is_multiframe:
        return reference(CTImageStorage, uids.image(plane))
    link = reference(EnhancedCTImageStorage, uids.image(0))
    link.ReferencedFrameNumber = plane + 1
    return link


def _item(contour: Contour, image: Dataset, decimals: int) -> Dataset:
    item = Dataset()
    item.ContourImageSequence = items([image])
    item.ContourGeometricType = contour.kind.value
    item.NumberOfContourPoints = len(contour.points_mm)
    text = "\\".join(map(f"%.{decimals}f".__mod__, contour.points_mm.ravel().tolist()))
    item[_CONTOUR_DATA] = DataElement(_CONTOUR_DATA, "DS", text, already_converted=True)
    return item
