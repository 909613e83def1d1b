"""RTPLAN and RT Ion Plan: prescriptions, fraction groups, beams."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import DicomReadError
from dvhkit.findings import Finding, Level
from dvhkit.model.plan import Beam, FractionGroup, Plan, Prescription
from dvhkit.readers.dicom_file import parse, quiet_pydicom, read_bytes, reading
from dvhkit.readers.elements import charset_of, integer, items, name_text, number, numbers, text
from dvhkit.readers.headers import references

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_ION_PLAN_CLASS = "1.2.840.10008.5.1.4.1.1.481.8"
_GIVE_DOSE = "Give the prescribed dose yourself, on the command line with --prescription."


def read_plan(path: Path) -> tuple[Plan, tuple[Finding, ...]]:
    """Return the plan in a file, and what is odd about it. Raises `DicomReadError` if it cannot be used."""
    with quiet_pydicom(), reading(path):
        data = parse(read_bytes(path))
        if text(data, "Modality").upper() != "RTPLAN":
            raise DicomReadError(f"is no plan but {text(data, 'Modality') or 'of no modality'}.", path=path)
        charset = charset_of(data)
        is_ion = text(data, "SOPClassUID") == _ION_PLAN_CLASS or "IonBeamSequence" in data
        plan = Plan(
            sop_instance_uid=text(data, "SOPInstanceUID"),
            label=name_text(data, "RTPlanLabel", charset),
            is_ion=is_ion,
            approval_status=text(data, "ApprovalStatus").upper(),
            referenced_structure_set_uid=next(iter(references(data, "ReferencedStructureSetSequence")), ""),
            prescriptions=_prescriptions(data, path, charset),
            fraction_groups=tuple(_group(item, path) for item in items(data, "FractionGroupSequence", path=path)),
            beams=_beams(data, path, charset, is_ion=is_ion),
            path=path,
        )
    return plan, tuple(_findings(plan))


def _prescriptions(data: Dataset, path: Path, charset: tuple[str, ...]) -> tuple[Prescription, ...]:
    """Return the total doses to targets; those of the fraction group only where the plan has none of its own."""
    numbered: dict[int | None, Prescription] = {}
    found = []
    for item in items(data, "DoseReferenceSequence", path=path):
        if text(item, "DoseReferenceType").upper() != "TARGET":
            continue
        prescription = _prescription(item, path, charset, origin="RTPLAN DoseReferenceSequence")
        numbered[integer(item, "DoseReferenceNumber", path=path)] = prescription
        found.append(prescription)
    stated = [p for p in found if p.dose_gy > 0]
    if not stated:
        stated = _group_prescriptions(data, path, numbered)
    return tuple({(p.dose_gy, p.roi_number, p.description): p for p in stated}.values())


def _prescription(item: Dataset, path: Path, charset: tuple[str, ...], *, origin: str) -> Prescription:
    bound = text(item, "DoseReferenceStructureType").upper() in ("VOLUME", "POINT")
    return Prescription(
        dose_gy=number(item, "TargetPrescriptionDose", path=path) or 0.0,
        roi_number=integer(item, "ReferencedROINumber", path=path) if bound else None,
        origin=origin,
        description=name_text(item, "DoseReferenceDescription", charset),
    )


def _group_prescriptions(data: Dataset, path: Path, numbered: dict[int | None, Prescription]) -> list[Prescription]:
    groups = items(data, "FractionGroupSequence", path=path)
    if len(groups) != 1:
        return []
    found = []
    for item in items(groups[0], "ReferencedDoseReferenceSequence", path=path):
        dose_gy = number(item, "TargetPrescriptionDose", path=path)
        known = numbered.get(integer(item, "ReferencedDoseReferenceNumber", path=path))
        if dose_gy and known is not None:
            found.append(
                Prescription(
                    dose_gy=dose_gy,
                    roi_number=known.roi_number,
                    origin="RTPLAN FractionGroupSequence",
                    description=known.description,
                )
            )
    return found


def _group(item: Dataset, path: Path) -> FractionGroup:
    beams = [
        (integer(beam, "ReferencedBeamNumber", path=path), number(beam, "BeamDose", path=path))
        for beam in items(item, "ReferencedBeamSequence", path=path)
    ]
    return FractionGroup(
        number=integer(item, "FractionGroupNumber", path=path) or 0,
        fractions_planned=integer(item, "NumberOfFractionsPlanned", path=path),
        beam_numbers=tuple(n for n, _ in beams if n is not None),
        beam_doses_gy=tuple((n, dose) for n, dose in beams if n is not None and dose is not None),
    )


def _beams(data: Dataset, path: Path, charset: tuple[str, ...], *, is_ion: bool) -> tuple[Beam, ...]:
    control_points = "IonControlPointSequence" if is_ion else "ControlPointSequence"
    beams = []
    for item in items(data, "IonBeamSequence" if is_ion else "BeamSequence", path=path):
        energies = dict.fromkeys(
            energy
            for point in items(item, control_points, path=path)
            for energy in numbers(point, "NominalBeamEnergy", path=path)
        )
        beams.append(
            Beam(
                number=integer(item, "BeamNumber", path=path) or 0,
                name=name_text(item, "BeamName", charset),
                beam_type=text(item, "BeamType").upper(),
                radiation_type=text(item, "RadiationType").upper(),
                nominal_energies=tuple(energies),
                machine=name_text(item, "TreatmentMachineName", charset),
                delivery_type=text(item, "TreatmentDeliveryType").upper(),
            )
        )
    return tuple(beams)


def _findings(plan: Plan) -> list[Finding]:
    findings = []
    name = plan.path.name if plan.path else ""
    if not plan.prescriptions:
        message = f"The plan states no prescribed dose to a target. {_GIVE_DOSE}"
        findings.append(Finding(level=Level.WARNING, code="no-prescription", message=message, where=name))
    elif len({p.dose_gy for p in plan.prescriptions}) > 1:
        listed = ", ".join(f"{p.dose_gy:g} Gy ({p.description or 'no description'})" for p in plan.prescriptions)
        message = f"The plan states several prescribed doses: {listed}. {_GIVE_DOSE}"
        findings.append(Finding(level=Level.INFO, code="several-prescriptions", message=message, where=name))
    return findings + _fraction_findings(plan, name)


def _fraction_findings(plan: Plan, name: str) -> list[Finding]:
    groups = plan.fraction_groups
    if len(groups) > 1:
        listed = " + ".join(str(g.fractions_planned) if g.fractions_planned is not None else "?" for g in groups)
        message = (
            f"The plan has {len(groups)} fraction groups ({listed} fractions), so there is no one number of fractions. "
            "Give it yourself with --fractions."
        )
        return [Finding(level=Level.WARNING, code="several-fraction-groups", message=message, where=name)]
    if plan.fractions_planned is None:
        message = "The plan does not state the number of fractions. Give it yourself with --fractions."
        return [Finding(level=Level.WARNING, code="no-fractions", message=message, where=name)]
    return []
