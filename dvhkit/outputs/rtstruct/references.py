"""What an RTSTRUCT refers to: the image's slices, its series, its study and its frame of reference."""

from __future__ import annotations

import copy

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dvhkit.model.arrays import FloatArray
from dvhkit.model.image import ImageSeries

# Contours this far from a slice do not lie on it.
_ON_SLICE_MM = 0.1
# Detached Study Management: long retired, and what every planning system writes here.
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"


class Slices:
    """Which image slice a contour lies on."""

    def __init__(self, origin: Dataset, image: ImageSeries | None) -> None:
        self.image = image
        self.frame_uid = frame_uid(origin, image)
        self._axis, self._heights, self._references = self._from_image(image) if image else _from_source(origin)

    @staticmethod
    def _from_image(image: ImageSeries) -> tuple[FloatArray, FloatArray, list[Dataset]]:
        grid = image.grid
        sop_class = _image_class(image)
        references = [_reference(sop_class, uid) for uid in image.sop_instance_uids]
        heights = grid.offsets_mm + float(grid.origin_mm @ grid.normal)
        return grid.normal, heights, references[: len(heights)]

    def at(self, points_mm: FloatArray) -> Dataset | None:
        """Return the reference to the slice that the contour lies on, or None."""
        if not self._references:
            return None
        heights = points_mm @ self._axis
        nearest = int(np.abs(self._heights - heights.mean()).argmin())
        if np.abs(heights - self._heights[nearest]).max() > _ON_SLICE_MM:
            return None
        return copy.deepcopy(self._references[nearest])


def _image_class(image: ImageSeries) -> str:
    if image.paths:
        try:
            header = pydicom.dcmread(image.paths[0], specific_tags=["SOPClassUID"], force=True)
            if "SOPClassUID" in header:
                return str(header.SOPClassUID)
        except (OSError, ValueError):
            pass
    return {"MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128"}.get(
        image.modality, "1.2.840.10008.5.1.4.1.1.2"
    )


def _reference(sop_class: str, sop_instance: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class
    reference.ReferencedSOPInstanceUID = sop_instance
    return reference


def _from_source(origin: Dataset) -> tuple[FloatArray, FloatArray, list[Dataset]]:
    """Return what the source's own axial contours refer to, by height."""
    found: dict[float, Dataset] = {}
    for roi in origin.get("ROIContourSequence", []):
        for contour in roi.get("ContourSequence", None) or []:
            references = contour.get("ContourImageSequence", None)
            data = contour.get("ContourData", None)
            if references and data is not None and len(data) >= 3:
                found.setdefault(round(float(data[2]), 2), references[0])
    return np.array([0.0, 0.0, 1.0]), np.array(sorted(found)), [found[z] for z in sorted(found)]


def frame_uid(origin: Dataset, image: ImageSeries | None) -> str:
    """Return the frame of reference of an image, or else that of a structure set; a new one where none is named."""
    if image is not None and image.frame_of_reference_uid:
        return image.frame_of_reference_uid
    for item in origin.get("StructureSetROISequence", []):
        if item.get("ReferencedFrameOfReferenceUID"):
            return str(item.ReferencedFrameOfReferenceUID)
    for item in origin.get("ReferencedFrameOfReferenceSequence", []):
        if item.get("FrameOfReferenceUID"):
            return str(item.FrameOfReferenceUID)
    return str(origin.get("FrameOfReferenceUID", "") or generate_uid())


def complete_references(found: Dataset, image: ImageSeries | None) -> None:
    """Name the image series, its study and its frame of reference where a structure set does not name that series."""
    if image is None or not image.sop_instance_uids:
        return
    frames = found.get("ReferencedFrameOfReferenceSequence", None) or []
    if any(image.series_instance_uid == uid for frame in frames for uid in _series_of(frame)):
        return
    sop_class = _image_class(image)
    series = Dataset()
    series.SeriesInstanceUID = image.series_instance_uid
    series.ContourImageSequence = [_reference(sop_class, uid) for uid in image.sop_instance_uids]
    study = Dataset()
    study.ReferencedSOPClassUID = _STUDY_CLASS
    study.ReferencedSOPInstanceUID = found.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = frame_uid(found, image)
    frame.RTReferencedStudySequence = [study]
    found.ReferencedFrameOfReferenceSequence = [*frames, frame]


def _series_of(frame: Dataset) -> list[str]:
    return [
        str(series.get("SeriesInstanceUID", ""))
        for study in frame.get("RTReferencedStudySequence", None) or []
        for series in study.get("RTReferencedSeriesSequence", None) or []
    ]


def list_referred_images(found: Dataset, new: int) -> None:
    """List every image that contours refer to; the last `new` structures refer to no image that is not listed.

    What contours refer to beside the listed images joins the series that is listed, where there is one alone.
    """
    series = [
        series
        for frame in found.get("ReferencedFrameOfReferenceSequence", None) or []
        for study in frame.get("RTReferencedStudySequence", None) or []
        for series in study.get("RTReferencedSeriesSequence", None) or []
    ]
    listed = {str(i.ReferencedSOPInstanceUID) for s in series for i in s.get("ContourImageSequence", None) or []}
    unlisted: dict[str, Dataset] = {}
    holders: list[Dataset] = []
    for place, roi in enumerate(found.ROIContourSequence):
        for contour in roi.get("ContourSequence", None) or []:
            for image in contour.get("ContourImageSequence", None) or []:
                if str(image.get("ReferencedSOPInstanceUID", "")) not in listed:
                    unlisted[str(image.get("ReferencedSOPInstanceUID", ""))] = image
                    holders += [contour] if place >= len(found.ROIContourSequence) - new else []
    if not unlisted:
        return
    if len(series) == 1:
        images = [*(series[0].get("ContourImageSequence", None) or []), *map(copy.deepcopy, unlisted.values())]
        series[0].ContourImageSequence = images
        return
    for contour in holders:
        if "ContourImageSequence" in contour:
            del contour.ContourImageSequence
