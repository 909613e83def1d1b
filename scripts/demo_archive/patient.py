"""One invented patient: organs as ellipsoids, lesions as spheres, a dose whose DVH in each target has a closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dvhkit.model.structure import Structure
from dvhkit.phantoms.dose_fields import GaussianDose
from dvhkit.phantoms.sets.phantom_set import (
    OffsetForm,
    PhantomDose,
    PhantomImage,
    PhantomSet,
    arc_plan,
    axial_grid,
    voxel_centres_mm,
)
from dvhkit.phantoms.shapes import Solid, structure
from dvhkit.phantoms.solids import Cylinder, Ellipsoid, Vector, sphere
from dvhkit.phantoms.truth import truth_in_radial_dose

# Dose Gy, fractions: each is at least BED10 60 Gy.
SCHEMES = ((50.0, 5), (40.0, 5), (45.0, 3), (50.0, 10), (48.0, 8), (54.0, 3))
# The dose at the rim of a PTV and at its middle, in parts of the prescription.
RIM, PEAK = 1.03, 1.35
# Where lesions lie in the liver: far enough apart that each has its own dose.
_PLACES: tuple[Vector, ...] = ((-88.0, -8.0, 20.0), (-40.0, -28.0, -16.0), (-98.0, 26.0, -24.0))
_HALF_HEIGHT_MM = 78.0
# Spellings that clinics use for one organ; the protocol knows each.
_SPELLINGS = {"Liver": ("Liver", "LIVER", "liver", "Liver_Total"), "SpinalCord": ("SpinalCord", "SPINALCORD")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """A lesion and the dose given to it; radii in mm."""

    centre_mm: Vector
    gtv_mm: float
    ctv_mm: float
    ptv_mm: float
    dose: GaussianDose


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What one case is made of, before any fault."""

    name: str
    phantom: PhantomSet
    lesions: tuple[Lesion, ...]
    solids: dict[str, Solid]
    prescribed_gy: float
    fractions: int
    is_multiframe: bool

    def truth(self) -> list[tuple[str, str, float]]:
        """Return (ROI, metric, value) that have a closed form."""
        inside = {roi: solid for roi, solid in self.solids.items() if solid.z_range_mm[1] < _HALF_HEIGHT_MM - 3.0}
        rows = [(roi, "Volume[cc]", solid.volume_cc) for roi, solid in inside.items()]
        for n, lesion in enumerate(self.lesions, start=1):
            for kind, radius in (("GTV", lesion.gtv_mm), ("CTV", lesion.ctv_mm), ("PTV", lesion.ptv_mm)):
                truth = truth_in_radial_dose(sphere(lesion.centre_mm, radius), lesion.dose)
                roi = target_name(kind, n, len(self.lesions))
                rows += [(roi, "D95%[Gy]", truth.dose_at_pct_gy(95.0)), (roi, "D50%[Gy]", truth.dose_at_pct_gy(50.0))]
                rows.append((roi, "Mean[Gy]", truth.mean_gy))
        return rows


def target_name(kind: str, number: int, count: int) -> str:
    """Return the name of a target: numbered where there are several."""
    return kind if count == 1 else f"{kind}{number}"


def make_patient(name: str, rng: np.random.Generator) -> Patient:
    """Return a patient drawn from `rng`; the same state gives the same patient."""
    dose_gy, fractions = SCHEMES[int(rng.integers(len(SCHEMES)))]
    lesions = _lesions(rng, dose_gy)
    solids = _solids(rng, lesions)
    image = _image(rng)
    planes = image.grid.origin_mm[2] + image.grid.offsets_mm
    n_points = int(rng.integers(40, 81))
    structures = _structures(solids, planes, n_points, rng)
    main = target_name("PTV", 1, len(lesions))
    phantom = PhantomSet(
        label=name,
        structures=structures,
        image=image,
        plan=arc_plan(
            dose_gy=dose_gy,
            fractions=fractions,
            roi_number=next(s.number for s in structures if s.name == main),
            label=f"LIVER_{dose_gy:.0f}_{fractions}",
            n_arcs=int(rng.integers(1, 4)),
            isocentre_mm=lesions[0].centre_mm,
            approval_status="APPROVED",
        ),
        doses=(_dose(rng, lesions),),
        patient_name=f"SYNTHETIC^{name.upper()}",
        patient_id=f"SYN-{name.upper()}",
        contour_decimals=int(rng.integers(2, 5)),
    )
    return Patient(
        name=name,
        phantom=phantom,
        lesions=lesions,
        solids=solids,
        prescribed_gy=dose_gy,
        fractions=fractions,
        is_multiframe=bool(rng.random() < 0.75),
    )


def _lesions(rng: np.random.Generator, dose_gy: float) -> tuple[Lesion, ...]:
    found = []
    for place in _PLACES[: int(rng.choice([1, 1, 1, 2, 3]))]:
        centre = tuple(float(np.round(c + rng.uniform(-3, 3), 2)) for c in place)
        gtv = float(np.round(rng.uniform(8, 14), 1))
        ctv = gtv + float(rng.choice([2.0, 3.0]))
        ptv = ctv + 3.5
        sigma = ptv / math.sqrt(2 * math.log(PEAK / RIM))
        dose = GaussianDose(centre_mm=centre, peak_gy=PEAK * dose_gy, sigma_mm=sigma)  # type: ignore[arg-type]
        found.append(Lesion(centre_mm=centre, gtv_mm=gtv, ctv_mm=ctv, ptv_mm=ptv, dose=dose))  # type: ignore[arg-type]
    return tuple(found)


def _solids(rng: np.random.Generator, lesions: tuple[Lesion, ...]) -> dict[str, Solid]:
    def organ(centre: Vector, axes: Vector) -> Ellipsoid:
        size = rng.uniform(0.94, 1.06, 3)
        return Ellipsoid(centre_mm=centre, semi_axes_mm=tuple(float(a * s) for a, s in zip(axes, size, strict=True)))

    solids: dict[str, Solid] = {
        "Body": organ((0.0, 0.0, 0.0), (172.0, 116.0, 400.0)),
        "Liver": organ((-70.0, 0.0, 0.0), (82.0, 66.0, 64.0)),
        "Kidney_L": organ((62.0, 48.0, -20.0), (26.0, 22.0, 44.0)),
        "Kidney_R": organ((-52.0, 84.0, -34.0), (26.0, 15.0, 38.0)),
        # Body and cord go on beyond the image, as in a patient.
        "SpinalCord": Cylinder(centre_mm=(0.0, 70.0, 0.0), radius_mm=5.5, length_mm=400.0),
        "Stomach": organ((62.0, -30.0, 16.0), (36.0, 30.0, 44.0)),
    }
    for n, lesion in enumerate(lesions, start=1):
        for kind, radius in (("GTV", lesion.gtv_mm), ("CTV", lesion.ctv_mm), ("PTV", lesion.ptv_mm)):
            solids[target_name(kind, n, len(lesions))] = sphere(lesion.centre_mm, radius)
    return solids


def _image(rng: np.random.Generator) -> PhantomImage:
    slice_mm = float(rng.choice([2.5, 3.0, 3.0, 3.0]))
    count = 2 * int(_HALF_HEIGHT_MM / slice_mm) + 1
    grid = axial_grid(
        shape_zyx=(count, 270, 390),
        spacing_xyz_mm=(1.0, 1.0, slice_mm),
        first_xyz_mm=(-195.0, -135.0, -slice_mm * (count // 2) + float(np.round(rng.uniform(-1, 1), 2))),
    )
    return PhantomImage(grid=grid, rle=True)


def _structures(
    solids: dict[str, Solid], planes: np.ndarray, n_points: int, rng: np.random.Generator
) -> tuple[Structure, ...]:
    names = list(solids)
    if rng.random() < 0.4:
        names = [str(n) for n in rng.permutation(names)]
    drawn = []
    for number, roi in enumerate(names, start=1):
        kind = roi.rstrip("0123456789") if roi[:3] in ("GTV", "CTV", "PTV") else ""
        spelt = str(rng.choice(_SPELLINGS.get(roi, (roi,))))
        one = structure(
            spelt,
            number,
            solids[roi],
            planes,
            rt_roi_type="EXTERNAL" if roi == "Body" else kind or "ORGAN",
            color_rgb=tuple(int(c) for c in rng.integers(40, 256, 3)),  # type: ignore[arg-type]
            n_points=n_points,
        )
        drawn.append(one)
    return tuple(drawn)


def _dose(rng: np.random.Generator, lesions: tuple[Lesion, ...]) -> PhantomDose:
    step = float(rng.choice([3.0, 3.5, 4.0]))
    shape = (int(176 / step), int(268 / step), int(392 / step))
    grid = axial_grid(shape_zyx=shape, spacing_xyz_mm=(step,) * 3)
    x, y, z = voxel_centres_mm(grid)
    values = np.zeros(shape)
    for lesion in lesions:
        values = np.maximum(values, _gaussian(lesion.dose, x, y, z))
    return PhantomDose(
        grid=grid,
        values_gy=values,
        bits=int(rng.choice([16, 16, 32])),
        frames_descending=bool(rng.random() < 0.2),
        offset_form=OffsetForm.ABSOLUTE if rng.random() < 0.2 else OffsetForm.RELATIVE,
        refers_to_structures=bool(rng.random() < 0.5),
    )


def _gaussian(dose: GaussianDose, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the dose as a product of three profiles: many times quicker than the formula at each point."""
    cx, cy, cz = dose.centre_mm
    wide = 2 * dose.sigma_mm**2
    return (
        dose.peak_gy
        * (np.exp(-((z - cz) ** 2) / wide) * np.exp(-((y - cy) ** 2) / wide))
        * np.exp(-((x - cx) ** 2) / wide)
    )


def with_structure(phantom: PhantomSet, name: str, **changes: object) -> PhantomSet:
    """Return the phantom with one structure changed."""
    changed = tuple(
        replace(s, **changes) if s.name == name else s  # type: ignore[arg-type]
        for s in phantom.structures
    )
    return replace(phantom, structures=changed)
