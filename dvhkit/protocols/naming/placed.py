"""Roughly where structures lie and how large they are, from their contours alone: enough to doubt a name."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure
from dvhkit.protocols.naming.recognise import Placed


def place_structures(structures: Iterable[Structure]) -> tuple[Placed, ...]:
    """Return the place of each structure that bounds an area.

    The volume counts every contour as solid and takes the median distance of the slices, so it is no volume to report;
    x is that of the centre of area, in patient coordinates.
    """
    return tuple(_place(structure) for structure in structures if not structure.is_empty)


def _place(structure: Structure) -> Placed:
    contours = [contour.points_mm for contour in structure.closed_contours]
    areas = np.array([_area_vector(points) for points in contours])
    sizes = np.linalg.norm(areas, axis=1)
    centres = np.array([_centre(points) for points in contours])
    normal = areas[np.argmax(sizes)] / max(sizes.max(), 1e-12)
    levels = np.unique(np.round(centres @ normal, 2))
    spacing_mm = float(np.median(np.diff(levels))) if levels.size > 1 else 0.0
    x_mm = float(np.average(centres[:, 0], weights=sizes)) if sizes.sum() > 0 else float(centres[:, 0].mean())
    return Placed(roi=structure.name, volume_cc=float(sizes.sum()) * spacing_mm / 1000, x_mm=x_mm)


def _area_vector(points: FloatArray) -> FloatArray:
    """Return the vector area in mm^2: its length is the area, its direction the normal."""
    spokes = points - points[0]
    return np.asarray(0.5 * np.cross(spokes, np.roll(spokes, -1, axis=0)).sum(axis=0))


def _centre(points: FloatArray) -> FloatArray:
    """Return the centre of area, or of the points where they bound none."""
    spokes = points - points[0]
    following = np.roll(spokes, -1, axis=0)
    triangles = np.cross(spokes, following)
    total = triangles.sum(axis=0)
    size = float(np.linalg.norm(total))
    if size == 0.0:
        return np.asarray(points.mean(axis=0))
    weights = triangles @ (total / size)
    return np.asarray(points[0] + (weights @ (spokes + following)) / (3 * weights.sum()))
