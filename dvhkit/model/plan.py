"""What the plan says about prescription, fractions and delivery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescription:
    """A total dose to a target.

    Attributes
    ----------
    dose_gy
        Total dose over all fractions.
    roi_number
        The target's ROI number; None where the plan does not say (a point, a site, or nothing).
    origin
        Where it was found, such as ``RTPLAN DoseReferenceSequence`` or ``command line``: printed beside each number
        that depends on it.
    """

    dose_gy: float
    roi_number: int | None
    origin: str
    description: str = ""

    BY_USER: ClassVar[str] = "given by the user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """One beam, as far as an audit looks at it.

    Attributes
    ----------
    gantry_rotation
        CW or CC if the gantry turns while the beam is on, NONE if it stands, empty where the plan does not say.
    leaves_move
        Whether leaf positions differ between control points; None where the plan holds no leaf positions.
    scan_mode
        Of an ion beam: NONE, UNIFORM, MODULATED or MODULATED_SPEC; else empty.
    isocentre_mm
        Where the plan states it, in patient coordinates (x, y, z); that of its first control point.
    """

    number: int
    name: str
    beam_type: str
    radiation_type: str
    nominal_energies: tuple[float, ...]
    machine: str
    delivery_type: str = ""
    gantry_rotation: str = ""
    leaves_move: bool | None = None
    scan_mode: str = ""
    isocentre_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FractionGroup:
    """One fraction group; `beam_doses_gy` are per fraction, keyed by beam number, where the plan gives them."""

    number: int
    fractions_planned: int | None
    beam_numbers: tuple[int, ...]
    beam_doses_gy: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """RTPLAN or RT Ion Plan.

    Attributes
    ----------
    approval_date
        ReviewDate as stored, ``YYYYMMDD``; empty where nobody approved or rejected the plan.
    planning_system, planning_system_version
        Manufacturer and model, and software versions, as the file states them.
    is_brachy
        Whether sources inside or beside the target give the dose.
    """

    sop_instance_uid: str
    label: str
    is_ion: bool
    approval_status: str
    referenced_structure_set_uid: str
    prescriptions: tuple[Prescription, ...]
    fraction_groups: tuple[FractionGroup, ...]
    beams: tuple[Beam, ...]
    path: Path | None = None
    approval_date: str = ""
    planning_system: str = ""
    planning_system_version: str = ""
    is_brachy: bool = False

    @property
    def fractions_planned(self) -> int | None:
        """Number of fractions if the plan has just one fraction group that states it, else None."""
        return self.fraction_groups[0].fractions_planned if len(self.fraction_groups) == 1 else None
