"""Where an outer structure departs from the margins that explain the rest of it, and which structure it was cut by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure
from dvhkit.results.margin import Crop, CropKind, Place
from dvhkit.targets.achieved.cloud import distance_to, nearest_mm
from dvhkit.targets.achieved.fit import Fit
from dvhkit.targets.achieved.measure import Reach, margin_along, place_of
from dvhkit.targets.achieved.surface import Surface, make_surface

# A part smaller than this share of the surface is a matter of the pen, not of the margin.
LEAST_SHARE = 0.005
# A shortfall less than this is no cut that anybody would speak of.
_LEAST_SHORT_MM = 0.7
_CELL_MM = 3.0
# Where both surfaces coincide, one lies outside the other by this much through sampling alone.
_LEAST_OUTSIDE_MM = 0.2
# A cut keeps one distance from the structure that it was made by, to this much.
_CUT_TOLERANCE_MM = 0.8
_CUT_FITS = 0.7
_DEEPEST_MM = 15.0
# What share of the points the first and each further structure must account for.
_FIRST_CUT, _NEXT_CUT, _MOST_CUTS = 0.4, 0.15, 3
_LEAST_POINTS = 8
_MOST_OTHERS = 60
_LEAST_RECIPE_FRAC = 0.2
# Nodes in the window in which another structure is looked at.
_MOST_NODES = 400_000
# Share of a slice distance by which a margin must pass the next slice before that slice is missed.
_END_SLACK = 0.2
# Systems leave out sections smaller than this.
_LEAST_SECTION_MM2 = 20.0
# Ends are judged only where the margins are known by most of the surface.
_ONE_RECIPE_FRAC = 0.75
# What no planner crops a target by: targets themselves, helpers and rings of optimisation, couches.
_NO_CUTTER = re.compile(r"(couch|table|ring|opt_|dose|isodose|iso\b|marker|shift)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A structure that something was cut by, the distance kept from it (negative inside), the share of the points."""

    structure: str
    gap_mm: float
    share: float

    def words(self) -> str:
        """Return what the cut keeps to."""
        if abs(self.gap_mm) < 0.25:
            return f"at the edge of {self.structure}"
        side = "inside" if self.gap_mm < 0 else "away from"
        return f"{abs(self.gap_mm):.1f} mm {side} {self.structure}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """A connected part of the inner surface where something is amiss.

    Attributes
    ----------
    members : (n,)
        Which points of the `Reach` belong to it.
    lacking_mm : (n,)
        What is lacking at each.
    """

    members: NDArray[np.int64]
    lacking_mm: FloatArray
    share: float

    @property
    def worst(self) -> int:
        """Index, in the `Reach`, of the point where most is lacking."""
        return int(self.members[self.lacking_mm.argmax()])


def patches(reach: Reach, lacking_mm: FloatArray, allowed_mm: FloatArray) -> list[Patch]:
    """Return the connected parts where more is lacking than allowed, the largest first."""
    short = np.flatnonzero(lacking_mm > allowed_mm)
    found = [
        Patch(members=short[group], lacking_mm=lacking_mm[short[group]], share=float(reach.share[short[group]].sum()))
        for group in _connected(reach.points_mm[short])
    ]
    return sorted((p for p in found if p.share >= LEAST_SHARE), key=lambda p: -p.share)


def _connected(points_mm: FloatArray) -> list[NDArray[np.int64]]:
    """Return groups of points, each within a cell or two of another of its group."""
    if len(points_mm) == 0:
        return []
    cells, of_point = np.unique(np.floor(points_mm / _CELL_MM).astype(int), axis=0, return_inverse=True)
    where = {tuple(cell): n for n, cell in enumerate(cells.tolist())}
    group = np.full(len(cells), -1)
    steps = [(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]
    count = 0
    for start in range(len(cells)):
        if group[start] >= 0:
            continue
        todo = [start]
        group[start] = count
        while todo:
            x, y, z = cells[todo.pop()].tolist()
            for i, j, k in steps:
                near = where.get((x + i, y + j, z + k))
                if near is not None and group[near] < 0:
                    group[near] = count
                    todo.append(near)
        count += 1
    labels = group[of_point.ravel()]
    return [np.flatnonzero(labels == n) for n in range(count)]


def find_crops(
    inner: Surface,
    outer: Surface,
    *,
    fit: Fit,
    reach: Reach,
    lacking: FloatArray,
    others: Sequence[Structure],
) -> tuple[tuple[Crop, ...], NDArray[np.bool_]]:
    """Return the parts where `outer` falls short of the recovered margins, each with its cause where one is found.

    Parameters
    ----------
    lacking : (n,)
        What is lacking to the recovered margin at each point of `reach`, in mm.

    Returns
    -------
    crops
        What is not explained first.
    explained : (n,)
        Whether a point of `reach` lies where another structure explains what is lacking.
    """
    allowed = np.maximum(_LEAST_SHORT_MM, reach.band_mm + 0.3)
    ends = _short_ends(inner, outer, fit)
    found: list[Crop] = []
    # Where no margins explain the rest, there is nothing that a cut departs from.
    known = fit.explained_frac >= _LEAST_RECIPE_FRAC
    cutters = _Cutters(others=others if known else (), inner=inner, outer=outer)
    explained = np.zeros(len(lacking), bool)
    for patch in patches(reach, lacking, allowed):
        here = _crops_of(patch, inner=inner, outer=outer, fit=fit, reach=reach, cutters=cutters)
        crop = here[0]
        explained[patch.members] = crop.explained
        at_end = abs(float(reach.normals[patch.worst] @ outer.slice_axis)) > 0.8
        if not (at_end and not crop.explained and any(_same_end(crop.place, end) for end in ends)):
            found += here
    found += [end for end in ends if not any(c.explained and _same_end(c.place, end) for c in found)]
    return tuple(sorted(found, key=lambda c: (c.explained, -c.surface_pct))), explained


def _same_end(place: Place, end: Crop) -> bool:
    return any(word in place.direction.split("-") for word in end.place.direction.split("-"))


def _crops_of(patch: Patch, *, inner: Surface, outer: Surface, fit: Fit, reach: Reach, cutters: _Cutters) -> list[Crop]:
    """Return what is to be said of one patch: a crop for each structure that cut there, or one without a cause."""
    worst = patch.worst
    place = place_of(reach.points_mm[worst], reach.normals[worst], outer)
    left = float(reach.distance_mm[worst])
    lacking = float(patch.lacking_mm.max())
    where = f"{place.direction} ({_at(place)})"
    plain = Crop(
        kind=CropKind.DENT,
        structure="",
        gap_mm=None,
        explained=False,
        surface_pct=100 * patch.share,
        worst_mm=lacking,
        margin_mm=left,
        place=place,
        text=f"{outer.name} keeps only {left:.1f} mm, {lacking:.1f} mm less than elsewhere, {where}; "
        "no structure explains it",
    )
    cuts = cutters.explain(_short_points(patch, fit, reach))
    if cuts:
        return [
            replace(
                plain,
                kind=CropKind.CUT,
                structure=cut.structure,
                gap_mm=round(cut.gap_mm, 2),
                explained=True,
                surface_pct=100 * patch.share * cut.share,
                text=f"{outer.name} is cut to stay {cut.words()}: up to {lacking:.1f} mm less margin {where}",
            )
            for cut in cuts
        ]
    if left < -_LEAST_OUTSIDE_MM:
        text = f"{inner.name} reaches out of {outer.name} by {-left:.1f} mm {where}"
        return [replace(plain, kind=CropKind.OUTSIDE, text=text)]
    return [plain]


def _at(place: Place) -> str:
    x, y, z = place.point_mm
    return f"slice {place.slice_mm:g} mm, at x {x:g}, y {y:g}, z {z:g}"


def _short_points(patch: Patch, fit: Fit, reach: Reach) -> FloatArray:
    """Return the points of the outer contours that fall short above a patch."""
    short = fit.residual_mm < -0.5 * _LEAST_SHORT_MM
    points = fit.points_mm[short]
    feet = points - fit.vector_mm[short]
    if not len(points):
        return points
    return points[nearest_mm(feet, reach.points_mm[patch.members], within_mm=_CELL_MM) < _CELL_MM]


def _short_ends(inner: Surface, outer: Surface, fit: Fit) -> list[Crop]:
    """Return the ends at which the outer structure stops a slice or more before its margin does."""
    found: list[Crop] = []
    axis = outer.slice_axis
    if fit.explained_frac < _ONE_RECIPE_FRAC:
        return found
    for upward in (False, True):
        sign = 1.0 if upward else -1.0
        caps = [c for c in inner.caps if c.upward is upward]
        cap = max(caps, key=lambda c: sign * inner.stack.offsets_mm[c.plane])
        # A flat end may lie anywhere up to the next slice: only what is sure counts.
        height = 0.0 if cap.flat else cap.height_mm
        end = sign * float(inner.stack.offsets_mm[cap.plane]) + height
        last = float(max(sign * outer.stack.offsets_mm))
        reach = end + margin_along(sign * axis, fit.margins_mm)
        missing = floor((reach - last) / outer.spacing_mm - _END_SLACK)
        if missing < 1 or _section_mm2(outer, sign, reach - last, missing) < _LEAST_SECTION_MM2:
            continue
        found.append(_end_crop(inner, outer, sign, missing, reach - last))
    return found


def _section_mm2(outer: Surface, sign: float, short_mm: float, missing: int) -> float:
    """Return about how large the last of the missing sections would be: a dome's area goes as its depth."""
    last = int((sign * outer.stack.offsets_mm).argmax())
    area = float(np.abs(outer.stack.areas_mm2())[last])
    return area * (short_mm - missing * outer.spacing_mm) / short_mm


def _end_crop(inner: Surface, outer: Surface, sign: float, missing: int, short_mm: float) -> Crop:
    axis, stack = outer.slice_axis, outer.stack
    plane = int((sign * stack.offsets_mm).argmax())
    middle = np.append(np.mean(stack.rings(plane)[0], axis=0), stack.offsets_mm[plane])
    place = place_of(stack.frame.to_patient(middle[None, :])[0], sign * axis, outer)
    top = max(sign * inner.stack.offsets_mm)
    slices = "one slice" if missing == 1 else f"{missing} slices"
    left = float(max(sign * stack.offsets_mm) - top)
    return Crop(
        kind=CropKind.SLICES,
        structure="",
        gap_mm=None,
        explained=False,
        surface_pct=0.0,
        worst_mm=missing * outer.spacing_mm,
        margin_mm=left,
        place=place,
        text=f"{outer.name} stops {slices} short {place.direction}: its last slice is {place.slice_mm:g} mm, "
        f"{left:g} mm beyond that of {inner.name}, where the margin drawn elsewhere reaches {short_mm:.1f} mm further",
    )


class _Cutters:
    """The structures that an outer one may have been cut by; each is made ready when it is first asked."""

    def __init__(self, *, others: Sequence[Structure], inner: Surface, outer: Surface) -> None:
        taken = {inner.structure.number, outer.structure.number}
        self.others = [
            s
            for s in others
            if s.number not in taken and not s.is_empty and not _NO_CUTTER.search(s.name) and not is_target(s)
        ][:_MOST_OTHERS]
        self.outer = outer
        self._ready: dict[int, tuple[Surface, FloatArray] | None] = {}

    def explain(self, points_mm: FloatArray) -> list[Cut]:
        """Return the structures from whose surfaces the points keep one distance each; none if too few do.

        A cut that somebody made is kept by the whole outer structure, not only here: nothing of it comes nearer.
        Several structures may share a cut; together they must account for most of the points.
        """
        if len(points_mm) < _LEAST_POINTS:
            return []
        left = np.ones(len(points_mm), bool)
        cuts: list[Cut] = []
        walls = [wall for index in range(len(self.others)) for wall in self._walls(index, points_mm)]
        while walls and len(cuts) < _MOST_CUTS:
            counts = [int((near & left).sum()) for _, _, near, _ in walls]
            best = max(range(len(walls)), key=lambda w: (counts[w], -walls[w][3]))
            share = counts[best] / len(points_mm)
            if share < (_FIRST_CUT if not cuts else _NEXT_CUT):
                break
            name, gap, near, _ = walls[best]
            cuts.append(Cut(structure=name, gap_mm=gap, share=share))
            left &= ~near
        return cuts if 1 - left.mean() >= _CUT_FITS else []

    def _walls(self, index: int, points_mm: FloatArray) -> list[tuple[str, float, NDArray[np.bool_], float]]:
        """Return the distances that the outer structure keeps from one other, and which points lie just there.

        Kept inside, nothing of it has a larger signed distance than the cut; kept away, nothing has a smaller one.
        """
        ready = self._surface(index)
        if ready is None:
            return []
        surface, everywhere = ready
        here = _signed_distance(points_mm, surface)
        walls = []
        for at, sign in ((0.985, 1.0), (0.015, -1.0)):
            gap = float(np.quantile(everywhere, at))
            if not -_DEEPEST_MM <= gap * sign <= _CUT_TOLERANCE_MM:
                continue
            near = np.abs(here - gap) <= 1.5 * _CUT_TOLERANCE_MM
            if near.sum() < _LEAST_POINTS:
                continue
            gap = float(np.median(here[near]))
            near = np.abs(here - gap) <= _CUT_TOLERANCE_MM
            beyond = sign * (everywhere - gap)
            if near.any() and np.mean(beyond > 1.5 * _CUT_TOLERANCE_MM) <= 0.02:
                spread = float(np.median(np.abs(here[near] - gap)))
                walls.append((surface.name, gap, near, spread + 0.02 * abs(gap)))
        return walls

    def _surface(self, index: int) -> tuple[Surface, FloatArray] | None:
        if index not in self._ready:
            self._ready[index] = self._make(self.others[index])
        return self._ready[index]

    def _make(self, structure: Structure) -> tuple[Surface, FloatArray] | None:
        points = self.outer.cloud.drawn().points_mm[::4]
        pad = _DEEPEST_MM + 5.0
        low, high = points.min(axis=0) - pad, points.max(axis=0) + pad
        if not _touches(structure, low, high):
            return None
        step = max(1.5, float(np.cbrt(np.prod(high - low) / _MOST_NODES)))
        try:
            surface = make_surface(
                structure, fallback_spacing_mm=self.outer.spacing_mm, window_mm=(low, high), step_mm=step
            )
        except (GeometryError, NotEvaluable):
            return None  # what cannot be measured explains nothing
        if not len(surface.cloud.points_mm):
            return None
        return surface, _signed_distance(points, surface)


def _touches(structure: Structure, low: FloatArray, high: FloatArray) -> bool:
    points = np.concatenate([c.points_mm for c in structure.closed_contours])
    return bool(np.all(points.max(axis=0) >= low) and np.all(points.min(axis=0) <= high))


def _signed_distance(points_mm: FloatArray, surface: Surface) -> FloatArray:
    distance = distance_to(points_mm, surface.cloud)
    return np.where(surface.signed(points_mm) < 0, -distance, distance)


def is_target(structure: Structure) -> bool:
    """Whether it is a target volume, which the outer structure contains or overlaps for reasons of its own."""
    word = structure.name.strip().lstrip("zZ_").upper()
    return structure.rt_roi_type in ("GTV", "CTV", "PTV", "ITV") or word.startswith(("GTV", "CTV", "PTV", "ITV"))
