"""A structure ready to be measured to and from: its solid, where that ends, and points on its surface."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dvhkit.engine.contours.planes import PlaneStack
from dvhkit.engine.contours.runs import Runs
from dvhkit.engine.options import EngineOptions
from dvhkit.engine.solid import Solid
from dvhkit.engine.solid.sampled import linked, window_over
from dvhkit.engine.solid.solid import closing
from dvhkit.engine.solid.surface import InsideField, field_of, step_for
from dvhkit.engine.solid.surface import make_surface as surface_of
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure
from dvhkit.targets.achieved.cloud import Cloud, sorted_cloud


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cap:
    """How a structure closes beyond an end slice: `height_mm` further, flat or rounded."""

    plane: int
    upward: bool
    height_mm: float
    flat: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """A structure ready to be measured to and from."""

    structure: Structure
    solid: Solid
    caps: tuple[Cap, ...]
    spacing_mm: float
    cloud: Cloud
    field: InsideField

    @property
    def name(self) -> str:
        """The structure's name."""
        return self.structure.name

    @property
    def stack(self) -> PlaneStack:
        """Its drawn planes."""
        return self.solid.stack

    @property
    def runs(self) -> Runs:
        """Its stretches without a missing slice."""
        return self.solid.runs

    @property
    def slice_axis(self) -> FloatArray:
        """Unit vector across the slices, in patient coordinates."""
        return np.asarray(self.stack.frame.axes[2])

    @property
    def volume_cc(self) -> float:
        """Volume of its solid: that of its DVH."""
        return self.solid.volume_cc

    def signed(self, points_mm: FloatArray) -> FloatArray:
        """Return a value negative inside and positive outside; near the surface about the distance in the plane."""
        return self.field.at(self.stack.frame.to_frame(points_mm))


def make_surface(
    structure: Structure,
    *,
    fallback_spacing_mm: float | None = None,
    window_mm: tuple[FloatArray, FloatArray] | None = None,
    step_mm: float | None = None,
    options: EngineOptions | None = None,
) -> Surface:
    """Return the surface of a structure.

    Parameters
    ----------
    fallback_spacing_mm
        Slice distance for a structure drawn on one slice.
    window_mm
        Low and high corner of a box in patient coordinates; what lies outside is left out.
    step_mm
        Distance between points; by default so that there are about 12,000.
    options
        What lies between and beyond the drawn slices.

    Raises
    ------
    NotEvaluable
        Nothing was drawn, or the slice distance is unknown.
    GeometryError
        Contours that are not planar or not parallel.
    """
    window = None if window_mm is None else tuple(tuple(corner.tolist()) for corner in window_mm)
    return _made(structure, fallback_spacing_mm, window, step_mm, options)


# The same few targets are paired, checked and asked whether they hold one another.
@lru_cache(maxsize=12)
def _made(
    structure: Structure,
    fallback_spacing_mm: float | None,
    window_mm: tuple[tuple[float, ...], ...] | None,
    step_mm: float | None,
    options: EngineOptions | None,
) -> Surface:
    solid = Solid.of(structure, options=options, slice_spacing_mm=fallback_spacing_mm)
    window = None if window_mm is None else (np.array(window_mm[0]), np.array(window_mm[1]))
    return _surface(structure, linked(solid), step_mm or step_for(solid), window)


def ending(surface: Surface, shares: tuple[float | None, float | None]) -> Surface:
    """Return the surface closed these shares of the slice distance beyond its lower and upper ends."""
    return _surface(surface.structure, closing(surface.solid, *shares), surface.cloud.step_mm, None)


def _surface(
    structure: Structure, solid: Solid, step_mm: float, window_mm: tuple[FloatArray, FloatArray] | None
) -> Surface:
    low, high = _window(solid, window_mm)
    field = field_of(solid, window_over(solid, step_mm), step_mm, between_mm=(float(low[2]), float(high[2])))
    box = None if window_mm is None else (low - 2 * step_mm, high + 2 * step_mm)
    points = surface_of(solid, step_mm=step_mm, field=field, box_uvw=box)
    cloud = sorted_cloud(points.points_mm, points.normals, points.area_mm2, points.on_ring, step_mm)
    return Surface(
        structure=structure,
        solid=solid,
        caps=_caps(solid),
        spacing_mm=solid.usual_gap_mm,
        cloud=cloud,
        field=field,
    )


def _window(solid: Solid, window_mm: tuple[FloatArray, FloatArray] | None) -> tuple[FloatArray, FloatArray]:
    if window_mm is None:
        return np.full(3, -np.inf), np.full(3, np.inf)
    box = np.array(np.meshgrid(*zip(*window_mm, strict=True))).reshape(3, -1).T
    corners = solid.stack.frame.to_frame(box)
    return corners.min(axis=0), corners.max(axis=0)


def _caps(solid: Solid) -> tuple[Cap, ...]:
    """Return the lower and the upper end of all stretches: of several parts, the one that reaches furthest."""
    links, caps = solid.links, []
    assert links is not None
    for first, stop in solid.runs.bounds:
        for upward, plane in ((False, first), (True, stop - 1)):
            rings = slice(*solid.stack.plane_ring[plane : plane + 2])
            heights, order = (links.up_mm, links.up_order) if upward else (links.down_mm, links.down_order)
            tallest = int(heights[rings].argmax())
            rule = int(order[rings][tallest])
            height = float(heights[rings][tallest])
            caps.append(Cap(plane=plane, upward=upward, height_mm=height, flat=rule not in {2, 3}))
    return tuple(caps)
