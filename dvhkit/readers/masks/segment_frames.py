"""Where the frames of a DICOM SEG lie: functional groups to one lattice of planes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import DicomReadError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.readers.files.elements import (
    DataSet,
    integer,
    items,
    number,
    require_integer,
    require_numbers,
    where,
)
from dvhkit.readers.geometry import REACH_MM, make_grid, plane_axes

# Positions and cosines are decimal texts of 16 characters; frames of one lattice agree far better than this.
_POSITION_ATOL_MM = 0.01
_COSINE_ATOL = 1e-4
# Planes that are this share of a step off the lattice are taken to be on it.
_STEP_RTOL = 0.02
_REMEDY = "Export the segmentation again, resampled to the planning image."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FramePlaces:
    """The lattice that all frames lie on; for each frame its plane in it, and its segment (none in a LABELMAP)."""

    grid: Grid
    planes: NDArray[np.intp]
    segments: NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    origin_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    step_mm: float | None
    thickness_mm: float | None
    segment: int


def frame_places(data: DataSet, path: Path, *, most_voxels: int, with_segments: bool) -> FramePlaces:
    """Return the lattice of all frames.

    Planes between the first and the last without a frame are empty ones that were left out. One empty plane more is
    laid on either side, so that a single plane has a thickness too.

    Raises
    ------
    DicomReadError
        If frames differ in direction, pixel size or place within the plane, lie unevenly, or the lattice is larger
        than `most_voxels`.
    """
    frames = _frames(data, path, with_segments=with_segments)
    n_rows, n_columns = (require_integer(data, keyword, path=path) for keyword in ("Rows", "Columns"))
    axes = plane_axes(frames[0].orientation, path)
    local = np.array([frame.origin_mm for frame in frames]) @ axes.T
    _require_one_lattice(frames, local, path)
    step, first, planes = _planes(local[:, 2], frames[0], path)
    n_planes = int(planes.max()) + 2
    if n_rows < 1 or n_columns < 1 or n_planes * n_rows * n_columns > most_voxels:
        raise DicomReadError(
            f"{n_planes} planes of {n_rows} × {n_columns} pixels make no usable grid; at most {most_voxels} voxels are "
            "read.",
            path=path,
            where=where("PerFrameFunctionalGroupsSequence"),
            remedy="Crop the segmentation to the vertebrae.",
        )
    grid = make_grid(
        origin_mm=tuple((np.array([local[0, 0], local[0, 1], first - step]) @ axes).tolist()),
        axes=axes,
        pixel_spacing_mm=frames[0].pixel_spacing_mm,
        offsets_mm=np.asarray(np.arange(n_planes) * step, dtype=np.float64),
        n_rows=n_rows,
        n_columns=n_columns,
        path=path,
    )
    segments = np.array([frame.segment for frame in frames] if with_segments else [], dtype=np.intp)
    _require_each_once(planes, segments if with_segments else np.zeros_like(planes), path)
    return FramePlaces(grid=grid, planes=planes, segments=segments)


def _frames(data: DataSet, path: Path, *, with_segments: bool) -> list[_Frame]:
    stated = integer(data, "NumberOfFrames", path=path)
    own = items(data, "PerFrameFunctionalGroupsSequence", path=path)
    if not own or stated != len(own):
        raise DicomReadError(
            f"has {len(own)} items for {stated} frames.",
            path=path,
            where=where("PerFrameFunctionalGroupsSequence"),
            remedy=_REMEDY,
        )
    shared = items(data, "SharedFunctionalGroupsSequence", path=path)
    return [_frame(item, shared[0] if shared else None, path, with_segments=with_segments) for item in own]


def _frame(own: DataSet, shared: DataSet | None, path: Path, *, with_segments: bool) -> _Frame:
    measures = _group("PixelMeasuresSequence", own, shared, path)
    segment = 0
    if with_segments:
        group = _group("SegmentIdentificationSequence", own, shared, path)
        segment = require_integer(group, "ReferencedSegmentNumber", path=path)
    position = _group("PlanePositionSequence", own, shared, path)
    orientation = _group("PlaneOrientationSequence", own, shared, path)
    return _Frame(
        origin_mm=require_numbers(position, "ImagePositionPatient", 3, path=path),
        orientation=require_numbers(orientation, "ImageOrientationPatient", 6, path=path),
        pixel_spacing_mm=require_numbers(measures, "PixelSpacing", 2, path=path),
        step_mm=number(measures, "SpacingBetweenSlices", path=path),
        thickness_mm=number(measures, "SliceThickness", path=path),
        segment=segment,
    )


def _group(keyword: str, own: DataSet, shared: DataSet | None, path: Path) -> DataSet:
    """Return a functional group of a frame: its own, or else the one that all frames share."""
    for source in (own, shared):
        found = items(source, keyword, path=path) if source is not None else ()
        if found:
            return found[0]
    raise DicomReadError("is missing for a frame.", path=path, where=where(keyword), remedy=_REMEDY)


def _require_one_lattice(frames: list[_Frame], local: FloatArray, path: Path) -> None:
    if not float(np.abs(local).max()) <= REACH_MM:
        raise DicomReadError(
            f"puts a frame more than {REACH_MM:g} mm from the origin.",
            path=path,
            where=where("ImagePositionPatient"),
            remedy=_REMEDY,
        )
    pairs = (
        ("ImageOrientationPatient", np.array([f.orientation for f in frames]), _COSINE_ATOL),
        ("PixelSpacing", np.array([f.pixel_spacing_mm for f in frames]), 1e-4),
        ("ImagePositionPatient", local[:, :2], _POSITION_ATOL_MM),
    )
    for keyword, values, atol in pairs:
        if float(np.ptp(values, axis=0).max()) > atol:
            raise DicomReadError(
                "differs from frame to frame, so that the frames are no stack.",
                path=path,
                where=where(keyword),
                remedy=_REMEDY,
            )


def _planes(heights_mm: FloatArray, frame: _Frame, path: Path) -> tuple[float, float, NDArray[np.intp]]:
    """Return the step between planes, the lowest plane, and for each frame its plane, counted from 1.

    The step is that between the nearest frames. Where the stated SpacingBetweenSlices is smaller and divides it, the
    planes between were left out everywhere, and that is the step.
    """
    heights = np.sort(heights_mm)
    gaps = np.diff(heights)
    gaps = gaps[gaps > _POSITION_ATOL_MM]
    stated = [s for s in (frame.step_mm, frame.thickness_mm) if s is not None and s > _POSITION_ATOL_MM]
    if gaps.size == 0:
        if not stated:
            raise DicomReadError(
                "is missing, and there is one plane only.",
                path=path,
                where=where("SpacingBetweenSlices"),
                remedy=_REMEDY,
            )
        return stated[0], float(heights[0]), np.ones(len(heights_mm), dtype=np.intp)
    step = float(gaps.min())
    if frame.step_mm is not None and _POSITION_ATOL_MM < frame.step_mm < step and _divides(frame.step_mm, step):
        step = frame.step_mm
    reach = float(heights[-1] - heights[0])
    # The mean over all steps is truer than one gap of rounded texts.
    step = reach / max(1, round(reach / step))
    counts = (heights_mm - heights[0]) / step
    if np.any(np.abs(counts - np.round(counts)) > _STEP_RTOL):
        raise DicomReadError(
            f"puts the planes unevenly, {gaps.min():g} to {gaps.max():g} mm apart.",
            path=path,
            where=where("ImagePositionPatient"),
            remedy=_REMEDY,
        )
    return step, float(heights[0]), np.round(counts).astype(np.intp) + 1


def _divides(small: float, large: float) -> bool:
    return abs(large / small - round(large / small)) <= _STEP_RTOL


def _require_each_once(planes: NDArray[np.intp], segments: NDArray[np.intp], path: Path) -> None:
    if len(np.unique(np.stack([planes, segments]), axis=1).T) != len(planes):
        raise DicomReadError(
            "puts two frames of one segment in one place.",
            path=path,
            where=where("PlanePositionSequence"),
            remedy=_REMEDY,
        )
