"""A small image series of unequal spacings, shapes on its voxels, and contours back to voxels by scikit-image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from skimage.draw import polygon2mask

SHAPE = (12, 26, 34)
SPACING_MM = (2.5, 1.1, 0.9)
TURNED = np.array([[0.8, 0.6, 0.0], [-0.48, 0.64, 0.6], [0.36, -0.48, 0.8]])
# From right, anterior, superior to left, posterior, superior.
RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class MadeImage:
    """A series on disk, the matrix from its (i, j, k) to patient coordinates, and its data sets."""

    folder: Path
    matrix: np.ndarray
    origin: np.ndarray
    slices: list[Dataset]

    @property
    def affine_ras(self) -> np.ndarray:
        """The affine of NIfTI."""
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = RAS @ self.matrix, RAS @ self.origin
        return affine


def made_image(folder: Path, *, axes: np.ndarray | None = None) -> MadeImage:
    """Write a CT of `SHAPE`; `axes`: rows along columns, rows and slices."""
    axes = np.eye(3) if axes is None else axes
    folder.mkdir()
    origin = np.array([-21.0, -13.0, 40.0])
    uids = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    slices = [_slice(k, origin + axes[2] * SPACING_MM[0] * k, axes, uids) for k in range(SHAPE[0])]
    for k, data in enumerate(slices):
        data.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    return MadeImage(folder=folder, matrix=axes.T * np.array(SPACING_MM[::-1]), origin=origin, slices=slices)


def _slice(k: int, place: np.ndarray, axes: np.ndarray, uids: dict[str, str]) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    for key, value in uids.items():
        setattr(data, key, value)
    data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = "1", "A^B", "", "O"
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20260101", "120000", "1", ""
    data.ReferringPhysicianName = data.Manufacturer = data.PositionReferenceIndicator = ""
    data.Modality, data.SeriesNumber, data.InstanceNumber, data.PatientPosition = "CT", 1, k + 1, "HFS"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Rows, data.Columns = SHAPE[1:]
    data.PixelSpacing, data.SliceThickness = list(SPACING_MM[1:]), SPACING_MM[0]
    data.ImagePositionPatient = [f"{v:.10g}" for v in place]
    data.ImageOrientationPatient = [f"{v:.10g}" for v in axes[:2].ravel()]
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 1, 1
    data.PhotometricInterpretation, data.RescaleSlope, data.RescaleIntercept = "MONOCHROME2", 1, 0
    data.PixelData = np.zeros(SHAPE[1:], np.int16).tobytes()
    return data


def shapes() -> dict[str, np.ndarray]:
    """Return masks: a ball, a shell with a cavity, two islands, a ring, and what ends at the image's corner."""
    z, y, x = (n * s for n, s in zip(np.indices(SHAPE), SPACING_MM, strict=True))
    c = [(n - 1) * s / 2 for n, s in zip(SHAPE, SPACING_MM, strict=True)]

    def ball(r: float, dx: float = 0.0) -> np.ndarray:
        return (z - c[0]) ** 2 + (y - c[1]) ** 2 + (x - c[2] - dx) ** 2 < r * r

    ring = (np.hypot(y - c[1], x - c[2]) - 8.0) ** 2 + (z - c[0]) ** 2 < 16.0
    return {
        "GTV": ball(9.0),
        "Shell": ball(12.0) & ~ball(7.3),
        "Islands": ball(6.0, -8.0) | ball(5.5, 7.0),
        "Ring": ring,
        "Corner": (z < 12.0) & (y < 11.0) & (x < 13.0),
    }


def back_to_masks(path: Path, image: MadeImage) -> dict[str, np.ndarray]:
    """Return what voxel centres lie inside the contours of an RTSTRUCT, even and odd, by scikit-image."""
    data = pydicom.dcmread(path)
    names = {item.ROINumber: item.ROIName for item in data.StructureSetROISequence}
    found = {}
    for roi in data.ROIContourSequence:
        mask = np.zeros(SHAPE, bool)
        for contour in roi.get("ContourSequence", []):
            points = np.array(contour.ContourData, float).reshape(-1, 3) - image.origin
            i, j, k = np.linalg.solve(image.matrix, points.T)
            plane = round(float(k.mean()))
            assert np.abs(k - plane).max() < 1e-3  # contours lie on the image's slices
            mask[plane] ^= polygon2mask(SHAPE[1:], np.column_stack([j, i]))
        found[names[roi.ReferencedROINumber]] = mask
    return found


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Dice coefficient of two masks."""
    return 2.0 * float((a & b).sum()) / float(a.sum() + b.sum())
