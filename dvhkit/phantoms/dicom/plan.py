"""A phantom's plan as RTPLAN (PS3.3 A.20) or RT Ion Plan (A.49)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTIonPlanStorage, RTPlanStorage, RTStructureSetStorage

from dvhkit.model.plan import Beam, FractionGroup, Prescription
from dvhkit.phantoms.dicom.ion_beam import ion_beam_item
from dvhkit.phantoms.dicom.modules import (
    DATE,
    TIME,
    add_frame_of_reference,
    add_series,
    ds_list,
    ds_text,
    items,
    new_object,
    reference,
)
from dvhkit.phantoms.dicom.uids import SetUids, content_uid
from dvhkit.phantoms.sets.phantom_set import PhantomPlan, PhantomSet

_ARC_STEP_DEG = 10
# Monitor units for each Gy of beam dose: any plausible number will do, no dose is computed from it.
_MU_PER_GY = 250.0
_HALF_FIELD_MM = 40.0


def build_plan(phantom: PhantomSet, uids: SetUids, plan: PhantomPlan) -> Dataset:
    """Return the RTPLAN of a phantom."""
    ds = new_object(phantom, uids, sop_class=plan_sop_class(plan), sop_instance=uids.plan)
    add_series(ds, modality="RTPLAN", series_uid=uids.plan_series, number=3, description="plan")
    add_frame_of_reference(ds, uids)
    ds.RTPlanLabel, ds.RTPlanDate, ds.RTPlanTime = plan.label[:16], DATE, TIME
    ds.PlanIntent, ds.RTPlanGeometry = "RESEARCH", "PATIENT"
    ds.ApprovalStatus, ds.InstanceNumber = plan.approval_status, "1"
    ds.ReferencedStructureSetSequence = items([reference(RTStructureSetStorage, uids.structure_set)])
    if plan.prescriptions:
        ds.DoseReferenceSequence = items(
            _prescription_item(p, n, uids) for n, p in enumerate(plan.prescriptions, start=1)
        )
    ds.FractionGroupSequence = items(_fraction_group_item(g) for g in plan.fraction_groups)
    ds.PatientSetupSequence = items([_setup_item(phantom)])
    if plan.is_ion:
        ds.IonBeamSequence = items(ion_beam_item(b, n, plan.isocentre_mm) for n, b in enumerate(plan.beams))
    else:
        ds.BeamSequence = items(_beam_item(b, n, plan) for n, b in enumerate(plan.beams))
    return ds


def plan_sop_class(plan: PhantomPlan) -> str:
    """Return the SOP class that a plan is written as."""
    return RTIonPlanStorage if plan.is_ion else RTPlanStorage


def _prescription_item(prescription: Prescription, number: int, uids: SetUids) -> Dataset:
    item = Dataset()
    item.DoseReferenceNumber = str(number)
    item.DoseReferenceUID = content_uid("dose-reference", uids.plan, str(number))
    item.DoseReferenceStructureType = "SITE" if prescription.roi_number is None else "VOLUME"
    if prescription.roi_number is not None:
        item.ReferencedROINumber = str(prescription.roi_number)
    item.DoseReferenceDescription = prescription.description
    item.DoseReferenceType = "TARGET"
    item.TargetPrescriptionDose = ds_text(prescription.dose_gy)
    return item


def _fraction_group_item(group: FractionGroup) -> Dataset:
    item = Dataset()
    item.FractionGroupNumber = str(group.number)
    item.NumberOfFractionsPlanned = None if group.fractions_planned is None else str(group.fractions_planned)
    item.NumberOfBeams = str(len(group.beam_numbers))
    item.NumberOfBrachyApplicationSetups = "0"
    doses = dict(group.beam_doses_gy)
    item.ReferencedBeamSequence = items(_beam_reference(n, doses.get(n)) for n in group.beam_numbers)
    return item


def _beam_reference(number: int, dose_gy: float | None) -> Dataset:
    item = Dataset()
    if dose_gy is not None:
        item.BeamDose = ds_text(dose_gy)
        item.BeamMeterset = ds_text(dose_gy * _MU_PER_GY)
    item.ReferencedBeamNumber = str(number)
    return item


def _setup_item(phantom: PhantomSet) -> Dataset:
    item = Dataset()
    item.PatientSetupNumber = "1"
    item.PatientPosition = phantom.image.patient_position if phantom.image else "HFS"
    return item


def _beam_item(beam: Beam, index: int, plan: PhantomPlan) -> Dataset:
    item = Dataset()
    item.TreatmentMachineName, item.PrimaryDosimeterUnit = beam.machine, "MU"
    item.SourceAxisDistance = "1000"
    item.BeamLimitingDeviceSequence = items(_jaw(name) for name in ("ASYMX", "ASYMY"))
    item.BeamNumber, item.BeamName = str(beam.number), beam.name
    item.BeamType, item.RadiationType = beam.beam_type, beam.radiation_type
    item.TreatmentDeliveryType = beam.delivery_type or "TREATMENT"
    item.NumberOfWedges = item.NumberOfCompensators = item.NumberOfBoli = item.NumberOfBlocks = "0"
    item.FinalCumulativeMetersetWeight = "1"
    control_points = _control_points(index)
    _add_first_control_point(control_points[0], beam, plan)
    item.NumberOfControlPoints = str(len(control_points))
    item.ControlPointSequence = items(control_points)
    item.ReferencedPatientSetupNumber = "1"
    return item


def _control_points(index: int) -> list[Dataset]:
    """Return one arc around the patient's right side (gantry angles IEC 61217); every other one runs back."""
    angles = [float(a % 360) for a in range(181, 390 + 1, _ARC_STEP_DEG)]
    direction = "CW" if index % 2 == 0 else "CC"
    if index % 2:
        angles.reverse()
    points = []
    for n, angle in enumerate(angles):
        item = Dataset()
        item.ControlPointIndex = str(n)
        item.GantryAngle = ds_text(angle)
        item.GantryRotationDirection = direction if n < len(angles) - 1 else "NONE"
        item.CumulativeMetersetWeight = ds_text(n / (len(angles) - 1), decimals=6)
        points.append(item)
    return points


def _jaw(name: str) -> Dataset:
    item = Dataset()
    item.RTBeamLimitingDeviceType = name
    item.NumberOfLeafJawPairs = "1"
    return item


def _add_first_control_point(item: Dataset, beam: Beam, plan: PhantomPlan) -> None:
    if beam.nominal_energies:
        item.NominalBeamEnergy = ds_text(beam.nominal_energies[0])
    item.BeamLimitingDevicePositionSequence = items(_jaw_position(name) for name in ("ASYMX", "ASYMY"))
    item.BeamLimitingDeviceAngle, item.BeamLimitingDeviceRotationDirection = "30", "NONE"
    item.PatientSupportAngle, item.PatientSupportRotationDirection = "0", "NONE"
    item.TableTopEccentricAngle, item.TableTopEccentricRotationDirection = "0", "NONE"
    item.TableTopVerticalPosition = item.TableTopLongitudinalPosition = item.TableTopLateralPosition = None
    item.IsocenterPosition = ds_list(np.asarray(plan.isocentre_mm), decimals=3)


def _jaw_position(name: str) -> Dataset:
    item = Dataset()
    item.RTBeamLimitingDeviceType = name
    item.LeafJawPositions = ds_list([-_HALF_FIELD_MM, _HALF_FIELD_MM])
    return item
