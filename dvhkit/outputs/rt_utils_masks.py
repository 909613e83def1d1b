"""Masks to and from rt-utils, in its axis order and with its faults kept out.

rt-utils counts ``[row, column, slice]``, slices ascending along their normal; dvhkit has ``[slice, row, column]``.
Version 1.2.7 makes the array of a mask that it reads ``columns × rows`` large, so that masks of images that are not
square are cut off; it rounds contour points to whole pixels and counts the rim in. `read_masks` refuses the first; for
the second use the engine's own occupancy (``dvhkit export --values fraction``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError, InputError
from dvhkit.extras import needs_extra


def to_rt_utils(mask_zyx: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask ``[slice, row, column]`` as `rt_utils.RTStruct.add_roi` takes it."""
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
        For images that are not square, whose masks rt-utils cuts off.
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
    return {name: from_rt_utils(found.get_roi_mask_by_name(name)) for name in found.get_roi_names()}
