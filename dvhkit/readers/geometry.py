"""Plane orientation and lattice from DICOM's attributes, checked before anything is computed on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import DicomReadError, GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.readers.files.elements import where

# Axes this close to x, y and z are taken to be them: over half a metre that is less than 0.0001 mm.
_AXIS_ATOL = 1e-7
# Plane positions are decimal texts of at most 16 characters; steps that differ by less than this are equal.
_STEP_ATOL_MM = 1e-6
# Cosines of six decimals are off by 5e-7, those of careless writers by 1e-3; a lattice that is more skewed is none.
_COSINE_ATOL = 2e-3
# Uneven planes are evened if their steps are multiples of the least one or of a small part of it (other steps come
# from no regular grid), and if that makes no more than so many planes of each and so many voxels (1 GiB).
_PARTS_OF_STEP = 4
_MOST_FOR_EACH = 8
_MOST_EVENED = 1 << 27
# Nothing in a treatment room lies farther from its origin, and no pixel is finer or coarser.
REACH_MM = 1e4
FINEST_MM, _COARSEST_MM = 1e-2, 1e3
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
    if len(pixel_spacing_mm) != 2 or min(pixel_spacing_mm) < FINEST_MM or max(pixel_spacing_mm) > _COARSEST_MM:
        raise DicomReadError(
            f"must be two numbers from {FINEST_MM:g} to {_COARSEST_MM:g} mm, not {list(pixel_spacing_mm)}.",
            path=path,
            where=where("PixelSpacing"),
            remedy=_REMEDY,
        )
    if len(offsets_mm) > 1 and float(np.abs(np.diff(offsets_mm)).min()) < FINEST_MM:
        raise DicomReadError(
            f"puts planes less than {FINEST_MM:g} mm apart.",
            path=path,
            where=where("ImagePositionPatient"),
            remedy=_REMEDY,
        )
    farthest = max(*map(abs, origin_mm), float(np.abs(offsets_mm).max()))
    if farthest > REACH_MM:
        raise DicomReadError(
            f"puts planes {farthest:g} mm from the origin; at most {REACH_MM:g} mm are read.",
            path=path,
            where=where("ImagePositionPatient"),
            remedy=_REMEDY,
        )
    try:
        return Grid(
            origin_mm=np.array(origin_mm),
            axes=axes,
            spacing_mm=np.array([pixel_spacing_mm[1], pixel_spacing_mm[0]]),
            offsets_mm=offsets_mm,
            n_rows=n_rows,
            n_columns=n_columns,
        )
    except GeometryError as error:
        raise DicomReadError(error.message, path=path, remedy=_REMEDY) from error


def evened(grid: Grid, values: NDArray[Any]) -> tuple[Grid, NDArray[Any]]:
    """Return the same field on evenly spaced planes, where unevenly spaced ones are planes of a regular grid.

    The planes that are not there are interpolated between their neighbours, which is what a field that is linear
    between planes holds there anyway. So a dose from which planes were left out gives the same numbers as the whole
    one, if nothing was lost with them. A grid that is even, or of which no part is regular, is returned as it is.
    """
    steps = np.diff(grid.offsets_mm)
    if steps.size < 2 or np.ptp(steps) <= _STEP_ATOL_MM:
        return grid, values
    step = _common_step_mm(steps)
    if step is None:
        return grid, values
    places = np.rint((grid.offsets_mm - grid.offsets_mm[0]) / step).astype(np.intp)
    if (int(places[-1]) + 1) * grid.n_rows * grid.n_columns > _MOST_EVENED:
        return grid, values
    wanted = np.arange(places[-1] + 1)
    after = np.clip(np.searchsorted(places, wanted), 1, len(places) - 1)
    share = ((wanted - places[after - 1]) / (places[after] - places[after - 1]))[:, None, None]
    filled = (1.0 - share) * values[after - 1] + share * values[after]
    # Planes that are there stay what they are, to the last bit.
    filled[places] = values
    return replace(grid, offsets_mm=grid.offsets_mm[0] + step * wanted), filled


def _common_step_mm(steps_mm: FloatArray) -> float | None:
    """Return the greatest step of which all are multiples, or None if that would make too many planes."""
    reach = float(steps_mm.sum())
    for parts in range(1, _PARTS_OF_STEP + 1):
        counts = np.rint(steps_mm * parts / steps_mm.min())
        # The mean over all steps is truer than the least, which carries the rounding of two texts.
        step = reach / float(counts.sum())
        if np.abs(counts * step - steps_mm).max() <= _STEP_ATOL_MM:
            return step if counts.sum() <= _MOST_FOR_EACH * (steps_mm.size + 1) else None
    return None


def along_patient_axes(grid: Grid, values: NDArray[Any]) -> tuple[Grid, NDArray[Any]]:
    """Return the same lattice and values with i, j, k along growing x, y, z, where turning and swapping axes can do it.

    A lattice that lies along the patient's axes in another order or direction, as it is stored for a patient who lies
    prone, on the side or feet first, holds the same voxels: computed in one form, they give the same numbers to the
    last bit. An oblique lattice, or one whose unevenly spaced planes are not axial, is returned as it is.
    """
    signed = np.round(grid.axes)
    if np.abs(grid.axes - signed).max() > _AXIS_ATOL or np.array_equal(signed, np.eye(3)):
        return grid, values
    steps = np.diff(grid.offsets_mm)
    # Array axes are k, j, i; row r of `axes` belongs to array axis 2 - r and points along patient axis `along[r]`.
    along = np.abs(signed).argmax(axis=1)
    if along[2] != 2 and (steps.size == 0 or np.ptp(steps) > _STEP_ATOL_MM):
        return grid, values
    spacing = np.array([*grid.spacing_mm, steps.mean() if steps.size else 1.0])
    counts = np.array([grid.n_columns, grid.n_rows, len(grid.offsets_mm)])
    falling = signed[np.arange(3), along] < 0
    origin, offsets = _lowest_corner(grid, signed, falling, spacing, counts)
    for r in np.flatnonzero(falling):
        values = np.flip(values, axis=2 - int(r))
    back = np.argsort(along)
    turned = Grid(
        origin_mm=origin,
        axes=np.eye(3),
        spacing_mm=spacing[back[:2]],
        offsets_mm=offsets if along[2] == 2 else np.arange(counts[back[2]]) * spacing[back[2]],
        n_rows=int(counts[back[1]]),
        n_columns=int(counts[back[0]]),
    )
    return turned, values.transpose([2 - back[2], 2 - back[1], 2 - back[0]])


def _lowest_corner(
    grid: Grid, signed: FloatArray, falling: NDArray[np.bool_], spacing: FloatArray, counts: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Return the centre of the voxel with least x, y, z, and plane offsets that count upwards from it."""
    first, last = grid.offsets_mm[0], grid.offsets_mm[-1]
    origin = grid.origin_mm + (last if falling[2] else first) * signed[2]
    for r in np.flatnonzero(falling[:2]):
        origin = origin + signed[r] * spacing[r] * (counts[r] - 1)
    return origin, (last - grid.offsets_mm[::-1]) if falling[2] else grid.offsets_mm - first
