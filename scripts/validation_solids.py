"""Solids with known truth, drawn as contours, and doses with known formulas: what `validate.py` measures against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import qmc

from dvhkit.engine.dvh import compute_dvh
from dvhkit.errors import NotEvaluable
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.dvh import Dvh
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
    values = np.sort(formula(*cloud(name).T))
    volume = ideal_cc(name)

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
    values = []
    for each in (dvh, *dvh.variants):
        try:
            values.append(METRICS[metric](each))
        except NotEvaluable:
            continue
    bounds = {"Min": dvh.min_bounds_gy, "Max": dvh.max_bounds_gy}.get(metric)
    if bounds is not None:
        return min(*values, bounds[0]), max(*values, bounds[1])
    error = dvh.volume_error_cc if metric == "Volume" else dvh.error_gy(_part_cc(metric, dvh))
    return min(values) - error, max(values) + error


def _part_cc(metric: str, dvh: Dvh) -> float:
    """Return the part of the structure whose border in dose the metric asks for; half of it for all others."""
    share = {"D99%": 0.99, "D95%": 0.95, "D5%": 0.05, "D1%": 0.01}.get(metric, 0.5)
    return 0.03 if metric == "D0.03cc" else share * dvh.covered_cc


@dataclass(frozen=True, slots=True, kw_only=True)
class Special:
    """A solid that no planning system is usually tested with: how it is drawn, and its volume."""

    name: str
    rings: list[tuple[float, np.ndarray]]
    volume_cc: float


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
    all_solids = [
        Special(name="oblique cylinder", rings=slanting, volume_cc=np.pi * 64 * H),
        Special(name="ellipsoid 14 x 9 x 12", rings=ellipse, volume_cc=4 / 3 * np.pi * 14 * 9 * R),
        Special(name="torus 15 / 6", rings=torus, volume_cc=2 * np.pi**2 * 15 * 36),
        Special(name="shell of 1 mm", rings=shell, volume_cc=4 / 3 * np.pi * (R**3 - (R - 1) ** 3)),
        Special(name="two balls of 6 mm", rings=islands, volume_cc=2 * 4 / 3 * np.pi * 216),
        Special(name="keyhole", rings=[(h, key) for h in box], volume_cc=(320 - 48) * H),
        Special(name="cone, tip between slices", rings=cone, volume_cc=1e3 * ideal_cc("cone z")),
    ]  # fmt: skip
    return [
        Special(name=s.name, rings=[(h + CENTRE[2], ring + c) for h, ring in s.rings], volume_cc=s.volume_cc / 1000)
        for s in all_solids
    ]


def computed(drawn: Structure, given: Dose | None, options: object = None, *, with_band: bool = False) -> Dvh:
    return compute_dvh(drawn, given, options=options, with_band=with_band)  # type: ignore[arg-type]
