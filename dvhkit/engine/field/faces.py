"""How high the dose reaches where a structure leaves the dose grid: what bounds the dose of its part outside."""

from __future__ import annotations

import numpy as np

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

    Taken over the whole of each outermost pixel that the structure touches, plus one step of the stored dose. Where it
    touches none, or lies oblique to the grid, over all faces: then nobody knows where it leaves the grid.

    Notes
    -----
    Dose that was planned from within a grid falls off beyond it, so the part outside receives no more than this. A
    source outside the grid would break that; the greatest dose on the faces then tells of it, since dose rises there.
    """
    try:
        touched = volume_on_grid(structure, dose.grid, options, slice_spacing_mm=slice_spacing_mm) > 0
    except GeometryError:
        touched = np.zeros(dose.values_gy.shape, np.bool_)
    faces = [
        (_greatest_in_pixel(np.take(dose.values_gy, end, axis)), np.take(touched, end, axis))
        for axis in range(3)
        for end in (0, -1)
    ]
    inside = [float(reach_gy[met].max()) for reach_gy, met in faces if met.any()]
    return max(inside or [float(reach_gy.max()) for reach_gy, _ in faces]) + dose.quantum_gy


def _greatest_in_pixel(values_gy: FloatArray) -> FloatArray:
    """Return the greatest bilinear dose within each pixel of a face: at its centre, or on its border half way on."""
    found = np.array(values_gy)
    for _ in range(2):
        middle = 0.5 * (found[1:] + found[:-1])
        widened = found.copy()
        np.maximum(widened[:-1], middle, out=widened[:-1])
        np.maximum(widened[1:], middle, out=widened[1:])
        found = widened.T
    return found
