"""Draw solids of known volume as a contouring system would: axial planes, polygons, holes in any of the usual ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.phantoms.isoline import trace_rings
from dvhkit.phantoms.solids import Convex, Ellipsoid, Torus

# Vertices of the polygon that stands for the true outline when an area is fitted: its own area is 4e-8 short.
_FINE_POINTS = 8192
# A section at the very end of a solid is taken this fraction of the height inside it, so that a level face is drawn.
_END_NUDGE = 1e-9
# A section smaller than this is a pole, not an outline; half a hundredth of a millimetre across.
_LEAST_AREA_MM2 = 1e-4
# Step of the search grid for outlines that have no closed form.
_TRACE_STEP_MM = 0.1


class Fit(StrEnum):
    """Where a polygon's vertices lie."""

    SURFACE = "surface"  # on the true outline: the polygon is a little too small
    AREA = "area"  # scaled about their middle, so that the polygon has the true area


class HoleStyle(StrEnum):
    """How a hole is stored; PS3.3 C.8.8.6.3 knows the keyhole and XOR, many writers nest."""

    NESTED = "nested"
    XOR = "xor"
    KEYHOLE = "keyhole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hollow:
    """`outer` without `inner`, which must lie wholly inside it."""

    outer: Solid
    inner: Solid

    @property
    def volume_cc(self) -> float:
        """Difference of the volumes."""
        return self.outer.volume_cc - self.inner.volume_cc

    @property
    def z_range_mm(self) -> tuple[float, float]:
        """That of the outer solid."""
        return self.outer.z_range_mm

    def implicit(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Negative inside."""
        return np.maximum(self.outer.implicit(x, y, z), -self.inner.implicit(x, y, z))


@dataclass(frozen=True, slots=True, kw_only=True)
class Islands:
    """Several solids that do not touch, drawn as one structure."""

    parts: tuple[Solid, ...]

    @property
    def volume_cc(self) -> float:
        """Sum of the volumes."""
        return sum(p.volume_cc for p in self.parts)

    @property
    def z_range_mm(self) -> tuple[float, float]:
        """From the lowest to the highest part."""
        return min(p.z_range_mm[0] for p in self.parts), max(p.z_range_mm[1] for p in self.parts)

    def implicit(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Negative inside."""
        return np.asarray(np.min([p.implicit(x, y, z) for p in self.parts], axis=0))


Solid = Convex | Torus | Hollow | Islands


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ring:
    """One closed outline in an axial plane: (n, 2) points x, y, and whether it bounds a hole."""

    points_mm: FloatArray
    is_hole: bool = False


def section(solid: Solid, z_mm: float, *, n_points: int = 256, fit: Fit = Fit.SURFACE) -> tuple[Ring, ...]:
    """Return the outlines of `solid` in the plane z; none where the plane misses it.

    A plane at the very end belongs to the solid: it shows a level face, and nothing of a pole or an edge.

    Parameters
    ----------
    n_points
        Vertices of a smooth outline, evenly spread in angle; where the outline has corners they are added exactly, and
        a box has nothing else.
    fit
        Not used for boxes, whose polygons are exact, nor for tilted tori, which are traced in 0.1 mm steps.
    """
    low, high = solid.z_range_mm
    height = high - low
    if not low - _END_NUDGE * height <= z_mm <= high + _END_NUDGE * height:
        return ()
    if isinstance(solid, Hollow):
        inner = section(solid.inner, z_mm, n_points=n_points, fit=fit)
        holes = tuple(Ring(points_mm=r.points_mm, is_hole=not r.is_hole) for r in inner)
        return section(solid.outer, z_mm, n_points=n_points, fit=fit) + holes
    if isinstance(solid, Islands):
        return tuple(r for p in solid.parts for r in section(p, z_mm, n_points=n_points, fit=fit))
    within = float(np.clip(z_mm, low + _END_NUDGE * height, high - _END_NUDGE * height))
    if isinstance(solid, Torus):
        rings = _torus_rings(solid, within, n_points=n_points, fit=fit)
    else:
        rings = (Ring(points_mm=_convex_ring(solid, within, n_points=n_points, fit=fit)),)
    return tuple(r for r in rings if abs(ring_area_mm2(r.points_mm)) > _LEAST_AREA_MM2)


def ring_area_mm2(points_mm: FloatArray) -> float:
    """Return the signed area of a closed ring (n, 2): positive if it runs from +x towards +y."""
    if len(points_mm) < 3:
        return 0.0
    x, y = (points_mm - points_mm[0]).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def draw(
    solid: Solid,
    planes_mm: Iterable[float],
    *,
    n_points: int = 256,
    fit: Fit = Fit.SURFACE,
    holes: HoleStyle = HoleStyle.NESTED,
) -> tuple[Contour, ...]:
    """Return the contours of `solid` in axial planes at `planes_mm`; `section` says how each is made."""
    return tuple(
        contour
        for z in planes_mm
        for contour in ring_contours(section(solid, float(z), n_points=n_points, fit=fit), float(z), holes=holes)
    )


def ring_contours(rings: Sequence[Ring], z_mm: float, *, holes: HoleStyle = HoleStyle.NESTED) -> tuple[Contour, ...]:
    """Return the rings of one plane as contours, with holes stored in the way asked for."""
    outlines = [r.points_mm for r in rings]
    kind = ContourKind.CLOSED_PLANAR
    if holes is HoleStyle.XOR and any(r.is_hole for r in rings):
        kind = ContourKind.CLOSEDPLANAR_XOR
    if holes is HoleStyle.KEYHOLE:
        outlines = _keyholes(rings)
    return tuple(
        Contour(points_mm=np.column_stack([points, np.full(len(points), z_mm)]), kind=kind) for points in outlines
    )


def structure(
    name: str,
    number: int,
    solid: Solid,
    planes_mm: Iterable[float],
    *,
    rt_roi_type: str = "ORGAN",
    color_rgb: tuple[int, int, int] | None = None,
    n_points: int = 256,
    fit: Fit = Fit.SURFACE,
    holes: HoleStyle = HoleStyle.NESTED,
) -> Structure:
    """Return `solid` as a structure; `draw` says how."""
    contours = draw(solid, planes_mm, n_points=n_points, fit=fit, holes=holes)
    return Structure(number=number, name=name, contours=contours, rt_roi_type=rt_roi_type, color_rgb=color_rgb)


def _convex_ring(solid: Convex, z_mm: float, *, n_points: int, fit: Fit) -> FloatArray:
    if isinstance(solid, Ellipsoid):
        return _ellipse_ring(solid, z_mm, n_points=n_points, fit=fit)
    corners = _corners(solid, z_mm)
    smooth = any(len(edge) == 3 for edge in solid.edges_local())
    ring = _polar_ring(solid, z_mm, corners, n_points=n_points if smooth else 0)
    if fit is Fit.AREA and smooth:
        true_mm2 = ring_area_mm2(_polar_ring(solid, z_mm, corners, n_points=_FINE_POINTS))
        middle = ring.mean(axis=0)
        ring = middle + (ring - middle) * np.sqrt(true_mm2 / ring_area_mm2(ring))
    return ring


def _ellipse_ring(solid: Ellipsoid, z_mm: float, *, n_points: int, fit: Fit) -> FloatArray:
    """Return the section ellipse as the affine image of a regular polygon, whose area has a closed form."""
    shape = solid.frame.T * np.asarray(solid.semi_axes_mm)  # columns: semi-axes; the solid is shape @ unit ball
    up = shape[2]
    reach = float(np.linalg.norm(up))
    level = (z_mm - solid.centre_mm[2]) / reach
    e3 = up / reach
    e1 = np.cross(np.eye(3)[int(np.argmin(np.abs(e3)))], e3)
    e1 /= np.linalg.norm(e1)
    radius = np.sqrt(max(0.0, 1.0 - level * level))
    if fit is Fit.AREA:
        step = 2 * np.pi / n_points
        radius *= np.sqrt(step / np.sin(step))
    angle = np.arange(n_points) * (2 * np.pi / n_points)
    circle = radius * (np.cos(angle)[:, None] * e1 + np.sin(angle)[:, None] * np.cross(e3, e1)) + level * e3
    ring = (circle @ shape.T)[:, :2] + np.asarray(solid.centre_mm)[:2]
    return np.asarray(ring if ring_area_mm2(ring) >= 0 else ring[::-1])


def _polar_ring(solid: Convex, z_mm: float, corners: FloatArray, *, n_points: int) -> FloatArray:
    """Return exits of rays from an inner point in all directions, and the corners, in order of angle."""
    inner = solid.inner_point_at(z_mm)
    points = corners
    if n_points:
        angle = np.arange(n_points) * (2 * np.pi / n_points)
        rays = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(n_points)])
        start = (inner - np.asarray(solid.centre_mm)) @ solid.frame.T
        reach = solid.exit_local(start, rays @ solid.frame.T)
        points = np.concatenate([inner[:2] + reach[:, None] * rays[:, :2], corners])
    bearing = np.arctan2(points[:, 1] - inner[1], points[:, 0] - inner[0])
    points = points[np.argsort(bearing, kind="stable")]
    gap = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)
    return np.asarray(points[gap > 1e-9])


def _corners(solid: Convex, z_mm: float) -> FloatArray:
    """Return where the plane cuts the solid's edges, (n, 2)."""
    found = [np.zeros((0, 3))]
    for edge in solid.edges_local():
        local_z = z_mm - solid.centre_mm[2]
        points = edge @ solid.frame
        cut = _cut_rim(points, local_z) if len(edge) == 3 else _cut_segment(points, local_z)
        found.append(cut + np.asarray(solid.centre_mm))
    return np.concatenate(found)[:, :2]


def _cut_segment(ends: FloatArray, z: float) -> FloatArray:
    low, high = ends[0, 2], ends[1, 2]
    if low == high or not min(low, high) <= z <= max(low, high):
        return np.zeros((0, 3))
    t = (z - low) / (high - low)
    return np.asarray(ends[:1] + t * (ends[1:] - ends[:1]))


def _cut_rim(rim: FloatArray, z: float) -> FloatArray:
    """Solve a + b cos t + c sin t = z for the heights of a circle."""
    middle, first, second = rim
    reach = float(np.hypot(first[2], second[2]))
    if reach == 0 or abs(z - middle[2]) > reach:
        return np.zeros((0, 3))
    base, half = np.arctan2(second[2], first[2]), np.arccos((z - middle[2]) / reach)
    return np.asarray([middle + np.cos(t) * first + np.sin(t) * second for t in (base - half, base + half)])


def _torus_rings(solid: Torus, z_mm: float, *, n_points: int, fit: Fit) -> tuple[Ring, ...]:
    if abs(solid.frame[2, 2]) < 1.0:
        return _traced_rings(solid, z_mm)
    half = np.sqrt(max(0.0, solid.tube_radius_mm**2 - (z_mm - solid.centre_mm[2]) ** 2))
    step = 2 * np.pi / n_points
    stretch = np.sqrt(step / np.sin(step)) if fit is Fit.AREA else 1.0
    angle = np.arange(n_points) * step
    circle = stretch * np.column_stack([np.cos(angle), np.sin(angle)])
    middle = np.asarray(solid.centre_mm)[:2]
    outer, inner = middle + (solid.ring_radius_mm + half) * circle, middle + (solid.ring_radius_mm - half) * circle
    return Ring(points_mm=outer), Ring(points_mm=inner, is_hole=True)


def _traced_rings(solid: Torus, z_mm: float) -> tuple[Ring, ...]:
    reach = solid.ring_radius_mm + solid.tube_radius_mm + 3 * _TRACE_STEP_MM
    # An irrational start keeps nodes off the planes of symmetry, where a touching outline would be ambiguous.
    nodes = np.arange(-reach - 0.1 * _TRACE_STEP_MM / np.pi, reach, _TRACE_STEP_MM)

    def in_plane(x: FloatArray, y: FloatArray) -> FloatArray:
        return solid.implicit(x, y, np.asarray(z_mm))

    rings = trace_rings(in_plane, x_mm=nodes + solid.centre_mm[0], y_mm=nodes + solid.centre_mm[1])
    return tuple(Ring(points_mm=r, is_hole=ring_area_mm2(r) < 0) for r in rings)


def _keyholes(rings: Sequence[Ring]) -> list[FloatArray]:
    """Return outer rings with their holes joined to them by channels of no width."""
    outers = [_turned(r.points_mm, anticlockwise=True) for r in rings if not r.is_hole]
    waiting = [_turned(r.points_mm, anticlockwise=False) for r in rings if r.is_hole]
    owners = [_owner(h, outers) for h in waiting]
    while waiting:
        # The shortest channel of all first: no other hole can lie across it.
        choices = [(*_nearest(outers[owners[n]], hole), n) for n, hole in enumerate(waiting)]
        _, a, b, n = min(choices)
        owner, hole = owners.pop(n), np.roll(waiting.pop(n), -b, axis=0)
        outer = np.roll(outers[owner], -a, axis=0)
        outers[owner] = np.concatenate([outer, outer[:1], hole, hole[:1]])
    return outers


def _turned(points_mm: FloatArray, *, anticlockwise: bool) -> FloatArray:
    return points_mm if (ring_area_mm2(points_mm) > 0) == anticlockwise else points_mm[::-1]


def _owner(hole: FloatArray, outers: Sequence[FloatArray]) -> int:
    """Return which outline a hole lies in: the smallest that holds its first point."""
    around = [n for n, outer in enumerate(outers) if _holds(outer, hole[0])]
    if not around:
        raise GeometryError("a hole has no outline around it.")
    return min(around, key=lambda n: abs(ring_area_mm2(outers[n])))


def _holds(ring: FloatArray, point: FloatArray) -> bool:
    """Return whether a ring holds a point, by the number of its sides that a ray along +x crosses."""
    (x1, y1), (x2, y2) = ring.T, np.roll(ring, -1, axis=0).T
    straddles = (y1 > point[1]) != (y2 > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        x_cross = x1 + (point[1] - y1) / (y2 - y1) * (x2 - x1)
    return bool(np.count_nonzero(straddles & (x_cross > point[0])) % 2)


def _nearest(outer: FloatArray, hole: FloatArray) -> tuple[float, int, int]:
    """Return distance and indices of the nearest pair of vertices."""
    apart = np.linalg.norm(outer[:, None, :] - hole[None, :, :], axis=2)
    a, b = np.unravel_index(int(np.argmin(apart)), apart.shape)
    return float(apart[a, b]), int(a), int(b)
