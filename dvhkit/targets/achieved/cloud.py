"""Points on a surface, sorted so that the nearest one to any place is found at once, by any ellipsoidal measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.kernels.surface.nearest import nearest_by_gauge
from dvhkit.model.arrays import FloatArray

_SPHERE = np.ones(6)
_MOST_CELLS = 200_000
_FAR = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Cubic cells, x running fastest; `first` is the first point of each, and the number of points at its end."""

    first: NDArray[np.int64]
    origin_mm: FloatArray
    size_mm: float
    shape: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cloud:
    """Points on a surface in patient coordinates, sorted into `cells`.

    Attributes
    ----------
    points_mm, normals : (n, 3)
        Unit normals point outwards.
    area_mm2 : (n,)
        The part of the surface for which a point stands; zero for ring points that were added for their exactness.
    on_ring : (n,)
        Whether it lies on a drawn contour.
    step_mm
        About the distance between neighbours.
    """

    points_mm: FloatArray
    normals: FloatArray
    area_mm2: FloatArray
    on_ring: NDArray[np.bool_]
    step_mm: float
    cells: Cells

    def sampled(self) -> Cloud:
        """Return only the points that stand for an area."""
        return self._where(self.area_mm2 > 0)

    def drawn(self) -> Cloud:
        """Return only the points on drawn contours."""
        return self._where(self.on_ring)

    def thinned(self, every: int) -> Cloud:
        """Return one point in `every`, for a first look."""
        return self._where(np.arange(len(self.points_mm)) % every == 0)

    def _where(self, keep: NDArray[np.bool_]) -> Cloud:
        return sorted_cloud(
            self.points_mm[keep], self.normals[keep], self.area_mm2[keep], self.on_ring[keep], self.step_mm
        )


def gauge_to(
    queries_mm: FloatArray,
    cloud: Cloud,
    semi_axes_mm: FloatArray = _SPHERE,
    *,
    outward: bool,
    enough: float = 0.0,
    far: float = _FAR,
    likely: NDArray[np.int64] | None = None,
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Return the gauge of each query to the nearest point of a cloud, the vector that it belongs to, and the point.

    Parameters
    ----------
    semi_axes_mm : (6,)
        Towards left, right, posterior, anterior, superior, inferior. All 1: the plain distance in mm.
    outward
        Whether the vector runs from the query to the cloud, else from the cloud to the query.
    enough
        A search may end at a point of this gauge.
    far
        No search goes beyond this gauge; what is farther has the gauge 1e15.
    likely : (n,)
        Points of the cloud at which to begin: what was found for margins a little different.

    Returns
    -------
    gauge : (n,)
    vector : (n, 3)
    found : (n,)
        Index of the point in the cloud.
    """
    found, gauge = _nearest(queries_mm, cloud, semi_axes_mm, outward=outward, enough=enough, far=far, likely=likely)
    vector = cloud.points_mm[found] - queries_mm
    return gauge, vector if outward else -vector, found


def distance_to(queries_mm: FloatArray, cloud: Cloud) -> FloatArray:
    """Return the distance of each query from a surface, in mm.

    A point of the cloud stands for a little disc of the surface, so that the spacing of the points does not count.
    """
    found, gauge = _nearest(queries_mm, cloud, _SPHERE, outward=True)
    vector = cloud.points_mm[found] - queries_mm
    upright = np.einsum("ij,ij->i", vector, cloud.normals[found])
    sideways = np.sqrt(np.maximum(gauge**2 - upright**2, 0.0))
    return np.asarray(np.hypot(upright, np.maximum(sideways - 0.75 * cloud.step_mm, 0.0)))


def nearest_mm(queries_mm: FloatArray, points_mm: FloatArray, *, within_mm: float) -> FloatArray:
    """Return how far each query is from the nearest of some points, in mm; beyond `within_mm` some larger number."""
    none = np.empty((len(points_mm), 0))
    cloud = sorted_cloud(points_mm, none, none, np.zeros(len(points_mm), bool), within_mm / 2)
    return _nearest(queries_mm, cloud, _SPHERE, outward=True, far=within_mm)[1]


def _nearest(
    queries_mm: FloatArray,
    cloud: Cloud,
    semi_axes_mm: FloatArray,
    *,
    outward: bool,
    enough: float = 0.0,
    far: float = _FAR,
    likely: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], FloatArray]:
    found = np.full(len(queries_mm), -1, np.int64) if likely is None else likely.copy()
    gauge = np.empty(len(queries_mm))
    cells = cloud.cells
    nearest_by_gauge(
        np.ascontiguousarray(queries_mm),
        (cloud.points_mm, cells.first, cells.origin_mm, cells.size_mm, cells.shape),
        np.ascontiguousarray(semi_axes_mm, dtype=np.float64),
        outward,
        float(enough),
        float(far),
        found,
        gauge,
    )
    return found, gauge


def sorted_cloud(
    points_mm: FloatArray, normals: FloatArray, area_mm2: FloatArray, on_ring: NDArray[np.bool_], step_mm: float
) -> Cloud:
    """Return a cloud whose points are sorted into cells, so that those near a place are found without a search."""
    size = max(2.5, 2 * step_mm)
    if not len(points_mm):
        cells = Cells(first=np.zeros(2, np.int64), origin_mm=np.zeros(3), size_mm=size, shape=np.ones(3, np.int64))
        order = np.zeros(0, np.int64)
    else:
        origin = points_mm.min(axis=0)
        extent = points_mm.max(axis=0) - origin
        # Far-flung strays must not make the table of cells large.
        size = max(size, float(np.cbrt(np.prod(np.maximum(extent, size)) / _MOST_CELLS)))
        index = np.floor((points_mm - origin) / size).astype(np.int64)
        shape = index.max(axis=0) + 1
        cell = (index[:, 2] * shape[1] + index[:, 1]) * shape[0] + index[:, 0]
        order = np.argsort(cell, kind="stable")
        first = np.searchsorted(cell[order], np.arange(int(np.prod(shape)) + 1)).astype(np.int64)
        cells = Cells(first=first, origin_mm=origin, size_mm=size, shape=shape)
    return Cloud(
        points_mm=np.ascontiguousarray(points_mm[order]),
        normals=np.ascontiguousarray(normals[order]),
        area_mm2=area_mm2[order],
        on_ring=on_ring[order],
        step_mm=step_mm,
        cells=cells,
    )
