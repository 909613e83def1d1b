"""How high the dose reaches where a structure leaves the dose grid: what bounds the dose of its part outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.options import EngineOptions
from dvhkit.engine.rasterise import volume_on_grid
from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.dose import Dose
from dvhkit.model.structure import Structure


def greatest_on_faces_gy(
    structure: Structure, dose: Dose, options: EngineOptions, *, slice_spacing_mm: float | None = None
) -> float:
    """Return the greatest dose in Gy on the outer faces of a dose grid, inside the structure.

    Taken over the whole of each outermost voxel that the structure touches, plus one step of the stored dose. Where it
    touches none, or lies oblique to the grid, over all faces: then nobody knows where it leaves the grid.

    Notes
    -----
    Dose that was planned from within a grid falls off beyond it, so the part outside receives no more than this. A
    source outside the grid would break that; the greatest dose on the faces then tells of it, since dose rises there.
    """
    shell = np.ones(dose.values_gy.shape, np.bool_)
    shell[1:-1, 1:-1, 1:-1] = False
    try:
        touched = volume_on_grid(structure, dose.grid, options, slice_spacing_mm=slice_spacing_mm) > 0
    except GeometryError:
        touched = shell
    asked = touched & shell
    reach = _greatest_in_voxel(dose.values_gy)
    return float(reach[asked if asked.any() else shell].max()) + dose.quantum_gy


def _greatest_in_voxel(values_gy: FloatArray) -> FloatArray:
    """Return the greatest trilinear dose within each voxel: it lies at its centre or on its border, half way on."""
    found: NDArray[np.float64] = np.array(values_gy)
    for axis in range(3):
        middle = 0.5 * (np.take(found, range(1, found.shape[axis]), axis) + _but_last(found, axis))
        widened = np.moveaxis(found.copy(), axis, 0)
        between = np.moveaxis(middle, axis, 0)
        np.maximum(widened[:-1], between, out=widened[:-1])
        np.maximum(widened[1:], between, out=widened[1:])
        found = np.moveaxis(widened, 0, axis)
    return found


def _but_last(values: FloatArray, axis: int) -> FloatArray:
    return np.take(values, range(values.shape[axis] - 1), axis)
