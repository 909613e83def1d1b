"""A stack of parallel pixel planes in space: the lattice of an image series or a dose grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray, frozen_array, median

# DICOM stores direction cosines as text of at most 16 characters; writers often keep six decimals.
_ORTHONORMAL_ATOL = 1e-4
# Positions are text too; readers of the field call planes uniform within a hundredth of a millimetre.
UNIFORM_ATOL_MM = 0.01
# Positions rounded more coarsely than this share of their distance tell nothing of evenness.
_ROUNDED_FRAC = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Parallel planes of pixels, each plane at its own position along the normal.

    An index ``(k, j, i)`` is a voxel *centre*; a voxel spans half a step to either side. Points are (x, y, z) in
    DICOM patient coordinates (LPS, mm), arrays are ``[k, j, i]``: plane, row, column.

    Attributes
    ----------
    origin_mm : (3,)
        Centre of voxel ``[0, 0, 0]`` less its plane offset, that is, the point from which ``offsets_mm`` count.
    axes : (3, 3)
        Rows are the unit vectors of growing column index i, growing row index j, and the plane normal (i × j).
    spacing_mm : (2,)
        Distance between columns (along i) and between rows (along j). DICOM's PixelSpacing is the other way round.
    offsets_mm : (n_planes,)
        Plane positions along the normal from ``origin_mm``, strictly increasing.
    n_rows, n_columns
        Size of a plane.
    """

    origin_mm: FloatArray
    axes: FloatArray
    spacing_mm: FloatArray
    offsets_mm: FloatArray
    n_rows: int
    n_columns: int

    def __post_init__(self) -> None:
        for name in ("origin_mm", "axes", "spacing_mm", "offsets_mm"):
            array = frozen_array(getattr(self, name))
            if not np.all(np.isfinite(array)):
                raise GeometryError(f"{name} holds a value that is not a number: {array.tolist()}.")
            object.__setattr__(self, name, array)
        if not np.allclose(self.axes @ self.axes.T, np.eye(3), atol=_ORTHONORMAL_ATOL):
            raise GeometryError(f"the axes of the grid are not orthonormal: {self.axes.tolist()}.")
        if np.any(self.spacing_mm <= 0):
            raise GeometryError(f"the pixel spacing must be positive, not {self.spacing_mm.tolist()} mm.")
        if self.offsets_mm.size == 0 or self.n_rows < 1 or self.n_columns < 1:
            raise GeometryError("the grid has no voxels.")
        if np.any(np.diff(self.offsets_mm) <= 0):
            raise GeometryError("plane offsets must increase strictly.")

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Number of planes, rows, columns."""
        return (len(self.offsets_mm), self.n_rows, self.n_columns)

    @property
    def normal(self) -> FloatArray:
        """Unit normal of the planes, towards growing plane index."""
        return np.asarray(self.axes[2])

    @property
    def plane_spacing_mm(self) -> float:
        """Median distance between neighbouring planes; 0 for a single plane."""
        return median(np.diff(self.offsets_mm)) if len(self.offsets_mm) > 1 else 0.0

    @property
    def even_spacing_mm(self) -> float:
        """Distance of the even planes that lie nearest to all planes; 0 for a single plane."""
        return self._even()[0]

    @property
    def is_uniform(self) -> bool:
        """Whether all planes lie on even ones, to 0.01 mm or to the rounding of their stored positions.

        Positions are texts: 0.625 mm with two decimals is 0.62 and 0.63 mm in turn, and no uneven stack.
        """
        spacing, departure = self._even()
        # Half of the step, and what the line by least squares may stray from the best one.
        rounding = 0.6 * _stored_step_mm(self.offsets_mm - self.offsets_mm[0]) + 1e-3
        return departure <= max(UNIFORM_ATOL_MM, min(rounding, _ROUNDED_FRAC * spacing))

    def _even(self) -> tuple[float, float]:
        """Return the distance of even planes and how far the planes depart from them at most."""
        n = len(self.offsets_mm)
        if n < 3:
            return float(np.ptp(self.offsets_mm)) if n == 2 else 0.0, 0.0
        spacing = float(np.polyfit(np.arange(n), self.offsets_mm, 1)[0])
        return spacing, 0.5 * float(np.ptp(self.offsets_mm - spacing * np.arange(n)))

    def to_grid_mm(self, points_mm: FloatArray) -> FloatArray:
        """Return (n, 3) patient points as distances from the origin along i, j and the normal, in mm."""
        return np.asarray((np.asarray(points_mm, dtype=np.float64) - self.origin_mm) @ self.axes.T)


def _stored_step_mm(positions_mm: FloatArray) -> float:
    """Return the coarsest of 1, 0.1 and 0.01 mm of which all positions are multiples; 0 where none is."""
    for step in (1.0, 0.1, 0.01):
        if np.abs(positions_mm / step - np.rint(positions_mm / step)).max() < 1e-4:
            return step
    return 0.0
