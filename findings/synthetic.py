"""Small valid DICOM-RT sets of pydicom alone, for the scripts in this folder: nothing of dvhkit takes part.

Coordinates are those of the patient (LPS, mm). The image has `rows` x `columns` pixels of unequal number, slices 2 mm
apart, its first pixel at `origin`.
"""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT, RTSTRUCT, RTDOSE, RTPLAN = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.481.2",
    "1.2.840.10008.5.1.4.1.1.481.5",
)
REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"


def uid(*words):
    """Return the same UID for the same words in every run."""
    return generate_uid(entropy_srcs=["dvhkit finding", *map(str, words)])


def _new(sop_class, instance, modality, series):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = sop_class
    data.file_meta.MediaStorageSOPInstanceUID = instance
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = sop_class, instance, modality
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Finding^Phantom", "FINDING", "", "O"
    data.StudyInstanceUID, data.SeriesInstanceUID = uid("study"), uid("series", series)
    data.StudyID, data.StudyDate, data.StudyTime, data.AccessionNumber = "1", "20260101", "120000", ""
    data.ReferringPhysicianName, data.Manufacturer, data.SeriesNumber, data.OperatorsName = "", "synthetic", 1, ""
    data.InstanceNumber = 1
    return data


def _save(data, path):
    if int(pydicom.__version__.split(".")[0]) < 3:  # some packages still ask for pydicom 2
        data.is_little_endian, data.is_implicit_VR = True, False
        data.save_as(path, write_like_original=False)
    else:
        data.save_as(path, enforce_file_format=True)
    return path


def write_ct(folder, *, slices=10, rows=40, columns=50, spacing=(1.0, 1.0), gap=2.0, origin=(-25.0, -20.0, 0.0)):
    """Write a CT of water; `spacing` is (between rows, between columns) as PixelSpacing has it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k in range(slices):
        data = _new(CT, uid("ct", k), "CT", "ct")
        data.FrameOfReferenceUID, data.PositionReferenceIndicator = uid("frame"), ""
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.InstanceNumber, data.PatientPosition = k + 1, "HFS"
        data.ImagePositionPatient = [origin[0], origin[1], origin[2] + gap * k]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = list(spacing), gap
        data.Rows, data.Columns, data.SamplesPerPixel = rows, columns, 1
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 1
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
        data.RescaleIntercept, data.RescaleSlope, data.RescaleType, data.KVP = 0, 1, "HU", "120"
        data.PixelData = np.zeros((rows, columns), np.int16).tobytes()
        paths.append(_save(data, folder / f"CT{k:03d}.dcm"))
    return paths


def circle(radius, centre=(0.0, 0.0), points=120):
    """Return a circle as (n, 2) points."""
    angle = 2 * np.pi * np.arange(points) / points
    return np.column_stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)])


def box(x0, x1, y0, y1):
    """Return a rectangle as (4, 2) points."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)


def write_structures(path, rois, *, slices=10, gap=2.0, z0=0.0):
    """Write an RTSTRUCT; `rois` are (name, type, [(plane number, geometric type, (n, 2) points), ...])."""
    data = _new(RTSTRUCT, uid("structures"), "RTSTRUCT", "structures")
    data.StructureSetLabel, data.StructureSetDate, data.StructureSetTime = "FINDING", "20260101", "120000"
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = uid("frame"), ""
    frame, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = uid("series", "ct")
    series.ContourImageSequence = [_image(k) for k in range(slices)]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", uid("study")
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = uid("frame"), [study]
    data.ReferencedFrameOfReferenceSequence = [frame]
    data.StructureSetROISequence, data.ROIContourSequence, data.RTROIObservationsSequence = [], [], []
    for number, (name, kind, contours) in enumerate(rois, start=1):
        roi, drawn, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, uid("frame")
        roi.ROIGenerationAlgorithm = "MANUAL"
        drawn.ReferencedROINumber, drawn.ROIDisplayColor = number, [255, 0, 0]
        drawn.ContourSequence = [_contour(*contour, gap=gap, z0=z0) for contour in contours]
        seen.ObservationNumber, seen.ReferencedROINumber = number, number
        seen.RTROIInterpretedType, seen.ROIInterpreter = kind, ""
        data.StructureSetROISequence.append(roi)
        data.ROIContourSequence.append(drawn)
        data.RTROIObservationsSequence.append(seen)
    data.ApprovalStatus = "UNAPPROVED"
    return _save(data, Path(path))


def _image(k):
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CT, uid("ct", k)
    return image


def _contour(plane, kind, points, *, gap, z0):
    contour = Dataset()
    contour.ContourImageSequence = [_image(plane)]
    contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
    z = z0 + gap * plane
    contour.ContourData = [f"{v:.4f}" for x, y in np.asarray(points, float) for v in (x, y, z)]
    return contour


def write_plan(path, *, final_weight=1.0, meterset=200.0):
    """Write an RTPLAN of one arc with three control points of a moving MLC, whose last cumulative weight is given."""
    data = _new(RTPLAN, uid("plan"), "RTPLAN", "plan")
    data.RTPlanLabel, data.RTPlanDate, data.RTPlanTime, data.RTPlanGeometry = "FINDING", "20260101", "120000", "PATIENT"
    beam, group, used = Dataset(), Dataset(), Dataset()
    beam.BeamNumber, beam.BeamName, beam.BeamType, beam.RadiationType = 1, "arc", "DYNAMIC", "PHOTON"
    beam.TreatmentMachineName, beam.PrimaryDosimeterUnit, beam.SourceAxisDistance = "synthetic", "MU", 1000
    beam.BeamLimitingDeviceSequence = [_device("ASYMX", 1), _device("ASYMY", 1), _device("MLCX", 4)]
    beam.BeamLimitingDeviceSequence[-1].LeafPositionBoundaries = [-20, -10, 0, 10, 20]
    beam.FinalCumulativeMetersetWeight, beam.NumberOfControlPoints = final_weight, 3
    beam.ControlPointSequence = [_control_point(k, final_weight * k / 2) for k in range(3)]
    used.ReferencedBeamNumber, used.BeamMeterset = 1, meterset
    group.FractionGroupNumber, group.NumberOfFractionsPlanned, group.NumberOfBeams = 1, 5, 1
    group.NumberOfBrachyApplicationSetups, group.ReferencedBeamSequence = 0, [used]
    data.BeamSequence, data.FractionGroupSequence = [beam], [group]
    return _save(data, Path(path))


def _device(kind, pairs):
    device = Dataset()
    device.RTBeamLimitingDeviceType, device.NumberOfLeafJawPairs = kind, pairs
    return device


def _control_point(k, weight):
    point = Dataset()
    point.ControlPointIndex, point.CumulativeMetersetWeight, point.GantryAngle = k, weight, 10.0 * k
    places = {"ASYMX": [-20, 20], "ASYMY": [-20, 20], "MLCX": [-10.0 + k] * 4 + [10.0 + 2 * k] * 4}
    point.BeamLimitingDevicePositionSequence = []
    for kind, positions in places.items():
        device = Dataset()
        device.RTBeamLimitingDeviceType, device.LeafJawPositions = kind, positions
        point.BeamLimitingDevicePositionSequence.append(device)
    if k == 0:
        point.NominalBeamEnergy, point.GantryRotationDirection, point.BeamLimitingDeviceAngle = 6, "CW", 0
        point.PatientSupportAngle, point.IsocenterPosition = 0, [0, 0, 0]
    return point


def write_dose(path, values_gy, *, origin, spacing=(2.0, 2.0), offsets=(), bits=32, refer=True):
    """Write an RTDOSE; `values_gy` is (planes, rows, columns), `offsets` GridFrameOffsetVector."""
    values_gy = np.asarray(values_gy, float)
    data = _new(RTDOSE, uid("dose"), "RTDOSE", "dose")
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = uid("frame"), ""
    data.ImagePositionPatient, data.ImageOrientationPatient = list(origin), [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = list(spacing), ""
    data.NumberOfFrames, data.Rows, data.Columns = values_gy.shape
    data.FrameIncrementPointer, data.GridFrameOffsetVector = 0x3004000C, [float(o) for o in offsets]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit = bits - 1
    data.DoseUnits, data.DoseType, data.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    scaling = max(float(values_gy.max()), 1e-3) / (2**bits - 1)
    data.DoseGridScaling = f"{scaling:.10g}"
    stored = np.round(values_gy / float(data.DoseGridScaling)).clip(0, 2**bits - 1)
    data.PixelData = stored.astype(f"<u{bits // 8}").tobytes()
    if refer:
        plan = Dataset()
        plan.ReferencedSOPClassUID, plan.ReferencedSOPInstanceUID = RTPLAN, uid("plan")
        data.ReferencedRTPlanSequence = [plan]
    return _save(data, Path(path))


def write_registration(path, frame, items):
    """Write a spatial registration into `frame`; `items` are (frame, shift in mm that takes it there)."""
    data = _new(REGISTRATION, uid("registration", frame, items), "REG", "registration")
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = frame, ""
    data.ContentDate, data.ContentTime, data.ContentLabel = "20260101", "120000", "REGISTRATION"
    data.ContentDescription, data.ContentCreatorName = "", ""
    data.RegistrationSequence = []
    for source, shift in items:
        item, steps, step = Dataset(), Dataset(), Dataset()
        matrix = np.eye(4)
        matrix[:3, 3] = shift
        step.FrameOfReferenceTransformationMatrixType = "RIGID"
        step.FrameOfReferenceTransformationMatrix = matrix.ravel().tolist()
        steps.MatrixSequence, item.FrameOfReferenceUID, item.MatrixRegistrationSequence = [step], source, [steps]
        data.RegistrationSequence.append(item)
    return _save(data, Path(path))
