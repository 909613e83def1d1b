"""What margin was really drawn between two structures, where it falls short or exceeds, by how much, and why.

::

    check = achieved_margin(ctv, ptv, expect="2..5", others=case.structures)
    check.recipe, check.verdict          # '5 mm all round', Verdict.PASS
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.options import EngineOptions
from dvhkit.errors import GeometryError, NotEvaluable, Reason
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure
from dvhkit.results.margin import AchievedMargin, Crop, CropKind, DirectionMargin, Place
from dvhkit.targets.achieved.crops import find_crops
from dvhkit.targets.achieved.expect import Expectation, expect_range, parse_expectation
from dvhkit.targets.achieved.fit import DIRECTIONS, Fit, fit_margins, recipe
from dvhkit.targets.achieved.measure import (
    Bands,
    Reach,
    distances,
    excess_volume_cc,
    find_bands,
    measure_reach,
    missing_volume_cc,
    outside_volume_cc,
    place_of,
    relative_reach,
)
from dvhkit.targets.achieved.statements import Evidence, find_bulges, judge_all
from dvhkit.targets.achieved.surface import Surface, make_surface
from dvhkit.targets.achieved.verdict import ONE_RECIPE_FRAC, combined, direction_margins

__all__ = [
    "AchievedMargin",
    "Crop",
    "DirectionMargin",
    "Place",
    "achieved_margin",
    "describe",
    "measure_margin",
    "worst_margin",
]

_WORST_PLACES = 5
_APART_MM = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarginMeasure:
    """A check together with what it was read from, for pictures.

    Attributes
    ----------
    check
        The result.
    reach
        The sampled points of the inner surface with their distances.
    lacking_mm : (n,)
        What is lacking at each to the lower bound (or, without any, to the recovered margin).
    """

    check: AchievedMargin
    inner: Surface
    outer: Surface
    fit: Fit
    reach: Reach
    lacking_mm: FloatArray


def achieved_margin(
    inner: Structure,
    outer: Structure,
    *,
    expect: str | float | tuple[float, float] | Expectation | None = None,
    others: Sequence[Structure] = (),
    slice_spacing_mm: float | None = None,
    options: EngineOptions | None = None,
) -> AchievedMargin:
    """Measure the margin that was drawn from one structure to another.

    Parameters
    ----------
    inner, outer
        Such as CTV and PTV; contours in parallel planes of any direction, in one frame of reference. Directions are
        those of the patient (LPS), whatever way the contours run.
    expect
        What the protocol asks for: ``"2..5"``, ``"AP=6..8,LR=5..7,CC=8..10"``, a number or a pair in mm. Without it
        nothing is judged but that the inner structure lies inside the outer one.
    others
        Structures that the outer one may have been cut by (body, cord, bowel); those two may be among them.
    slice_spacing_mm
        Slice distance for structures drawn on one slice.
    options
        What lies between and beyond the drawn slices: the solids that DVHs are computed of.

    Returns
    -------
    AchievedMargin
        Margins as measured and as recovered, what does not fit them and why, volumes, and the verdict.

    Raises
    ------
    NotEvaluable
        A structure without contours that bound an area, or one on a single slice of unknown thickness.
    GeometryError
        Contours that are not planar or not parallel, or structures in different frames of reference.
    InputError
        An `expect` that is no range of margins.

    Notes
    -----
    Surfaces are those of the solids that DVHs are computed of. Margins are recovered by a robust fit of the asymmetric
    expansion (a Minkowski sum with an ellipsoid of eight octants), which cuts and dents do not spoil. Bands come from
    the contours' chords in the slices and from the slice distance across them.
    """
    return measure_margin(
        inner, outer, expect=expect, others=others, slice_spacing_mm=slice_spacing_mm, options=options
    ).check


def measure_margin(
    inner: Structure,
    outer: Structure,
    *,
    expect: str | float | tuple[float, float] | Expectation | None = None,
    others: Sequence[Structure] = (),
    slice_spacing_mm: float | None = None,
    options: EngineOptions | None = None,
) -> MarginMeasure:
    """Do as `achieved_margin`, and return with the result what it was read from."""
    expected = _expectation(expect)
    a, b = _surfaces(inner, outer, slice_spacing_mm, options)
    bands = find_bands(a, b)
    fit = fit_margins(a, b)
    reach = measure_reach(a, b, bands)
    kept, lacking_fit = relative_reach(reach, b, fit.margins_mm)
    rows = direction_margins(reach, kept, fit, bands, expected)
    crops, explained = find_crops(a, b, fit=fit, reach=reach, lacking=lacking_fit, others=others)
    low = fit.margins_mm if expected is None else expected.low()
    lacking = lacking_fit if expected is None else relative_reach(reach, b, low)[1]
    outside_cc, nodes, volumes = outside_volume_cc(a, b)
    evidence = Evidence(
        inner=a,
        outer=b,
        bands=bands,
        fit=fit,
        reach=reach,
        rows=rows,
        crops=crops,
        explained=explained,
        lacking_mm=lacking,
        expected=expected,
        outside_nodes_mm=nodes,
        outside_mm3=volumes,
        others=tuple(others),
    )
    check = _check(evidence, outside_cc, low)
    return MarginMeasure(check=check, inner=a, outer=b, fit=fit, reach=reach, lacking_mm=lacking)


def _expectation(expect: str | float | tuple[float, float] | Expectation | None) -> Expectation | None:
    if expect is None or isinstance(expect, Expectation):
        return expect
    if isinstance(expect, str):
        return parse_expectation(expect)
    low, high = expect if isinstance(expect, tuple) else (expect, expect)
    return expect_range(float(low), float(high))


def _surfaces(
    inner: Structure, outer: Structure, slice_spacing_mm: float | None, options: EngineOptions | None
) -> tuple[Surface, Surface]:
    frames = {s.frame_of_reference_uid for s in (inner, outer)} - {""}
    if len(frames) > 1:
        raise GeometryError(
            f"{inner.name} and {outer.name} are drawn in different frames of reference.",
            remedy="Copy one of them to the other's image in the planning system.",
        )
    try:
        b = make_surface(outer, fallback_spacing_mm=slice_spacing_mm, options=options)
        a = make_surface(inner, fallback_spacing_mm=slice_spacing_mm or b.spacing_mm, options=options)
    except NotEvaluable as lack:
        if lack.reason is not Reason.NO_VOLUME:
            raise
        a = make_surface(inner, fallback_spacing_mm=slice_spacing_mm, options=options)
        b = make_surface(outer, fallback_spacing_mm=a.spacing_mm, options=options)
    if abs(float(a.slice_axis @ b.slice_axis)) < 0.99:
        raise GeometryError(
            f"{inner.name} and {outer.name} are drawn on planes that face different ways.",
            remedy="Resample one of them onto the other's slices.",
        )
    return a, b


def _check(evidence: Evidence, outside_cc: float, low: FloatArray) -> AchievedMargin:
    a, b, fit, expected = evidence.inner, evidence.outer, evidence.fit, evidence.expected
    high = fit.margins_mm if expected is None else expected.high()
    bulges, above = find_bulges(evidence)
    statements = judge_all(evidence, bulges)
    allowed = evidence.reach.band_mm
    share = evidence.reach.share
    below = float(share[evidence.lacking_mm > allowed].sum())
    return AchievedMargin(
        inner=a.name,
        outer=b.name,
        directions=evidence.rows,
        recovered_mm={name: round(float(fit.margins_mm[DIRECTIONS.index(name)]), 3) for name in evidence.rows},
        recipe=_recipe(fit, evidence.bands, evidence.rows),
        explained_pct=100 * fit.explained_frac,
        distance_mm=distances(evidence.reach),
        crops=(*evidence.crops, *bulges),
        verdict=combined(statements),
        reasons=tuple(s.text for s in statements),
        expected="" if expected is None else expected.text,
        against="recovered" if expected is None else "expected",
        missing_cc=missing_volume_cc(a, b, low),
        excess_cc=None if high is None else excess_volume_cc(a, b, high),
        outside_cc=outside_cc,
        below_pct=100 * below,
        above_pct=100 * above,
        worst=_worst_places(evidence, allowed),
        slice_spacing_mm=b.spacing_mm,
        inner_cc=a.volume_cc,
        outer_cc=b.volume_cc,
        attainable_mm=_attainable(fit, evidence.bands, b.spacing_mm),
        band_in_plane_mm=evidence.bands.in_plane_mm,
        band_across_mm=evidence.bands.across_mm,
        findings=(*a.stack.findings, *a.runs.findings, *b.stack.findings, *b.runs.findings),
    )


def _recipe(fit: Fit, bands: Bands, rows: Mapping[str, DirectionMargin]) -> str:
    if fit.explained_frac < ONE_RECIPE_FRAC:
        return f"no one set of margins explains more than {100 * fit.explained_frac:.0f} % of the outer contours"
    across = np.repeat(np.abs(bands.axis) > 0.7, 2)
    coarse = np.where(across, bands.across_mm > 0.5, bands.in_plane_mm > 0.3)
    steps = np.where(coarse, 1.0, 0.5)
    half = [0.5 * (rows[name].band_high - rows[name].band_low) for name in DIRECTIONS]
    return recipe(fit.margins_mm.tolist(), steps.tolist(), half)


def _attainable(fit: Fit, bands: Bands, spacing_mm: float) -> tuple[float, ...]:
    """Return the margins across the slices that whole slices can show, next to those recovered."""
    axis = int(np.abs(bands.axis).argmax())
    counts: set[int] = set()
    for margin in fit.margins_mm[2 * axis : 2 * axis + 2]:
        below = floor(float(margin) / spacing_mm + 1e-6)
        counts |= {below, below + 1}
    return tuple(round(n * spacing_mm, 3) for n in sorted(counts))


def _worst_places(evidence: Evidence, allowed: FloatArray) -> tuple[Place, ...]:
    """Return where most is lacking, each place at least a centimetre from the others."""
    over = evidence.lacking_mm - allowed
    points = evidence.reach.points_mm
    left: NDArray[np.bool_] = over > 0
    places: list[Place] = []
    while left.any() and len(places) < _WORST_PLACES:
        at = int(np.where(left, over, -np.inf).argmax())
        places.append(place_of(points[at], evidence.reach.normals[at], evidence.outer))
        left &= np.linalg.norm(points - points[at], axis=1) > _APART_MM
    return tuple(places)


def worst_margin(check: AchievedMargin) -> tuple[float, float, float]:
    """Return the margin that is nearest to breaking what was expected, or breaks it most, and its band, in mm.

    It is that of a direction or, where the outer structure was cut or dented, what is left at the worst place.
    """
    found = [
        (row.recovered, row.band_low, row.band_high, _slack(row.recovered, row)) for row in check.directions.values()
    ]
    for crop in check.crops:
        row = _row_towards(check, crop)
        if crop.kind in (CropKind.CUT, CropKind.DENT, CropKind.OUTSIDE) and row is not None:
            half = check.band_in_plane_mm
            left = crop.margin_mm
            found.append((left, left - half, left + half, _slack(left, row)))
    value, low, high, _ = min(found, key=lambda entry: entry[3])
    return value, low, high


def _row_towards(check: AchievedMargin, crop: Crop) -> DirectionMargin | None:
    return next((check.directions[name] for name in crop.place.direction.split("-") if name in check.directions), None)


def _slack(value: float, row: DirectionMargin) -> float:
    """Return how far a margin is from the nearer limit of its direction, negative beyond it."""
    low, high = row.expected_low, row.expected_high
    sides = [value - low] if low is not None else []
    sides += [high - value] if high is not None else []
    return min(sides, default=float("inf"))


def describe(check: AchievedMargin) -> str:
    """Return the recovered margins and what departs from them in one line."""
    by_direction = ", ".join(f"{name} {row.recovered:.1f}" for name, row in check.directions.items())
    parts = [f"drawn as {check.recipe} ({by_direction} mm)", *(crop.text for crop in check.crops)]
    return "; ".join(parts)
