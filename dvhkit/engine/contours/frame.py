"""The plane system of a structure: which way its contours face, and where the dose grid lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dvhkit.errors import GeometryError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.grid import Grid

# Contour coordinates are text of at most 16 characters, often rounded to 0.1 mm or less.
_FLAT_MM = 0.1
# Beyond this a contour is no planar contour that was rounded.
_PLANAR_MM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """Coordinates (u, v) in the contour planes and w across them, in mm.

    Attributes
    ----------
    origin_mm : (3,)
        Patient coordinates of (0, 0, 0).
    axes : (3, 3)
        Rows are the unit vectors of u, v, w; right-handed up to the order in which a dose grid's axes fall.
    grid_axis : (3,)
        For u, v, w: the axis of the dose grid (0 columns, 1 rows, 2 planes) that it runs along, or -1 for none.
    """

    origin_mm: FloatArray
    axes: FloatArray
    grid_axis: tuple[int, int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin_mm", frozen_array(self.origin_mm))
        object.__setattr__(self, "axes", frozen_array(self.axes))

    def to_frame(self, points_mm: FloatArray) -> FloatArray:
        """Return (n, 3) patient points as (u, v, w)."""
        off = points_mm - self.origin_mm
        order = _order(self)
        return np.asarray(off @ self.axes.T) if order is None else np.ascontiguousarray(off[..., order])

    def to_patient(self, points_uvw: FloatArray) -> FloatArray:
        """Return (n, 3) points (u, v, w) in patient coordinates."""
        order = _order(self)
        if order is None:
            return np.asarray(points_uvw @ self.axes + self.origin_mm)
        return np.ascontiguousarray(points_uvw[..., np.argsort(order)] + self.origin_mm)

    @property
    def is_aligned(self) -> bool:
        """Whether u, v and w run along the axes of the dose grid."""
        return min(self.grid_axis) >= 0

    def to_grid(self, grid: Grid) -> FloatArray:
        """Return the (3, 4) matrix from (u, v, w, 1) to column index, row index and plane offset in mm."""
        rotation = grid.axes @ self.axes.T
        shift = grid.axes @ (self.origin_mm - grid.origin_mm)
        matrix = np.column_stack([rotation, shift])
        matrix[:2] /= grid.spacing_mm[:, None]
        if self.is_aligned:
            # Cosines that are rounding noise would move points off the lattice that they define.
            matrix[:, :3][np.abs(rotation) < 0.5] = 0.0
        return np.ascontiguousarray(matrix)


@lru_cache(maxsize=32)
def _order(frame: Frame) -> list[int] | None:
    """Return which patient axis each of a frame runs along, upwards; None where it runs along none.

    A product with such axes is a choice of columns, to the last bit, at a tenth of the time.
    """
    order = frame.axes.argmax(axis=1)
    return order.tolist() if np.array_equal(frame.axes, np.eye(3)[order]) else None


def find_frame(
    points_mm: FloatArray, starts: np.ndarray, grid: Grid | None, *, name: str
) -> tuple[Frame, list[Finding]]:
    """Return the frame in which every contour lies flat, along the axes of `grid` wherever that fits.

    Parameters
    ----------
    points_mm : (n, 3)
        The points of all contours, one after the other.
    starts : (m,)
        Index of each contour's first point.

    Raises
    ------
    GeometryError
        Contours that face different ways, or are not planar.
    """
    base = np.eye(3) if grid is None else grid.axes
    origin = np.zeros(3) if grid is None else grid.origin_mm
    thickness = [_thickness(points_mm @ base[axis], starts) for axis in range(3)]
    best = min((2, 1, 0), key=lambda axis: thickness[axis])
    if thickness[best] <= _FLAT_MM:
        return _along(base, origin, best), []
    normal = _common_normal(points_mm, starts)
    own = _thickness(points_mm @ normal, starts)
    if min(own, thickness[best]) > _PLANAR_MM:
        raise GeometryError(
            f"the contours of {name} do not lie in parallel planes: they leave their best common direction by "
            f"{min(own, thickness[best]):.3g} mm.",
            remedy="Redraw or resample the structure on one set of parallel slices.",
        )
    findings = [] if own <= _FLAT_MM else [_not_flat(name, own)]
    if thickness[best] <= own:
        return _along(base, origin, best), findings
    u = base[0] - normal * (base[0] @ normal)
    if np.linalg.norm(u) < 0.1:
        u = base[1] - normal * (base[1] @ normal)
    u /= np.linalg.norm(u)
    return Frame(origin_mm=origin, axes=np.array([u, np.cross(normal, u), normal]), grid_axis=(-1, -1, -1)), findings


def _along(base: FloatArray, origin: FloatArray, w: int) -> Frame:
    order = {2: (0, 1, 2), 0: (1, 2, 0), 1: (2, 0, 1)}[w]
    return Frame(origin_mm=origin, axes=base[list(order)], grid_axis=order)


def _thickness(heights: FloatArray, starts: np.ndarray) -> float:
    spread = np.maximum.reduceat(heights, starts) - np.minimum.reduceat(heights, starts)
    return float(spread.max())


def _common_normal(points_mm: FloatArray, starts: np.ndarray) -> FloatArray:
    """Newell's normal of all contours together, each counted by its area."""
    stops = np.append(starts[1:], len(points_mm))
    total = np.zeros(3)
    for start, stop in zip(starts, stops, strict=True):
        ring = points_mm[start:stop] - points_mm[start]
        vector = np.cross(ring, np.roll(ring, -1, axis=0)).sum(axis=0)
        total += vector if vector @ total >= 0 else -vector
    length = float(np.linalg.norm(total))
    if length == 0:
        return np.array([0.0, 0.0, 1.0])
    axis = int(np.abs(total).argmax())
    return np.asarray(total / length * np.sign(total[axis]))


def _not_flat(name: str, thickness_mm: float) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="contour-not-planar",
        message=f"Contours leave their plane by up to {thickness_mm:.2g} mm; they were projected onto it.",
        where=name,
    )
