"""Which six margins best explain an outer contour: a robust fit of the asymmetric expansion.

The outer structure of a plain margin is the inner one widened by an ellipsoid whose eight octants join the six margins
(a Minkowski sum). Then every point of the outer surface has the gauge 1 from the inner one. The fit asks for the six
margins under which as many points as can be have it; where the outer one was cut, or drawn by hand, points fall out of
step and lose their say (Welsch weights, narrowed step by step), so that they do not spoil the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.targets.achieved.cloud import Cloud, gauge_to
from dvhkit.targets.achieved.surface import Surface, ending

DIRECTIONS = ("left", "right", "posterior", "anterior", "superior", "inferior")
# No planning margin is smaller, and the gauge of a margin of nothing has no meaning.
LEAST_MM = 0.2
_MOST_POINTS = 2500
# Widths over which a point that does not fit loses its say, in mm: from wide to narrow.
_WIDTHS_MM = (4.0, 4.0, 2.5, 2.5, 1.5, 1.5, 1.0, 1.0, 0.7, 0.5)
_LAST_WIDTHS_MM = (0.5, 0.5, 0.5)
_TRIAL_WIDTHS_MM = (1.0, 0.7, 0.5, 0.5, 0.5)
_ROUGH_POINTS = 700
# Ends that are tried, in shares of the slice distance beyond the last slice; None is what the sections suggest.
_ROUND_SHARES: tuple[float | None, ...] = (None, 0.0, 1.0)
_FLAT_SHARES: tuple[float | None, ...] = (None, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# What is less likely by this many squared standard deviations is ruled out.
_CLEARLY = 4.0
# How truly contours are drawn, or written by systems.
_DRAWN_MM = 0.3
# So many neighbouring points tell no more than one does.
_POINTS_AS_ONE = 10.0
# So many directions with one margin make it that of all round, the others exceptions.
_MOST_SIDES = 4
# How much a margin may stray from the mean of all before the points must say so: holds what nothing determines.
_PRIOR_MM = 4.0
_PRIOR_POINTS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """What a fit found.

    Attributes
    ----------
    margins_mm : (6,)
        Towards left, right, posterior, anterior, superior, inferior.
    uncertainty_mm : (6,)
        What the points leave open, and half the spread over what the inner structure's ends may be.
    points_mm : (n, 3)
        The points of the outer contours that were fitted.
    residual_mm : (n,)
        How far each lies beyond the fitted expansion; negative where it falls short.
    vector_mm : (n, 3)
        From the inner structure to the point.
    explained_frac
        Share of the points within `TOLERANCE_MM` of the fitted expansion.
    """

    margins_mm: FloatArray
    uncertainty_mm: FloatArray
    points_mm: FloatArray
    residual_mm: FloatArray
    vector_mm: FloatArray
    explained_frac: float


TOLERANCE_MM = 0.7


def support_mm(normals: FloatArray, margins_mm: FloatArray) -> FloatArray:
    """Return how far an expansion moves a surface that faces along unit `normals` (n, 3)."""
    return np.asarray(np.sqrt(((octant(normals, margins_mm) * normals) ** 2).sum(axis=1)))


def octant(vectors: FloatArray, margins_mm: FloatArray) -> FloatArray:
    """Return the three margins (n, 3) of the octant into which each vector points."""
    m = np.asarray(margins_mm)
    return np.where(vectors >= 0, m[0::2], m[1::2])


def fit_margins(inner: Surface, outer: Surface) -> Fit:
    """Return the six margins that best make `outer` of `inner`."""
    points = _fitted_points(outer)
    rough = points[:_ROUGH_POINTS]
    thin = inner.cloud.thinned(3)
    first = [_fit(rough, thin, inner, start, _WIDTHS_MM) for start in _starts(rough, thin, inner)]
    start = max(first, key=lambda f: round(f.explained_frac, 2)).margins_mm
    inner, start, spread = _with_best_ends(inner, outer, points, start)
    chosen = _fit(points, inner.cloud, inner, start, _LAST_WIDTHS_MM)
    # Both last slices may end anywhere up to the next one.
    most = 0.5 + np.repeat(np.abs(inner.slice_axis), 2) * max(inner.spacing_mm, outer.spacing_mm)
    return replace(chosen, uncertainty_mm=np.minimum(np.hypot(chosen.uncertainty_mm, spread), most))


def _fitted_points(outer: Surface) -> FloatArray:
    points = outer.cloud.drawn().points_mm
    stride = max(1, -(-len(points) // _MOST_POINTS))
    # A stride that follows the rings would pick the same places on each: the order is mixed, by a fixed seed.
    return points[np.random.default_rng(1).permutation(len(points))[::stride]]


def _with_best_ends(
    inner: Surface, outer: Surface, points: FloatArray, start: FloatArray
) -> tuple[Surface, FloatArray, FloatArray]:
    """Return the inner surface with the ends that explain the outer points best, their margins, and what is left open.

    Where the inner structure ends between its last slice and the next is not known. Round ends are tried as their last
    sections suggest, flat ones at several heights; the rounding of the outer structure tells, as far as slices show it.
    How far the last slices of both lie apart has its say too: each surface ends anywhere up to the next slice.
    """
    shares = _FLAT_SHARES if any(cap.flat for cap in inner.caps) else _ROUND_SHARES
    ends = {share: inner if share is None else ending(inner, (share, share)) for share in shares}
    trials = {share: _fit(points, e.cloud.thinned(2), e, start, _TRIAL_WIDTHS_MM) for share, e in ends.items()}
    margins = trials[None].margins_mm.copy()
    axis = int(np.abs(inner.slice_axis).argmax())
    flipped = inner.slice_axis[axis] < 0
    spread = np.zeros(6)
    best: list[float | None] = []
    for upward in (False, True):
        positive = upward != flipped
        against = _against(trials, axis, positive=positive)
        side = 2 * axis + int(not positive)
        found = {share: float(trials[share].margins_mm[side]) for share in shares}
        flat = any(cap.flat for cap in inner.caps if cap.upward is upward)
        slices_mm, known_mm = _between_last_slices(inner, outer, upward=upward)
        both = {share: against[share] + ((found[share] - slices_mm) / known_mm) ** 2 for share in shares}
        # Unless other ends explain clearly more, the sections of a round end have the word.
        trusted = not flat and against[None] <= _CLEARLY
        best.append(None if trusted else min(shares, key=lambda s: round(both[s], 6)))
        worthy = [found[share] for share in shares if (against if trusted else both)[share] <= _least(both, trusted)]
        margins[side] = found[best[-1]]
        spread[side] = max(0.5 * float(np.ptp(worthy)), 0.5 * inner.spacing_mm if flat else 0.0)
    chosen = inner if best == [None, None] else ending(inner, (best[0], best[1]))
    return chosen, margins, spread


def _least(both: dict[float | None, float], trusted: bool) -> float:
    return _CLEARLY if trusted else min(both.values()) + _CLEARLY


def _against(trials: dict[float | None, Fit], axis: int, *, positive: bool) -> dict[float | None, float]:
    """Return what speaks against each trial: by how much less likely the points on one side make it than the best.

    In units of squared standard deviations. Only points that some trial explains have a say: of what was cut, all
    trials are equally wrong.
    """
    sides = [
        t.vector_mm[:, axis] * (1 if positive else -1) > 0.2 * np.linalg.norm(t.vector_mm, axis=1)
        for t in trials.values()
    ]
    explained = [np.abs(t.residual_mm) <= TOLERANCE_MM for t in trials.values()]
    here = np.any(sides, axis=0) & np.any(explained, axis=0)
    if not here.any():
        return dict.fromkeys(trials, 0.0)
    costs = {share: float(np.minimum(t.residual_mm[here] ** 2, 1.0).mean()) for share, t in trials.items()}
    least = min(costs.values())
    independent = float(here.sum()) / _POINTS_AS_ONE
    return {share: independent * (cost - least) / (least + _DRAWN_MM**2) for share, cost in costs.items()}


def _between_last_slices(inner: Surface, outer: Surface, *, upward: bool) -> tuple[float, float]:
    """Return how far the last slices of both lie apart, and the standard deviation of their margin from that.

    Either surface ends anywhere up to the next slice: the difference of two even distributions.
    """
    ends = [s.stack.offsets_mm[-1 if upward else 0] for s in (inner, outer)]
    apart = float((ends[1] - ends[0]) * (1 if upward else -1))
    return apart, float(np.hypot(inner.spacing_mm, outer.spacing_mm) / np.sqrt(12.0))


def _starts(points: FloatArray, cloud: Cloud, inner: Surface) -> list[FloatArray]:
    """Return six equal margins to begin with: such that most points lie within them, then half, then few.

    Much of an outer structure may be cut, so that what is whole reaches far; or it may hold another target too.
    """
    gauge, _, _ = gauge_to(points, cloud, outward=False)
    outside = inner.signed(points) > 0
    if not outside.any():
        return [np.full(6, LEAST_MM)]
    reaches = np.percentile(gauge[outside], (75, 50, 25))
    distinct = [r for n, r in enumerate(reaches) if n == 0 or reaches[n - 1] - r > _WIDTHS_MM[-1]]
    return [np.full(6, max(float(reach), LEAST_MM)) for reach in distinct]


def _fit(points: FloatArray, cloud: Cloud, inner: Surface, start: FloatArray, widths_mm: Sequence[float]) -> Fit:
    outside = inner.signed(points) > 0
    margins = start
    information = np.eye(6)
    found = None
    for width in widths_mm:
        gauge, vector, found = gauge_to(points, cloud, margins, outward=False, likely=found)
        residual, jacobian = _residuals(gauge, vector, margins, outside)
        weight = np.exp(-((residual / width) ** 2)) * outside
        weight /= max(1.0, float(weight.sum())) / 500.0
        information = (jacobian * weight[:, None]).T @ jacobian
        pull = np.eye(6) * _PRIOR_POINTS / _PRIOR_MM**2
        step = np.linalg.solve(
            information + pull,
            -(jacobian * weight[:, None]).T @ residual - pull @ (margins - margins.mean()),
        )
        margins = np.clip(margins + np.clip(step, -3.0, 3.0), LEAST_MM, 80.0)
    gauge, vector, _ = gauge_to(points, cloud, margins, outward=False, likely=found)
    residual, _ = _residuals(gauge, vector, margins, outside)
    fits = np.abs(residual) <= TOLERANCE_MM
    scatter = float(np.sqrt(np.mean(residual[fits] ** 2))) if fits.any() else TOLERANCE_MM
    covariance = np.linalg.inv(information + np.eye(6) * 1e-3)
    return Fit(
        margins_mm=margins,
        uncertainty_mm=scatter * np.sqrt(_POINTS_AS_ONE * np.diag(covariance)),
        points_mm=points,
        residual_mm=residual,
        vector_mm=vector,
        explained_frac=float(fits.mean()),
    )


def _residuals(
    gauge: FloatArray, vector: FloatArray, margins: FloatArray, outside: np.ndarray
) -> tuple[FloatArray, FloatArray]:
    """Return the distance (mm, first order) of each point beyond the expansion, and its change with each margin."""
    here = octant(vector, margins)
    g = np.maximum(gauge, 1e-6)[:, None]
    slope = np.linalg.norm(vector / here**2 / g, axis=1)
    slope = np.maximum(slope, 1.0 / here.max(axis=1))
    signed = np.where(outside, gauge, -gauge)
    residual = (signed - 1.0) / slope
    change = -(vector**2) / here**3 / g / slope[:, None]
    jacobian = np.zeros((len(vector), 6))
    rows = np.arange(len(vector))
    for a in range(3):
        jacobian[rows, 2 * a + (vector[:, a] < 0)] = change[:, a]
    return np.asarray(residual), jacobian


def recipe(margins_mm: Sequence[float], steps_mm: Sequence[float], open_mm: Sequence[float] = (0.0,) * 6) -> str:
    """Return margins in the words of a planner: ``5 mm all round, 8 mm inferior``.

    Parameters
    ----------
    steps_mm : (6,)
        To what each is rounded: half a millimetre, or more where the data do not tell.
    open_mm : (6,)
        Half the band of each. Where the margin of most directions lies within it, nothing speaks for another one.
    """
    rounded = {
        name: max(0.0, round(m / step) * step) for name, m, step in zip(DIRECTIONS, margins_mm, steps_mm, strict=True)
    }
    values = list(rounded.values())
    common = max(sorted(set(values)), key=values.count)
    if values.count(common) >= _MOST_SIDES:
        near = zip(DIRECTIONS, margins_mm, open_mm, strict=True)
        rounded |= {name: common for name, m, half in near if abs(m - common) <= half}
        values = list(rounded.values())
    others = {n: v for n, v in rounded.items() if v != common}
    if not others:
        return f"{common:g} mm all round"
    if values.count(common) >= _MOST_SIDES:
        return f"{common:g} mm all round, " + _listed(others)
    return _listed(rounded)


def _listed(margins: dict[str, float]) -> str:
    pairs = (("left", "right"), ("anterior", "posterior"), ("superior", "inferior"))
    groups: dict[float, list[str]] = {}
    for pair in pairs:
        for name in pair:
            if name in margins:
                groups.setdefault(margins[name], []).append(name)
    return ", ".join(f"{value:g} mm {_joined(names)}" for value, names in groups.items())


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
