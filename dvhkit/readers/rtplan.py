"""RTPLAN and RT Ion Plan: prescriptions, fraction groups, beams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dvhkit.errors import DicomReadError
from dvhkit.findings import Finding, Level
from dvhkit.model.plan import Beam, FractionGroup, Plan, Prescription
from dvhkit.readers.approval import rejection
from dvhkit.readers.archive.roles import Role, require_role
from dvhkit.readers.equipment import planning_system
from dvhkit.readers.files.dicom_file import parse, quiet_pydicom, read_bytes, reading
from dvhkit.readers.files.elements import (
    DataSet,
    charset_of,
    has,
    integer,
    items,
    name_text,
    number,
    numbers,
    raw_bytes,
    text,
)
from dvhkit.readers.files.headers import is_ion_plan, references

# Permanent implants prescribe up to 160 Gy; more than this is no dose to a target.
_MUCH_GY = 500.0
_GIVE_DOSE = "Give the prescribed dose yourself, on the command line with --rx."


@dataclass(slots=True)
class _Numbers:
    """Reads numbers of a plan; a broken one counts as missing, and its tag is remembered.

    No dose-volume number rests on them, and anonymised plans hold words where numbers were.
    """

    path: Path
    broken: list[str] = field(default_factory=list)

    def number(self, item: DataSet, keyword: str) -> float | None:
        """Return a number, or None."""
        try:
            return number(item, keyword, path=self.path)
        except DicomReadError as error:
            self.broken.append(error.where or keyword)
            return None

    def point(self, item: DataSet, keyword: str) -> tuple[float, float, float] | None:
        """Return three coordinates, or None."""
        try:
            found = numbers(item, keyword, path=self.path)
        except DicomReadError as error:
            self.broken.append(error.where or keyword)
            return None
        return (found[0], found[1], found[2]) if len(found) == 3 else None

    def integer(self, item: DataSet, keyword: str) -> int | None:
        """Return a whole number, or None."""
        try:
            return integer(item, keyword, path=self.path)
        except DicomReadError as error:
            self.broken.append(error.where or keyword)
            return None


def read_plan(path: Path) -> tuple[Plan, tuple[Finding, ...]]:
    """Return the plan in a file, and what is odd about it. Raises `DicomReadError` if it cannot be used."""
    with quiet_pydicom(), reading(path):
        data = parse(read_bytes(path))
        require_role(data, Role.RTPLAN, path)
        charset, read = charset_of(data), _Numbers(path)
        is_ion = is_ion_plan(data) or has(data, "IonBeamSequence")
        system, version = planning_system(data)
        plan = Plan(
            sop_instance_uid=text(data, "SOPInstanceUID"),
            label=name_text(data, "RTPlanLabel", charset),
            is_ion=is_ion,
            approval_status=text(data, "ApprovalStatus").upper(),
            referenced_structure_set_uid=next(iter(references(data, "ReferencedStructureSetSequence")), ""),
            prescriptions=_prescriptions(data, read, charset),
            fraction_groups=tuple(_group(item, read) for item in items(data, "FractionGroupSequence", path=path)),
            beams=_beams(data, read, charset, is_ion=is_ion),
            path=path,
            approval_date=text(data, "ReviewDate"),
            planning_system=system,
            planning_system_version=version,
            is_brachy=_is_brachy(data, path),
        )
    return plan, (*rejection(data, "plan", path), *_broken_numbers(read), *_findings(plan))


def _is_brachy(data: DataSet, path: Path) -> bool:
    return bool(text(data, "BrachyTreatmentType")) or bool(items(data, "ApplicationSetupSequence", path=path))


def _prescriptions(data: DataSet, read: _Numbers, charset: tuple[str, ...]) -> tuple[Prescription, ...]:
    """Return the total doses to targets; those of the fraction group only where the plan has none of its own."""
    numbered: dict[int | None, Prescription] = {}
    found = []
    for item in items(data, "DoseReferenceSequence", path=read.path):
        if text(item, "DoseReferenceType").upper() != "TARGET":
            continue
        prescription = _prescription(item, read, charset, origin="RTPLAN DoseReferenceSequence")
        numbered[read.integer(item, "DoseReferenceNumber")] = prescription
        found.append(prescription)
    stated = [p for p in found if p.dose_gy > 0]
    if not stated:
        stated = _group_prescriptions(data, read, numbered)
    return tuple({(p.dose_gy, p.roi_number, p.description): p for p in stated}.values())


def _prescription(item: DataSet, read: _Numbers, charset: tuple[str, ...], *, origin: str) -> Prescription:
    bound = text(item, "DoseReferenceStructureType").upper() in ("VOLUME", "POINT")
    return Prescription(
        dose_gy=read.number(item, "TargetPrescriptionDose") or 0.0,
        roi_number=read.integer(item, "ReferencedROINumber") if bound else None,
        origin=origin,
        description=name_text(item, "DoseReferenceDescription", charset),
    )


def _group_prescriptions(data: DataSet, read: _Numbers, numbered: dict[int | None, Prescription]) -> list[Prescription]:
    groups = items(data, "FractionGroupSequence", path=read.path)
    if len(groups) != 1:
        return []
    found = []
    for item in items(groups[0], "ReferencedDoseReferenceSequence", path=read.path):
        dose_gy = read.number(item, "TargetPrescriptionDose")
        known = numbered.get(read.integer(item, "ReferencedDoseReferenceNumber"))
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


def _group(item: DataSet, read: _Numbers) -> FractionGroup:
    beams = [
        (read.integer(beam, "ReferencedBeamNumber"), read.number(beam, "BeamDose"))
        for beam in items(item, "ReferencedBeamSequence", path=read.path)
    ]
    return FractionGroup(
        number=read.integer(item, "FractionGroupNumber") or 0,
        # None are planned by nobody: such a number was left open.
        fractions_planned=read.integer(item, "NumberOfFractionsPlanned") or None,
        beam_numbers=tuple(n for n, _ in beams if n is not None),
        beam_doses_gy=tuple((n, dose) for n, dose in beams if n is not None and dose is not None),
    )


def _beams(data: DataSet, read: _Numbers, charset: tuple[str, ...], *, is_ion: bool) -> tuple[Beam, ...]:
    control_points = "IonControlPointSequence" if is_ion else "ControlPointSequence"
    beams = []
    for item in items(data, "IonBeamSequence" if is_ion else "BeamSequence", path=read.path):
        points = items(item, control_points, path=read.path)
        energies = dict.fromkeys(
            energy for point in points if (energy := read.number(point, "NominalBeamEnergy")) is not None
        )
        beams.append(
            Beam(
                number=read.integer(item, "BeamNumber") or 0,
                name=name_text(item, "BeamName", charset),
                beam_type=text(item, "BeamType").upper(),
                radiation_type=text(item, "RadiationType").upper(),
                nominal_energies=tuple(energies),
                machine=name_text(item, "TreatmentMachineName", charset),
                delivery_type=text(item, "TreatmentDeliveryType").upper(),
                gantry_rotation=_gantry_rotation(points),
                leaves_move=_leaves_move(points, read),
                scan_mode=text(item, "ScanMode").upper() if is_ion else "",
                isocentre_mm=read.point(points[0], "IsocenterPosition") if points else None,
            )
        )
    return tuple(beams)


def _gantry_rotation(points: Sequence[DataSet]) -> str:
    """Return CW or CC if the gantry turns after any control point, NONE if it stands, empty if nothing says.

    A control point without a direction keeps that of the one before (PS3.3 C.8.8.14.5). The last one leads nowhere.
    """
    stated = [text(point, "GantryRotationDirection").upper() for point in points[:-1] or points]
    turning = next((direction for direction in stated if direction in ("CW", "CC")), "")
    return turning or ("NONE" if "NONE" in stated else "")


def _leaves_move(points: Sequence[DataSet], read: _Numbers) -> bool | None:
    """Return whether leaf positions change; None where no control point holds any.

    A control point without them keeps those of the one before.
    """
    known: dict[str, tuple[float, ...]] = {}
    for point in points:
        for device in items(point, "BeamLimitingDevicePositionSequence", path=read.path):
            kind = text(device, "RTBeamLimitingDeviceType").upper()
            leaves = _leaves(device) if kind.startswith("MLC") else ()
            if leaves and known.setdefault(kind, leaves) != leaves:
                return True
    return False if known else None


def _leaves(device: DataSet) -> tuple[float, ...]:
    """Return the stored positions; nothing where one is no number, since no dose-volume number rests on them."""
    try:
        return tuple(float(part) for part in raw_bytes(device, "LeafJawPositions").split(b"\\"))
    except ValueError:
        return ()


def _broken_numbers(read: _Numbers) -> list[Finding]:
    if not read.broken:
        return []
    message = (
        f"The plan holds values that are no numbers, which count as missing: {', '.join(sorted(set(read.broken)))}."
    )
    return [Finding(level=Level.WARNING, code="plan-values-unreadable", message=message, where=read.path.name)]


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
    if much := [p.dose_gy for p in plan.prescriptions if p.dose_gy > _MUCH_GY]:
        message = (
            f"The plan prescribes {max(much):g} Gy. Unless it is cGy that is meant, something is wrong. {_GIVE_DOSE}"
        )
        findings.append(Finding(level=Level.SERIOUS, code="prescription-implausible", message=message, where=name))
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
