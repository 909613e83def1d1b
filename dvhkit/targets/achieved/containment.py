"""GTV inside CTV inside PTV inside the body: what lies outside the structure that was drawn round it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dvhkit.model.structure import Structure
from dvhkit.results.margin import Place
from dvhkit.targets.achieved.cloud import distance_to
from dvhkit.targets.achieved.measure import outside_volume_cc, place_of
from dvhkit.targets.achieved.surface import Surface
from dvhkit.targets.regions.pairing import LEAST_DEPTH_MM, TargetPair, Targets, kind_of

# Less than this is the rounding of contours that coincide.
LEAST_CC = 0.005


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
    targets = Targets(drawn, slice_spacing_mm)
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
