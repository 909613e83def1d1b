"""How much of a solid lies beyond a plane, and how far it reaches: all that a DVH in a linear dose needs.

Spheres, ellipsoids and boxes have closed forms. Cylinders, cones and tori are cut across their axis into discs and
rings, whose part beyond a line has a closed form; the remaining integral along the axis is done by Gauss-Legendre
between the points where the line enters and leaves, to about 1e-12 of the volume; boxes are good to 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise

import numpy as np

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.phantoms.shapes import Hollow, Islands, Solid
from dvhkit.phantoms.solids import Box, Cone, Convex, Cylinder, Ellipsoid, Torus, Vector

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
# A direction cosine below this counts as level with an axis: 1e-9 of a solid's size is below rounding of its volume.
_LEVEL = 1e-9
# A side of a box that reaches less far along the normal than this part of the longest is averaged over, not divided by:
# both ways are then good to 1e-8.
_STEEP = 1e-4
_FEW_NODES, _FEW_WEIGHTS = np.polynomial.legendre.leggauss(8)


def volume_beyond_cc(solid: Solid, direction: Vector, level_mm: float) -> float:
    """Return the volume of the points p of `solid` with p · direction >= level; `direction` is made a unit vector."""
    n = _unit(direction)
    if isinstance(solid, Hollow):
        return volume_beyond_cc(solid.outer, direction, level_mm) - volume_beyond_cc(solid.inner, direction, level_mm)
    if isinstance(solid, Islands):
        return sum(volume_beyond_cc(p, direction, level_mm) for p in solid.parts)
    level = level_mm - float(n @ np.asarray(solid.centre_mm))
    local = solid.frame @ n
    if isinstance(solid, Ellipsoid):
        return solid.volume_cc * _ball_fraction(level / float(np.linalg.norm(np.asarray(solid.semi_axes_mm) * local)))
    if isinstance(solid, Box):
        return solid.volume_cc * (1.0 - _box_fraction_below(np.abs(local) * np.asarray(solid.size_mm), level))
    if isinstance(solid, Cylinder | Cone | Torus):
        return _revolved_mm3(solid, local, level) / 1000
    raise GeometryError(f"no closed form for a {type(solid).__name__}.")


def extent_mm(solid: Solid, direction: Vector) -> tuple[float, float]:
    """Return the least and greatest p · direction over the solid."""
    n = _unit(direction)
    if isinstance(solid, Hollow):
        return extent_mm(solid.outer, direction)
    if isinstance(solid, Islands):
        parts = [extent_mm(p, direction) for p in solid.parts]
        return min(p[0] for p in parts), max(p[1] for p in parts)
    middle = float(n @ np.asarray(solid.centre_mm))
    local = solid.frame @ n
    if isinstance(solid, Torus):
        reach = solid.ring_radius_mm * float(np.hypot(local[0], local[1])) + solid.tube_radius_mm
        return middle - reach, middle + reach
    return middle + float(solid.lowest_local(local) @ local), middle + float(solid.lowest_local(-local) @ local)


def centroid_mm(solid: Solid) -> FloatArray:
    """Return the centre of mass."""
    if isinstance(solid, Hollow):
        moments = [(solid.outer.volume_cc, solid.outer), (-solid.inner.volume_cc, solid.inner)]
    elif isinstance(solid, Islands):
        moments = [(p.volume_cc, p) for p in solid.parts]
    else:
        inner = solid.inner_local if isinstance(solid, Convex) else np.zeros(3)
        return np.asarray(np.asarray(solid.centre_mm) + inner @ solid.frame)
    total = sum(cc for cc, _ in moments)
    return np.asarray(sum((cc / total * centroid_mm(part) for cc, part in moments), start=np.zeros(3)))


def disc_beyond_mm2(radius: FloatArray, distance: FloatArray) -> FloatArray:
    """Return the area of discs beyond a line at a signed distance from their centres."""
    radius = np.maximum(radius, 0.0)
    d = np.clip(distance, -radius, radius)
    with np.errstate(invalid="ignore", divide="ignore"):
        angle = np.where(radius > 0, np.arccos(np.where(radius > 0, d / radius, 1.0)), 0.0)
    return np.asarray(radius**2 * angle - d * np.sqrt(np.maximum(radius**2 - d**2, 0.0)))


def _unit(direction: Vector) -> FloatArray:
    n = np.asarray(direction, dtype=np.float64)
    length = float(np.linalg.norm(n))
    if not np.isfinite(length) or length == 0:
        raise GeometryError(f"a direction needs a length, not {direction}.")
    return np.asarray(n / length)


def _ball_fraction(t: float) -> float:
    """Return the part of the unit ball beyond a plane at signed distance t: a spherical cap."""
    t = float(np.clip(t, -1.0, 1.0))
    return (1 - t) ** 2 * (2 + t) / 4


def _box_fraction_below(reach: FloatArray, level: float) -> float:
    """Return the part of a box below a plane; `reach` holds the extent of each side along the normal.

    Inclusion and exclusion over the corners divides by the product of the extents, so sides that are nearly level with
    the plane would cost all digits: over those the result is averaged instead.
    """
    shifts = np.zeros(1)
    for side in reach[reach < _STEEP * reach.max()]:
        shifts = np.add.outer(shifts, side / 2 * _FEW_NODES).ravel()
    weights = np.ones(1)
    while len(weights) < len(shifts):
        weights = np.multiply.outer(weights, _FEW_WEIGHTS / 2).ravel()
    steep = [float(side) for side in reach if side >= _STEEP * reach.max()]
    return float(sum(w * _steep_box_fraction_below(steep, level + s) for w, s in zip(weights, shifts, strict=True)))


def _steep_box_fraction_below(sides: list[float], level: float) -> float:
    height = level + sum(sides) / 2
    if height <= 0:
        return 0.0
    if height >= sum(sides):
        return 1.0
    total = 0.0
    for count in range(len(sides) + 1):
        for corner in combinations(sides, count):
            total += (-1) ** count * max(height - sum(corner), 0.0) ** len(sides)
    return total / (float(np.prod(sides)) * float(np.prod(np.arange(1, len(sides) + 1))))


Profile = Callable[[FloatArray], FloatArray]


def _revolved_mm3(solid: Cylinder | Cone | Torus, local: FloatArray, level: float) -> float:
    """Integrate what lies beyond the plane over discs across the axis; `local` is the normal in the local frame."""
    along, across = float(local[2]), float(np.hypot(local[0], local[1]))
    half, outer, inner = _profile(solid)
    if across < _LEVEL:
        cut = [float(np.clip(level / along, -half, half))]
        upper = along > 0

        def area(t: FloatArray) -> FloatArray:
            beyond = (t >= cut[0]) == upper
            return np.asarray(np.where(beyond, np.pi * (outer(t) ** 2 - inner(t) ** 2), 0.0))

        return _integrate(area, -half, half, cut)

    def area_beyond(t: FloatArray) -> FloatArray:
        distance = (level - t * along) / across
        return disc_beyond_mm2(outer(t), distance) - disc_beyond_mm2(inner(t), distance)

    return _integrate(area_beyond, -half, half, _touching(solid, level / across, along / across, half))


def _profile(solid: Cylinder | Cone | Torus) -> tuple[float, Profile, Profile]:
    """Return half the height, and outer and inner radius by height above the centre."""
    if isinstance(solid, Cylinder):
        radius = solid.radius_mm
        return solid.length_mm / 2, lambda t: np.full_like(t, radius), np.zeros_like
    if isinstance(solid, Cone):
        half, slope = solid.height_mm / 2, solid.radius_mm / solid.height_mm
        return half, lambda t: slope * (half - t), np.zeros_like
    ring, tube = solid.ring_radius_mm, solid.tube_radius_mm

    def width(t: FloatArray) -> FloatArray:
        return np.sqrt(np.maximum(tube**2 - t**2, 0.0))

    return tube, lambda t: ring + width(t), lambda t: ring - width(t)


def _touching(solid: Cylinder | Cone | Torus, start: float, slope: float, half: float) -> list[float]:
    """Return the heights where the line at distance start - slope t touches a rim of its disc or ring."""
    if isinstance(solid, Torus):
        # (± distance - ring)² + t² = tube²
        found: list[float] = []
        for sign in (-1.0, 1.0):
            a, b = 1 + slope**2, -2 * sign * slope * (sign * start - solid.ring_radius_mm)
            c = (sign * start - solid.ring_radius_mm) ** 2 - solid.tube_radius_mm**2
            if b * b >= 4 * a * c:
                found += [float((-b + s * np.sqrt(b * b - 4 * a * c)) / (2 * a)) for s in (-1, 1)]
        return found
    taper = 0.0 if isinstance(solid, Cylinder) else solid.radius_mm / solid.height_mm
    at_centre = solid.radius_mm if isinstance(solid, Cylinder) else taper * half
    # start - slope t = ± (at_centre - taper t)
    pairs = [(start - at_centre, slope - taper), (start + at_centre, slope + taper)]
    return [top / bottom for top, bottom in pairs if abs(bottom) > _LEVEL]


def _integrate(f: Profile, low: float, high: float, breaks: Sequence[float]) -> float:
    """Integrate f, smooth between breaks but perhaps like a root at them."""
    knots = [low, *sorted(b for b in breaks if low < b < high), high]
    total = 0.0
    for a, b in pairwise(knots):
        # t = sin u flattens root-like ends.
        u = _NODES * np.pi / 2
        t = (a + b) / 2 + (b - a) / 2 * np.sin(u)
        total += float(np.dot(f(t) * np.cos(u), _WEIGHTS)) * (b - a) / 2 * np.pi / 2
    return total
