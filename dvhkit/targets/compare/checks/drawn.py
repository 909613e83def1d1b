"""A structure as it was drawn, contour by contour and slice by slice: what all checks look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import shapely

from dvhkit.engine.contours.frame import Frame, find_frame
from dvhkit.engine.contours.repair import compose
from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.slices import SAME_PLANE_MM
from dvhkit.model.structure import Structure

# A gap this much wider than the usual one is a slice that was not drawn; gaps are equal to this share of them.
_WIDE, _SAME_GAP_FRAC = 1.5, 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class Ring:
    """One closed contour in its frame: `points` (n, 2) at height `w_mm`; `lift_mm` (n,) off its plane."""

    index: int
    points: FloatArray
    w_mm: float
    lift_mm: FloatArray

    @cached_property
    def shape(self) -> Any:  # noqa: ANN401 -- a shapely polygon, valid or not
        """The polygon as drawn."""
        return shapely.Polygon(self.points)

    @cached_property
    def area_mm2(self) -> float:
        """The area that it encloses."""
        return float(abs(self.shape.area)) if self.shape.is_valid else float(compose([self.points], xor=False).area)


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """All rings of one slice, and the area that they bound together."""

    w_mm: float
    rings: tuple[Ring, ...]

    @cached_property
    def area(self) -> Any:  # noqa: ANN401 -- a shapely geometry
        """What the rings bound: rings inside rings are holes."""
        return compose([ring.points for ring in self.rings], xor=False)

    @cached_property
    def pieces(self) -> tuple[Any, ...]:
        """The separate parts of the area."""
        return tuple(p for p in shapely.get_parts(self.area) if p.geom_type == "Polygon" and p.area > 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """A structure ready to be checked.

    `problem` says why it has no levels: its contours face different ways.
    """

    structure: Structure
    frame: Frame
    rings: tuple[Ring, ...] = ()
    levels: tuple[Level, ...] = ()
    problem: str = ""
    box_mm: FloatArray = field(default_factory=lambda: np.zeros((2, 3)))

    @property
    def name(self) -> str:
        """The structure's name."""
        return self.structure.name

    @property
    def gap_mm(self) -> float | None:
        """The usual slice distance, of as many wide gaps as narrow ones the narrow; None for one slice or none."""
        gaps = np.sort(np.diff([level.w_mm for level in self.levels]))
        return float(gaps[(gaps.size - 1) // 2]) if gaps.size else None

    @property
    def volume_cc(self) -> float:
        """The volume as slabs, each as thick as half the way to its neighbours; beside a missing slice, as usual."""
        usual = self.gap_mm
        if usual is None:
            return 0.0
        gaps = np.diff([level.w_mm for level in self.levels])
        # Of slices farther apart one is missing, unless that goes on.
        alike = np.abs(np.diff(gaps)) <= _SAME_GAP_FRAC * gaps[:-1]
        goes_on = np.append(alike, False) | np.append(False, alike)
        half = 0.5 * np.where((gaps > _WIDE * usual + 1e-6) & ~goes_on, usual, gaps)
        thick = np.append(half, half[-1]) + np.append(half[0], half)
        return float(thick @ [level.area.area for level in self.levels]) / 1000.0

    def place(self, u: float, v: float, w: float) -> tuple[float, float, float]:
        """Return a point of the frame in patient coordinates."""
        x, y, z = self.frame.to_patient(np.array([[u, v, w]], float))[0]
        return float(x), float(y), float(z)

    def inside_of(self, shape: Any, w: float) -> tuple[float, float, float]:  # noqa: ANN401
        """Return a point within an area of a slice, in patient coordinates."""
        point = shape.representative_point()
        return self.place(point.x, point.y, w)

    def slice_mm(self, w: float) -> float:
        """Return where a slice lies along its normal: z for axial slices."""
        normal = self.frame.axes[2]
        turned = normal if normal[np.abs(normal).argmax()] >= 0 else -normal
        return float(self.frame.to_patient(np.array([[0.0, 0.0, w]]))[0] @ turned)

    def level_near(self, w_mm: float, within_mm: float) -> Level | None:
        """Return the level nearest to a height, if it is that near."""
        if not self.levels:
            return None
        near = min(self.levels, key=lambda level: abs(level.w_mm - w_mm))
        return near if abs(near.w_mm - w_mm) <= within_mm else None


def drawn_of(structure: Structure) -> Drawn:
    """Return a structure ready to be checked; contours of no area are no rings."""
    closed = [(i, c.points_mm) for i, c in enumerate(structure.contours) if c.kind.is_closed and len(c.points_mm) >= 3]
    level = Frame(origin_mm=np.zeros(3), axes=np.eye(3), grid_axis=(0, 1, 2))
    if not closed:
        return Drawn(structure=structure, frame=level)
    points = np.concatenate([p for _, p in closed])
    starts = np.cumsum([0, *(len(p) for _, p in closed[:-1])])
    box = np.array([points.min(axis=0), points.max(axis=0)])
    try:
        frame, _ = find_frame(points, starts, None, name=structure.name)
    except GeometryError as error:
        usual = _most_common_frame(closed, structure.name)
        if usual is None:
            return Drawn(structure=structure, frame=level, problem=error.message, box_mm=box)
        frame = usual
    rings = tuple(_ring(i, frame.to_frame(p)) for i, p in closed)
    return Drawn(structure=structure, frame=frame, rings=rings, levels=_levels(rings), box_mm=box)


def _most_common_frame(closed: Sequence[tuple[int, FloatArray]], name: str) -> Frame | None:
    """Return the frame of those contours that lie flat, if they are most: single points off a plane do not hide it."""
    flat = [p for _, p in closed if float(np.ptp(p[:, 2])) <= SAME_PLANE_MM]
    if 2 * len(flat) <= len(closed):
        return None
    starts = np.cumsum([0, *(len(p) for p in flat[:-1])])
    return find_frame(np.concatenate(flat), starts, None, name=name)[0]


def _ring(index: int, uvw: FloatArray) -> Ring:
    w = float(np.median(uvw[:, 2]))
    return Ring(index=index, points=np.ascontiguousarray(uvw[:, :2]), w_mm=w, lift_mm=uvw[:, 2] - w)


def _levels(rings: Sequence[Ring]) -> tuple[Level, ...]:
    found: list[list[Ring]] = []
    for ring in sorted(rings, key=lambda r: r.w_mm):
        if found and ring.w_mm - found[-1][0].w_mm <= SAME_PLANE_MM:
            found[-1].append(ring)
        else:
            found.append([ring])
    return tuple(Level(w_mm=float(np.median([r.w_mm for r in group])), rings=tuple(group)) for group in found)
