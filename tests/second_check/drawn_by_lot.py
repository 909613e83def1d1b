"""Cases drawn by lot: shapes, slices, doses, grids and bins, each with one planted convention or error.

The other calculator samples; every slice of its structure is a polygon of shapely.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely import affinity

from dvhkit.model.case import Case
from dvhkit.model.dose import Dose
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure, StructureSet

from . import planted

CONVENTIONS = (
    "no cap", "centres-only dose", "coarse bins", "interpolated curve", "shifted grid", "scaled dose", "edited contour",
)  # fmt: skip
ERRORS = ("another version", "another volume", "another dose")


@dataclass(frozen=True, kw_only=True)
class Solid:
    """Sections by height, all `slice_mm` apart."""

    heights: np.ndarray
    sections: list
    slice_mm: float

    def structure(self) -> Structure:
        rings = [
            np.column_stack([np.array(ring.coords)[:-1], np.full(len(ring.coords) - 1, z)])
            for z, section in zip(self.heights, self.sections, strict=True)
            for part in getattr(section, "geoms", [section])
            for ring in (part.exterior, *part.interiors)
        ]
        contours = tuple(Contour(points_mm=ring) for ring in rings)
        return Structure(number=3, name="Target", contours=contours, frame_of_reference_uid="1.2.4")

    def samples(self, lot: np.random.Generator, cap: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
        """Points of upright slabs and the cc of each."""
        step = max(0.25, (sum(s.area for s in self.sections) * 6 / 120_000) ** 0.5)
        points, part = [], []
        for k, (z, section) in enumerate(zip(self.heights, self.sections, strict=True)):
            if section.is_empty:
                continue
            low, high = (self.slice_mm * (cap if k == end else 0.5) for end in (0, len(self.heights) - 1))
            x0, y0, x1, y1 = section.bounds
            x, y = np.meshgrid(np.arange(x0 + step * lot.random(), x1, step), np.arange(y0 + step / 3, y1, step))
            inside = shapely.contains_xy(section, x, y)
            for level in z - low + (np.arange(6) + 0.5) / 6 * (low + high):
                points.append(np.column_stack([x[inside], y[inside], np.full(inside.sum(), level)]))
                part.append(np.full(inside.sum(), section.area * (low + high) / 6000 / max(1, inside.sum())))
        return np.concatenate(points), np.concatenate(part)


def solid(lot: np.random.Generator) -> Solid:
    """A barrel, two lobes, a shell or a star."""
    slice_mm, n = lot.choice([1.5, 2.0, 3.0, 5.0]), int(lot.integers(9, 18))
    z = slice_mm * (np.arange(n) - n / 2) + lot.uniform(-3, 3)
    r, kind = lot.uniform(11, 22), lot.integers(4)
    bulge = r * (0.75 + 0.35 * np.sin(np.pi * (np.arange(n) + 1) / (n + 1)))
    disc = shapely.Point(0, 0).buffer(1.0, quad_segs=24)
    angle = np.arange(120) * 2 * np.pi / 120
    star = shapely.Polygon(np.column_stack([np.cos(angle), np.sin(angle)]) * (1 + 0.2 * np.cos(3 * angle))[:, None])
    make: list[Callable[[float], shapely.Geometry]] = [
        lambda b: affinity.scale(disc, b, 0.8 * b),
        lambda b: shapely.union_all([affinity.translate(affinity.scale(disc, b / 2, b), dx, 3) for dx in (-b, b)]),
        lambda b: affinity.scale(disc, b, b).difference(affinity.scale(disc, 0.6 * b, 0.55 * b)),
        lambda b: affinity.scale(star, b, b, origin=(0, 0)),
    ]
    return Solid(heights=z, sections=[make[kind](b) for b in bulge], slice_mm=float(slice_mm))


def dose_field(lot: np.random.Generator) -> Callable[..., np.ndarray]:
    """Two hills and a slope, in Gy of (x, y, z) mm."""
    hills = [(lot.uniform(15, 40), lot.uniform(-18, 18, 3), lot.uniform(16, 38, 3)) for _ in range(2)]
    slope = lot.uniform(-0.15, 0.15, 3)

    def gy(x, y, z):
        found = 10.0 + slope[0] * x + slope[1] * y + slope[2] * z
        for top, (a, b, c), (u, v, w) in hills:
            found = found + top * np.exp(-(((x - a) / u) ** 2) - ((y - b) / v) ** 2 - ((z - c) / w) ** 2)
        return np.maximum(found, 0.0)

    return gy


def dose_of(gy: Callable[..., np.ndarray], spacing: np.ndarray) -> Dose:
    """The dose on a grid of its own spacings."""
    n = np.ceil(140 / spacing).astype(int)
    origin = np.array([-70.3, -69.1, -70.7])
    x, y, z = (origin[a] + spacing[a] * np.arange(n[a]) for a in range(3))
    grid = Grid(
        origin_mm=origin,
        axes=np.eye(3),
        spacing_mm=spacing[:2],
        offsets_mm=spacing[2] * np.arange(n[2]),
        n_rows=int(n[1]),
        n_columns=int(n[0]),
    )
    values = gy(x[None, None, :], y[None, :, None], z[:, None, None])
    return replace(planted.dose(), grid=grid, values_gy=values)


def case_of(kind: str, lot: np.random.Generator) -> Case:
    """A case whose stored curve is that of another calculator, with `kind` planted."""
    mine, gy, spacing = solid(lot), dose_field(lot), lot.choice([2.0, 2.5, 3.0], 3)
    dose = dose_of(gy, spacing)
    theirs, their_dose, cap = mine, dose, 0.5
    if kind == "no cap":
        cap = 0.0
    elif kind == "shifted grid":
        shift = spacing * lot.choice([-0.5, 0.5], 3)
        their_dose = dose_of(lambda x, y, z: gy(x - shift[0], y - shift[1], z - shift[2]), spacing)
    elif kind == "scaled dose":
        their_dose = replace(dose, values_gy=dose.values_gy * lot.choice([0.9, 0.95, 1.05, 1.1, 1.25]))
    elif kind == "edited contour":
        theirs = replace(mine, sections=_edited(mine.sections, lot))
    elif kind == "another version":
        grown = lot.choice([-3.0, 3.0, 4.0])
        theirs = replace(mine, sections=[s.buffer(grown) for s in mine.sections])
    elif kind == "another dose":
        z0, top = float(np.median(mine.heights)), float(dose.values_gy.max())
        x0, y0 = np.array(mine.sections[len(mine.sections) // 2].representative_point().coords[0])
        their_dose = dose_of(
            lambda x, y, z: gy(x, y, z) + 0.5 * top * np.exp(-((x - x0) ** 2 + (y - y0) ** 2 + (z - z0) ** 2) / 140),
            spacing,
        )
    points, part = theirs.samples(lot, cap)
    values = planted.sampled(their_dose, points)
    if kind == "another volume":
        part = part * lot.choice([0.92, 1.08])
    if kind == "centres-only dose":
        values, part = _centres(mine, dose, spacing)
    bin_gy = 1.5 if kind == "coarse bins" else 0.05
    curve = planted.curve(values, part, bin_gy=bin_gy)
    if kind == "interpolated curve":
        knots = np.linspace(0.0, curve.dose_gy[-1], int(lot.integers(7, 13)))
        known = np.interp(knots, curve.dose_gy, curve.volume_cc)
        curve = planted.stored(curve.dose_gy, np.interp(curve.dose_gy, knots, known))
    structures = StructureSet(structures=(mine.structure(),))
    return Case(label="lot", structures=structures, dose=replace(dose, stored_dvhs=(curve,)))


def _edited(sections: list, lot: np.random.Generator) -> list:
    k, how = int(lot.integers(1, len(sections) - 1)), lot.integers(3)
    old = sections[k]
    width = old.area**0.5
    new = [old.buffer(6.0), affinity.translate(old, 0.45 * width, 0.1 * width), affinity.scale(old, 1.45, 1.45)][how]
    return [*sections[:k], new, *sections[k + 1 :]]


def _centres(mine: Solid, dose: Dose, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grid = dose.grid
    x, y = np.meshgrid(
        grid.origin_mm[0] + spacing[0] * np.arange(grid.n_columns),
        grid.origin_mm[1] + spacing[1] * np.arange(grid.n_rows),
    )
    found = []
    for plane, z in enumerate(grid.origin_mm[2] + grid.offsets_mm):
        k = int(np.abs(mine.heights - z).argmin())
        if abs(mine.heights[k] - z) <= mine.slice_mm / 2:
            found.append(dose.values_gy[plane][shapely.contains_xy(mine.sections[k], x, y)])
    values = np.concatenate(found)
    return values, np.full(values.size, float(np.prod(spacing)) / 1000)
