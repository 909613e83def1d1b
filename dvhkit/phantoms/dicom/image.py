"""A phantom's CT series as DICOM (PS3.3 A.3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, RLELossless

from dvhkit.phantoms.dicom.modules import (
    DATE,
    TIME,
    add_frame_of_reference,
    add_image_plane,
    add_series,
    ds_text,
    new_object,
)
from dvhkit.phantoms.dicom.uids import SetUids
from dvhkit.phantoms.sets.phantom_set import PhantomImage, PhantomSet

# Pixels are stored unsigned, as CT scanners do.
_INTERCEPT_HU = -1024


def build_slices(phantom: PhantomSet, uids: SetUids, image: PhantomImage) -> Iterator[Dataset]:
    """Yield the slices of the series from the first plane to the last."""
    for plane in range(len(image.grid.offsets_mm)):
        ds = new_object(phantom, uids, sop_class=CTImageStorage, sop_instance=uids.image(plane))
        add_series(ds, modality="CT", series_uid=uids.image_series, number=1, description="planning CT")
        add_frame_of_reference(ds, uids)
        _add_general_image(ds, plane)
        add_image_plane(ds, image.grid, plane=plane)
        _add_ct(ds, image)
        _add_pixels(ds, image, plane)
        yield ds


def _add_general_image(ds: Dataset, plane: int) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.InstanceNumber = str(plane + 1)
    ds.AcquisitionNumber = "1"
    ds.ContentDate, ds.ContentTime = DATE, TIME
    ds.AcquisitionDate, ds.AcquisitionTime = DATE, TIME


def _add_ct(ds: Dataset, image: PhantomImage) -> None:
    thickness = image.slice_thickness_mm
    ds.SliceThickness = ds_text(image.grid.plane_spacing_mm if thickness is None else thickness)
    ds.PatientPosition = image.patient_position
    ds.KVP = "120"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(_INTERCEPT_HU), "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "40", "400"


def _add_pixels(ds: Dataset, image: PhantomImage, plane: int) -> None:
    if image.values_hu is None:
        hu = np.zeros((image.grid.n_rows, image.grid.n_columns), dtype=np.int32)
    else:
        hu = image.values_hu[plane].astype(np.int32)
    stored = np.clip(hu - _INTERCEPT_HU, 0, 65535).astype("<u2")
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"
    if image.rle:
        ds.compress(RLELossless, generate_instance_uid=False)
