"""Plans that are right, and the same plans wrong on purpose: photons, protons, HDR brachytherapy; as DICOM files.

A ball of 40 mm is the target, an organ lies behind it, a body around both. Three equal photon fields cross in the
target, two proton fields do, or a source stands in its middle; each right dose gives the prescription.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from dvhkit.model.dose import DoseType
from dvhkit.model.plan import Prescription
from dvhkit.phantoms.dicom.dicom_set import build_set
from dvhkit.phantoms.dicom.modules import save
from dvhkit.phantoms.sets.phantom_set import (
    PhantomDose,
    PhantomPlan,
    PhantomSet,
    arc_plan,
    axial_grid,
    voxel_centres_mm,
)
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere

KINDS = ("photon", "proton", "hdr")
TARGET_MM, HALF_FIELD_MM, PENUMBRA_MM = 20.0, 26.0, 1.0
RX_GY = {"photon": 60.0, "proton": 60.0, "hdr": 28.0}
FRACTIONS = {"photon": 30, "proton": 30, "hdr": 4}
OTHER_FRAME = "1.2.826.0.1.3680043.10.1561.77"
GRID = axial_grid(shape_zyx=(27, 41, 41), spacing_xyz_mm=(4.0, 4.0, 4.0))
PLANES_MM = np.arange(-60.0, 60.1, 4.0)

Change = Callable[[Dataset], None]


def field_gy(degrees: float, centre: Sequence[float] = (0.0, 0.0, 0.0), half_mm: float = HALF_FIELD_MM) -> np.ndarray:
    """A field of 1 Gy to its middle, level across its width and falling off at its sides."""
    x, y, z = (v - c for v, c in zip(voxel_centres_mm(GRID), centre, strict=True))
    across = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    sides = 1 / (1 + np.exp((np.abs(across) - half_mm) / PENUMBRA_MM))
    return sides / (1 + np.exp((np.abs(z) - half_mm) / PENUMBRA_MM))


def right_gy(kind: str, centre: Sequence[float] = (0.0, 0.0, 0.0), half_mm: float = HALF_FIELD_MM) -> np.ndarray:
    """The dose as it was planned: D50 of the target is the prescription, or D90 where a source gives it."""
    if kind == "hdr":
        x, y, z = (v - c for v, c in zip(voxel_centres_mm(GRID), centre, strict=True))
        at_d90_mm = TARGET_MM * 0.9 ** (1 / 3)
        return RX_GY[kind] * (at_d90_mm**2 + 9.0) / (x * x + y * y + z * z + 9.0)
    angles = (0.0, 60.0, 120.0) if kind == "photon" else (30.0, 150.0)
    fields = [field_gy(angle, centre, half_mm) for angle in angles]
    return RX_GY[kind] * np.mean(fields, axis=0)


def peaked_gy(centre: Sequence[float] = (0.0, 0.0, 0.0), isodose: float = 0.7) -> np.ndarray:
    """A stereotactic dose of 50 Gy, prescribed to the isodose at the target's edge; it falls by 7 % a mm from there."""
    x, y, z = (v - c for v, c in zip(voxel_centres_mm(GRID), centre, strict=True))
    r = np.sqrt(x * x + y * y + z * z)
    inside = 1 / isodose - (1 / isodose - 1) * (r / TARGET_MM) ** 2
    return 50.0 * np.where(r < TARGET_MM, inside, np.exp(-0.07 * (r - TARGET_MM)))


def one_beam_gy(kind: str) -> np.ndarray:
    """A third of the photon plan, half of the proton plan, one of four fractions of a source."""
    if kind == "hdr":
        return right_gy(kind) / FRACTIONS[kind]
    shares = {"photon": 3, "proton": 2}
    return RX_GY[kind] / shares[kind] * field_gy(0.0)


# What a wrong file holds where the right one holds `right_gy`.
WRONG_GY: dict[str, Callable[[str], np.ndarray]] = {
    "times_0.2": lambda kind: 0.2 * right_gy(kind),
    "times_0.5": lambda kind: 0.5 * right_gy(kind),
    "times_100": lambda kind: 100.0 * right_gy(kind),
    "times_0.01": lambda kind: 0.01 * right_gy(kind),
    "one_beam": one_beam_gy,
    "boost_alone": lambda kind: 0.25 * right_gy(kind, half_mm=16.0),
    "other_plan": lambda kind: right_gy(kind, centre=(45.0, 0.0, 12.0)),
    "empty": lambda kind: 0.0 * right_gy(kind),
}


def target(name: str = "PTV", number: int = 1, radius_mm: float = TARGET_MM, centre=(0.0, 0.0, 0.0), kind="PTV"):
    return structure(name, number, sphere(centre, radius_mm), PLANES_MM, rt_roi_type=kind, n_points=32)


def plan_of(kind: str, rx: Sequence[tuple[float, int | None]] | None = None) -> PhantomPlan:
    """The plan; `rx` are prescribed doses with the ROI of each."""
    made = arc_plan(dose_gy=RX_GY[kind], fractions=FRACTIONS[kind], roi_number=1, n_arcs=3 if kind == "photon" else 2)
    stated = [Prescription(dose_gy=gy, roi_number=roi, origin="phantom") for gy, roi in rx or [(RX_GY[kind], 1)]]
    beams = made.beams if kind != "proton" else tuple(replace(b, radiation_type="PROTON") for b in made.beams)
    return replace(made, prescriptions=tuple(stated), beams=beams, is_ion=kind == "proton", label=f"MADE_{kind}")


def as_brachy(plan: Dataset) -> None:
    """Make a plan of beams one of sources."""
    del plan.BeamSequence
    group = plan.FractionGroupSequence[0]
    del group.ReferencedBeamSequence
    group.NumberOfBeams, group.NumberOfBrachyApplicationSetups = "0", "1"
    plan.BrachyTreatmentTechnique, plan.BrachyTreatmentType = "INTRACAVITARY", "HDR"
    setup = Dataset()
    setup.ApplicationSetupType, setup.ApplicationSetupNumber = "FLETCHER_SUIT", "1"
    setup.TotalReferenceAirKerma, setup.ChannelSequence = "10000", Items([])
    plan.ApplicationSetupSequence = Items([setup])


def write_planted(
    folder: Path,
    kind: str,
    values_gy: np.ndarray | None = None,
    *,
    structures: Sequence[object] | None = None,
    rx: Sequence[tuple[float, int | None]] | None = None,
    dose_type: DoseType | None = None,
    change: dict[str, Change] | None = None,
) -> Path:
    """Write a set; `values_gy` None is the right dose, and `change` twists data sets by their modality."""
    own = DoseType.EFFECTIVE if kind == "proton" else DoseType.PHYSICAL
    values = right_gy(kind) if values_gy is None else np.broadcast_to(values_gy, GRID.shape_zyx)
    organ = structure("Organ", 8, sphere((0.0, 40.0, 0.0), 8.0), PLANES_MM, n_points=24)
    body = structure("Body", 9, sphere((0.0, 0.0, 0.0), 52.0), PLANES_MM, rt_roi_type="EXTERNAL", n_points=24)
    phantom = PhantomSet(
        label=f"planted-{kind}",
        contour_decimals=3,
        structures=tuple(structures) if structures is not None else (target(), organ, body),
        plan=plan_of(kind, rx),
        doses=(PhantomDose(grid=GRID, values_gy=np.array(values), dose_type=dose_type or own),),
    )
    for stem, data in build_set(phantom):
        if kind == "hdr" and data.Modality == "RTPLAN":
            as_brachy(data)
        if change and data.Modality in change:
            change[data.Modality](data)
        save(data, folder / f"{stem}.dcm")
    return folder


def in_other_frame(dose: Dataset) -> None:
    dose.FrameOfReferenceUID = OTHER_FRAME
