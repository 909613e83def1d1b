"""Solids of known volume at any place and tilt: where a horizontal ray leaves them, where their edges are.

Lengths in mm, points (x, y, z) in patient coordinates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray, frozen_array

Vector = tuple[float, float, float]
Z_AXIS: Vector = (0.0, 0.0, 1.0)
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
Rotation = tuple[Vector, Vector, Vector]


def rotation_about(axis: Vector, angle_deg: float) -> Rotation:
    """Return the matrix whose rows are the local axes after a turn about `axis` through the origin (Rodrigues)."""
    k = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0.0, -k[2], k[1]], [k[2], 0.0, -k[0]], [-k[1], k[0], 0.0]])
    angle = np.radians(angle_deg)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    rows = turn.T.tolist()
    return (tuple(rows[0]), tuple(rows[1]), tuple(rows[2]))


@lru_cache(maxsize=256)
def frame_of_axis(axis: Vector) -> FloatArray:
    """Return a right-handed frame (read-only) whose rows are two cross directions and the unit axis."""
    w = np.asarray(axis, dtype=np.float64)
    length = float(np.linalg.norm(w))
    if not np.isfinite(length) or length == 0:
        raise GeometryError(f"an axis needs a direction, not {axis}.")
    w = w / length
    # The coordinate axis least along w gives the best conditioned cross product.
    u = np.cross(np.eye(3)[int(np.argmin(np.abs(w)))], w)
    u /= np.linalg.norm(u)
    return frozen_array(np.stack([u, np.cross(w, u), w]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Convex(ABC):
    """A convex solid with its centre of height at `centre_mm`."""

    centre_mm: Vector = (0.0, 0.0, 0.0)

    @property
    @abstractmethod
    def volume_cc(self) -> float:
        """Volume in closed form."""

    @property
    @abstractmethod
    def frame(self) -> FloatArray:
        """Rows are the local axes."""

    @abstractmethod
    def implicit_local(self, local: FloatArray) -> FloatArray:
        """Return, for local points (..., 3), a value in mm that is negative inside and zero on the surface."""

    @abstractmethod
    def exit_local(self, start: FloatArray, directions: FloatArray) -> FloatArray:
        """Return how far rays run from an inner local point (3,) along unit directions (n, 3) to the surface."""

    @abstractmethod
    def lowest_local(self, up: FloatArray) -> FloatArray:
        """Return the local point that lies lowest along the local direction `up`; the middle where many do."""

    @property
    def inner_local(self) -> FloatArray:
        """A local point well inside."""
        return np.zeros(3)

    def edges_local(self) -> tuple[FloatArray, ...]:
        """Return closed polylines or circles that are edges, as local points; none for a smooth solid."""
        return ()

    def implicit(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return a value in mm that is negative inside, zero on the surface, positive outside."""
        offset = np.stack(np.broadcast_arrays(x, y, z), axis=-1) - np.asarray(self.centre_mm)
        return self.implicit_local(offset @ self.frame.T)

    @property
    def z_range_mm(self) -> tuple[float, float]:
        """Lowest and highest patient z of the solid."""
        up = self.frame[:, 2]
        low = float(self.lowest_local(up) @ up)
        high = float(self.lowest_local(-up) @ up)
        return self.centre_mm[2] + low, self.centre_mm[2] + high

    def inner_point_at(self, z_mm: float) -> FloatArray:
        """Return a point inside the section at `z_mm`, which must lie within `z_range_mm`."""
        up = self.frame[:, 2]
        middle = self.inner_local
        tip = self.lowest_local(up if z_mm - self.centre_mm[2] < middle @ up else -up)
        rise = float((tip - middle) @ up)
        t = (z_mm - self.centre_mm[2] - float(middle @ up)) / rise
        return np.asarray((middle + t * (tip - middle)) @ self.frame + np.asarray(self.centre_mm))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipsoid(Convex):
    """An ellipsoid; `rotation` holds its axes as rows."""

    semi_axes_mm: Vector
    rotation: Rotation = _IDENTITY

    @property
    def volume_cc(self) -> float:
        """4/3 π a b c."""
        a, b, c = self.semi_axes_mm
        return 4 / 3 * np.pi * a * b * c / 1000

    @property
    def frame(self) -> FloatArray:
        """Rows are the semi-axes' directions."""
        return np.asarray(self.rotation, dtype=np.float64)

    def implicit_local(self, local: FloatArray) -> FloatArray:
        """Return the scaled radius less one, times the least semi-axis."""
        radius = np.linalg.norm(local / np.asarray(self.semi_axes_mm), axis=-1)
        return np.asarray((radius - 1.0) * min(self.semi_axes_mm))

    def exit_local(self, start: FloatArray, directions: FloatArray) -> FloatArray:
        """Solve the quadratic of the ray in the unit ball."""
        scale = np.asarray(self.semi_axes_mm)
        p, d = start / scale, directions / scale
        return _positive_root(np.sum(d * d, axis=1), d @ p, float(p @ p) - 1.0)

    def lowest_local(self, up: FloatArray) -> FloatArray:
        """Return the support point."""
        scaled = np.asarray(self.semi_axes_mm) * up
        return np.asarray(-np.asarray(self.semi_axes_mm) * scaled / np.linalg.norm(scaled))


def sphere(centre_mm: Vector, radius_mm: float) -> Ellipsoid:
    """Return a sphere."""
    return Ellipsoid(centre_mm=centre_mm, semi_axes_mm=(radius_mm, radius_mm, radius_mm))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cylinder(Convex):
    """A circular cylinder."""

    radius_mm: float
    length_mm: float
    axis: Vector = Z_AXIS

    @property
    def volume_cc(self) -> float:
        """π r² l."""
        return np.pi * self.radius_mm**2 * self.length_mm / 1000

    @property
    def frame(self) -> FloatArray:
        """The third row is the axis."""
        return frame_of_axis(self.axis)

    def implicit_local(self, local: FloatArray) -> FloatArray:
        """Return the worse of wall and caps."""
        wall = np.hypot(local[..., 0], local[..., 1]) - self.radius_mm
        return np.asarray(np.maximum(wall, np.abs(local[..., 2]) - self.length_mm / 2))

    def exit_local(self, start: FloatArray, directions: FloatArray) -> FloatArray:
        """Take the nearer of wall and cap."""
        p, d = start[:2], directions[:, :2]
        wall = _positive_root(np.sum(d * d, axis=1), d @ p, float(p @ p) - self.radius_mm**2)
        return np.minimum(wall, _slab_exit(start[2], directions[:, 2], self.length_mm / 2))

    def lowest_local(self, up: FloatArray) -> FloatArray:
        """Rim point of the lower cap; its middle where the cap is level."""
        return np.append(-self.radius_mm * _unit(up[:2]), -self.length_mm / 2 * _sign(up[2]))

    def edges_local(self) -> tuple[FloatArray, ...]:
        """Return the two rims."""
        half = self.length_mm / 2
        return (_rim(self.radius_mm, -half), _rim(self.radius_mm, half))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cone(Convex):
    """A circular cone: its tip lies half its height along `axis` from the centre, its base half of it the other way."""

    radius_mm: float
    height_mm: float
    axis: Vector = Z_AXIS

    @property
    def volume_cc(self) -> float:
        """π r² h / 3."""
        return np.pi * self.radius_mm**2 * self.height_mm / 3000

    @property
    def frame(self) -> FloatArray:
        """The third row is the axis, base to tip."""
        return frame_of_axis(self.axis)

    @property
    def inner_local(self) -> FloatArray:
        """The centre of mass, a quarter of the height above the base."""
        return np.array([0.0, 0.0, -self.height_mm / 4])

    def implicit_local(self, local: FloatArray) -> FloatArray:
        """Return the worse of mantle and base, each as a distance."""
        slope = self.radius_mm / self.height_mm
        mantle = np.hypot(local[..., 0], local[..., 1]) - slope * (self.height_mm / 2 - local[..., 2])
        return np.asarray(np.maximum(mantle / np.hypot(1.0, slope), -self.height_mm / 2 - local[..., 2]))

    def exit_local(self, start: FloatArray, directions: FloatArray) -> FloatArray:
        """Take the nearer of mantle and base."""
        slope = self.radius_mm / self.height_mm
        metric = np.array([1.0, 1.0, -(slope**2)])
        p = start - np.array([0.0, 0.0, self.height_mm / 2])
        mantle = _positive_root(
            np.sum(metric * directions * directions, axis=1), directions @ (metric * p), float(p @ (metric * p))
        )
        falling = directions[:, 2] < 0
        depth = np.full(len(directions), np.inf)
        with np.errstate(over="ignore"):  # an all but level ray meets the base at infinity
            depth[falling] = (-self.height_mm / 2 - start[2]) / directions[falling, 2]
        return np.asarray(np.minimum(mantle, depth))

    def lowest_local(self, up: FloatArray) -> FloatArray:
        """Return the tip or the lowest point of the rim."""
        tip = np.array([0.0, 0.0, self.height_mm / 2])
        rim: FloatArray = np.append(-self.radius_mm * _unit(up[:2]), -self.height_mm / 2)
        return tip if float(tip @ up) < float(rim @ up) else rim

    def edges_local(self) -> tuple[FloatArray, ...]:
        """Return the rim of the base."""
        return (_rim(self.radius_mm, -self.height_mm / 2),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box(Convex):
    """A rectangular box; `rotation` holds its axes as rows."""

    size_mm: Vector
    rotation: Rotation = _IDENTITY

    @property
    def volume_cc(self) -> float:
        """Product of the sides."""
        return float(np.prod(self.size_mm)) / 1000

    @property
    def frame(self) -> FloatArray:
        """Rows are the sides' directions."""
        return np.asarray(self.rotation, dtype=np.float64)

    def implicit_local(self, local: FloatArray) -> FloatArray:
        """Return the worst of the three slabs."""
        return np.asarray(np.max(np.abs(local) - np.asarray(self.size_mm) / 2, axis=-1))

    def exit_local(self, start: FloatArray, directions: FloatArray) -> FloatArray:
        """Take the nearest face."""
        exits = [_slab_exit(start[a], directions[:, a], self.size_mm[a] / 2) for a in range(3)]
        return np.asarray(np.min(exits, axis=0))

    def lowest_local(self, up: FloatArray) -> FloatArray:
        """Return the lowest corner; the middle of a level edge or face."""
        return np.array([-self.size_mm[a] / 2 * _sign(up[a]) for a in range(3)])

    def edges_local(self) -> tuple[FloatArray, ...]:
        """Return twelve edges, each as its two ends."""
        half = np.asarray(self.size_mm) / 2
        corners = np.array([[sx, sy, sz] for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)], dtype=np.float64)
        pairs = [(a, b) for a in range(8) for b in range(a + 1, 8) if np.count_nonzero(corners[a] != corners[b]) == 1]
        return tuple(np.stack([corners[a] * half, corners[b] * half]) for a, b in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Torus:
    """A ring of circular tube: not convex."""

    ring_radius_mm: float
    tube_radius_mm: float
    centre_mm: Vector = (0.0, 0.0, 0.0)
    axis: Vector = Z_AXIS
    _frame: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.tube_radius_mm < self.ring_radius_mm:
            raise GeometryError("the tube of a torus must be thinner than its ring.")
        object.__setattr__(self, "_frame", frame_of_axis(self.axis))

    @property
    def frame(self) -> FloatArray:
        """The third row is the axis."""
        return self._frame

    @property
    def volume_cc(self) -> float:
        """2 π² R r² (Pappus)."""
        return 2 * np.pi**2 * self.ring_radius_mm * self.tube_radius_mm**2 / 1000

    @property
    def z_range_mm(self) -> tuple[float, float]:
        """Lowest and highest patient z."""
        half = self.ring_radius_mm * float(np.hypot(*self.frame[:2, 2])) + self.tube_radius_mm
        return self.centre_mm[2] - half, self.centre_mm[2] + half

    def implicit(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the distance from the surface, negative inside (mm)."""
        local = (np.stack(np.broadcast_arrays(x, y, z), axis=-1) - np.asarray(self.centre_mm)) @ self.frame.T
        off_ring = np.hypot(local[..., 0], local[..., 1]) - self.ring_radius_mm
        return np.asarray(np.hypot(off_ring, local[..., 2]) - self.tube_radius_mm)


def _positive_root(a: FloatArray, half_b: FloatArray, c: float) -> FloatArray:
    """Return the least positive root of a t² + 2 half_b t + c for c < 0 or along rays that leave; inf where none."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.sqrt(np.maximum(half_b * half_b - a * c, 0.0))
        # Two forms of the same roots; together free of cancellation.
        q = -(half_b + np.where(half_b < 0, -1.0, 1.0) * root)
        roots = np.stack([q / a, c / q])
    roots[~(roots > 0)] = np.inf
    return np.asarray(roots.min(axis=0))


def _slab_exit(position: float, direction: FloatArray, half: float) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        distance = (np.copysign(half, direction) - position) / direction
    return np.asarray(np.where(direction == 0, np.inf, distance))


def _rim(radius_mm: float, height_mm: float) -> FloatArray:
    """Return centre, and two radius vectors, of a circle across the local axis: rows of (3, 3)."""
    return np.array([[0.0, 0.0, height_mm], [radius_mm, 0.0, 0.0], [0.0, radius_mm, 0.0]])


# A direction cosine below this is taken as level: 1e-12 of a 100 mm solid is far below any contour's precision.
_LEVEL = 1e-12


def _sign(value: float) -> float:
    return 0.0 if abs(value) < _LEVEL else float(np.sign(value))


def _unit(vector: FloatArray) -> FloatArray:
    length = float(np.linalg.norm(vector))
    return np.zeros_like(vector) if length < _LEVEL else np.asarray(vector / length)
