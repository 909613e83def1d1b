"""CT numbers of an image series, read when they are asked for: a DVH does not need them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import DicomReadError
from dvhkit.model.image import ImageSeries
from dvhkit.readers.files.dicom_file import parse, quiet_pydicom, read_bytes, reading, transfer_syntax
from dvhkit.readers.files.elements import (
    DataSet,
    items,
    number,
)
from dvhkit.readers.files.headers import slice_header
from dvhkit.readers.files.pixels import stored_pixels

# Half the bytes of single precision, and what nearly every CT fits.
_WHOLE = np.iinfo(np.int16)


def read_hu(image: ImageSeries) -> NDArray[np.int16] | NDArray[np.float32]:
    """Return the rescaled pixel values of a series, (n_planes, n_rows, n_columns) on ``image.grid``.

    For CT they are Hounsfield units; for other modalities whatever their rescale gives. Whole numbers of 16 bits where
    all are; else single precision.

    Raises
    ------
    DicomReadError
        If a file has changed since the series was read, or its pixels cannot be decoded.
    """
    values: NDArray[np.int16] | NDArray[np.float32] = np.empty(image.grid.shape_zyx, dtype=np.int16)
    planes: dict[Path, list[int]] = {}
    for plane, path in enumerate(image.paths):
        planes.setdefault(path, []).append(plane)
    with quiet_pydicom():
        for path, wanted in planes.items():
            with reading(path):
                for plane, pixels, slope, intercept in _read_planes(path, wanted, image):
                    if values.dtype == np.int16 and not _is_whole(pixels, slope, intercept):
                        values = values.astype(np.float32)
                    if values.dtype == np.int16:
                        np.add(pixels, np.int32(intercept), out=values[plane], casting="unsafe")
                    else:
                        values[plane] = pixels * np.float64(slope) + intercept
    return values


def _is_whole(pixels: NDArray[Any], slope: float, intercept: float) -> bool:
    """Return whether all values of a plane are whole numbers of 16 bits because its rescale is a whole shift."""
    if slope != 1.0 or not intercept.is_integer():
        return False
    return bool(_WHOLE.min <= int(pixels.min()) + intercept and int(pixels.max()) + intercept <= _WHOLE.max)


def _read_planes(path: Path, wanted: list[int], image: ImageSeries) -> Iterator[tuple[int, NDArray[Any], float, float]]:
    """Yield, of each plane that is in a file, its index, stored pixels, slope and intercept."""
    stored = read_bytes(path)
    data = parse(stored)
    pixels = stored_pixels(data, path, syntax=transfer_syntax(stored), spare_bits=True)
    if pixels.shape[1:] != image.grid.shape_zyx[1:]:
        raise DicomReadError("holds another matrix than its series: it has changed since.", path=path)
    frames = _frame_of_plane(data, path, wanted, image) if len(pixels) > 1 else dict.fromkeys(wanted, 0)
    for plane, frame in frames.items():
        yield plane, pixels[frame], *_rescale(data, frame, path)


def _frame_of_plane(data: DataSet, path: Path, wanted: list[int], image: ImageSeries) -> dict[int, int]:
    """Return which frame of a multi-frame file lies on each plane, by its distance along the normal."""
    grid = image.grid
    positions = np.array([frame.position_mm for frame in slice_header(data, path).frames])
    along = (positions - grid.origin_mm) @ grid.normal
    return {plane: int(np.abs(along - grid.offsets_mm[plane]).argmin()) for plane in wanted}


def _rescale(data: DataSet, frame: int, path: Path) -> tuple[float, float]:
    """Return slope and intercept; an enhanced image has them by frame or shared."""
    per_frame = items(data, "PerFrameFunctionalGroupsSequence", path=path)[frame : frame + 1]
    groups = (*per_frame, *items(data, "SharedFunctionalGroupsSequence", path=path)[:1])
    transforms = [item for group in groups for item in items(group, "PixelValueTransformationSequence", path=path)]
    for holder in (*transforms, data):
        slope = number(holder, "RescaleSlope", path=path)
        if slope is not None:
            return slope, number(holder, "RescaleIntercept", path=path) or 0.0
    return 1.0, 0.0
