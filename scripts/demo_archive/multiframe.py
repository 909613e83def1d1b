"""The CT as one enhanced multi-frame object (PS3.3 A.38), as newer scanners write it."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import EnhancedCTImageStorage

from dvhkit.phantoms.dicom.image import build_slices
from dvhkit.phantoms.dicom.modules import ds_list, ds_text, items
from dvhkit.phantoms.dicom.uids import SetUids
from dvhkit.phantoms.sets.phantom_set import PhantomImage, PhantomSet

# What the functional groups say in place of the outermost level.
_MOVED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")


def multiframe_series(phantom: PhantomSet, uids: SetUids, image: PhantomImage) -> list[Dataset]:
    """Return the series of a phantom as one object; its UID is that of the first slice."""
    ds = next(build_slices(phantom, uids, image))
    n_frames = len(image.grid.offsets_mm)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    ds.NumberOfFrames = n_frames
    orientation, spacing, thickness = ds.ImageOrientationPatient, ds.PixelSpacing, ds.SliceThickness
    for keyword in _MOVED:
        del ds[keyword]
    shared, plane, measures = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = orientation
    measures.PixelSpacing, measures.SliceThickness = spacing, thickness or ds_text(image.grid.plane_spacing_mm)
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = items([plane]), items([measures])
    ds.SharedFunctionalGroupsSequence = items([shared])
    ds.PerFrameFunctionalGroupsSequence = items(_frame(image, k) for k in range(n_frames))
    # Each frame is the one compressed slice that all are.
    frame = next(generate_frames(ds.PixelData, number_of_frames=1))
    ds.PixelData = encapsulate([frame] * n_frames)
    ds["PixelData"].VR = "OB"
    return [ds]


def _frame(image: PhantomImage, plane: int) -> Dataset:
    group, position = Dataset(), Dataset()
    position.ImagePositionPatient = ds_list(image.grid.origin_mm + image.grid.offsets_mm[plane] * image.grid.normal)
    group.PlanePositionSequence = items([position])
    return group
