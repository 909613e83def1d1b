"""RTDOSE: a dose grid in Gy, in patient coordinates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvhkit.errors import DicomReadError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid
from dvhkit.readers.approval import rejection
from dvhkit.readers.archive.roles import Role, require_role
from dvhkit.readers.equipment import planning_system
from dvhkit.readers.files.dicom_file import parse, quiet_pydicom, read_bytes, reading, transfer_syntax
from dvhkit.readers.files.elements import (
    DataSet,
    charset_of,
    name_text,
    number,
    numbers,
    require_numbers,
    text,
    where,
)
from dvhkit.readers.files.headers import references
from dvhkit.readers.files.pixels import stored_pixels
from dvhkit.readers.geometry import FINEST_MM, along_patient_axes, evened, make_grid, plane_axes
from dvhkit.readers.stored_dvh import read_stored_dvhs

_REMEDY = "Export the dose again."
# Offsets and positions are decimal texts; this is finer than any grid and coarser than their rounding.
_POSITION_ATOL_MM = 0.01
_AXIAL_ATOL = 1e-4
# Beside a brachytherapy source dose may pass the first; nothing passes the second.
_MUCH_GY = 1e3
_TOO_MUCH_GY = 1e6


def read_dose(path: Path) -> tuple[Dose, tuple[Finding, ...]]:
    """Return the dose in a file, and what is odd about it.

    Raises
    ------
    DicomReadError
        If the dose is relative, has no scaling or geometry, or its pixels do not fit their stated size.
    """
    with quiet_pydicom(), reading(path):
        stored = read_bytes(path)
        data = parse(stored)
        require_role(data, Role.RTDOSE, path)
        refused = refusal(text(data, "DoseUnits").upper(), text(data, "DoseType").upper(), path)
        if refused is not None:
            raise refused
        scaling = _scaling(data, path)
        dose_type, findings = _dose_type(data, path)
        axes = plane_axes(numbers(data, "ImageOrientationPatient", path=path), path)
        pixels = stored_pixels(data, path, syntax=transfer_syntax(stored))
        offsets, offset_findings = frame_offsets(data, axes, len(pixels), path)
        order = np.argsort(offsets, kind="stable")
        grid = make_grid(
            origin_mm=require_numbers(data, "ImagePositionPatient", 3, path=path),
            axes=axes,
            pixel_spacing_mm=numbers(data, "PixelSpacing", path=path),
            offsets_mm=offsets[order],
            n_rows=pixels.shape[1],
            n_columns=pixels.shape[2],
            path=path,
        )
        spacing_findings = plane_findings(grid, path)
        grid, pixels = evened(grid, pixels[order] if offsets[0] > offsets[-1] else pixels)
        grid, pixels = along_patient_axes(grid, pixels)
        dvhs, dvh_findings = read_stored_dvhs(data, path)
        system, version = planning_system(data)
        dose = Dose(
            grid=grid,
            values_gy=pixels * scaling,
            quantum_gy=scaling,
            dose_type=dose_type,
            summation_type=text(data, "DoseSummationType").upper(),
            sop_instance_uid=text(data, "SOPInstanceUID"),
            frame_of_reference_uid=text(data, "FrameOfReferenceUID"),
            referenced_plan_uids=references(data, "ReferencedRTPlanSequence"),
            referenced_structure_set_uid=next(iter(references(data, "ReferencedStructureSetSequence")), ""),
            stored_dvhs=dvhs,
            paths=(path,),
            comment=name_text(data, "DoseComment", charset_of(data)),
            planning_system=system,
            planning_system_version=version,
        )
        # Of the stored integers, which are half as many bytes: the scaling is positive.
        lowest, highest = (float(extreme) * scaling for extreme in (pixels.min(), pixels.max()))
        findings += [
            *rejection(data, "dose", path),
            *offset_findings,
            *spacing_findings,
            *dvh_findings,
            *_value_findings(dose, lowest, highest, path),
        ]
    return dose, tuple(findings)


def refusal(units: str, dose_type: str, path: Path) -> DicomReadError | None:
    """Return why a dose of these DoseUnits and this DoseType is none in Gy, or None if it is one."""
    if units != "GY":
        found = f"is {units}, not GY" if units else "is missing"
        return DicomReadError(
            f"{found}: such a grid says nothing in Gy.",
            path=path,
            where=where("DoseUnits"),
            remedy="Export the dose from the planning system as absolute dose.",
        )
    if dose_type == DoseType.ERROR:
        return DicomReadError(
            "is ERROR: the grid holds uncertainties, not dose.",
            path=path,
            where=where("DoseType"),
            remedy="Choose the dose itself with --rtdose.",
        )
    return None


def _scaling(data: DataSet, path: Path) -> float:
    scaling = number(data, "DoseGridScaling", path=path)
    if scaling is None or scaling <= 0:
        found = "is missing" if scaling is None else f"is {scaling:g}"
        raise DicomReadError(
            f"{found}: it must be a positive number.", path=path, where=where("DoseGridScaling"), remedy=_REMEDY
        )
    return scaling


def _dose_type(data: DataSet, path: Path) -> tuple[DoseType, list[Finding]]:
    stated = text(data, "DoseType").upper()
    if stated in (DoseType.PHYSICAL, DoseType.EFFECTIVE):
        findings = []
        if stated == DoseType.EFFECTIVE:
            message = "The dose is biologically effective dose, not physical dose. Limits in physical Gy do not apply."
            findings = [Finding(level=Level.WARNING, code="dose-effective", message=message, where=path.name)]
        return DoseType(stated), findings
    message = f"DoseType is {stated or 'missing'}; the dose is taken to be physical. Ask for a proper export."
    return DoseType.PHYSICAL, [Finding(level=Level.WARNING, code="dose-type-unknown", message=message, where=path.name)]


def frame_offsets(data: DataSet, axes: FloatArray, n_frames: int, path: Path) -> tuple[FloatArray, list[Finding]]:
    """Return the position of each frame along the normal, from ImagePositionPatient, in stored order.

    GridFrameOffsetVector comes in two forms (PS3.3 C.8.8.3.2). Relative: the first value is 0 and the others count
    along the normal. Absolute: the values are z coordinates, and the first is that of ImagePositionPatient.

    Raises
    ------
    DicomReadError
        If the vector fits neither form, has not one value a frame, or is not strictly monotonic.
    """
    place = where("GridFrameOffsetVector")
    stored = np.array(numbers(data, "GridFrameOffsetVector", path=path))
    if n_frames == 1 and stored.size <= 1:
        return np.zeros(1), []
    if stored.size != n_frames:
        found = f"has {stored.size} values for {n_frames} frames." if stored.size else "is missing."
        raise DicomReadError(found, path=path, where=place, remedy=_REMEDY)
    steps = np.diff(stored)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise DicomReadError("neither rises nor falls throughout.", path=path, where=place, remedy=_REMEDY)
    if float(np.abs(steps).min()) < FINEST_MM:
        message = f"puts planes less than {FINEST_MM:g} mm apart."
        raise DicomReadError(message, path=path, where=place, remedy=_REMEDY)
    if stored[0] == 0.0:
        return stored, []
    return _absolute_offsets(data, stored, axes, path)


def _absolute_offsets(
    data: DataSet, stored: FloatArray, axes: FloatArray, path: Path
) -> tuple[FloatArray, list[Finding]]:
    z_mm = require_numbers(data, "ImagePositionPatient", 3, path=path)[2]
    along_z = float(axes[2, 2])
    if abs(stored[0] - z_mm) > _POSITION_ATOL_MM or abs(abs(along_z) - 1.0) > _AXIAL_ATOL:
        raise DicomReadError(
            f"starts at {stored[0]:g}, which is neither 0 (offsets) nor the z of ImagePositionPatient, {z_mm:g} "
            "(absolute positions of axial planes).",
            path=path,
            where=where("GridFrameOffsetVector"),
            remedy=_REMEDY,
        )
    findings = []
    if not np.allclose(axes, np.eye(3), rtol=0, atol=_AXIAL_ATOL):
        message = (
            "GridFrameOffsetVector holds absolute z although the planes are not those of a patient lying head first "
            "supine, where alone the standard allows it. It is read as absolute z: compare the dose with the anatomy."
        )
        findings = [Finding(level=Level.WARNING, code="dose-offsets-absolute", message=message, where=path.name)]
    return (stored - z_mm) * np.sign(along_z), findings


def plane_findings(grid: Grid, path: Path) -> list[Finding]:
    """Return a finding if dose planes are unevenly spaced."""
    if grid.is_uniform:
        return []
    gaps = np.diff(grid.offsets_mm)
    message = (
        f"The dose planes are {gaps.min():g} to {gaps.max():g} mm apart. Between them dose is taken to be linear: make "
        "sure that no plane is missing."
    )
    return [Finding(level=Level.WARNING, code="dose-planes-uneven", message=message, where=path.name)]


def zero_findings(highest_gy: float, path: Path) -> list[Finding]:
    """Return a finding if a dose holds nothing above zero."""
    if highest_gy > 0:
        return []
    message = "The dose grid is zero everywhere. Check that the export holds the dose that you mean."
    return [Finding(level=Level.SERIOUS, code="dose-all-zero", message=message, where=path.name)]


def _value_findings(dose: Dose, lowest: float, highest: float, path: Path) -> list[Finding]:
    findings = []
    if not max(-lowest, highest) <= _TOO_MUCH_GY:
        raise DicomReadError(
            f"makes doses of {max(-lowest, highest):g} Gy.",
            path=path,
            where=where("DoseGridScaling"),
            remedy=_REMEDY,
        )
    if highest > _MUCH_GY:
        message = f"The dose grid holds up to {highest:g} Gy. Unless a source lies in it, its scaling is wrong."
        findings.append(Finding(level=Level.WARNING, code="dose-implausible", message=message, where=path.name))
    if lowest < 0:
        message = f"The dose grid holds negative doses, down to {lowest:g} Gy."
        findings.append(Finding(level=Level.WARNING, code="dose-negative", message=message, where=path.name))
    findings += zero_findings(highest, path)
    if len(dose.grid.offsets_mm) == 1:
        message = "The dose grid has one plane only, so there is no dose between planes."
        findings.append(Finding(level=Level.WARNING, code="dose-single-plane", message=message, where=path.name))
    return findings
