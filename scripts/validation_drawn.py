"""Solids as people draw them, with known truth: `validate.py` measures how often the truth lies in the printed band.

Each solid is made at random of a seed: what bounds it is a formula of angle and height, so that its volume is an
integral and its doses those of points that fill it. It is then drawn on slices as a person or a program would:
tremor of the hand, few or many points, rounded coordinates, a jump from slice to slice, uneven distances, ends that
lie anywhere, parts that end on slices of their own, holes cut by keyholes, planes that lie obliquely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from dvhkit.engine.dvh import compute_dvh
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid
from dvhkit.model.plan import Prescription
from dvhkit.model.structure import Contour, Structure

Formula = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Curve = Callable[[np.ndarray], np.ndarray]
_ANGLES = 720
_POINTS = 1 << 16
RX_GY = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One outline that goes on from `low` to `high`: centre and radius by height and angle, in mm.

    `sign` -1 is a hole; `drawn` gives the outline on a slice where it is not what the solid has there (tremor).
    """

    low: float
    high: float
    centre: Callable[[np.ndarray], np.ndarray]
    radius: Callable[[np.ndarray, np.ndarray], np.ndarray]
    sign: int = 1
    slices: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A solid and its contours; `points` (n, 3) with weights in mm3 fill it, `surface` (m, 3) is what bounds it."""

    kind: str
    structure: Structure
    points: np.ndarray
    weights: np.ndarray
    surface: np.ndarray
    gap_mm: float

    @property
    def volume_cc(self) -> float:
        """Volume of the solid itself."""
        return float(self.weights.sum()) / 1000


def _smooth(rng: np.random.Generator, low: float, high: float, knots: float, size: float) -> Curve:
    """Return a smooth random curve of height: three waves no shorter than `knots` mm."""
    waves = (high - low) / np.maximum(knots, 1e-3)
    freq, phase = rng.uniform(0.15, 1.0, 3) * waves, rng.uniform(0, 2 * np.pi, 3)
    share = rng.dirichlet(np.ones(3)) * size
    return lambda h: sum(
        s * np.sin(2 * np.pi * f * (np.asarray(h) - low) / (high - low) + p)
        for s, f, p in zip(share, freq, phase, strict=True)
    )


def _stepped(rng: np.random.Generator, planes: np.ndarray, size: float, dims: int = 1) -> Curve:
    """Return a curve that jumps half way between slices."""
    edges = 0.5 * (planes[1:] + planes[:-1])
    values = rng.normal(0, size, (len(planes), dims)).squeeze()
    return lambda h: values[np.searchsorted(edges, np.asarray(h))]


def _ellipse(a: Curve, b: Curve, turn: Curve, lobes: Sequence[tuple[int, float, float]] = ()) -> Callable:
    """Return the radius of an ellipse by height and angle, with lobes (number, share, phase) upon it."""

    def radius(h: np.ndarray, angle: np.ndarray) -> np.ndarray:
        x, y = b(h) * np.cos(angle - turn(h)), a(h) * np.sin(angle - turn(h))
        r = a(h) * b(h) / np.sqrt(np.maximum(x * x + y * y, 1e-12))
        return r * (1 + sum(s * np.cos(n * angle + p) for n, s, p in lobes))

    return radius


def _const(value: float) -> Curve:
    return lambda h: value + 0.0 * np.asarray(h)


def planes_of(rng: np.random.Generator, low: float, high: float, gap: float, *, uneven: bool) -> np.ndarray:
    """Return the slices that lie between `low` and `high`, at any phase; `uneven`: of two distances."""
    start = low + rng.uniform(0.02, 0.98) * gap
    if not uneven:
        return np.arange(start, high, gap)
    middle = start + gap * max(3, int(0.5 * (high - start) / gap))
    return np.concatenate([np.arange(start, middle - 1e-6, gap), np.arange(middle, high, 2 * gap)])


def sample(parts: Sequence[Part], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points that fill the parts less the holes, their weights in mm3, and points of the surface."""
    points, weights, surface = [], [], []
    for n, part in enumerate(p for p in parts if p.sign > 0):
        u = qmc.Sobol(3, seed=seed + n).random(_POINTS)
        h, angle = part.low + (part.high - part.low) * u[:, 0], 2 * np.pi * u[:, 1]
        r = part.radius(h, angle)
        own = _place(part, h, angle, r * np.sqrt(u[:, 2]))
        weight = np.pi * (part.high - part.low) * r * r / _POINTS
        kept = np.ones(len(own), bool)
        for hole in (p for p in parts if p.sign < 0):
            kept &= ~_inside(hole, own)
        points.append(own[kept])
        weights.append(weight[kept])
        grid_h, grid_a = np.meshgrid(
            np.linspace(part.low, part.high, 400), np.linspace(0, 2 * np.pi, 240), indexing="ij"
        )
        h, angle = grid_h.ravel(), grid_a.ravel()
        surface.append(_place(part, h, angle, part.radius(h, angle)))
    return np.concatenate(points), np.concatenate(weights), np.concatenate(surface)


def _place(part: Part, h: np.ndarray, angle: np.ndarray, r: np.ndarray) -> np.ndarray:
    c = part.centre(h)
    return np.column_stack([c[..., 0] + r * np.cos(angle), c[..., 1] + r * np.sin(angle), h])


def _inside(part: Part, points: np.ndarray) -> np.ndarray:
    h = np.clip(points[:, 2], part.low, part.high)
    x, y = (points[:, :2] - part.centre(h)).T
    tall = (points[:, 2] > part.low) & (points[:, 2] < part.high)
    return tall & (np.hypot(x, y) < part.radius(h, np.arctan2(y, x)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """How contours are drawn: points a ring, digits of coordinates, tremor as a share of a mm, keyholes."""

    points: int
    digits: int
    tremor_mm: float
    keyhole: bool = False


def draw(
    parts: Sequence[Part], planes: np.ndarray, hand: Hand, rng: np.random.Generator, turn: np.ndarray
) -> Structure:
    """Return the contours of parts on the slices that each of them meets."""
    rings: list[np.ndarray] = []
    for w in planes:
        met = [(p, _outline(p, float(w), hand, rng)) for p in parts if _meets(p, float(w))]
        outer, holes = [r for p, r in met if p.sign > 0], [r for p, r in met if p.sign < 0]
        if hand.keyhole and len(outer) == 1 and len(holes) == 1:
            rings.append(_keyholed(outer[0], holes[0]))
        else:
            rings += outer + holes
    contours = [Contour(points_mm=np.round(ring @ turn.T, hand.digits)) for ring in rings]
    return Structure(number=1, name="S", contours=tuple(contours))


def _meets(part: Part, w: float) -> bool:
    own = part.slices is None or np.abs(part.slices - w).min() < 1e-6
    if not (own and part.low < w < part.high):
        return False
    return bool(part.radius(np.array([w]), np.linspace(0, 6, 9)).mean() > 0.6)


def _outline(part: Part, w: float, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    angle = 2 * np.pi * (np.arange(_ANGLES) / _ANGLES)
    h = np.full(_ANGLES, w)
    r = part.radius(h, angle)
    tremble = sum(rng.normal() * np.cos(n * angle + rng.uniform(0, 6.3)) for n in (2, 3, 5, 8)) / 2
    r = r + np.minimum(hand.tremor_mm, 0.05 * r.mean()) * tremble
    ring = _place(part, h, angle, r)
    area = _area(ring)
    # Few points at even lengths, then as large as the curve that they stand for.
    steps = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(ring[:, :2], axis=0).T))])
    at = np.linspace(0, steps[-1], hand.points, endpoint=False)
    few = np.column_stack([np.interp(at, steps, ring[:, k]) for k in range(3)])
    middle = few[:, :2].mean(axis=0)
    few[:, :2] = middle + (few[:, :2] - middle) * np.sqrt(area / _area(few))
    return few


def _area(ring: np.ndarray) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return 0.5 * abs(float(x @ np.roll(y, -1) - np.roll(x, -1) @ y))


def _keyholed(outer: np.ndarray, hole: np.ndarray) -> np.ndarray:
    apart = np.linalg.norm(outer[:, None, :2] - hole[None, :, :2], axis=2)
    i, j = np.unravel_index(apart.argmin(), apart.shape)
    hole = np.roll(hole, -j, axis=0)[::-1]
    hole = np.roll(hole, 1, axis=0)
    around = np.roll(outer, -i, axis=0)
    return np.vstack([around, around[:1], hole, hole[:1]])


def tilted(rng: np.random.Generator) -> np.ndarray:
    """Return a rotation by up to 40 degrees about x, after any about z."""
    a, b = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return np.asarray(about_z @ about_x)


def _rounded_part(rng: np.random.Generator, size: float, at: np.ndarray, *, sign: int = 1, **more: object) -> Part:
    """Return an egg: round at both ends, with lobes."""
    c = size * rng.uniform(0.7, 1.3)
    a, b, turn, skew = *(size * rng.uniform(0.7, 1.2, 2)), rng.uniform(0, 3.1), rng.uniform(-0.25, 0.25)

    def scale(h: np.ndarray) -> np.ndarray:
        t = (np.asarray(h) - at[2]) / c
        return np.sqrt(np.clip(1 - t * t, 0, None)) * (1 + skew * t)

    lobes = [(n, rng.uniform(0, 0.05), rng.uniform(0, 6.3)) for n in (2, 3)]
    radius = _ellipse(lambda h: a * scale(h) + 1e-9, lambda h: b * scale(h) + 1e-9, _const(turn), lobes)
    lean = rng.uniform(-0.2, 0.2, 2)
    return Part(low=at[2] - c, high=at[2] + c, sign=sign, radius=radius, centre=_line(at, lean), **more)  # type: ignore[arg-type]


def _line(at: np.ndarray, lean: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda h: at[:2] + (np.asarray(h)[..., None] - at[2]) * lean


def _tube(rng: np.random.Generator, size: float, length: float, knots: float) -> Part:
    """Return a tube that wanders: its centre, width and thickness are smooth curves; its ends are flat."""
    low, high = -0.5 * length, 0.5 * length
    # No steeper than about 45 degrees.
    lean = 0.6 * knots / (2 * np.pi)
    x, y, grow = (_smooth(rng, low, high, knots, s) for s in (lean, lean, 0.2))
    a, b, turn = size * rng.uniform(0.7, 1.2), size * rng.uniform(0.4, 0.8), _smooth(rng, low, high, knots, 0.5)
    radius = _ellipse(lambda h: a * (1 + grow(h)), lambda h: b * (1 - 0.5 * grow(h)), turn)
    return Part(low=low, high=high, radius=radius, centre=lambda h: np.stack([x(h), y(h)], axis=-1))


Made = tuple[list[Part], np.ndarray]


def _jumping(rng: np.random.Generator, gap: float) -> Made:
    """Slender outlines of one area that jump and turn: the volume is that of their areas, half a slice at both ends."""
    n = int(rng.integers(8, 24))
    planes = gap * (np.arange(n) - 0.5 * n) + rng.uniform(-1, 1)
    a, b = rng.uniform(7, 15), rng.uniform(2.5, 4.5)
    centre, turn = _stepped(rng, planes, rng.uniform(1.0, 4.5), 2), _stepped(rng, planes, rng.uniform(0.0, 0.6))
    part = Part(
        low=planes[0] - gap / 2, high=planes[-1] + gap / 2, centre=centre, radius=_ellipse(_const(a), _const(b), turn)
    )
    return [part], planes


def _scribbled(rng: np.random.Generator, gap: float) -> Made:
    """Small outlines of any size and place, each on a slice of its own."""
    n = int(rng.integers(4, 11))
    planes = gap * (np.arange(n) - 0.5 * n) + rng.uniform(-1, 1)
    a, b = (_stepped(rng, planes, 0.25) for _ in "ab")
    size = rng.uniform(2.5, 6.0)
    radius = _ellipse(
        lambda h: size * np.exp(a(h)), lambda h: 0.6 * size * np.exp(b(h)), _stepped(rng, planes, 0.5),
        [(3, rng.uniform(0, 0.15), 1.0)],
    )  # fmt: skip
    return [
        Part(
            low=planes[0] - gap / 2,
            high=planes[-1] + gap / 2,
            centre=_stepped(rng, planes, rng.uniform(0.5, 3.0), 2),
            radius=radius,
        )
    ], planes


def _wandering(rng: np.random.Generator, gap: float) -> Made:
    part = _tube(rng, rng.uniform(4, 9), gap * rng.uniform(8, 16), 6 * gap)
    return [part], planes_of(rng, part.low, part.high, gap, uneven=False)


def _egg(rng: np.random.Generator, gap: float) -> Made:
    part = _rounded_part(rng, min(rng.uniform(2.5, 6) * gap, 20.0), rng.uniform(-2, 2, 3))
    return [part], planes_of(rng, part.low, part.high, gap, uneven=False)


def _uneven(rng: np.random.Generator, gap: float) -> Made:
    part = _rounded_part(rng, min(rng.uniform(6, 9) * gap, 20.0), rng.uniform(-2, 2, 3))
    return [part], planes_of(rng, part.low, part.high, gap, uneven=True)


def _few(rng: np.random.Generator, gap: float) -> Made:
    """Return an egg or a stump on one to four slices."""
    n = int(rng.integers(1, 5))
    if rng.random() < 0.5:
        part = _tube(rng, rng.uniform(4, 9), n * gap, 6 * gap)
        return [part], part.low + gap * (np.arange(n) + rng.uniform(0.05, 0.95))
    part = _rounded_part(rng, 0.5 * n * gap, rng.uniform(-2, 2, 3))
    return [part], planes_of(rng, part.low, part.high, gap, uneven=False)


def _islands(rng: np.random.Generator, gap: float) -> Made:
    """Two or three eggs side by side, some on every second slice."""
    planes = np.arange(-40, 40, gap) + rng.uniform(0, gap)
    places = [np.array([x, rng.uniform(-4, 4), rng.uniform(-4, 4)]) for x in (-19, 19, 0)[: int(rng.integers(2, 4))]]
    parts = [
        _rounded_part(rng, rng.uniform(5.5, 7.5), at, slices=planes[:: int(rng.integers(1, 3)) if gap < 2.6 else 1])
        for at in places
    ]
    return parts, planes


def _hollow(rng: np.random.Generator, gap: float) -> Made:
    """Return a shell of even or uneven thickness round a hollow."""
    outer, wall = rng.uniform(9, 14), rng.uniform(1.5, 4)
    at, off = np.zeros(3), rng.uniform(-0.3, 0.3, 3) * wall
    parts = [
        Part(low=c[2] - r, high=c[2] + r, sign=s, centre=_line(c, np.zeros(2)), radius=_ball(r, float(c[2])))
        for s, r, c in ((1, outer, at), (-1, outer - wall, at + off))
    ]
    return parts, planes_of(rng, -outer, outer, gap, uneven=False)


def _ball(r: float, z: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda h, angle: np.sqrt(np.clip(r * r - (np.asarray(h) - z) ** 2, 0, None)) + 0 * angle + 1e-9


def _pierced(rng: np.random.Generator, gap: float) -> Made:
    """Return a tube with a canal."""
    part = _tube(rng, rng.uniform(9, 12), gap * rng.uniform(5, 10), 8 * gap)
    inner = rng.uniform(0.3, 0.55)
    canal = Part(
        low=part.low, high=part.high, sign=-1, centre=part.centre, radius=lambda h, a: inner * part.radius(h, a)
    )
    return [part, canal], planes_of(rng, part.low, part.high, gap, uneven=False)


def _ragged(rng: np.random.Generator, gap: float) -> Made:
    """Return a trunk that goes on as two prongs, which end on slices of their own."""
    fork = float(rng.uniform(-0.5, 0.5) * gap)
    trunk = Part(
        low=-gap * rng.uniform(3, 6), high=fork, centre=_line(np.zeros(3), np.zeros(2)),
        radius=_ellipse(_const(13.0), _const(7.0), _const(0.0)),
    )  # fmt: skip
    prongs = [
        Part(
            low=fork, high=fork + gap * rng.uniform(2, 7), centre=_line(np.array([x, 0, fork]), np.zeros(2)),
            radius=_ellipse(_const(rng.uniform(3.5, 5)), _const(rng.uniform(4, 6)), _const(0.0)),
        )
        for x in (-7.0, 7.0)
    ]  # fmt: skip
    return [trunk, *prongs], planes_of(rng, trunk.low, max(p.high for p in prongs), gap, uneven=False)


KINDS: dict[str, Callable[[np.random.Generator, float], Made]] = {
    "jumping": _jumping,
    "scribbled": _scribbled,
    "wandering": _wandering,
    "egg": _egg,
    "uneven slices": _uneven,
    "few slices": _few,
    "islands": _islands,
    "hollow": _hollow,
    "pierced": _pierced,
    "ragged ends": _ragged,
}


def make(kind: str, seed: int, *, tremor_mm: float = 0.25) -> Drawn:
    """Return a solid of a kind, drawn by a hand of its own."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    gap = float(rng.choice([1.5, 2.0, 2.5, 3.0, 4.0]))
    parts, planes = KINDS[kind](rng, gap)
    turn = tilted(rng) if rng.random() < 0.25 else np.eye(3)
    hand = Hand(
        points=int(rng.integers(24, 120)),
        digits=int(rng.choice([1, 2, 2, 4])) if turn is None or np.array_equal(turn, np.eye(3)) else 2,
        tremor_mm=float(rng.choice([0.0, 0.5, 1.0])) * tremor_mm,
        keyhole=kind == "pierced" and rng.random() < 0.5,
    )
    points, weights, surface = sample(parts, seed)
    drawn = draw(parts, planes, hand, rng, turn)
    return Drawn(
        kind=kind, structure=drawn, points=points @ turn.T, weights=weights, surface=surface @ turn.T, gap_mm=gap
    )


def gaussian(rng: np.random.Generator) -> tuple[Formula, Callable[[float], float]]:
    """Return a dose with one peak, and the volume in cc of its isodoses."""
    at, sigma, peak = rng.uniform(-3, 3, 3), rng.uniform(9, 16, 3), 1.25 * RX_GY

    def formula(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        q = sum(((v - c) / s) ** 2 for v, c, s in zip((x, y, z), at, sigma, strict=True))
        return np.asarray(peak * np.exp(-0.5 * q))

    def isodose_cc(level_gy: float) -> float:
        return float(4 / 3 * np.pi * np.prod(sigma) * (2 * np.log(peak / level_gy)) ** 1.5 / 1000)

    return formula, isodose_cc


def slope(rng: np.random.Generator) -> Formula:
    """Return a dose that falls off to one side: straight, or as a sigmoid."""
    n = rng.normal(size=3)
    n /= np.linalg.norm(n)
    if rng.random() < 0.5:
        return lambda x, y, z: 30 + 0.6 * (n[0] * x + n[1] * y + n[2] * z)
    width = rng.uniform(3, 8)
    return lambda x, y, z: 5 + 45 / (1 + np.exp(-(n[0] * x + n[1] * y + n[2] * z) / width))


def dose_on_grid(formula: Formula, rng: np.random.Generator) -> Dose:
    spacing = rng.choice([2.0, 2.5, 3.0], 3)
    counts = (112.0 / spacing).astype(int)
    origin = -56.0 + rng.uniform(0, 1, 3)
    z, y, x = np.meshgrid(*(origin[k] + spacing[k] * np.arange(counts[k]) for k in (2, 1, 0)), indexing="ij")
    grid = Grid(
        origin_mm=origin,
        axes=np.eye(3),
        spacing_mm=spacing[:2],
        offsets_mm=spacing[2] * np.arange(counts[2]),
        n_rows=int(counts[1]),
        n_columns=int(counts[0]),
    )
    return Dose(
        grid=grid, values_gy=formula(x, y, z), quantum_gy=1e-6, dose_type=DoseType.PHYSICAL, summation_type="PLAN",
        sop_instance_uid="1.2.3", frame_of_reference_uid="",
    )  # fmt: skip


BODY = Structure(
    number=2,
    name="BODY",
    contours=tuple(
        Contour(points_mm=np.array([[-45, -44, w], [45, -44, w], [45, 46, w], [-45, 46, w]], dtype=float))
        for w in np.arange(-45.0, 46.0, 3.0)
    ),
)
PLAIN = (
    "Volume[cc]", "Mean[Gy]", "Min[Gy]", "Max[Gy]", "D99%[Gy]", "D95%[Gy]", "D50%[Gy]", "D5%[Gy]", "D1%[Gy]",
    "D0.03cc[Gy]", "V30Gy[cc]", "V30Gy[%]", "CV30Gy[cc]", "HI_ICRU83", "HI_D5D95", "HI_ICRU62",
)  # fmt: skip
OF_BODY = (
    "Coverage", "CI_RTOG", "CI_Paddick", "nCI_Nakamura", "Selectivity_Lomax", "GI_Paddick", "R50", "GI_UKSABR",
    "GradientDistance", "Spill105",
)  # fmt: skip


def truth(drawn: Drawn, formula: Formula, isodose_cc: Callable[[float], float] | None) -> dict[str, float]:
    """Return the metrics of a solid in a dose given by a formula, without the engine."""
    dose = formula(*drawn.points.T)
    order = np.argsort(dose)
    dose, weight = dose[order], drawn.weights[order] / 1000
    below = np.cumsum(weight) - 0.5 * weight
    volume = drawn.volume_cc

    def hottest(part_cc: float) -> float:
        return float(np.interp(volume - part_cc, below, dose))

    def above(level: float) -> float:
        return float(weight[dose >= level].sum())

    ends = np.concatenate([formula(*drawn.surface.T), dose[[0, -1]]])
    d = {p: hottest(p / 100 * volume) for p in (99, 98, 95, 50, 5, 2, 1)}
    found = {
        "Volume[cc]": volume, "Mean[Gy]": float(dose @ weight / volume), "Min[Gy]": float(ends.min()),
        "Max[Gy]": float(ends.max()), "V30Gy[cc]": above(30), "V30Gy[%]": 100 * above(30) / volume,
        "CV30Gy[cc]": volume - above(30), "HI_ICRU83": (d[2] - d[98]) / d[50], "HI_D5D95": d[5] / d[95],
        "HI_ICRU62": float(ends.max() / ends.min()),
    }  # fmt: skip
    found |= {f"D{p}%[Gy]": d[p] for p in (99, 95, 50, 5, 1)}
    if volume > 0.04:
        found["D0.03cc[Gy]"] = hottest(0.03)
    return found if isodose_cc is None else found | _indices(volume, above, isodose_cc)


def _indices(volume: float, above: Callable[[float], float], isodose_cc: Callable[[float], float]) -> dict[str, float]:
    full, half, hot = isodose_cc(RX_GY), isodose_cc(RX_GY / 2), 1.05 * RX_GY
    # An isodose that lies wholly inside is met to the error of the sampled points.
    covered, hot_cc = min(above(RX_GY), full), min(above(hot), isodose_cc(hot))
    found = {
        "Coverage": covered / volume, "CI_RTOG": full / volume, "CI_Paddick": covered**2 / (volume * full),
        "Selectivity_Lomax": covered / full, "GI_Paddick": half / full, "R50": half / volume,
        "GradientDistance": (3 / (4 * np.pi) * 1000) ** (1 / 3) * (half ** (1 / 3) - full ** (1 / 3)),
        "Spill105": 100 * (isodose_cc(hot) - hot_cc) / volume,
    }  # fmt: skip
    if covered > 1e-3:
        found |= {"nCI_Nakamura": volume * full / covered**2, "GI_UKSABR": half / covered}
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one solid: its truth, value and printed band."""

    kind: str
    seed: int
    dose: str
    metric: str
    truth: float
    value: float
    low: float
    high: float

    @property
    def is_inside(self) -> bool:
        """To the error of the sampled truth."""
        slack = 3e-4 * abs(self.truth) + 1e-6
        return self.low - slack <= self.truth <= self.high + slack

    @property
    def width_pct(self) -> float:
        """Width of the band in percent of the truth."""
        return 100 * (self.high - self.low) / max(abs(self.truth), 1e-9)


def rows(kind: str, seed: int, *, tremor_mm: float = 0.25) -> list[Row]:
    """Return all metrics of one solid in two doses."""
    drawn = make(kind, seed, tremor_mm=tremor_mm)
    rng = np.random.default_rng([seed, 77])
    formula, isodose_cc = gaussian(rng)
    found = []
    for name, given, volumes in (("peak", formula, isodose_cc), ("slope", slope(rng), None)):
        on_grid = dose_on_grid(given, rng)
        dvh = compute_dvh(drawn.structure, on_grid, with_band=True, slice_spacing_mm=drawn.gap_mm)
        body = compute_dvh(BODY, on_grid, with_band=True) if volumes else None
        true = truth(drawn, given, volumes)
        for metric in (*PLAIN, *(OF_BODY if volumes else ())):
            row = evaluate_metric(
                metric, dvh, roi="S", body=(lambda body=body: body),
                prescription=Prescription(dose_gy=RX_GY, roi_number=1, origin="test"),
            )  # fmt: skip
            if metric in true and row.value is not None and row.low is not None and row.high is not None:
                found.append(
                    Row(
                        kind=kind,
                        seed=seed,
                        dose=name,
                        metric=metric,
                        truth=true[metric],
                        value=row.value,
                        low=row.low,
                        high=row.high,
                    )
                )
    return found


def section(seeds: Sequence[int] = range(1000, 1006)) -> str:
    """Return how often truths lie in their bands, by kind of solid and by metric, as Markdown."""
    found = [row for kind in KINDS for seed in seeds for row in rows(kind, seed)]
    head = "| {} | metrics | truth in band / % | median width / % | median error / % |\n|---|---|---|---|---|"
    return "\n\n".join([
        "## Solids as people draw them",
        "Ten kinds of random solids with known truth, drawn with a trembling hand on slices of 1.5 to 4 mm, a quarter "
        "of them oblique, with 24 to 120 points a ring and 1 to 4 decimals, in a peaked and in a sloping dose "
        f"(`scripts/validation_drawn.py`, seeds {seeds[0]} to {seeds[-1]}). Where outlines jump, the truth is that of "
        "areas times distance; elsewhere the smooth solid before the hand trembled. They are small, with few slices "
        "and ends that lie anywhere: that is most of the width.",
        "\n".join([head.format("kind"), *(_line_of(k, [r for r in found if r.kind == k]) for k in KINDS)]),
        "\n".join([
            head.format("metric"),
            *(_line_of(m, [r for r in found if r.metric == m]) for m in (*PLAIN, *OF_BODY)),
            _line_of("all", found),
        ]),
    ])  # fmt: skip


def _line_of(name: str, found: Sequence[Row]) -> str:
    inside = 100 * float(np.mean([r.is_inside for r in found]))
    width = float(np.median([r.width_pct for r in found]))
    error = float(np.median([100 * abs(r.value / r.truth - 1) for r in found if r.truth]))
    return f"| {name} | {len(found)} | {inside:.1f} | {width:.2f} | {error:.2f} |"
