"""Solids with known truth, drawn as contours, and doses with known formulas: what `validate.py` measures against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage
from scipy.stats import qmc

from dvhkit.engine.dvh import compute_dvh
from dvhkit.errors import NotEvaluable
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.dvh import PEAKS, Dvh
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure

R, H = 12.0, 24.0
CENTRE = np.array([0.37, -0.81, 0.23])
IDEAL = ("sphere", "cylinder z", "cylinder x", "cylinder y", "cone z", "cone x", "cone y")
FIELDS: dict[str, Callable[..., np.ndarray]] = {
    "linear S-I": lambda x, y, z: 16 + z + 0 * (x + y),
    "linear A-P": lambda x, y, z: 16 + y + 0 * (x + z),
    "diagonal": lambda x, y, z: 30 + (x + y + z) / np.sqrt(3),
    "Gaussian": lambda x, y, z: 40 * np.exp(-(x**2 + y**2 + z**2) / (2 * 15.0**2)),
}
ALL_FIELDS = FIELDS | {"sigmoid": lambda x, y, z: 5 + 45 / (1 + np.exp(-(0.6 * x + 0.5 * y + 0.62 * z) / 4))}


def rounded(points: np.ndarray) -> np.ndarray:
    """Coordinates as a file holds them."""
    return np.round(points, 4)


def structure(rings: list[tuple[float, np.ndarray]], name: str = "S") -> Structure:
    contours = [Contour(points_mm=rounded(np.column_stack([ring, np.full(len(ring), z)]))) for z, ring in rings]
    return Structure(number=1, name=name, contours=tuple(contours))


def circle(radius: float, centre: tuple[float, float] | np.ndarray = (0.0, 0.0), n: int = 180) -> np.ndarray:
    """Regular polygon of the circle's area."""
    corner = radius * np.sqrt(2 * np.pi / n / np.sin(2 * np.pi / n))
    angle = 2 * np.pi * np.arange(n) / n
    return np.column_stack([centre[0] + corner * np.cos(angle), centre[1] + corner * np.sin(angle)])


def rectangle(x: float, y: float) -> np.ndarray:
    return np.array([[-x, -y], [x, -y], [x, y], [-x, y]])


def slices(gap: float, phase: float, reach: float) -> np.ndarray:
    """Slice heights, relative to the solid's centre, that lie within `reach` of it."""
    z = (np.arange(-200, 201) + phase) * gap
    return z[np.abs(z) < reach - 1e-6]


def ideal(name: str, gap: float, phase: float) -> Structure:
    """One of the 24 mm solids, on slices `gap` apart."""
    z = slices(gap, phase, R)
    rings = [(float(h), _section(name, h)) for h in z]
    return structure([(h + CENTRE[2], ring + CENTRE[:2]) for h, ring in rings if ring is not None])


def _section(name: str, h: float) -> np.ndarray | None:
    chord = np.sqrt(R**2 - h**2)
    match name:
        case "sphere":
            return circle(chord)
        case "cylinder z":
            return circle(R)
        case "cylinder x":
            return rectangle(H / 2, chord)
        case "cylinder y":
            return rectangle(chord, H / 2)
        case "cone z":
            return circle(R * (H / 2 - h) / H)
        case "cone x":
            return _hyperbola(h)
        case "cone y":
            return _hyperbola(h)[:, ::-1]
    raise ValueError(name)


def _hyperbola(h: float) -> np.ndarray:
    tip = H / 2 - abs(h) * H / R
    x = -H / 2 + (tip + H / 2) * np.sin(np.linspace(0, np.pi / 2, 120))
    y = np.sqrt(np.clip((R * (H / 2 - x) / H) ** 2 - h**2, 0, None))
    return np.vstack([np.column_stack([x, y]), np.column_stack([x[::-1], -y[::-1]])[1:]])


@cache
def cloud(name: str) -> np.ndarray:
    """Points spread evenly over an ideal solid (Sobol sequence), relative to its centre."""
    x, y, z = (p := qmc.Sobol(3, seed=3).random(1 << 20) * H - H / 2).T
    inside = {
        "sphere": lambda: x**2 + y**2 + z**2 < R**2,
        "cylinder z": lambda: x**2 + y**2 < R**2,
        "cylinder x": lambda: y**2 + z**2 < R**2,
        "cylinder y": lambda: x**2 + z**2 < R**2,
        "cone z": lambda: x**2 + y**2 < (R * (H / 2 - z) / H) ** 2,
        "cone x": lambda: y**2 + z**2 < (R * (H / 2 - x) / H) ** 2,
        "cone y": lambda: x**2 + z**2 < (R * (H / 2 - y) / H) ** 2,
    }[name]()
    return p[inside]


def ideal_cc(name: str) -> float:
    return {"s": 4 / 3 * R**3, "cy": R**2 * H, "co": R**2 * H / 3}[name[: 1 if name[0] == "s" else 2]] * np.pi / 1000


def dose(formula: Callable[..., np.ndarray], spacing: float, half: float = 32.0) -> Dose:
    """Return the dose at voxel centres around the solids' centre, on a grid of another phase."""
    n = int(2 * half / spacing) + 2
    axis = -half - 0.3 + spacing * np.arange(n)
    z, y, x = np.meshgrid(axis - CENTRE[2], axis - CENTRE[1], axis - CENTRE[0], indexing="ij")
    grid = Grid(
        origin_mm=np.full(3, axis[0]),
        axes=np.eye(3),
        spacing_mm=np.full(2, spacing),
        offsets_mm=spacing * np.arange(n),
        n_rows=n,
        n_columns=n,
    )
    return Dose(
        grid=grid,
        values_gy=formula(x, y, z),
        quantum_gy=1e-6,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2.3",
        frame_of_reference_uid="",
    )


METRICS: dict[str, Callable[[Dvh], float | None]] = {
    "Volume": lambda d: d.volume_cc,
    "Mean": lambda d: d.mean_gy,
    "Min": lambda d: d.min_gy,
    "Max": lambda d: d.max_gy,
    "D99%": lambda d: d.dose_to_hottest_gy(0.99 * d.volume_cc),
    "D95%": lambda d: d.dose_to_hottest_gy(0.95 * d.volume_cc),
    "D50%": lambda d: d.dose_to_hottest_gy(0.50 * d.volume_cc),
    "D5%": lambda d: d.dose_to_hottest_gy(0.05 * d.volume_cc),
    "D1%": lambda d: d.dose_to_hottest_gy(0.01 * d.volume_cc),
    "D0.03cc": lambda d: d.dose_to_hottest_gy(0.03),
}


def truth(name: str, formula: Callable[..., np.ndarray]) -> dict[str, float]:
    """Return the metrics of an ideal solid in an ideal dose."""
    return _of_values(np.sort(formula(*cloud(name).T)), ideal_cc(name))


def _of_values(values: np.ndarray, volume: float) -> dict[str, float]:
    def hottest(part: float) -> float:
        return float(np.quantile(values, 1 - part))

    return {
        "Volume": volume,
        "Mean": float(values.mean()),
        "D99%": hottest(0.99),
        "D95%": hottest(0.95),
        "D50%": hottest(0.5),
        "D5%": hottest(0.05),
        "D1%": hottest(0.01),
        "D0.03cc": hottest(0.03 / volume),
    }


def band(dvh: Dvh, metric: str) -> tuple[float, float]:
    """Least and greatest value of a metric over a DVH and its variants, widened by the engine's own error."""
    values, in_dose = [], []
    for each in (dvh, *dvh.variants):
        try:
            (in_dose if each.reading == PEAKS else values).append(METRICS[metric](each))
        except NotEvaluable:
            continue
    # What another dose changes comes on top of what other readings of the contours change.
    changes = [0.0, *(value - values[0] for value in in_dose)]
    values = [min(values) + min(changes), max(values) + max(changes)]
    bounds = {"Min": dvh.min_bounds_gy, "Max": dvh.max_bounds_gy}.get(metric)
    if bounds is not None:
        error = dvh.dose_error_gy
        return min(values[0] - error, bounds[0]), max(values[1] + error, bounds[1])
    error = dvh.volume_error_cc if metric == "Volume" else dvh.error_gy(_part_cc(metric, dvh))
    return min(values) - error, max(values) + error


def _part_cc(metric: str, dvh: Dvh) -> float:
    """Return the part of the structure whose border in dose the metric asks for; half of it for all others."""
    share = {"D99%": 0.99, "D95%": 0.95, "D5%": 0.05, "D1%": 0.01}.get(metric, 0.5)
    return 0.03 if metric == "D0.03cc" else share * dvh.covered_cc


def holds(low: float, value: float, high: float) -> bool:
    """Whether a truth lies in a band, to the 0.0001 mm that coordinates are rounded to."""
    return low - 1e-5 * abs(value) <= value <= high + 1e-5 * abs(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """A solid that no planning system is usually tested with: how it is drawn, and its volume."""

    name: str
    rings: list[tuple[float, np.ndarray]]
    volume_cc: float
    inside: Callable[..., np.ndarray]


def specials(gap: float, phase: float) -> list[Special]:
    z = slices(gap, phase, R)
    c = CENTRE[:2]
    a = np.array([14.0, 9.0])
    ellipse = [(h, circle(1.0) * a * np.sqrt(1 - (h / R) ** 2)) for h in z]
    w = np.sqrt(36 - np.minimum(np.abs(slices(gap, phase, 6.0)), 6) ** 2)
    torus = [(h, circle(15 + s * b)) for h, b in zip(slices(gap, phase, 6.0), w, strict=True) for s in (-1, 1)]
    shell = [(h, circle(np.sqrt(R**2 - h**2))) for h in z]
    shell += [(h, circle(np.sqrt((R - 1) ** 2 - h**2))) for h in slices(gap, phase, R - 1)]
    islands = [(h, circle(np.sqrt(36 - h**2), (s * 9, 0))) for h in slices(gap, phase, 6.0) for s in (-1, 1)]
    outer, hole = rectangle(10, 8), rectangle(4, 3)
    key = np.vstack([outer, outer[:1], hole[[0, 3, 2, 1]], hole[:1]])
    box = slices(gap, 0.5, R)
    slanting = [(h, circle(8, (0.8 * h, -0.4 * h))) for h in box]
    cone = [(h, circle(R * (H / 2 - h) / H)) for h in z]

    def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x**2 + y**2

    def cone_inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return disc(x, y) < (R * (H / 2 - z) / H) ** 2

    def tall(z: np.ndarray) -> np.ndarray:
        return np.abs(z) < H / 2

    pi = np.pi
    all_solids = [
        ("oblique cylinder", slanting, pi * 64 * H, lambda x, y, z: tall(z) & (disc(x - 0.8 * z, y + 0.4 * z) < 64)),
        ("ellipsoid 14 x 9 x 12", ellipse, 4 / 3 * pi * 14 * 9 * R,
         lambda x, y, z: disc(x / 14, y / 9) + (z / R) ** 2 < 1),
        ("torus 15 / 6", torus, 2 * pi**2 * 15 * 36, lambda x, y, z: disc(np.sqrt(disc(x, y)) - 15, z) < 36),
        ("shell of 1 mm", shell, 4 / 3 * pi * (R**3 - (R - 1) ** 3),
         lambda x, y, z: (disc(x, y) + z**2 < R**2) & (disc(x, y) + z**2 > (R - 1) ** 2)),
        ("two balls of 6 mm", islands, 2 * 4 / 3 * pi * 216, lambda x, y, z: disc(np.abs(x) - 9, y) + z**2 < 36),
        ("keyhole", [(h, key) for h in box], (320 - 48) * H,
         lambda x, y, z: tall(z) & (np.abs(x) < 10) & (np.abs(y) < 8) & ~((np.abs(x) < 4) & (np.abs(y) < 3))),
        ("cone, tip between slices", cone, 1e3 * ideal_cc("cone z"), lambda x, y, z: tall(z) & cone_inside(x, y, z)),
    ]  # fmt: skip
    return [
        Special(name=name, rings=[(h + CENTRE[2], ring + c) for h, ring in rings], volume_cc=mm3 / 1000, inside=inside)
        for name, rings, mm3, inside in all_solids
    ]


@cache
def _box() -> np.ndarray:
    return (qmc.Sobol(3, seed=7).random(1 << 20) * 2 - 1) * [22.0, 22.0, R]


_SPECIAL_POINTS: dict[str, np.ndarray] = {}


def special_truth(solid: Special, formula: Callable[..., np.ndarray]) -> dict[str, float]:
    """Return the metrics of a special solid in an ideal dose."""
    if solid.name not in _SPECIAL_POINTS:
        _SPECIAL_POINTS[solid.name] = _box()[solid.inside(*_box().T)]
    return _of_values(np.sort(formula(*_SPECIAL_POINTS[solid.name].T)), solid.volume_cc)


def extremes(name: str, formula: Callable[..., np.ndarray]) -> dict[str, float]:
    """Return least and greatest dose of an ideal solid, from points all over its surface and inside."""
    turn, along = np.meshgrid(np.linspace(0, 2 * np.pi, 1441), np.linspace(-1, 1, 481))
    match name[:2]:
        case "sp":
            across, axial = R * np.sqrt(1 - along**2), R * along
        case "cy":
            across, axial = R + 0 * along, H / 2 * along
        case _:
            across, axial = R * (1 - along) / 2, H / 2 * along
    ring = [across * np.cos(turn), across * np.sin(turn)]
    x, y, z = {"x": (axial, *ring), "y": (ring[0], axial, ring[1])}.get(name[-1], (*ring, axial))
    values = np.concatenate([formula(x, y, z).ravel(), formula(*cloud(name).T), formula(np.zeros(1), 0.0, 0.0)])
    return {"Min": float(values.min()), "Max": float(values.max())}


def paddick_of_field(given: Dose, radius_mm: float, level_gy: float, order: int) -> float:
    """Paddick's index of a ball at `CENTRE` in a dose interpolated by splines of an order, by a sum over fine cubes."""
    step = radius_mm / 30
    axis = np.arange(-1.3 * radius_mm + step / 2, 1.3 * radius_mm, step)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    spacing = np.array([given.grid.offsets_mm[1], *given.grid.spacing_mm[::-1]])
    index = [(at + CENTRE[k] - given.grid.origin_mm[k]) / spacing[2 - k] for k, at in ((2, z), (1, y), (0, x))]
    treated = ndimage.map_coordinates(given.values_gy, index, order=order) >= level_gy
    target = x**2 + y**2 + z**2 < radius_mm**2
    return float((treated & target).sum() ** 2 / (target.sum() * max(1, treated.sum())))


def computed(drawn: Structure, given: Dose | None, options: object = None, *, with_band: bool = False) -> Dvh:
    return compute_dvh(drawn, given, options=options, with_band=with_band)  # type: ignore[arg-type]
