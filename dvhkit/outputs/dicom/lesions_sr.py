"""Lesions as a DICOM structured report: TID 1500, the axes as lines in patient coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.uid import generate_uid

from dvhkit.errors import InputError
from dvhkit.extras import needs_extra
from dvhkit.outputs.files import write_bytes_whole

if TYPE_CHECKING:
    from dvhkit.results.contours.lesions import Lesion, LesionTable, Point

# SNOMED CT and UCUM, as TID 1410 and its context groups have them.
_LONG_AXIS = ("103339001", "SCT", "Long Axis")
_SHORT_AXIS = ("103340004", "SCT", "Short Axis")
_VOLUME = ("118565006", "SCT", "Volume")
_LESION = ("52988006", "SCT", "Lesion")
_NODE = ("59441001", "SCT", "Lymph node")
_MM = ("mm", "UCUM", "millimeter")
_CM3 = ("cm3", "UCUM", "cubic centimeter")
_PROCEDURE = ("363679005", "SCT", "Imaging procedure")
_SERIES_NUMBER = 9001


def write_lesions_sr(path: Path, table: LesionTable, *, frame_of_reference_uid: str, sources: Sequence[Path]) -> str:
    """Write what was measured of lesions, and return the UID of the object.

    Parameters
    ----------
    frame_of_reference_uid
        Of the coordinates of all end points.
    sources
        The files that were measured on: images where they are there, else the structure set. Patient and study are
        those of the first.

    Raises
    ------
    InputError
        If nothing was measured, or highdicom, which writes it, is not installed.
    """
    with needs_extra("sr"):
        from highdicom import sr
    measured = [lesion for lesion in table.lesions if lesion.end_points_mm is not None]
    if not measured or not frame_of_reference_uid:
        raise InputError("nothing was measured that a report could hold.", remedy="Look at the reasons in the table.")
    evidence = [_evidence(source) for source in sources]
    device = sr.DeviceObserverIdentifyingAttributes(uid=generate_uid(), name="dvhkit", model_name=version("dvhkit"))
    context = sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=_code(("121007", "DCM", "Device")), observer_identifying_attributes=device
        )
    )
    content = sr.MeasurementReport(
        observation_context=context,
        procedure_reported=_code(_PROCEDURE),
        imaging_measurements=[_group(lesion, frame_of_reference_uid) for lesion in measured],
    )
    report = sr.Comprehensive3DSR(
        evidence=evidence,
        content=content[0],
        series_instance_uid=generate_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="dvhkit",
        is_complete=True,
    )
    buffer = BytesIO()
    report.save_as(buffer, enforce_file_format=True)
    write_bytes_whole(path, buffer.getvalue())
    return str(report.SOPInstanceUID)


def _evidence(path: Path) -> pydicom.Dataset:
    data = pydicom.dcmread(path, stop_before_pixels=True)
    # Type 2: may be missing in files that are read all the same.
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
                    "StudyDate", "StudyTime", "ReferringPhysicianName"):  # fmt: skip
        if keyword not in data:
            setattr(data, keyword, "")
    return data


def _code(triple: tuple[str, str, str]) -> Any:  # noqa: ANN401 -- a CodedConcept
    from highdicom.sr import CodedConcept

    value, scheme, meaning = triple
    return CodedConcept(value, scheme, meaning)


def _group(lesion: Lesion, frame: str) -> Any:  # noqa: ANN401 -- a template of highdicom
    from highdicom import sr

    assert lesion.end_points_mm is not None
    assert lesion.longest_mm is not None
    found = [_axis(_LONG_AXIS, lesion.longest_mm, lesion.end_points_mm, frame)]
    if lesion.short_axis_mm is not None and lesion.short_axis_points_mm is not None:
        found.append(_axis(_SHORT_AXIS, lesion.short_axis_mm, lesion.short_axis_points_mm, frame))
    if lesion.volume_cc is not None:
        found.append(sr.Measurement(name=_code(_VOLUME), value=round(lesion.volume_cc, 4), unit=_code(_CM3)))
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=generate_uid(), identifier=lesion.roi[:64] or "lesion"),
        finding_type=_code(_NODE if lesion.is_node else _LESION),
        measurements=found,
    )


def _axis(name: tuple[str, str, str], length_mm: float, ends: tuple[Point, Point], frame: str) -> Any:  # noqa: ANN401
    from highdicom import sr

    line = sr.CoordinatesForMeasurement3D(
        graphic_type=sr.GraphicTypeValues3D.POLYLINE,
        graphic_data=np.array(ends, dtype=float),
        frame_of_reference_uid=frame,
    )
    return sr.Measurement(name=_code(name), value=round(length_mm, 4), unit=_code(_MM), referenced_coordinates=[line])
