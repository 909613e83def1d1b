"""Spatial Registration (REG): the rigid map between two frames of reference, applied to structures and image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dvhkit.errors import DicomReadError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import Structure
from dvhkit.readers.files.dicom_file import parse, quiet_pydicom, read_bytes, reading
from dvhkit.readers.files.elements import (
    DataSet,
    items,
    require_numbers,
    text,
    where,
)

# Matrices are decimal texts; those of careless writers keep four decimals.
_RIGID_ATOL = 1e-3
_REMEDY = "Export a rigid registration, or transfer the structures in the planning system."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RigidMap:
    """Takes points of one frame of reference into another: ``p -> rotation @ p + shift_mm``."""

    rotation: FloatArray
    shift_mm: FloatArray

    def points(self, points_mm: FloatArray) -> FloatArray:
        """Return (n, 3) points in the other frame."""
        return np.asarray(points_mm @ self.rotation.T + self.shift_mm)

    def then(self, step: RigidMap) -> RigidMap:
        """Return the map that goes on by another one."""
        return RigidMap(rotation=step.rotation @ self.rotation, shift_mm=step.points(self.shift_mm))

    def agrees_with(self, other: RigidMap) -> bool:
        """Return whether two maps take a patient's points to the same places, to 0.01 mm."""
        reach_mm = 1000.0
        turned = float(np.abs(self.rotation - other.rotation).max()) * reach_mm
        return max(turned, float(np.abs(self.shift_mm - other.shift_mm).max())) <= 0.01


def read_rigid_map(path: Path, *, source: str, target: str) -> RigidMap | None:
    """Return the map from frame `source` to frame `target` that a registration holds, or None if it joins others.

    Each item of a registration maps its own frame into that of the object (PS3.3 C.20.2); its matrices apply in
    order. Between two items the map is the first, then the second turned back.

    Raises
    ------
    DicomReadError
        If a matrix that is needed is not rigid.
    """
    with quiet_pydicom(), reading(path):
        data = parse(read_bytes(path))
        common = text(data, "FrameOfReferenceUID")
        found = {common: np.eye(4)} if common else {}
        for item in items(data, "RegistrationSequence", path=path):
            frame = text(item, "FrameOfReferenceUID")
            if frame in (source, target):
                found[frame] = _matrix(item, path)
        if source not in found or target not in found:
            return None
        matrix: FloatArray = np.linalg.solve(found[target], found[source]).astype(np.float64)
        return RigidMap(rotation=matrix[:3, :3], shift_mm=matrix[:3, 3])


def read_chain(paths: Sequence[Path], *, source: str, target: str) -> RigidMap | None:
    """Return the map from one frame to another through as few of some registrations as do; None if they do not join.

    Raises
    ------
    DicomReadError
        As of `read_rigid_map`, or if two files join the same frames differently.
    """
    reached = {source: RigidMap(rotation=np.eye(3), shift_mm=np.zeros(3))}
    frames = {path: _frames(path) for path in paths}
    ahead = [source]
    while ahead and target not in reached:
        here, ahead = ahead, []
        for frame in here:
            for path in (p for p in paths if frame in frames[p]):
                for other in frames[path]:
                    step = read_rigid_map(path, source=frame, target=other)
                    if step is None or other == frame:
                        continue
                    through = reached[frame].then(step)
                    if other not in reached:
                        reached[other] = through
                        ahead.append(other)
                    elif other in ahead and not reached[other].agrees_with(through):
                        raise DicomReadError(
                            "joins two frames in another way than the other registrations do.",
                            path=path,
                            remedy="Name the one that holds.",
                        )
    return reached.get(target)


def _frames(path: Path) -> list[str]:
    """Return the frames that a registration joins, each once."""
    with quiet_pydicom(), reading(path):
        data = parse(read_bytes(path))
        found = [text(data, "FrameOfReferenceUID")]
        found += [text(item, "FrameOfReferenceUID") for item in items(data, "RegistrationSequence", path=path)]
    return [frame for frame in dict.fromkeys(found) if frame]


def _matrix(item: DataSet, path: Path) -> FloatArray:
    total = np.eye(4)
    for steps in items(item, "MatrixRegistrationSequence", path=path):
        for step in items(steps, "MatrixSequence", path=path):
            total = _rigid(step, path) @ total
    return total


def _rigid(step: DataSet, path: Path) -> FloatArray:
    kind = text(step, "FrameOfReferenceTransformationMatrixType").upper()
    stored = require_numbers(step, "FrameOfReferenceTransformationMatrix", 16, path=path)
    matrix = np.array(stored).reshape(4, 4)
    turn = matrix[:3, :3]
    skewed = np.abs(turn @ turn.T - np.eye(3)).max() > _RIGID_ATOL or np.linalg.det(turn) < 0
    if kind not in ("RIGID", "") or skewed or not np.allclose(matrix[3], [0, 0, 0, 1], rtol=0, atol=_RIGID_ATOL):
        raise DicomReadError(
            f"is {kind or 'of no type'} and no rigid movement.",
            path=path,
            where=where("FrameOfReferenceTransformationMatrix"),
            remedy=_REMEDY,
        )
    # The nearest rotation takes the rounding of the stored text out.
    left, _, right = np.linalg.svd(turn)
    exact = np.eye(4)
    exact[:3, :3], exact[:3, 3] = left @ right, matrix[:3, 3]
    return exact


def move_structure(structure: Structure, rigid: RigidMap, frame: str) -> Structure:
    """Return a structure in another frame of reference."""
    contours = tuple(replace(c, points_mm=rigid.points(c.points_mm)) for c in structure.contours)
    slices = structure.slices
    if slices is not None:
        foot = rigid.points((slices.normal * slices.at_mm[0])[None])[0]
        normal = rigid.rotation @ slices.normal
        at = slices.at_mm - slices.at_mm[0] + float(foot @ normal)
        slices = replace(slices, normal=normal, at_mm=at)
    return replace(structure, contours=contours, frame_of_reference_uid=frame, slices=slices)


def move_image(image: ImageSeries, rigid: RigidMap, frame: str) -> ImageSeries:
    """Return an image series in another frame of reference: its lattice moves, its pixels stay."""
    grid = image.grid
    moved = replace(grid, origin_mm=rigid.points(grid.origin_mm[None])[0], axes=grid.axes @ rigid.rotation.T)
    return replace(image, grid=moved, frame_of_reference_uid=frame)
