"""Stored pixel values, checked against the file's own size before a byte is allocated for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import DicomReadError
from dvhkit.readers.files.elements import (
    DataSet,
    StoredView,
    has,
    integer,
    require_integer,
    stored_view,
    visible,
    where,
)
from dvhkit.readers.files.plain import PlainItem

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# A run of RLE packs 128 bytes into 2; the other codecs stay far below this on dose.
_MAX_EXPANSION = 64
# JPEG codecs pack smooth content tighter; this bounds what a hostile file may unfold to.
_MAX_VOXELS = 1 << 30
_REMEDY = "Copy or export the file again."


def stored_pixels(data: DataSet, path: Path, *, syntax: str, spare_bits: bool = False) -> NDArray[Any]:
    """Return the stored integers of a grey image, (n_frames, n_rows, n_columns), not yet scaled.

    Bits above BitsStored are no part of a value. Old images kept overlays there: with `spare_bits` they are cut off,
    otherwise a value that reaches into them is refused.

    Raises
    ------
    DicomReadError
        If there are no pixels, they do not fit the stated size, or nothing here decodes their compression.
    """
    shape, dtype = _layout(data, path)
    pixels = _unpacked(data, shape, dtype, path, syntax=syntax)
    spare = 8 * dtype.itemsize - (integer(data, "BitsStored", path=path) or 8 * dtype.itemsize)
    if not spare:
        return pixels
    # To the left and back: cuts the spare bits off, and repeats the sign in them.
    meant: NDArray[Any] = (pixels << spare) >> spare
    if not spare_bits and not np.array_equal(meant, pixels):
        raise DicomReadError(
            f"says {8 * dtype.itemsize - spare}, but there are values that need more bits: one of the two is wrong.",
            path=path,
            where=where("BitsStored"),
            remedy=_REMEDY,
        )
    return meant


def _unpacked(
    data: DataSet, shape: tuple[int, int, int], dtype: np.dtype[Any], path: Path, *, syntax: str
) -> NDArray[Any]:
    pixels = _pixel_bytes(data, path)
    needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if pixels.is_open:
        assert not isinstance(data, PlainItem)  # such a file is not plain
        return _decode(data, syntax, shape, dtype, path)
    if not needed <= len(pixels.value) < needed + needed // shape[0]:
        raise DicomReadError(
            f"has {len(pixels.value)} bytes, but {shape[0]} frames of {shape[1]} × {shape[2]} pixels need {needed}.",
            path=path,
            where=where("PixelData"),
            remedy=_REMEDY,
        )
    stored = dtype if pixels.is_little_endian else dtype.newbyteorder(">")
    return np.frombuffer(pixels.value, dtype=stored, count=needed // dtype.itemsize).reshape(shape)


def _layout(data: DataSet, path: Path) -> tuple[tuple[int, int, int], np.dtype[Any]]:
    frames = integer(data, "NumberOfFrames", path=path)
    shape = (
        1 if frames is None else frames,
        require_integer(data, "Rows", path=path),
        require_integer(data, "Columns", path=path),
    )
    bits = require_integer(data, "BitsAllocated", path=path)
    samples = integer(data, "SamplesPerPixel", path=path)
    if min(shape) < 1 or int(np.prod(shape, dtype=object)) > _MAX_VOXELS:
        raise DicomReadError(
            f"{shape[0]} frames of {shape[1]} × {shape[2]} pixels make no usable grid.",
            path=path,
            where=where("NumberOfFrames"),
            remedy=_REMEDY,
        )
    if bits not in (8, 16, 32) or samples not in (None, 1):
        raise DicomReadError(
            f"is {bits} with {samples} samples a pixel; 8, 16 or 32 bits of one sample are read.",
            path=path,
            where=where("BitsAllocated"),
            remedy=_REMEDY,
        )
    stored, high = integer(data, "BitsStored", path=path), integer(data, "HighBit", path=path)
    if stored is not None and high is not None and (high != stored - 1 or not 0 < stored <= bits):
        raise DicomReadError(
            f"is {high} with {stored} of {bits} bits stored: such packing is not read.",
            path=path,
            where=where("HighBit"),
            remedy=_REMEDY,
        )
    signed = integer(data, "PixelRepresentation", path=path) == 1
    return shape, np.dtype(f"<{'i' if signed else 'u'}{bits // 8}")


def _pixel_bytes(data: DataSet, path: Path) -> StoredView:
    if not has(data, "PixelData"):
        raise DicomReadError(
            "is missing: the file holds no values.", path=path, where=where("PixelData"), remedy=_REMEDY
        )
    found = stored_view(data, "PixelData")
    if found is None or not found.value:
        raise DicomReadError("is empty.", path=path, where=where("PixelData"), remedy=_REMEDY)
    return found


def _decode(data: Dataset, syntax: str, shape: tuple[int, int, int], dtype: np.dtype[Any], path: Path) -> NDArray[Any]:
    from pydicom.dataset import FileMetaDataset
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import UID, RLELossless

    n_bytes = len(_pixel_bytes(data, path).value)
    needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if syntax == RLELossless and needed > n_bytes * _MAX_EXPANSION:
        raise DicomReadError(
            f"has {n_bytes} bytes, from which {needed} cannot unfold.",
            path=path,
            where=where("PixelData"),
            remedy=_REMEDY,
        )
    if not has(data, "SamplesPerPixel"):
        data.SamplesPerPixel = 1
    if not has(data, "PhotometricInterpretation"):
        data.PhotometricInterpretation = "MONOCHROME2"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    try:
        array = np.asarray(pixel_array(data, raw=True))
    except (NotImplementedError, RuntimeError, AttributeError) as error:
        name = visible(UID(syntax).name) or "of an unknown syntax"
        raise DicomReadError(
            f"is compressed ({name}) and cannot be decoded here: {visible(' '.join(str(error).split()))[:160]}",
            path=path,
            where=where("PixelData"),
            remedy="Export it uncompressed, or install the decoder: pip install 'dvhkit[jpeg]'.",
        ) from error
    if array.size * array.itemsize != needed:
        raise DicomReadError(
            f"unfolds to {array.shape}, not {shape}.", path=path, where=where("PixelData"), remedy=_REMEDY
        )
    return array.reshape(shape)
