"""Which observers took in what: the volume of each set of observers, from sections of all their solids at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray
from dvhkit.model.slices import SAME_PLANE_MM
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.targets.compare.overlap import quadrature
from dvhkit.targets.compare.skin import Skin, areas_of

# Slices closer than this share of the usual distance are those of observers on other images.
_BETWEEN_FRAC = 0.6
# Faces smaller than this come of lines that should be one.
_SLIVER_MM2 = 0.01
_STRAIGHT_MM = 0.003


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Votes:
    """How much of space each set of observers took in.

    Attributes
    ----------
    n
        How many observers there are.
    patterns : (m,)
        Sets of observers, a bit each, lowest first; none is empty.
    volumes_mm3 : (m,)
        What just these observers took in.
    size_mm : (3,)
        The box around all contours.
    """

    n: int
    patterns: NDArray[np.int64]
    volumes_mm3: FloatArray
    size_mm: FloatArray

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many observers each set has."""
        return np.array([int(p).bit_count() for p in self.patterns], np.int64)

    def has(self, observer: int) -> NDArray[np.bool_]:
        """Return which sets an observer is in."""
        return (self.patterns >> observer) & 1 > 0

    def box_mm3(self, margin_mm: float) -> float:
        """Return the volume of the box, grown on all sides."""
        return float(np.prod(self.size_mm + 2.0 * margin_mm))

    def without(self, observer: int) -> Votes:
        """Return the votes of all others."""
        low = self.patterns & ((1 << observer) - 1)
        left = low | ((self.patterns >> (observer + 1)) << observer)
        patterns, place = np.unique(left, return_inverse=True)
        volumes = np.bincount(place, self.volumes_mm3, minlength=len(patterns))
        kept = patterns > 0
        return Votes(n=self.n - 1, patterns=patterns[kept], volumes_mm3=volumes[kept], size_mm=self.size_mm)


def votes_of(skins: Sequence[Skin]) -> Votes:
    """Return the votes of observers whose solids lie in one frame."""
    heights, weights = quadrature(skins)
    found: dict[int, float] = {}
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for w, weight in zip(heights, weights, strict=True):
        patterns, faces = faces_at(skins, float(w))
        for pattern, area in zip(patterns.tolist(), shapely.area(faces).tolist(), strict=True):
            found[pattern] = found.get(pattern, 0.0) + weight * area
        if len(faces):
            box = shapely.total_bounds(faces)
            low, high = np.minimum(low, box[:2]), np.maximum(high, box[2:])
    ends = np.array([skin.ends_mm() for skin in skins])
    order = sorted(found)
    return Votes(
        n=len(skins),
        patterns=np.array(order, np.int64),
        volumes_mm3=np.array([found[p] for p in order]),
        size_mm=np.array([*(high - low), ends[:, 1].max() - ends[:, 0].min()]),
    )


def faces_at(skins: Sequence[Skin], w_mm: float) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the faces into which the contours of all divide a plane, each with the set of those who took it in."""
    # A mended section may hold lines besides areas.
    cuts = [areas_of(skin.cut(w_mm)) for skin in skins]
    lines = shapely.union_all([shapely.boundary(cut) for cut in cuts if not cut.is_empty])
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    within = shapely.point_on_surface(faces)
    patterns = np.zeros(len(faces), np.int64)
    for n, cut in enumerate(cuts):
        if not cut.is_empty:
            shapely.prepare(cut)
            patterns |= shapely.contains(cut, within).astype(np.int64) << n
    kept = (patterns > 0) & (shapely.area(faces) > 0)
    return patterns[kept], faces[kept]


def common_slices_mm(skins: Sequence[Skin]) -> FloatArray:
    """Return the slices of all observers; where they drew on different images, those of the finest, carried on."""
    heights = np.sort(np.concatenate([[s.w_mm for s in skin.sections.drawn] for skin in skins]))
    heights = heights[np.append(True, np.diff(heights) > SAME_PLANE_MM)]
    finest = min(skins, key=lambda skin: skin.sections.gap_mm)
    gap = finest.sections.gap_mm
    if len(heights) < 2 or np.diff(heights).min() > _BETWEEN_FRAC * gap:
        return np.asarray(heights)
    first = finest.sections.drawn[0].w_mm
    down, up = np.floor((first - heights[0]) / gap), np.floor((heights[-1] - first) / gap)
    return np.asarray(first + gap * np.arange(-down, up + 1))


def region(
    skins: Sequence[Skin], heights_mm: FloatArray, chosen: Callable[[int], bool], *, name: str, like: Structure
) -> Structure:
    """Return what the chosen sets of observers took in, as contours on the slices."""
    frame = skins[0].sections.frame
    contours = []
    for w in heights_mm:
        patterns, faces = faces_at(skins, float(w))
        kept = np.array([chosen(int(p)) for p in patterns], bool)
        area = shapely.simplify(shapely.union_all(faces[kept]), _STRAIGHT_MM)
        for part in shapely.get_parts(area):
            if part.geom_type != "Polygon" or part.area < _SLIVER_MM2:
                continue
            for ring in (part.exterior, *part.interiors):
                flat = shapely.get_coordinates(ring)[:-1]
                points = frame.to_patient(np.column_stack([flat, np.full(len(flat), w)]))
                contours.append(Contour(points_mm=points, kind=ContourKind.CLOSEDPLANAR_XOR))
    return Structure(
        number=like.number,
        name=name,
        contours=tuple(contours),
        rt_roi_type=like.rt_roi_type,
        frame_of_reference_uid=like.frame_of_reference_uid,
    )
