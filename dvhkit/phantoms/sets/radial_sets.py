"""Small spheres in round doses: radiosurgery targets, and the Gaussian sphere whose indices have closed forms."""

from __future__ import annotations

import numpy as np

from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure
from dvhkit.phantoms.ball_on_grid import truth_of_ball_on_grid
from dvhkit.phantoms.dose_fields import GaussianDose, RadialDose, RadiosurgeryDose, sampled_gy
from dvhkit.phantoms.sets.phantom_set import (
    PhantomDose,
    PhantomImage,
    PhantomSet,
    arc_plan,
    axial_grid,
)
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Vector, sphere
from dvhkit.phantoms.truth import truth_in_radial_dose
from dvhkit.phantoms.truth_rows import RoiTruth

_SURFACE_GY = 20.0
# How far the evaluation sphere reaches beyond the target: more than the half dose, which lies within 0.4 mm of it.
_AROUND_MM = 3.0
_N_POINTS = 180
_DOSE_STEP_MM = 1.0
_PLACES = 10
_SEED = 20210


def radiosurgery_set(*, diameter_mm: float, slice_mm: float) -> tuple[PhantomSet, tuple[RoiTruth, ...]]:
    """Return ten equal targets, each at its own place between the voxels, in a dose that is steep at their surface.

    The dose grid of 1 mm is too coarse for a dose that falls by half within 0.4 mm. What a perfect calculator gets out
    of that grid is the truth read ``grid``; what lies between it and the formula is the grid's fault.
    """
    pitch = diameter_mm + 4 * _AROUND_MM
    centres = _places(pitch)
    doses = [RadiosurgeryDose(centre_mm=c, target_radius_mm=diameter_mm / 2, surface_gy=_SURFACE_GY) for c in centres]
    names = [f"Target_{n:02d}" for n in range(1, _PLACES + 1)]
    return _set(
        label=f"spheres-{diameter_mm:g}mm-slice-{slice_mm:g}mm",
        targets=list(zip(names, doses, strict=True)),
        radius_mm=diameter_mm / 2,
        around_mm=_AROUND_MM,
        slice_mm=slice_mm,
        surface_gy=_SURFACE_GY,
    )


def gaussian_set(*, radius_mm: float) -> tuple[PhantomSet, tuple[RoiTruth, ...]]:
    """Return two equal spheres of radius σ, their middles on a slice and between two, each in its Gaussian dose.

    With the prescription at the surface the Paddick index is 1 and the modified gradient index (1 + 2 ln 2)^1.5 = 3.69.
    """
    apart = 5 * radius_mm
    centres: list[tuple[str, Vector]] = [("On_Slice", (-apart, 0.0, 0.0)), ("Between_Slices", (apart, 0.0, 0.5))]
    doses = [(name, GaussianDose(centre_mm=c, peak_gy=10.0, sigma_mm=radius_mm)) for name, c in centres]
    return _set(
        label=f"gaussian-r{radius_mm:g}mm",
        targets=list(doses),
        radius_mm=radius_mm,
        around_mm=2 * radius_mm,
        slice_mm=1.0,
        surface_gy=doses[0][1].at_radius_gy(radius_mm),
    )


def _places(pitch_mm: float) -> list[Vector]:
    """Return centres on a coarse lattice, each shifted within a voxel; the same in every run."""
    shift = np.random.default_rng(_SEED).random((_PLACES, 3))
    return [
        (
            float(np.round((n % 4 - 1.5) * pitch_mm + shift[n, 0], 3)),
            float(np.round((n // 4 - 1.0) * pitch_mm + shift[n, 1], 3)),
            float(np.round(shift[n, 2] * 3.0, 3)),
        )
        for n in range(_PLACES)
    ]


def _set(
    *,
    label: str,
    targets: list[tuple[str, RadiosurgeryDose]] | list[tuple[str, GaussianDose]],
    radius_mm: float,
    around_mm: float,
    slice_mm: float,
    surface_gy: float,
) -> tuple[PhantomSet, tuple[RoiTruth, ...]]:
    reach = np.max([np.abs(dose.centre_mm) for _, dose in targets], axis=0) + radius_mm + around_mm + 4.0
    image = _grid(reach, 1.0, slice_mm)
    planes = image.origin_mm[2] + image.offsets_mm
    grid = _grid(reach, _DOSE_STEP_MM, _DOSE_STEP_MM)
    values_gy = _hottest([dose for _, dose in targets], grid)
    drawn: list[Structure] = []
    truths: list[RoiTruth] = []
    for name, dose in targets:
        for roi, r in ((name, radius_mm), (f"Around_{name}", radius_mm + around_mm)):
            ball = sphere(dose.centre_mm, r)
            kind = "PTV" if roi == name else "CONTROL"
            drawn.append(structure(roi, len(drawn) + 1, ball, planes, n_points=_N_POINTS, rt_roi_type=kind))
            wanted = (round(surface_gy, 3), round(surface_gy / 2, 3))
            ideal, held = truth_in_radial_dose(ball, dose), truth_of_ball_on_grid(dose.centre_mm, r, grid, values_gy)
            truths.append(RoiTruth(roi=roi, solid=ideal, grid=held, doses_gy=wanted))
    phantom = PhantomSet(
        label=label,
        structures=tuple(drawn),
        image=PhantomImage(grid=image, rle=True),
        plan=arc_plan(dose_gy=round(surface_gy, 3), fractions=1, roi_number=1, label="SPHERES"),
        doses=(PhantomDose(grid=grid, values_gy=values_gy),),
    )
    return phantom, tuple(truths)


def _grid(reach_mm: np.ndarray, step_mm: float, plane_mm: float) -> Grid:
    """Return a grid that holds a voxel centre at the origin and covers the reach."""
    half = [int(np.ceil(reach_mm[a] / (plane_mm if a == 2 else step_mm))) for a in range(3)]
    return axial_grid(
        shape_zyx=(2 * half[2] + 1, 2 * half[1] + 1, 2 * half[0] + 1), spacing_xyz_mm=(step_mm, step_mm, plane_mm)
    )


def _hottest(doses: list[RadialDose], grid: Grid) -> np.ndarray:
    """Return the greatest of the doses at each voxel: targets lie so far apart that each has its own neighbourhood."""
    return np.asarray(np.max([sampled_gy(dose, grid) for dose in doses], axis=0))
