"""Plane orientation and lattice from DICOM's attributes, checked before anything is computed on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvhkit.errors import DicomReadError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.readers.elements import where

# Cosines of six decimals are off by 5e-7, those of careless writers by 1e-3; a lattice that is more skewed is none.
_COSINE_ATOL = 2e-3
_REMEDY = "Export the object again."


def plane_axes(orientation: tuple[float, ...], path: Path) -> FloatArray:
    """Return (3, 3) unit vectors along a row, along a column and along the normal (row × column).

    ImageOrientationPatient holds the direction in which the column index grows, then that of the row index. Rounding
    in the stored text is taken out, so that the axes are orthonormal to machine precision.

    Raises
    ------
    DicomReadError
        If there are not six cosines, or they are no pair of perpendicular unit vectors.
    """
    place = where("ImageOrientationPatient")
    if len(orientation) != 6:
        found = f"has {len(orientation)} values, 6 are needed." if orientation else "is missing."
        raise DicomReadError(found, path=path, where=place, remedy=_REMEDY)
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if np.any(np.abs(lengths - 1.0) > _COSINE_ATOL) or abs(float(row @ column)) > _COSINE_ATOL:
        raise DicomReadError(
            f"is no pair of perpendicular unit vectors: {list(orientation)}.", path=path, where=place, remedy=_REMEDY
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    column /= np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)])


def make_grid(
    *,
    origin_mm: tuple[float, ...],
    axes: FloatArray,
    pixel_spacing_mm: tuple[float, ...],
    offsets_mm: FloatArray,
    n_rows: int,
    n_columns: int,
    path: Path,
) -> Grid:
    """Return the lattice; `pixel_spacing_mm` in DICOM's order: between rows (along j) first, then between columns."""
    if len(origin_mm) != 3:
        found = f"has {len(origin_mm)} values, 3 are needed." if origin_mm else "is missing."
        raise DicomReadError(found, path=path, where=where("ImagePositionPatient"), remedy=_REMEDY)
    if len(pixel_spacing_mm) != 2 or min(pixel_spacing_mm) <= 0:
        raise DicomReadError(
            f"must be two positive numbers, not {list(pixel_spacing_mm)}.",
            path=path,
            where=where("PixelSpacing"),
            remedy=_REMEDY,
        )
    return Grid(
        origin_mm=np.array(origin_mm),
        axes=axes,
        spacing_mm=np.array([pixel_spacing_mm[1], pixel_spacing_mm[0]]),
        offsets_mm=offsets_mm,
        n_rows=n_rows,
        n_columns=n_columns,
    )
