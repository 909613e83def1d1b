"""From measures to a verdict: what is short beyond doubt, what is explained, what slices leave open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.results.audit import Verdict
from dvhkit.results.margin import DirectionMargin
from dvhkit.targets.achieved.expect import Expectation
from dvhkit.targets.achieved.fit import DIRECTIONS, Fit
from dvhkit.targets.achieved.measure import Bands, Reach, facing, quantile

# What no recovered margin explains was not made by one recipe; then the measured margins are judged.
ONE_RECIPE_FRAC = 0.5
# How well systems draw the margin that was typed: a margin this near to a limit was drawn at the limit.
AT_LIMIT_MM = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that speaks for a verdict, in words."""

    verdict: Verdict
    text: str


def direction_margins(
    reach: Reach, kept: FloatArray, fit: Fit, bands: Bands, expected: Expectation | None
) -> dict[str, DirectionMargin]:
    """Return the margin towards each direction, measured and recovered, with what was expected of it.

    Parameters
    ----------
    kept : (n,)
        Share of the recovered margin that is kept at each point of the `Reach`. Times the margin of a direction it is
        the margin there; so a slanting surface of an uneven expansion still tells the margin of the direction it
        faces.
    """
    towards = facing(reach.normals)
    return {name: _direction(d, towards == d, reach, kept, fit, bands, expected) for d, name in _order()}


def _order() -> list[tuple[int, str]]:
    by_name = {name: d for d, name in enumerate(DIRECTIONS)}
    names = ("left", "right", "anterior", "posterior", "superior", "inferior")
    return [(by_name[name], name) for name in names]


def _direction(  # noqa: PLR0917 -- one row of the table above
    d: int,
    here: np.ndarray,
    reach: Reach,
    kept: FloatArray,
    fit: Fit,
    bands: Bands,
    expected: Expectation | None,
) -> DirectionMargin:
    recovered = float(fit.margins_mm[d])
    one_recipe = fit.explained_frac >= ONE_RECIPE_FRAC
    local = kept * recovered if one_recipe else reach.distance_mm
    if not here.any():
        here = np.ones(len(local), bool)
    low, median, high = (quantile(local[here], reach.share[here], q) for q in (0.05, 0.5, 0.95))
    value = recovered if one_recipe else median
    axis = np.zeros(3)
    axis[d // 2] = 1.0
    half = band_of(fit.uncertainty_mm[d], bands, axis)
    bounds = (None, None) if expected is None else (expected.low_mm[d], expected.high_mm[d])
    return DirectionMargin(
        low=low,
        median=median,
        high=high,
        recovered=value,
        band_low=max(0.0, value - half) if value >= 0 else value - half,
        band_high=value + half,
        expected_low=bounds[0],
        expected_high=bounds[1],
        verdict=judge(value, half, *bounds) if expected is not None else Verdict.NOT_EVALUABLE,
    )


def band_of(uncertainty_mm: float, bands: Bands, axis: FloatArray) -> float:
    """Return the half-width of a recovered margin's band.

    Across the slices it is never less than a sixth of their distance nor more than all of it, beside what the chords
    of the contours leave open.
    """
    across = abs(float(axis @ bands.axis))
    slices = float(np.clip(uncertainty_mm, bands.across_mm / 3, 2 * bands.across_mm))
    return float(
        (1 - across) * max(bands.in_plane_mm, min(uncertainty_mm, 1.0)) + across * (slices + bands.in_plane_mm)
    )


def judge(value: float, half_band: float, low: float | None, high: float | None) -> Verdict:
    """Return the verdict of a margin against its limits; a limit inside its band leaves it open.

    Limits belong to what is allowed: a margin drawn at a limit, to 0.3 mm, keeps to it.
    """
    inside = (low is None or value >= low - AT_LIMIT_MM) and (high is None or value <= high + AT_LIMIT_MM)
    if not inside:
        reaches = (low is None or value + half_band >= low) and (high is None or value - half_band <= high)
        return Verdict.INDETERMINATE if reaches else Verdict.FAIL
    for limit in (low, high):
        if limit is not None and AT_LIMIT_MM < abs(value - limit) < half_band:
            return Verdict.INDETERMINATE
    return Verdict.PASS


def combined(statements: list[Statement]) -> Verdict:
    """Return the gravest verdict."""
    order = (Verdict.FAIL, Verdict.INDETERMINATE, Verdict.VARIATION, Verdict.PASS)
    found = {s.verdict for s in statements}
    return next((verdict for verdict in order if verdict in found), Verdict.NOT_EVALUABLE)
