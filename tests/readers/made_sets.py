"""Small DICOM-RT sets made in code, so that a test can twist one thing and leave the rest as it was.

The anatomy is given in patient coordinates and never changes: an L-shaped organ, a box target, a dose that is linear
in x, y and z. What changes is how it is stored: orientation, order, offsets, splits.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

PREFIX = "1.2.826.0.1.3680043.10.1561."
FRAME = PREFIX + "9"
OTHER_FRAME = PREFIX + "8"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
DOSE_CLASS = "1.2.840.10008.5.1.4.1.1.481.2"
STRUCTURE_SET_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
PLAN_CLASS = "1.2.840.10008.5.1.4.1.1.481.5"
ION_PLAN_CLASS = "1.2.840.10008.5.1.4.1.1.481.8"
REGISTRATION_CLASS = "1.2.840.10008.5.1.4.1.1.66.1"

# Patient position -> (direction of growing column index, of growing row index), both in LPS.
ORIENTATIONS = {
    "HFS": ((1, 0, 0), (0, 1, 0)),
    "HFP": ((-1, 0, 0), (0, -1, 0)),
    "FFS": ((-1, 0, 0), (0, 1, 0)),
    "FFP": ((1, 0, 0), (0, -1, 0)),
    "HFDL": ((0, -1, 0), (1, 0, 0)),
    "HFDR": ((0, 1, 0), (-1, 0, 0)),
    "FFDL": ((0, 1, 0), (1, 0, 0)),
    "FFDR": ((0, -1, 0), (-1, 0, 0)),
}
# A corner that is met twice would hide a swap: every number differs.
GRADIENT_GY_PER_MM = np.array([0.11, 0.07, 0.05])
CENTRE_DOSE_GY = 20.0
CENTRE_MM = np.array([13.0, -21.0, 48.0])
# Half the size of the dose grid, so that each orientation covers the same box.
DOSE_HALF_MM = np.array([40.0, 30.0, 24.0])
DOSE_SPACING_MM = np.array([2.0, 2.5, 3.0])
PLANES_MM = CENTRE_MM[2] + np.arange(-12.0, 12.1, 3.0)
BOX = np.array([[-10.0, -6.0], [12.0, -6.0], [12.0, 8.0], [-10.0, 8.0]])
L_SHAPE = np.array([[14.0, -10.0], [26.0, -10.0], [26.0, -4.0], [20.0, -4.0], [20.0, 9.0], [14.0, 9.0]])


def dose_at(points_mm: np.ndarray) -> np.ndarray:
    """The dose that every set holds, linear in space."""
    return CENTRE_DOSE_GY + (np.asarray(points_mm) - CENTRE_MM) @ GRADIENT_GY_PER_MM


@dataclass
class Uids:
    """Identities of one set; `tag` keeps sets apart."""

    tag: int = 1
    frame: str = FRAME

    def __getattr__(self, name: str) -> str:
        kinds = {"study": 10, "series": 11, "structures": 12, "plan": 13, "dose": 14, "image": 15, "registration": 16}
        return f"{PREFIX}{self.tag}.{kinds[name]}"


def _common(sop_class: str, uid: str, modality: str, uids: Uids, *, series: str) -> Dataset:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = sop_class, uid, modality
    data.PatientName, data.PatientID = f"Doe^{uids.tag}", f"ID{uids.tag}"
    data.StudyInstanceUID, data.SeriesInstanceUID = uids.study, series
    return data


def ct_slices(
    uids: Uids, *, position: str = "HFS", z_mm: np.ndarray = PLANES_MM, n: int = 24, m: int = 32
) -> list[Dataset]:
    """Axial slices of an empty image, 24 rows by 32 columns, in the orientation of a patient position."""
    row, column = (np.array(v, dtype=float) for v in ORIENTATIONS[position])
    spacing = (2.5, 3.0)  # between rows, between columns
    slices = []
    for number, z in enumerate(z_mm):
        data = _common(CT_CLASS, f"{uids.image}.{number + 1}", "CT", uids, series=uids.series)
        centre = np.array([CENTRE_MM[0], CENTRE_MM[1], z])
        corner = centre - row * spacing[1] * (m - 1) / 2 - column * spacing[0] * (n - 1) / 2
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.FrameOfReferenceUID = uids.frame
        data.PatientPosition = position
        data.InstanceNumber = number + 1
        data.SliceThickness = 3.0
        data.ImagePositionPatient = [float(v) for v in corner]
        data.ImageOrientationPatient = [float(v) for v in (*row, *column)]
        data.PixelSpacing = list(spacing)
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows, data.Columns = n, m
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.PixelData = np.full((n, m), number, dtype="<i2").tobytes()
        slices.append(data)
    return slices


def contour_item(points_mm: np.ndarray, kind: str | None = "CLOSED_PLANAR") -> Dataset:
    """One contour of (n, 3) points."""
    item = Dataset()
    if kind is not None:
        item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(points_mm)
    item.ContourData = [f"{v:.6g}" for v in np.asarray(points_mm, dtype=float).ravel()]
    return item


def polygon_at(corners_mm: np.ndarray, z_mm: float) -> np.ndarray:
    """A polygon, given by its corners around the centre, on an axial plane."""
    return np.column_stack([corners_mm + CENTRE_MM[:2], np.full(len(corners_mm), z_mm)])


def structure_set(uids: Uids, *, z_mm: np.ndarray = PLANES_MM[1:-1], frame: str | None = None) -> Dataset:
    """ROI 3 `PTV`, a box; ROI 1 `Organ`, an L; ROI 7 `Empty`. The contour items come in another order than the ROIs."""
    data = _common(STRUCTURE_SET_CLASS, uids.structures, "RTSTRUCT", uids, series=uids.structures + ".1")
    frame = uids.frame if frame is None else frame
    data.StructureSetLabel = "made"
    series = Dataset()
    series.SeriesInstanceUID = uids.series
    study = Dataset()
    study.RTReferencedSeriesSequence = Sequence([series])
    reference = Dataset()
    reference.FrameOfReferenceUID = frame
    reference.RTReferencedStudySequence = Sequence([study])
    data.ReferencedFrameOfReferenceSequence = Sequence([reference])
    rois = {3: ("PTV", "PTV", BOX), 1: ("Organ", "ORGAN", L_SHAPE), 7: ("Empty", "", None)}
    data.StructureSetROISequence = Sequence([])
    data.ROIContourSequence = Sequence([])
    data.RTROIObservationsSequence = Sequence([])
    for number, (name, kind, corners) in rois.items():
        roi = Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, frame
        data.StructureSetROISequence.append(roi)
        observed = Dataset()
        observed.ObservationNumber, observed.ReferencedROINumber, observed.RTROIInterpretedType = number, number, kind
        data.RTROIObservationsSequence.append(observed)
        if corners is not None:
            item = Dataset()
            item.ROIDisplayColor = [255, number, 0]
            item.ContourSequence = Sequence([contour_item(polygon_at(corners, z)) for z in z_mm])
            item.ReferencedROINumber = number
            data.ROIContourSequence.insert(0, item)
    return data


def plan(
    uids: Uids, *, beams: tuple[int, ...] = (1, 2), fractions: int | None = 5, dose_gy: float | None = 20.0
) -> Dataset:
    """A plan of one fraction group, with a set-up beam 99 that has no dose."""
    data = _common(PLAN_CLASS, uids.plan, "RTPLAN", uids, series=uids.plan + ".1")
    data.FrameOfReferenceUID = uids.frame
    data.RTPlanLabel = "made"
    if dose_gy is not None:
        target = Dataset()
        target.DoseReferenceNumber, target.DoseReferenceStructureType, target.DoseReferenceType = 1, "VOLUME", "TARGET"
        target.ReferencedROINumber, target.TargetPrescriptionDose = 3, dose_gy
        data.DoseReferenceSequence = Sequence([target])
    group = Dataset()
    group.FractionGroupNumber = 1
    group.NumberOfFractionsPlanned = fractions
    group.ReferencedBeamSequence = Sequence([])
    data.BeamSequence = Sequence([])
    for number in (*beams, 99):
        referenced = Dataset()
        referenced.ReferencedBeamNumber = number
        group.ReferencedBeamSequence.append(referenced)
        beam = Dataset()
        beam.BeamNumber, beam.BeamName, beam.BeamType, beam.RadiationType = number, f"B{number}", "DYNAMIC", "PHOTON"
        beam.TreatmentMachineName = "linac"
        beam.TreatmentDeliveryType = "SETUP" if number == 99 else "TREATMENT"
        point = Dataset()
        point.NominalBeamEnergy = 6
        beam.ControlPointSequence = Sequence([point])
        data.BeamSequence.append(beam)
    data.FractionGroupSequence = Sequence([group])
    data.ReferencedStructureSetSequence = Sequence([reference(STRUCTURE_SET_CLASS, uids.structures)])
    return data


def reference(sop_class: str, uid: str) -> Dataset:
    """A reference to one object."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    return item


def box_axes(position: str, *, plane: str = "axial") -> tuple[np.ndarray, np.ndarray]:
    """Row and column direction of axial planes in a patient position, or of sagittal or coronal planes."""
    if plane == "sagittal":
        return np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])
    if plane == "coronal":
        return np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, -1.0])
    row, column = ORIENTATIONS[position]
    return np.array(row, dtype=float), np.array(column, dtype=float)


def dose(
    uids: Uids,
    *,
    position: str = "HFS",
    plane: str = "axial",
    descending: bool = False,
    absolute: bool = False,
    keep: np.ndarray | None = None,
    bits: int = 32,
    scaling: float = 1e-6,
    summation: str = "PLAN",
    factor: float = 1.0,
    beam: int | None = None,
    suffix: str = "",
) -> Dataset:
    """The linear dose on the same box of voxels, stored along the given axes.

    `keep` picks planes, so that they stand unevenly; `factor` makes it a part of the whole.
    """
    row, column = box_axes(position, plane=plane)
    normal = np.cross(row, column)
    half, step = DOSE_HALF_MM, DOSE_SPACING_MM
    extent = {name: float(np.abs(v) @ (2 * half)) for name, v in (("i", row), ("j", column), ("k", normal))}
    spacing = {name: float(np.abs(v) @ step) for name, v in (("i", row), ("j", column), ("k", normal))}
    counts = {name: round(extent[name] / spacing[name]) + 1 for name in "ijk"}
    corner = (
        CENTRE_MM - (np.abs(row) @ half) * row - (np.abs(column) @ half) * column - (np.abs(normal) @ half) * normal
    )
    heights = np.arange(counts["k"]) * spacing["k"]
    if keep is not None:
        heights = heights[keep]
    if descending:
        heights = heights[::-1]
    i, j = np.arange(counts["i"]) * spacing["i"], np.arange(counts["j"]) * spacing["j"]
    points = corner + heights[:, None, None, None] * normal + j[:, None, None] * column + i[:, None] * row
    values = np.round(dose_at(points) * factor / scaling).astype("<u4" if bits == 32 else "<u2")
    data = _common(DOSE_CLASS, uids.dose + suffix, "RTDOSE", uids, series=uids.dose + ".1")
    first = corner + heights[0] * normal
    data.FrameOfReferenceUID = uids.frame
    data.ImagePositionPatient = [float(v) for v in first]
    data.ImageOrientationPatient = [float(v) for v in (*row, *column)]
    data.PixelSpacing = [spacing["j"], spacing["i"]]
    data.NumberOfFrames = len(heights)
    data.FrameIncrementPointer = 0x3004000C
    offsets = heights - heights[0]
    data.GridFrameOffsetVector = [float(v) for v in (offsets * normal[2] + first[2] if absolute else offsets)]
    data.Rows, data.Columns = counts["j"], counts["i"]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit = bits - 1
    data.DoseUnits, data.DoseType, data.DoseSummationType, data.DoseGridScaling = "GY", "PHYSICAL", summation, scaling
    pointed = reference(PLAN_CLASS, uids.plan)
    if beam is not None:
        number = Dataset()
        number.ReferencedBeamNumber = beam
        group = Dataset()
        group.ReferencedFractionGroupNumber = 1
        group.ReferencedBeamSequence = Sequence([number])
        pointed.ReferencedFractionGroupSequence = Sequence([group])
    data.ReferencedRTPlanSequence = Sequence([pointed])
    data.PixelData = values.tobytes()
    return data


def dose_planes(uids: Uids, **options: object) -> list[Dataset]:
    """The same dose as one file a plane, as some systems store it."""
    whole = dose(uids, **options)  # type: ignore[arg-type]
    row, column = np.array(whole.ImageOrientationPatient[:3]), np.array(whole.ImageOrientationPatient[3:])
    normal = np.cross(row.astype(float), column.astype(float))
    values = np.frombuffer(whole.PixelData, dtype="<u4").reshape(-1, whole.Rows, whole.Columns)
    planes = []
    for number, offset in enumerate(whole.GridFrameOffsetVector):
        data = dose(uids, suffix=f".{number}", **options)  # type: ignore[arg-type]
        data.ImagePositionPatient = [
            float(v) for v in np.array(whole.ImagePositionPatient, float) + float(offset) * normal
        ]
        del data.NumberOfFrames, data.GridFrameOffsetVector, data.FrameIncrementPointer
        data.PixelData = values[number].tobytes()
        planes.append(data)
    return planes


def registration(uids: Uids, *, source: str, target: str, matrix: np.ndarray, kind: str = "RIGID") -> Dataset:
    """A spatial registration whose matrix takes points of frame `source` into frame `target`."""
    data = _common(REGISTRATION_CLASS, uids.registration, "REG", uids, series=uids.registration + ".1")
    data.FrameOfReferenceUID = target
    data.RegistrationSequence = Sequence([])
    for frame, values in ((target, np.eye(4)), (source, matrix)):
        step = Dataset()
        step.FrameOfReferenceTransformationMatrixType = kind
        step.FrameOfReferenceTransformationMatrix = [f"{v:.12g}" for v in values.ravel()]
        steps = Dataset()
        steps.MatrixSequence = Sequence([step])
        item = Dataset()
        item.FrameOfReferenceUID = frame
        item.MatrixRegistrationSequence = Sequence([steps])
        data.RegistrationSequence.append(item)
    return data


def encode(data: Dataset, *, syntax: str = ExplicitVRLittleEndian, bare: bool = False) -> bytes:
    """The file as bytes; `bare` without preamble and file meta. pydicom's warnings about broken values are meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _encode(data, syntax, bare=bare)


def _encode(data: Dataset, syntax: str, *, bare: bool) -> bytes:
    buffer = BytesIO()
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    if bare:
        from pydicom.filebase import DicomBytesIO
        from pydicom.filewriter import write_dataset

        raw = DicomBytesIO()
        raw.is_implicit_VR, raw.is_little_endian = implicit, little
        write_dataset(raw, data)
        return raw.getvalue()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.save_as(buffer, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return buffer.getvalue()


@dataclass
class MadeSet:
    """A set on disk."""

    folder: Path
    uids: Uids = field(default_factory=Uids)

    def write(self, name: str, data: Dataset, **options: object) -> Path:
        """Write one object under any name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(data, **options))  # type: ignore[arg-type]
        return path

    def write_plain(self, **dose_options: object) -> MadeSet:
        """Write the plain set: image, structures, plan, dose."""
        for number, data in enumerate(ct_slices(self.uids)):
            self.write(f"image{number}", data)
        self.write("structures", structure_set(self.uids))
        self.write("plan", plan(self.uids))
        self.write("dose", dose(self.uids, **dose_options))  # type: ignore[arg-type]
        return self
