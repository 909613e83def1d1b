"""Margins against closed forms: how far the drawn points lie from the true surface, and section areas.

The true surface of a convex solid grown by six margins is given by its support function: the solid's plus that of the
margin's body, h(u) = sqrt(sum (m_i u_i)^2) with the margin m_i of the side that u_i looks to. A point's signed distance
is the greatest of p.u - h(u) over all unit vectors u. Shrunk by margins a ball is the set of points whose whole margin
lies inside: the same with the margin's support subtracted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from dvhkit.model.structure import Structure
from dvhkit.phantoms.shapes import ring_area_mm2, structure
from dvhkit.phantoms.solids import Box, Cylinder, Ellipsoid, sphere
from dvhkit.targets.derive.margin import Margins, grow, shrink

Support = Callable[[np.ndarray], np.ndarray]
Area = Callable[[float], float]
GAPS_MM, PHASES = (1.0, 2.0, 3.0), (0.0, 0.35)
SIX = Margins(left_mm=5, right_mm=7, anterior_mm=6, posterior_mm=8, superior_mm=9, inferior_mm=10)
_POINTS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A solid, what was done to it, and what it should be; `on_faces` where its flat ends must lie between slices."""

    name: str
    solid: object
    support: Support
    margins: Margins
    shrunk: bool = False
    area_mm2: Area | None = None
    on_faces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a case came to: distances of points and edge middles from the true surface, mm, and areas in percent."""

    name: str
    gap_mm: float
    off_mm: np.ndarray
    area_off_pct: float | None


def margin_support(margins: Margins, u: np.ndarray) -> np.ndarray:
    # LPS: x grows to the left, y to posterior, z to the head.
    up = np.array([margins.left_mm, margins.posterior_mm, margins.superior_mm])
    down = np.array([margins.right_mm, margins.anterior_mm, margins.inferior_mm])
    return np.linalg.norm(np.where(u > 0, up, down) * u, axis=-1)


def signed_mm(points: np.ndarray, support: Support) -> np.ndarray:
    """Return the greatest p.u - h(u): coarse over the whole sphere, then ever closer around the best direction."""
    i = np.arange(4000) + 0.5
    polar, turn = np.arccos(1 - 2 * i / 4000), np.pi * (1 + 5**0.5) * i
    u = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1)
    best = u[np.argmax(points @ u.T - support(u), axis=1)]
    steps = np.array(list(product((-1.0, 0.0, 1.0), repeat=3)))
    for size in 0.05 * 0.6 ** np.arange(22):
        near = best[:, None] + size * steps
        near /= np.linalg.norm(near, axis=-1, keepdims=True)
        value = np.einsum("ijk,ik->ij", near, points) - support(near)
        best = near[np.arange(len(points)), np.argmax(value, axis=1)]
    return np.einsum("ij,ij->i", best, points) - support(best)


def box_area(size: tuple[float, float, float], m: Margins) -> Area:
    """Return the section's area of a grown box: a rectangle, four strips and four quarters of ellipses."""

    def area(z: float) -> float:
        beyond = abs(z) - size[2] / 2
        share = beyond / (m.superior_mm if z > 0 else m.inferior_mm) if beyond > 0 else 0.0
        s = np.sqrt(max(0.0, 1 - share**2)) if share < 1 else -1.0
        if s < 0:
            return 0.0
        wide, deep = s * (m.left_mm + m.right_mm), s * (m.anterior_mm + m.posterior_mm)
        return float(size[0] * size[1] + size[0] * deep + size[1] * wide + np.pi / 4 * wide * deep)

    return area


def ball_area(radius_mm: float) -> Area:
    return lambda z: float(np.pi * max(0.0, radius_mm**2 - z**2))


def cases() -> list[Case]:
    def ball(r: float) -> Support:
        return lambda u: np.full(u.shape[:-1], r)

    def ellipsoid(axes: tuple[float, float, float]) -> Support:
        return lambda u: np.linalg.norm(u * axes, axis=-1)

    def box(size: tuple[float, float, float]) -> Support:
        return lambda u: np.abs(u * (np.array(size) / 2)).sum(axis=-1)

    def cylinder(r: float, length: float, axis: int) -> Support:
        across = [a for a in range(3) if a != axis]
        return lambda u: r * np.hypot(u[..., across[0]], u[..., across[1]]) + length / 2 * np.abs(u[..., axis])

    found = []
    for r, m in ((3, 2), (5, 5), (10, 5), (20, 3), (30, 10)):
        found.append(Case(name=f"ball {r} mm + {m} mm", solid=sphere((0, 0, 0), r), support=ball(r),
                          margins=Margins.isotropic(m), area_mm2=ball_area(r + m)))  # fmt: skip
    for r, m in ((10, 3), (20, 8), (30, 5)):
        found.append(Case(name=f"ball {r} mm - {m} mm", solid=sphere((0, 0, 0), r), support=ball(r), shrunk=True,
                          margins=Margins.isotropic(m), area_mm2=ball_area(r - m)))  # fmt: skip
    for m, name in ((Margins.isotropic(5), "5 mm"), (SIX, "six margins")):
        size = (17.0, 23.0, 24.0)
        found.append(Case(name=f"box + {name}", solid=Box(size_mm=size), support=box(size), margins=m,
                          area_mm2=box_area(size, m), on_faces=True))  # fmt: skip
        found.append(Case(name=f"upright cylinder + {name}", solid=Cylinder(radius_mm=8, length_mm=24),
                          support=cylinder(8, 24, 2), margins=m, on_faces=True))  # fmt: skip
    found += [
        Case(name="ball 10 mm + six margins", solid=sphere((0, 0, 0), 10), support=ball(10), margins=SIX),
        Case(name="ball 20 mm - six margins", solid=sphere((0, 0, 0), 20), support=ball(20), margins=SIX, shrunk=True),
        Case(name="ellipsoid 9 x 14 x 11 mm + six margins", solid=Ellipsoid(semi_axes_mm=(9, 14, 11)),
             support=ellipsoid((9, 14, 11)), margins=SIX),
        Case(name="lying cylinder + 5 mm", solid=Cylinder(radius_mm=8, length_mm=24, axis=(1, 0, 0)),
             support=cylinder(8, 24, 0), margins=Margins.isotropic(5)),
    ]  # fmt: skip
    return found


def measure(case: Case, gap_mm: float, phase: float) -> Row | None:
    """Return what a case came to; None where a single slice meets the solid, which says nothing of its thickness."""
    planes = (np.arange(-60, 61) + (0.5 if case.on_faces else phase)) * gap_mm
    drawn = structure("Solid", 1, case.solid, planes)
    if len(drawn.contours) < 2:
        return None
    made = (shrink if case.shrunk else grow)(drawn, case.margins).structure
    points = np.concatenate([_with_middles(c.points_mm) for c in made.contours])
    points = points[:: max(1, len(points) // _POINTS)]
    sign = -1.0 if case.shrunk else 1.0
    off = signed_mm(points, lambda u: case.support(u) + sign * margin_support(case.margins, u))
    return Row(name=case.name, gap_mm=gap_mm, off_mm=off, area_off_pct=_area_off_pct(case, made, planes))


def _with_middles(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, (points + np.roll(points, -1, axis=0)) / 2])


def _area_off_pct(case: Case, made: Structure, planes: np.ndarray) -> float | None:
    if case.area_mm2 is None:
        return None
    areas = sum(ring_area_mm2(c.points_mm[:, :2]) for c in made.contours)
    return float(100 * (areas / sum(map(case.area_mm2, planes)) - 1))


def rows() -> list[Row]:
    """Return all cases at all slice distances and phases."""
    found = [
        measure(case, gap, phase)
        for case in cases()
        for gap in GAPS_MM
        for phase in (PHASES if not case.on_faces else PHASES[:1])
    ]
    return [row for row in found if row is not None]
