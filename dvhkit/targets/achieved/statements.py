"""What speaks for which verdict, in words: containment, directions, places that fall short, places that exceed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure
from dvhkit.results.audit import Verdict
from dvhkit.results.margin import Crop, CropKind, DirectionMargin
from dvhkit.targets.achieved.cloud import distance_to
from dvhkit.targets.achieved.crops import LEAST_SHARE, is_target, patches
from dvhkit.targets.achieved.expect import Expectation
from dvhkit.targets.achieved.fit import Fit
from dvhkit.targets.achieved.measure import Bands, Reach, excess_points, place_of
from dvhkit.targets.achieved.surface import Surface, make_surface
from dvhkit.targets.achieved.verdict import AT_LIMIT_MM, ONE_RECIPE_FRAC, Statement

# Less than this lies outside by the rounding of contours that coincide.
_LEAST_OUTSIDE_CC = 0.005
_BULGE_MM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """All that was measured of one pair."""

    inner: Surface
    outer: Surface
    bands: Bands
    fit: Fit
    reach: Reach
    rows: dict[str, DirectionMargin]
    crops: tuple[Crop, ...]
    explained: NDArray[np.bool_]
    lacking_mm: FloatArray
    expected: Expectation | None
    outside_nodes_mm: FloatArray
    outside_mm3: FloatArray
    others: tuple[Structure, ...]


def judge_all(evidence: Evidence, bulges: tuple[Crop, ...]) -> list[Statement]:
    """Return the statements about a pair, the gravest first."""
    found = _containment(evidence)
    if evidence.expected is not None:
        found += _directions(evidence)
        found += _shortfalls(evidence)
        found += [_of_bulge(bulge) for bulge in bulges]
        found += _ends(evidence)
        if not found:
            found = [
                Statement(verdict=Verdict.PASS, text=f"the margin keeps to {evidence.expected.text} mm everywhere")
            ]
    elif not found:
        found = [Statement(verdict=Verdict.NOT_EVALUABLE, text="no margin was asked for, so none was judged")]
    gravity = (Verdict.FAIL, Verdict.INDETERMINATE, Verdict.VARIATION, Verdict.PASS, Verdict.NOT_EVALUABLE)
    return sorted(found, key=lambda s: gravity.index(s.verdict))


def _containment(evidence: Evidence) -> list[Statement]:
    inner, outer = evidence.inner.name, evidence.outer.name
    nodes = evidence.outside_nodes_mm
    if not len(nodes):
        return []
    distance = distance_to(nodes, evidence.outer.cloud)
    # Depth is counted beyond what rounding and chords of both polygons can feign.
    deep = distance > evidence.bands.in_plane_mm
    volume_cc = float(evidence.outside_mm3[deep].sum()) / 1000.0
    if volume_cc < _LEAST_OUTSIDE_CC:
        return []
    worst = int(distance.argmax())
    middle = evidence.inner.cloud.points_mm.mean(axis=0)
    place = place_of(nodes[worst], nodes[worst] - middle, evidence.outer)
    share = float(evidence.reach.share[evidence.reach.outside].sum())
    text = (
        f"{volume_cc:.2f} cc of {inner} lie outside {outer}, by up to {distance[worst]:.1f} mm, {place.direction}, "
        f"slice {place.slice_mm:g} mm, at x {place.point_mm[0]:g}, y {place.point_mm[1]:g}, z {place.point_mm[2]:g}"
    )
    if share > 0.5:
        turned = float(np.mean(evidence.inner.signed(evidence.outer.cloud.points_mm) < 0)) > 0.95
        hint = f"; {outer} lies inside {inner}: the wrong way round?" if turned else _better_outer(evidence)
        text = f"{inner} and {outer} are hardly a pair: {text}{hint}"
    return [Statement(verdict=Verdict.FAIL, text=text)]


def _better_outer(evidence: Evidence) -> str:
    """Return a sentence that names the target which holds the inner structure, if one does."""
    taken = {evidence.inner.structure.number, evidence.outer.structure.number}
    kind = evidence.outer.name.strip()[:3].upper()
    for other in evidence.others:
        if other.number in taken or other.is_empty or not other.name.strip().upper().startswith(kind):
            continue
        surface = _surface_or_none(other, evidence.outer.spacing_mm)
        if surface is not None and float(np.mean(surface.signed(evidence.reach.points_mm) > 0)) < 0.02:
            return f"; {other.name} holds it"
    return ""


def _surface_or_none(structure: Structure, spacing_mm: float) -> Surface | None:
    try:
        return make_surface(structure, fallback_spacing_mm=spacing_mm, step_mm=2.0)
    except (GeometryError, NotEvaluable):
        return None


def _directions(evidence: Evidence) -> list[Statement]:
    found = []
    recovered = evidence.fit.explained_frac >= ONE_RECIPE_FRAC
    for name, row in evidence.rows.items():
        if row.verdict is Verdict.PASS:
            continue
        limits = _limits(row)
        word = "recovered" if recovered else "median"
        text = f"{name}: {row.recovered:.1f} mm {word} ({row.band_low:.1f} to {row.band_high:.1f}), {limits} asked for"
        found.append(Statement(verdict=row.verdict, text=text))
    return found


def _limits(row: DirectionMargin) -> str:
    low, high = row.expected_low, row.expected_high
    if low is not None and high is not None:
        return f"{low:g} mm" if low == high else f"{low:g} to {high:g} mm"
    return f"at least {low:g} mm" if low is not None else f"at most {high:g} mm"


def _shortfalls(evidence: Evidence) -> list[Statement]:
    reach, outer = evidence.reach, evidence.outer
    allowed = reach.band_mm + AT_LIMIT_MM
    found = []
    for patch in patches(reach, evidence.lacking_mm, allowed):
        explained = float(reach.share[patch.members[evidence.explained[patch.members]]].sum()) / patch.share
        place = place_of(reach.points_mm[patch.worst], reach.normals[patch.worst], outer)
        cause = _cause(evidence, place.direction) if explained > 0.7 else None
        text = (
            f"{100 * patch.share:.1f} % of the surface of {evidence.inner.name} lack up to "
            f"{patch.lacking_mm.max():.1f} mm to the margin asked for, worst {place.direction}, "
            f"slice {place.slice_mm:g} mm, at x {place.point_mm[0]:g}, y {place.point_mm[1]:g}, z {place.point_mm[2]:g}"
        )
        if explained > 0.7:
            found.append(Statement(verdict=Verdict.VARIATION, text=f"{text}; {cause}" if cause else text))
        else:
            found.append(Statement(verdict=Verdict.FAIL, text=text))
    return found


def _cause(evidence: Evidence, direction: str) -> str | None:
    cuts = [c for c in evidence.crops if c.kind is CropKind.CUT]
    near = [c for c in cuts if set(c.place.direction.split("-")) & set(direction.split("-"))] or cuts
    return near[0].text if near else None


def _ends(evidence: Evidence) -> list[Statement]:
    """Return, for a slice missing at an end, that the margin there is open (or worse, where other evidence says so)."""
    expected = evidence.expected
    assert expected is not None
    found = []
    for crop in (c for c in evidence.crops if c.kind is CropKind.SLICES):
        name = next((n for n in evidence.rows if n in crop.place.direction.split("-")), None)
        low = evidence.rows[name].expected_low if name else None
        if low is None:
            continue
        # The next slice was not drawn, so the outer structure ends before it; the inner one ends at its last or later.
        most = crop.margin_mm + evidence.outer.spacing_mm
        verdict = Verdict.FAIL if most <= low + 1e-6 else Verdict.INDETERMINATE
        if crop.margin_mm >= low - AT_LIMIT_MM:
            continue
        found.append(Statement(verdict=verdict, text=crop.text))
    return found


def find_bulges(evidence: Evidence) -> tuple[tuple[Crop, ...], float]:
    """Return the parts of the outer surface beyond the upper limits, and the share of it that is beyond them.

    Where nothing was asked for the limit is a millimetre more than the recovered margins.
    """
    high = evidence.fit.margins_mm + _BULGE_MM if evidence.expected is None else evidence.expected.high()
    if high is None:
        return (), 0.0
    cloud, beyond = excess_points(evidence.outer, evidence.inner, high)
    allowed = evidence.bands.along(cloud.normals) + AT_LIMIT_MM
    over = Reach(
        points_mm=cloud.points_mm,
        normals=cloud.normals,
        share=cloud.area_mm2 / cloud.area_mm2.sum(),
        distance_mm=beyond,
        outside=np.zeros(len(beyond), bool),
        band_mm=allowed,
    )
    bulges = tuple(
        _bulge(evidence, over, patch.members, patch.worst, patch.share)
        for patch in patches(over, beyond, allowed)
        if patch.share >= 2 * LEAST_SHARE
    )
    return bulges, float(over.share[beyond > allowed].sum())


def _bulge(evidence: Evidence, over: Reach, members: NDArray[np.int64], worst: int, share: float) -> Crop:
    place = place_of(over.points_mm[worst], over.normals[worst], evidence.outer)
    other = _held_other(evidence, over.points_mm[members])
    excess = float(over.distance_mm[worst])
    limit = "the recovered margin" if evidence.expected is None else "the upper limit"
    more = _BULGE_MM if evidence.expected is None else 0.0
    text = (
        f"{evidence.outer.name} reaches up to {excess + more:.1f} mm beyond {limit}, {place.direction}, "
        f"slice {place.slice_mm:g} mm, over {100 * share:.0f} % of its surface"
    )
    return Crop(
        kind=CropKind.BULGE if other is None else CropKind.HOLDS_OTHER,
        structure=other or "",
        gap_mm=None,
        explained=other is not None,
        surface_pct=100 * share,
        worst_mm=excess + more,
        margin_mm=excess,
        place=place,
        text=text if other is None else f"{text}; it holds {other} too",
    )


def _of_bulge(bulge: Crop) -> Statement:
    return Statement(verdict=Verdict.VARIATION if bulge.explained else Verdict.FAIL, text=bulge.text)


def _held_other(evidence: Evidence, points_mm: FloatArray) -> str | None:
    """Return another target inside the outer structure, apart from the inner one, that lies under the excess."""
    taken = {evidence.inner.structure.number, evidence.outer.structure.number}
    for other in evidence.others:
        if other.number in taken or other.is_empty or not is_target(other):
            continue
        surface = _surface_or_none(other, evidence.outer.spacing_mm)
        if surface is None or not len(surface.cloud.points_mm):
            continue
        inside = np.mean(evidence.outer.signed(surface.cloud.points_mm) < 0) > 0.9
        apart = np.mean(evidence.inner.signed(surface.cloud.points_mm) < 0) < 0.5
        holds_inner = np.mean(surface.signed(evidence.reach.points_mm) < 0) > 0.9
        if not (inside and apart) or holds_inner:
            continue
        near = distance_to(points_mm, surface.cloud)
        if np.mean(near <= evidence.fit.margins_mm.max() + evidence.bands.across_mm) > 0.7:
            return other.name
    return None
