"""Solids in a linear dose, after Nelms et al. 2015 (doi 10.1118/1.4923175), with shapes that trip calculators up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.errors import InputError
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure
from dvhkit.phantoms.dose_fields import LinearDose, sampled_gy
from dvhkit.phantoms.sets.phantom_set import (
    PhantomDose,
    PhantomImage,
    PhantomSet,
    arc_plan,
    axial_grid,
)
from dvhkit.phantoms.shapes import HoleStyle, Hollow, Islands, Solid, section, structure
from dvhkit.phantoms.solids import Box, Cone, Cylinder, Ellipsoid, Torus, Vector, rotation_about, sphere
from dvhkit.phantoms.stack import truth_of_stack
from dvhkit.phantoms.truth import Truth, truth_in_linear_dose
from dvhkit.phantoms.truth_rows import RoiTruth

LINEAR_SPACINGS_MM = (1, 2, 3)
_DIRECTIONS: dict[str, Vector] = {"si": (0.0, 0.0, -1.0), "ap": (0.0, -1.0, 0.0), "oblique": (0.48, -0.6, -0.64)}
# 1 Gy/mm and 16 Gy in the middle: 4 to 28 Gy over a shape of 24 mm. An upright cylinder reaches farther askew.
_CENTRE_GY = {"si": 16.0, "ap": 16.0, "oblique": 24.0}
_GRADIENT_GY_PER_MM = 1.0
_HALF_GRID_MM = 36.0
_N_POINTS = 360


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Entry:
    name: str
    solid: Solid
    holes: HoleStyle = HoleStyle.NESTED


def _entries() -> tuple[_Entry, ...]:
    """Return the solids: Nelms' five of 24 mm, then hollow, broken, tilted and ring-shaped ones."""
    ball, tube = sphere((0.0, 0.0, 0.0), 12.0), Cylinder(radius_mm=12.0, length_mm=24.0)
    hole = Cylinder(centre_mm=(2.0, -1.0, 0.0), radius_mm=6.0, length_mm=24.0)
    shell = Hollow(outer=ball, inner=sphere((0.0, 0.0, 0.0), 10.5))
    ringed = Islands(
        parts=(Hollow(outer=tube, inner=hole), Cylinder(centre_mm=(2.0, -1.0, 0.0), radius_mm=3.0, length_mm=24.0))
    )
    apart = Islands(parts=(sphere((-8.0, 3.0, 4.0), 4.0), sphere((8.0, -5.0, -6.0), 3.0), sphere((1.0, 9.0, 0.0), 2.5)))
    turn = rotation_about((0.3, -1.0, 0.5), 37.0)
    return (
        _Entry(name="Sphere", solid=ball),
        _Entry(name="Cylinder", solid=tube),
        _Entry(name="Cylinder_AP", solid=Cylinder(radius_mm=12.0, length_mm=24.0, axis=(0.0, -1.0, 0.0))),
        _Entry(name="Cone", solid=Cone(radius_mm=12.0, height_mm=24.0)),
        _Entry(name="Cone_AP", solid=Cone(radius_mm=12.0, height_mm=24.0, axis=(0.0, -1.0, 0.0))),
        _Entry(name="Ellipsoid_Tilt", solid=Ellipsoid(semi_axes_mm=(5.0, 8.0, 13.0), rotation=turn)),
        _Entry(name="Box_Tilt", solid=Box(size_mm=(10.0, 14.0, 18.0), rotation=turn)),
        _Entry(name="Torus", solid=Torus(ring_radius_mm=11.0, tube_radius_mm=4.0)),
        _Entry(name="Shell", solid=shell),
        _Entry(name="Tube_Nested", solid=Hollow(outer=tube, inner=hole)),
        _Entry(name="Tube_Keyhole", solid=Hollow(outer=tube, inner=hole), holes=HoleStyle.KEYHOLE),
        _Entry(name="Tube_XOR", solid=Hollow(outer=tube, inner=hole), holes=HoleStyle.XOR),
        _Entry(name="Island_In_Hole", solid=ringed, holes=HoleStyle.XOR),
        _Entry(name="Islands", solid=apart),
    )


def linear_set(*, direction: str, slice_mm: float) -> tuple[PhantomSet, tuple[RoiTruth, ...]]:
    """Return the solids in a linear dose.

    Slices lie half a spacing off the solids' ends, so that half-slice caps end an upright cylinder where it ends.

    Parameters
    ----------
    direction
        ``si``: more dose towards the feet; ``ap``: towards the front; ``oblique``: askew to every axis.
    """
    dose = linear_dose(direction)
    grid = _image_grid(slice_mm)
    planes = grid.origin_mm[2] + grid.offsets_mm
    drawn: list[Structure] = []
    truths: list[RoiTruth] = []
    for number, entry in enumerate(_entries(), start=1):
        drawn.append(structure(entry.name, number, entry.solid, planes, n_points=_N_POINTS, holes=entry.holes))
        stack = None if direction == "oblique" else _stack_truth(entry.solid, planes, slice_mm, dose)
        truths.append(RoiTruth(roi=entry.name, solid=truth_in_linear_dose(entry.solid, dose), stack=stack))
    # Zero where the formula is negative: farther out than any of the solids reaches.
    dose_grid = _dose_grid(slice_mm)
    phantom = PhantomSet(
        label=f"linear-{direction}-{slice_mm:g}mm",
        structures=tuple(drawn),
        image=PhantomImage(grid=grid, rle=True),
        # To a site: no solid is a target, which part of would be cold.
        plan=arc_plan(dose_gy=_CENTRE_GY[direction], fractions=1, roi_number=None, label="LINEAR"),
        doses=(PhantomDose(grid=dose_grid, values_gy=np.maximum(sampled_gy(dose, dose_grid), 0.0)),),
    )
    return phantom, tuple(truths)


def linear_dose(direction: str) -> LinearDose:
    """Return the dose of the sets of that direction; raises `InputError` for one that does not exist."""
    if direction not in _DIRECTIONS:
        raise InputError(f"there is no direction {direction!r}.", remedy="There are: " + ", ".join(_DIRECTIONS) + ".")
    return LinearDose(
        at_origin_gy=_CENTRE_GY[direction],
        direction=_DIRECTIONS[direction],
        gradient_gy_per_mm=_GRADIENT_GY_PER_MM,
    )


def linear_dose_voxel_mm(slice_mm: float) -> float:
    """Return the edge of the dose voxels of a set with such slices."""
    return float(_dose_grid(slice_mm).spacing_mm[0])


def _stack_truth(solid: Solid, planes: np.ndarray, slice_mm: float, dose: LinearDose) -> Truth:
    return truth_of_stack([(float(z), section(solid, float(z), n_points=_N_POINTS)) for z in planes], slice_mm, dose)


def _image_grid(slice_mm: float) -> Grid:
    n = 2 * int(np.ceil(_HALF_GRID_MM / slice_mm))
    return axial_grid(shape_zyx=(n, 80, 80), spacing_xyz_mm=(1.0, 1.0, slice_mm))


def _dose_grid(slice_mm: float) -> Grid:
    n = 2 * int(np.ceil(_HALF_GRID_MM / slice_mm)) + 1
    step = _HALF_GRID_MM * 2 / (n - 1)
    return axial_grid(shape_zyx=(n, n, n), spacing_xyz_mm=(step, step, step))
