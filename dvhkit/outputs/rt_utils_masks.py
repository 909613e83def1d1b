"""Masks to and from rt-utils, in its axis order and with its faults kept out.

rt-utils counts ``[row, column, slice]``, slices ascending along their normal; dvhkit has ``[slice, row, column]``.
Version 1.2.7 makes the array of a mask that it reads ``columns × rows`` large, so that masks of images that are not
square are cut off; it takes the distance between rows for that between columns, so that where pixels are not square
structures land in another place, and come back from there as if nothing were wrong; it rounds contour points to whole
pixels and counts the rim in; and it draws outlines through the centres of a mask's outermost pixels, so that structures
lose half a pixel on each side. The first two are refused here and the last is told; for the third use the engine's own
occupancy (``dvhkit export --values fraction``).
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError, InputError
from dvhkit.extras import needs_extra
from dvhkit.findings import Finding, Level
from dvhkit.outputs.files import write_bytes_whole

# PixelSpacing is decimal text; over 512 pixels less than this shifts nothing by a tenth of one.
_SAME_SPACING_FRAC = 1e-4


def to_rt_utils(
    mask_zyx: NDArray[np.bool_], *, pixel_spacing_mm: tuple[float, float] | None = None
) -> NDArray[np.bool_]:
    """Return a mask ``[slice, row, column]`` as `rt_utils.RTStruct.add_roi` takes it.

    `pixel_spacing_mm` is that of the image, between rows and between columns; where the two differ rt-utils would put
    the structure in another place, and `GeometryError` says so. `write_masks` looks at the image itself.
    """
    if pixel_spacing_mm is not None:
        _require_square_pixels(*pixel_spacing_mm)
    return np.ascontiguousarray(np.asarray(mask_zyx, np.bool_).transpose(1, 2, 0))


def from_rt_utils(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask that rt-utils made as ``[slice, row, column]``."""
    return np.ascontiguousarray(np.asarray(mask, np.bool_).transpose(2, 0, 1))


def read_masks(rtstruct: Path | str, series: Path | str) -> dict[str, NDArray[np.bool_]]:
    """Return the masks ``[slice, row, column]`` that rt-utils makes of a structure set, by name: a second opinion.

    Parameters
    ----------
    series
        Folder that holds the image's slices and nothing else.

    Raises
    ------
    GeometryError
        For images that are not square, whose masks rt-utils cuts off, or whose pixels are not, in which it looks in
        another place.
    InputError
        If rt-utils cannot read the files.
    """
    with needs_extra("masks"):
        from rt_utils import RTStructBuilder

    try:
        found = RTStructBuilder.create_from(dicom_series_path=str(series), rt_struct_path=str(rtstruct))
    except Exception as error:  # rt-utils raises bare exceptions
        raise InputError(f"rt-utils cannot read it: {error}", path=rtstruct) from error
    first = found.series_data[0]
    if first.Rows != first.Columns:
        raise GeometryError(
            f"rt-utils cuts off masks of images that are not square ({first.Rows} rows, {first.Columns} columns).",
            remedy="Use `dvhkit export`.",
        )
    _require_square_pixels(*map(float, first.PixelSpacing))
    return {name: from_rt_utils(found.get_roi_mask_by_name(name)) for name in found.get_roi_names()}


def write_masks(path: Path | str, masks: Mapping[str, NDArray[np.bool_]], series: Path | str) -> tuple[Finding, ...]:
    """Write masks ``[slice, row, column]`` as a new structure set by rt-utils, whole or not at all.

    Returns
    -------
    tuple of Finding
        ``mask-shrinks`` for each structure: the volume of its voxels and that within the outlines that were written.

    Raises
    ------
    GeometryError
        For an image whose pixels are not square: rt-utils puts structures in another place there.
    InputError
        If rt-utils cannot use the image, or a mask that does not fit it.
    """
    with needs_extra("masks"):
        from rt_utils import RTStructBuilder

    try:
        made = RTStructBuilder.create_new(dicom_series_path=str(series))
    except Exception as error:  # rt-utils raises bare exceptions
        raise InputError(f"rt-utils cannot use the image: {error}", path=series) from error
    first = made.series_data[0]
    rows_mm, columns_mm = map(float, first.PixelSpacing)
    _require_square_pixels(rows_mm, columns_mm)
    for name, mask in masks.items():
        try:
            made.add_roi(mask=to_rt_utils(mask), name=name)
        except Exception as error:
            raise InputError(f"rt-utils cannot take the mask of {name}: {error}", path=series) from error
    findings = []
    for (name, mask), item in zip(masks.items(), made.ds.ROIContourSequence, strict=True):
        outlines = [np.asarray(c.ContourData, float).reshape(-1, 3) for c in item.ContourSequence]
        findings.append(_shrunk(name, int(mask.sum()) * rows_mm * columns_mm, sum(map(_area_mm2, outlines))))
    write_bytes_whole(Path(path), _encoded(made.ds))
    return tuple(f for f in findings if f is not None)


def _shrunk(name: str, voxels_mm2: float, outlines_mm2: float) -> Finding | None:
    if voxels_mm2 <= 0 or outlines_mm2 >= voxels_mm2 * (1 - 1e-6):
        return None
    message = (
        f"rt-utils draws outlines through pixel centres: {100 * (1 - outlines_mm2 / voxels_mm2):.3g} % of the mask's "
        "volume, half a pixel on each side, lies outside of what was written."
    )
    return Finding(level=Level.WARNING, code="mask-shrinks", message=message, where=name)


def _area_mm2(points_mm: NDArray[np.float64]) -> float:
    """Return the area of a planar polygon in space."""
    edges = points_mm - points_mm[0]
    return float(0.5 * np.linalg.norm(np.cross(edges, np.roll(edges, -1, axis=0)).sum(axis=0)))


def _encoded(data: Any) -> bytes:  # noqa: ANN401 -- pydicom's data set; rt-utils brings it
    buffer = BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _require_square_pixels(rows_mm: float, columns_mm: float) -> None:
    if abs(rows_mm - columns_mm) > _SAME_SPACING_FRAC * max(rows_mm, columns_mm):
        raise GeometryError(
            f"rt-utils takes the distance between rows for that between columns; here they are {rows_mm:g} and "
            f"{columns_mm:g} mm, and structures would land in another place.",
            remedy="Use `dvhkit export` and `dvhkit margin`, or resample the image to square pixels.",
        )
