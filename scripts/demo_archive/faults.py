"""Faults to plant, each as it happens in a clinic, and by what an audit reports it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from demo_archive.patient import Patient, with_structure
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere

Objects = list[tuple[str, Dataset]]


def _same(patient: Patient) -> Patient:
    return patient


def _all(objects: Objects) -> Objects:
    return objects


def _leave(_folder: Path) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault: what it changes before the DICOM is made, in its objects, or in the written files.

    Attributes
    ----------
    told_by
        Finding code, rule ID or ``error`` that an audit against the trial protocol tells it by.
    """

    told_by: str
    patient: Callable[[Patient], Patient] = field(default=_same)
    objects: Callable[[Objects], Objects] = field(default=_all)
    files: Callable[[Path], None] = field(default=_leave)


def _scaled(factor: Callable[[Patient], float]) -> Callable[[Patient], Patient]:
    def change(patient: Patient) -> Patient:
        dose = patient.phantom.doses[0]
        doses = (replace(dose, values_gy=dose.values_gy * factor(patient), quantum_gy=None),)
        return replace(patient, phantom=replace(patient.phantom, doses=doses))

    return change


def _first(patient: Patient, kind: str) -> str:
    return next(s.name for s in patient.phantom.structures if s.rt_roi_type == kind)


def _kidneys_swapped(patient: Patient) -> Patient:
    other = {"Kidney_L": "Kidney_R", "Kidney_R": "Kidney_L"}
    swapped = tuple(replace(s, name=other.get(s.name, s.name)) for s in patient.phantom.structures)
    return replace(patient, phantom=replace(patient.phantom, structures=swapped))


def _slice_missing(patient: Patient) -> Patient:
    liver = next(s for s in patient.phantom.structures if s.name.lower().startswith("liver"))
    middle = len(liver.contours) // 2
    kept = liver.contours[:middle] + liver.contours[middle + 2 :]
    return replace(patient, phantom=with_structure(patient.phantom, liver.name, contours=kept))


def _target_emptied(patient: Patient) -> Patient:
    return replace(patient, phantom=with_structure(patient.phantom, _first(patient, "PTV"), contours=()))


def _redrawn(kind: str, *, radius_mm: float = 0.0, shift_mm: float = 0.0) -> Callable[[Patient], Patient]:
    """Draw the first target of a kind anew: with another radius (beside the CTV's), or moved along x."""

    def change(patient: Patient) -> Patient:
        lesion, name = patient.lesions[0], None
        for s in patient.phantom.structures:
            if s.rt_roi_type == kind and s.name.rstrip("1") == kind:
                name, old = s.name, s
        assert name is not None
        x, y, z = lesion.centre_mm
        size = lesion.ctv_mm + radius_mm if radius_mm else lesion.gtv_mm
        planes = sorted(
            {float(p) for p in patient.phantom.image.grid.offsets_mm + patient.phantom.image.grid.origin_mm[2]}
        )
        new = structure(name, old.number, sphere((x + shift_mm, y, z), size), planes, rt_roi_type=kind, n_points=72)
        return replace(patient, phantom=with_structure(patient.phantom, name, contours=new.contours))

    return change


def _cold_target(patient: Patient) -> Patient:
    """Shift the dose by 9 mm, so that a part of each target is cold: what a wrong isocentre does."""
    dose = patient.phantom.doses[0]
    steps = round(9.0 / float(dose.grid.spacing_mm[0]))
    moved = np.roll(dose.values_gy, steps, axis=2)
    return replace(patient, phantom=replace(patient.phantom, doses=(replace(dose, values_gy=moved),)))


def _small_grid(patient: Patient) -> Patient:
    """Cut the dose grid through the middle of the first lesion."""
    dose = patient.phantom.doses[0]
    planes = dose.grid.origin_mm[2] + dose.grid.offsets_mm
    kept = planes <= patient.lesions[0].centre_mm[2]
    grid = replace(dose.grid, offsets_mm=dose.grid.offsets_mm[kept])
    doses = (replace(dose, grid=grid, values_gy=dose.values_gy[kept]),)
    return replace(patient, phantom=replace(patient.phantom, doses=doses))


def _without(stem: str) -> Callable[[Objects], Objects]:
    return lambda objects: [(name, ds) for name, ds in objects if not name.startswith(stem)]


def _in_object(stem: str, change: Callable[[Dataset], None]) -> Callable[[Objects], Objects]:
    def apply(objects: Objects) -> Objects:
        for name, ds in objects:
            if name.startswith(stem):
                change(ds)
        return objects

    return apply


def _other_frame(ds: Dataset) -> None:
    ds.FrameOfReferenceUID = f"{ds.FrameOfReferenceUID[:50]}.9"


def _other_patient(ds: Dataset) -> None:
    ds.PatientID, ds.PatientName = f"{ds.PatientID}-B", "SYNTHETIC^SOMEBODY ELSE"


def _centigray(ds: Dataset) -> None:
    for reference in ds.DoseReferenceSequence:
        reference.TargetPrescriptionDose = float(reference.TargetPrescriptionDose) * 100


def _number_shared(ds: Dataset) -> None:
    rois = ds.StructureSetROISequence
    rois[1].ROINumber = rois[0].ROINumber


def _ct_hole(objects: Objects) -> Objects:
    slices = [name for name, _ in objects if name.startswith("CT_")]
    if len(slices) == 1:  # one multi-frame object: the hole is in its frames
        ds = objects[0][1]
        middle = int(ds.NumberOfFrames) // 2
        del ds.PerFrameFunctionalGroupsSequence[middle : middle + 2]
        ds.NumberOfFrames = len(ds.PerFrameFunctionalGroupsSequence)
        return objects
    gone = slices[len(slices) // 2 :][:2]
    return [(name, ds) for name, ds in objects if name not in gone]


def _cut_dose(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.upper().startswith(("RTDOSE", "RD")):
            os.truncate(path, path.stat().st_size // 2)


FAULTS: dict[str, Fault] = {
    "dose-of-one-fraction": Fault(told_by="dose-far-from-prescription", patient=_scaled(lambda p: 1 / p.fractions)),
    "dose-in-centigray": Fault(told_by="dose-far-from-prescription", patient=_scaled(lambda _: 100.0)),
    "dose-empty": Fault(told_by="dose-all-zero", patient=_scaled(lambda _: 0.0)),
    "dose-shifted": Fault(told_by="S25-D8", patient=_cold_target),
    "dose-grid-too-small": Fault(told_by="outside-dose-grid", patient=_small_grid),
    "dose-cut-short": Fault(told_by="error", files=_cut_dose),
    "dose-in-other-frame": Fault(told_by="error", objects=_in_object("RTDOSE", _other_frame)),
    "plan-missing": Fault(told_by="plan-absent", objects=_without("RTPLAN")),
    "plan-of-other-patient": Fault(told_by="patients-differ", objects=_in_object("RTPLAN", _other_patient)),
    "prescription-in-centigray": Fault(told_by="prescription-implausible", objects=_in_object("RTPLAN", _centigray)),
    "structures-missing": Fault(told_by="error", objects=_without("RTSTRUCT")),
    "slice-missing": Fault(told_by="slice-missing", patient=_slice_missing),
    "sides-swapped": Fault(told_by="sides-swapped", patient=_kidneys_swapped),
    "target-empty": Fault(told_by="empty-structures", patient=_target_emptied),
    "target-outside": Fault(told_by="W25-M2", patient=_redrawn("GTV", shift_mm=9.0)),
    "margin-too-small": Fault(told_by="W25-M3", patient=_redrawn("PTV", radius_mm=0.8)),
    "roi-number-shared": Fault(told_by="roi-number-shared", objects=_in_object("RTSTRUCT", _number_shared)),
    "image-slices-missing": Fault(told_by="image-gap", objects=_ct_hole),
}
