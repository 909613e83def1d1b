"""Roughly where structures lie and how large they are, from their contours alone: enough to doubt a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    areas, centres = _areas_and_centres([contour.points_mm for contour in structure.closed_contours])
    sizes = np.linalg.norm(areas, axis=1)
    normal = areas[np.argmax(sizes)] / max(sizes.max(), 1e-12)
    levels = np.unique(np.round(centres @ normal, 2))
    spacing_mm = float(np.median(np.diff(levels))) if levels.size > 1 else 0.0
    x_mm = float(np.average(centres[:, 0], weights=sizes)) if sizes.sum() > 0 else float(centres[:, 0].mean())
    return Placed(roi=structure.name, volume_cc=float(sizes.sum()) * spacing_mm / 1000, x_mm=x_mm)


def _areas_and_centres(contours: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return each contour's vector area in mm^2 (its length is the area, its direction the normal) and centre of area.

    Where points bound no area the centre is their mean.
    """
    counts = np.array([len(points) for points in contours])
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    points = np.concatenate(contours)
    spokes = points - np.repeat(points[first], counts, axis=0)
    # The spoke of the following point; that of a contour's last is its first, which is zero.
    following = np.concatenate([spokes[1:], np.zeros((1, 3))])
    following[first[1:] - 1] = 0.0
    (x, y, z), (u, v, w) = spokes.T, following.T
    triangles = np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)
    total = np.add.reduceat(triangles, first, axis=0)
    size = np.linalg.norm(total, axis=1)
    normal = total / np.where(size > 0, size, 1.0)[:, None]
    weights = np.einsum("ij,ij->i", triangles, np.repeat(normal, counts, axis=0))
    moment = np.add.reduceat(weights[:, None] * (spokes + following), first, axis=0)
    weight = np.add.reduceat(weights, first)
    mean = np.add.reduceat(spokes, first, axis=0) / counts[:, None]
    offset = np.where((size > 0)[:, None], moment / (3 * np.where(weight == 0, 1.0, weight))[:, None], mean)
    return 0.5 * total, points[first] + offset
