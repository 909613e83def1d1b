"""DICOM SEG: segments of voxels with names, in patient coordinates (PS3.3 A.51 and C.8.20)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import DicomReadError
from dvhkit.model.grid import Grid
from dvhkit.readers.files.dicom_file import looks_like_dicom, parse, quiet_pydicom, read_bytes, reading, transfer_syntax
from dvhkit.readers.files.elements import (
    DataSet,
    charset_of,
    integer,
    items,
    name_text,
    require_integer,
    stored_view,
    text,
    where,
)
from dvhkit.readers.files.header_file import HeaderRead
from dvhkit.readers.files.headers import Header
from dvhkit.readers.files.pixels import stored_pixels
from dvhkit.readers.geometry import along_patient_axes
from dvhkit.readers.masks.segment_frames import FramePlaces, frame_places

_SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
# One bit a voxel comes uncompressed; deflated files are unfolded before they are parsed.
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
# Two bytes a voxel are allocated: 1 GiB, twice a whole body in millimetres.
_MOST_VOXELS = 1 << 29
_REMEDY = "Export the segmentation again."


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationHeader(Header):
    """What a segmentation is of: the image series that it refers to, and how many segments it has."""

    series_uids: tuple[str, ...]
    n_segments: int

    @property
    def summary(self) -> str:
        """How many segments it has."""
        return f"{self.n_segments} segments"


def segmentation_header(read: HeaderRead, path: Path) -> SegmentationHeader:
    """Return what a segmentation is of."""
    series = items(read.data, "ReferencedSeriesSequence", path=path)
    return SegmentationHeader(
        series_uids=tuple(text(one, "SeriesInstanceUID") for one in series),
        n_segments=len(items(read.data, "SegmentSequence", path=path)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment: its number in the file, its label, and the meaning of its property type code."""

    number: int
    label: str
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """The segments of a file, their frames still as they were stored.

    Attributes
    ----------
    places
        The lattice, and the plane and segment of each frame. Frames may come in any order; empty ones may be left out.
    pixels
        Bits in a row, lowest first, for BINARY; (n_frames, n_rows, n_columns) segment numbers for LABELMAP.
    """

    path: Path
    segments: tuple[Segment, ...]
    places: FramePlaces
    pixels: NDArray[Any]
    frame_of_reference_uid: str = ""
    full: int = 0
    occupancy: bool = False

    def shares(self, segment: int) -> NDArray[Any]:
        """Return one segment (n_planes, n_rows, n_columns): bool, or shares of voxels where fractions are stored.

        Segments may share voxels.
        """
        shape = self.places.grid.shape_zyx
        if self.full:
            shares = np.zeros(shape, dtype=np.float32)
            for plane, number, frame in zip(self.places.planes, self.places.segments, self.pixels, strict=True):
                if number == segment:
                    shares[plane] = frame / np.float32(self.full)
            return shares
        out = np.zeros(shape, dtype=np.uint16)
        if self.pixels.ndim == 3:
            self._paint_numbers(out, {segment: 1})
        else:
            self._paint_bits(out, {segment: 1})
        return out > 0

    def labels(self, numbers: Mapping[int, int]) -> tuple[NDArray[np.uint16], Grid]:
        """Return the label map (n_planes, n_rows, n_columns) and its grid, with i, j, k along x, y, z where possible.

        Parameters
        ----------
        numbers
            The label to give to each segment, by segment number. Segments that are not named are left out.

        Raises
        ------
        DicomReadError
            If two segments with different labels share a voxel: a label map holds one label a voxel.
        """
        out = np.zeros(self.places.grid.shape_zyx, dtype=np.uint16)
        if self.pixels.ndim == 3:
            self._paint_numbers(out, numbers)
        else:
            self._paint_bits(out, numbers)
        grid, turned = along_patient_axes(self.places.grid, out)
        return np.ascontiguousarray(turned), grid

    def _paint_numbers(self, out: NDArray[np.uint16], numbers: Mapping[int, int]) -> None:
        table = np.zeros(int(np.iinfo(self.pixels.dtype).max) + 1, dtype=np.uint16)
        for segment, label in numbers.items():
            if segment < len(table):
                table[segment] = label
        for plane, frame in zip(self.places.planes, self.pixels, strict=True):
            out[plane] = table[frame]

    def _paint_bits(self, out: NDArray[np.uint16], numbers: Mapping[int, int]) -> None:
        size = out.shape[1] * out.shape[2]
        for n, (plane, segment) in enumerate(zip(self.places.planes, self.places.segments, strict=True)):
            label = numbers.get(int(segment))
            if label is None:
                continue
            # Frames follow each other without padding, so a frame may begin inside a byte.
            first, shift = divmod(n * size, 8)
            stored = self.pixels[first : -(-(n + 1) * size // 8)]
            inside = np.unpackbits(stored, bitorder="little")[shift : shift + size].reshape(out.shape[1:]) > 0
            before = out[plane][inside]
            if np.any((before != 0) & (before != label)):
                raise DicomReadError(
                    f"segment {segment} shares voxels with another one, and a voxel can be part of one only.",
                    path=self.path,
                    where=where("SegmentSequence"),
                    remedy="Export the segments without overlap, or leave out those that are not needed.",
                )
            out[plane][inside] = label


def is_dicom(path: Path) -> bool:
    """Return whether a file begins as DICOM files do, whatever its name."""
    try:
        with path.open("rb") as file:
            return looks_like_dicom(file.read(256))
    except OSError:
        return False


def is_segmentation(path: Path) -> bool:
    """Return whether a file is a DICOM SEG; a damaged DICOM file raises `DicomReadError`."""
    if not is_dicom(path):
        return False
    with quiet_pydicom(), reading(path):
        return text(parse(read_bytes(path)), "SOPClassUID") in _SEG_CLASSES


def read_segmentation(path: Path, *, fractions: bool = False) -> Segmentation:
    """Return the segments of a DICOM SEG file: BINARY, a LABELMAP, or FRACTIONAL where `fractions` are wanted.

    Raises
    ------
    DicomReadError
        If the file is no segmentation, holds fractions, or its frames form no lattice or do not fit the pixels.
    """
    with quiet_pydicom(), reading(path):
        stored = read_bytes(path)
        data = parse(stored)
        kind = _kind(data, path, fractions=fractions)
        segments = _segments(data, path)
        places = frame_places(data, path, most_voxels=_MOST_VOXELS, with_segments=kind != "LABELMAP")
        strange = sorted(set(places.segments.tolist()) - {s.number for s in segments})
        if strange:
            raise DicomReadError(
                f"has frames of segment {strange[0]}, which SegmentSequence does not describe.",
                path=path,
                where=where("ReferencedSegmentNumber"),
                remedy=_REMEDY,
            )
        return Segmentation(
            path=path,
            segments=segments,
            places=places,
            pixels=_pixels(data, path, kind, len(places.planes), transfer_syntax(stored)),
            frame_of_reference_uid=text(data, "FrameOfReferenceUID"),
            full=(integer(data, "MaximumFractionalValue", path=path) or 255) if kind == "FRACTIONAL" else 0,
            occupancy=text(data, "SegmentationFractionalType").upper() == "OCCUPANCY",
        )


def _kind(data: DataSet, path: Path, *, fractions: bool) -> str:
    if text(data, "SOPClassUID") not in _SEG_CLASSES:
        raise DicomReadError(
            "is no segmentation.",
            path=path,
            where=where("SOPClassUID"),
            remedy="Give a DICOM SEG, or a NIfTI or NRRD label map.",
        )
    kind = text(data, "SegmentationType").upper()
    if kind not in ("BINARY", "LABELMAP") and not (fractions and kind == "FRACTIONAL"):
        raise DicomReadError(
            f"is {kind[:20] or 'missing'}; BINARY and LABELMAP are read.",
            path=path,
            where=where("SegmentationType"),
            remedy="Export whole voxels, not fractions or probabilities.",
        )
    return kind


def _segments(data: DataSet, path: Path) -> tuple[Segment, ...]:
    charset = charset_of(data)
    found: list[Segment] = []
    for item in items(data, "SegmentSequence", path=path):
        codes = items(item, "SegmentedPropertyTypeCodeSequence", path=path)
        segment = Segment(
            number=require_integer(item, "SegmentNumber", path=path),
            label=name_text(item, "SegmentLabel", charset),
            meaning=name_text(codes[0], "CodeMeaning", charset) if codes else "",
        )
        # 0 is the background of a label map.
        if not 0 <= segment.number <= 65535 or segment.number in {s.number for s in found}:
            raise DicomReadError(
                f"is {segment.number}: segments are numbered from 1 to 65535, each number once.",
                path=path,
                where=where("SegmentNumber"),
                remedy=_REMEDY,
            )
        found.append(segment)
    if not found:
        raise DicomReadError("is missing or empty.", path=path, where=where("SegmentSequence"), remedy=_REMEDY)
    return tuple(s for s in found if s.number > 0)


def _pixels(data: DataSet, path: Path, kind: str, n_frames: int, syntax: str) -> NDArray[Any]:
    if kind != "BINARY":
        pixels = stored_pixels(data, path, syntax=syntax)
        if pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2:
            raise DicomReadError(
                "is not 8 or 16 unsigned bits.", path=path, where=where("BitsAllocated"), remedy=_REMEDY
            )
        return pixels
    bits = require_integer(data, "BitsAllocated", path=path)
    if bits != 1:
        raise DicomReadError(
            f"is {bits}; a BINARY segmentation has 1.", path=path, where=where("BitsAllocated"), remedy=_REMEDY
        )
    return _bits(data, path, n_frames, syntax)


def _bits(data: DataSet, path: Path, n_frames: int, syntax: str) -> NDArray[np.uint8]:
    if syntax not in _UNCOMPRESSED:
        raise DicomReadError(
            "is compressed, or of high bytes first; bits are read uncompressed only.",
            path=path,
            where=where("PixelData"),
            remedy="Export the segmentation uncompressed (Explicit VR Little Endian).",
        )
    found = stored_view(data, "PixelData")
    value = b"" if found is None else found.value
    n_pixels = n_frames * (integer(data, "Rows", path=path) or 0) * (integer(data, "Columns", path=path) or 0)
    needed = -(-n_pixels // 8)
    if len(value) < needed:
        raise DicomReadError(
            f"has {len(value)} bytes, but {n_frames} frames need {needed}.",
            path=path,
            where=where("PixelData"),
            remedy="Copy or export the file again.",
        )
    return np.frombuffer(value, dtype=np.uint8, count=needed)
