"""GTV inside CTV inside PTV inside the body: which targets belong together, and what lies outside.

Targets are known by their RT ROI interpreted type, or by a name that begins with GTV, CTV, ITV or PTV. Which belong
together is told by where they lie; their names (`CTV_2`, `PTV_2`; `CTVp`, `PTVp`; `PTV_4500`) decide where that leaves
a choice. Whatever is still open is reported, not guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.model.structure import Structure
from dvhkit.targets.achieved.cloud import distance_to
from dvhkit.targets.achieved.measure import outside_volume_cc, place_of
from dvhkit.targets.achieved.records import Place
from dvhkit.targets.achieved.surface import Surface, make_surface

_KINDS = ("GTV", "CTV", "ITV", "PTV")
# What each kind is widened to, nearest first.
_OUTER_KINDS = {"GTV": ("CTV", "ITV", "PTV"), "CTV": ("ITV", "PTV"), "ITV": ("PTV",), "PTV": ("EXTERNAL",)}
_BODY_NAMES = frozenset({"body", "external", "skin", "bodycontour", "patient", "outline"})
_HELPERS = re.compile(r"(^z|_?opt|ring|minus|[-_]eval|prv|dvh|^pseudo|shell)", re.IGNORECASE)
# A pair lies together if this much of the inner surface is inside; with less, only names can join it.
_TOGETHER_FRAC = 0.5
_STEP_MM = 2.0
# Less than this is the rounding of contours that coincide.
LEAST_CC, LEAST_DEPTH_MM = 0.005, 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetPair:
    """An inner structure and the one that was drawn round it.

    Attributes
    ----------
    outer
        None where no structure could be it.
    how
        How they were found to belong together.
    rivals
        Names of other structures that could be the outer one as well.
    """

    inner: Structure
    outer: Structure | None
    how: str
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Containment:
    """Whether one structure lies inside another.

    Attributes
    ----------
    outside_cc, worst_mm
        What lies outside, and how far at most; both 0 where nothing does.
    place
        The worst place; None where nothing lies outside.
    """

    inner: str
    outer: str
    outside_cc: float
    worst_mm: float
    place: Place | None
    how: str
    rivals: tuple[str, ...] = ()

    @property
    def is_kept(self) -> bool:
        """Whether no more lies outside than contours that coincide can feign."""
        return self.outside_cc < LEAST_CC or self.worst_mm < LEAST_DEPTH_MM


def kind_of(structure: Structure) -> str | None:
    """Return GTV, CTV, ITV, PTV or EXTERNAL, by type and name; None for anything else, and for planning helpers."""
    name = structure.name.strip()
    if structure.rt_roi_type == "EXTERNAL" or re.sub(r"[^a-z]", "", name.lower()) in _BODY_NAMES:
        return "EXTERNAL"
    if _HELPERS.search(name):
        return None
    by_name = next((kind for kind in _KINDS if name.upper().startswith(kind)), None)
    return by_name or (structure.rt_roi_type if structure.rt_roi_type in _KINDS else None)


def label_of(structure: Structure) -> str:
    """Return what a target's name adds to its kind, in lower case without separators: ``4500``, ``p``, ``2``."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"(?i)^(gtv|ctv|itv|ptv)", "", structure.name.strip()).lower())


def pair_targets(structures: Iterable[Structure], *, slice_spacing_mm: float | None = None) -> tuple[TargetPair, ...]:
    """Return, for each target, the structure that was drawn round it: CTV for a GTV, PTV for a CTV, the body for a PTV.

    Parameters
    ----------
    slice_spacing_mm
        Slice distance for structures drawn on one slice.
    """
    return tuple(_Targets(tuple(structures), slice_spacing_mm).pairs())


def containment_chain(
    structures: Iterable[Structure], *, slice_spacing_mm: float | None = None
) -> tuple[Containment, ...]:
    """Return how each target lies in the structure that was drawn round it, up to the body.

    Targets for which there is no such structure, or whose contours mean nothing in space, are left out.
    """
    links = target_links(structures, slice_spacing_mm=slice_spacing_mm)
    return tuple(held for _, held in links if held is not None)


def target_links(
    structures: Iterable[Structure],
    *,
    between: tuple[str, str] | None = None,
    slice_spacing_mm: float | None = None,
) -> tuple[tuple[TargetPair, Containment | None], ...]:
    """Return each target with the structure that was drawn round it, and how it lies in there.

    Parameters
    ----------
    between
        Kinds of the inner and the outer structure, such as ``("GTV", "CTV")``, where only these are looked at.

    Returns
    -------
    tuple
        The latter is None where there is no outer structure, or contours mean nothing in space.
    """
    drawn = tuple(s for s in structures if between is None or kind_of(s) in between)
    targets = _Targets(drawn, slice_spacing_mm)
    links: list[tuple[TargetPair, Containment | None]] = []
    for pair in targets.pairs():
        if between is not None and kind_of(pair.inner) != between[0]:
            continue
        inner = targets.surface(pair.inner)
        outer = targets.surface(pair.outer) if pair.outer is not None else None
        links.append((pair, _contained(pair, inner, outer) if inner is not None and outer is not None else None))
    return tuple(links)


def _contained(pair: TargetPair, inner: Surface, outer: Surface) -> Containment:
    volume_cc, nodes, _ = outside_volume_cc(inner, outer)
    worst, place = 0.0, None
    if len(nodes):
        distance = distance_to(nodes, outer.cloud)
        at = int(distance.argmax())
        worst = float(distance[at])
        place = place_of(nodes[at], nodes[at] - inner.cloud.points_mm.mean(axis=0), inner)
    return Containment(
        inner=inner.name,
        outer=outer.name,
        outside_cc=volume_cc,
        worst_mm=worst,
        place=place,
        how=pair.how,
        rivals=pair.rivals,
    )


class _Targets:
    """The targets of a structure set, each made ready once."""

    def __init__(self, structures: Sequence[Structure], slice_spacing_mm: float | None) -> None:
        self._spacing_mm = slice_spacing_mm
        self._ready: dict[int, Surface | None] = {}
        self._by_kind: dict[str, list[Structure]] = {}
        for structure in structures:
            kind = kind_of(structure)
            if kind is not None and not structure.is_empty:
                self._by_kind.setdefault(kind, []).append(structure)

    def pairs(self) -> Iterator[TargetPair]:
        for kind in _KINDS:
            for inner in self._by_kind.get(kind, []):
                yield self._pair(inner, kind)

    def surface(self, structure: Structure) -> Surface | None:
        """Return the structure's surface; None where its contours have none."""
        key = id(structure)
        if key not in self._ready:
            self._ready[key] = self._make(structure)
        return self._ready[key]

    def _make(self, structure: Structure) -> Surface | None:
        window = None
        if kind_of(structure) == "EXTERNAL":
            points = [c.points_mm for kind in _KINDS for s in self._by_kind.get(kind, []) for c in s.closed_contours]
            if points:
                every = np.concatenate(points)
                window = (every.min(axis=0) - 20.0, every.max(axis=0) + 20.0)
        try:
            return make_surface(
                structure, fallback_spacing_mm=self._spacing_mm, window_mm=window, step_mm=_STEP_MM if window else None
            )
        except (GeometryError, NotEvaluable):
            return None

    def _pair(self, inner: Structure, kind: str) -> TargetPair:
        last = TargetPair(inner=inner, outer=None, how=f"no structure is there that {inner.name} could lie in")
        for outer_kind in _OUTER_KINDS[kind]:
            candidates = self._by_kind.get(outer_kind, [])
            if candidates:
                found = self._choose(inner, candidates)
                if found.outer is not None:
                    return found
                last = found
        return last

    def _choose(self, inner: Structure, candidates: list[Structure]) -> TargetPair:
        shares = {id(c): self._inside_frac(inner, c) for c in candidates}
        around = [c for c in candidates if shares[id(c)] >= _TOGETHER_FRAC]
        namesakes = [c for c in candidates if label_of(c) == label_of(inner)]
        both = [c for c in around if c in namesakes]
        if len(both) == 1:
            return TargetPair(inner=inner, outer=both[0], how="by place and name")
        if len(around) == 1:
            return TargetPair(inner=inner, outer=around[0], how="by place")
        if around:
            # The tightest one was drawn round it; the others hold it by the way.
            ranked = sorted(around, key=self._volume)
            rivals = tuple(c.name for c in ranked[1:])
            return TargetPair(inner=inner, outer=ranked[0], how="the tightest of several that hold it", rivals=rivals)
        if len(namesakes) == 1 and label_of(inner):
            return TargetPair(inner=inner, outer=namesakes[0], how="by name alone: most of it lies outside")
        if len(candidates) == 1:
            return TargetPair(inner=inner, outer=candidates[0], how="the only one: most of it lies outside")
        names = tuple(c.name for c in candidates)
        return TargetPair(inner=inner, outer=None, how=f"{inner.name} lies in none of its candidates", rivals=names)

    def _inside_frac(self, inner: Structure, outer: Structure) -> float:
        a, b = self.surface(inner), self.surface(outer)
        if a is None or b is None:
            return 0.0
        return float(np.mean(b.signed(a.cloud.points_mm[::4]) <= LEAST_DEPTH_MM))

    def _volume(self, structure: Structure) -> float:
        surface = self.surface(structure)
        return float(np.abs(surface.stack.areas_mm2()).sum()) * surface.spacing_mm if surface is not None else 0.0
