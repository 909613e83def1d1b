"""The structure that was drawn round each target: the one rule by which margin checks and audits pair inner and outer.

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
from dvhkit.model.roi_kinds import BODY, OUTER_KINDS, TARGET_KINDS, kind_by_name
from dvhkit.model.structure import Structure
from dvhkit.targets.achieved.surface import Surface, make_surface
from dvhkit.targets.regions.bodies import bodies_of

# A pair lies together if this much of the inner surface is inside; with less, only names can join it.
_TOGETHER_FRAC = 0.5
_STEP_MM = 2.0
# A surface point this far outside is still the rounding of contours that coincide.
LEAST_DEPTH_MM = 0.2


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


def kind_of(structure: Structure) -> str | None:
    """Return GTV, CTV, ITV, PTV or EXTERNAL, by type and name; None for anything else, and for planning helpers."""
    return kind_by_name(structure.name, structure.rt_roi_type)


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
    return tuple(Targets(tuple(structures), slice_spacing_mm).pairs())


def pair_between(
    inners: Sequence[Structure], outers: Sequence[Structure], *, slice_spacing_mm: float | None = None
) -> tuple[TargetPair, ...]:
    """Return, for each of `inners`, the one of `outers` that was drawn round it, by the rule of `pair_targets`.

    One inner and one outer structure belong together, whatever they are called and wherever they lie.
    """
    if len(inners) == len(outers) == 1:
        return (TargetPair(inner=inners[0], outer=outers[0], how="the only two"),)
    targets = Targets((*inners, *outers), slice_spacing_mm)
    return tuple(targets.choose(inner, [o for o in outers if o is not inner]) for inner in inners)


class Targets:
    """The targets of a structure set, each made ready once."""

    def __init__(self, structures: Sequence[Structure], slice_spacing_mm: float | None) -> None:
        self._spacing_mm = slice_spacing_mm
        self._ready: dict[int, Surface | None] = {}
        self._by_kind: dict[str | None, list[Structure]] = {}
        for structure in structures:
            kind = kind_of(structure)
            if kind not in (None, BODY) and not structure.is_empty:
                self._by_kind.setdefault(kind, []).append(structure)
        self._by_kind[BODY] = bodies_of(structures)

    def pairs(self) -> Iterator[TargetPair]:
        """Yield each target with the structure that was drawn round it."""
        for kind in TARGET_KINDS:
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
        if kind_of(structure) == BODY:
            points = [
                c.points_mm for kind in TARGET_KINDS for s in self._by_kind.get(kind, []) for c in s.closed_contours
            ]
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
        for outer_kind in OUTER_KINDS[kind]:
            candidates = self._by_kind.get(outer_kind, [])
            if candidates:
                found = self.choose(inner, candidates)
                if found.outer is not None:
                    return found
                last = found
        return last

    def choose(self, inner: Structure, candidates: list[Structure]) -> TargetPair:
        """Return the one of `candidates` that was drawn round `inner`: by place, then by name, then the tightest."""
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
