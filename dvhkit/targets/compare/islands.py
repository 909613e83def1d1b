"""Separate parts of a solid: what hangs together from slice to slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from dvhkit.engine.kernels.surface.sweep import holds_points
from dvhkit.engine.solid.sampled import Section
from dvhkit.targets.compare.flat import as_strips
from dvhkit.targets.compare.sections import Sections
from dvhkit.targets.compare.skin import polygon_of

# Slices farther apart than this many usual distances do not hang together.
_WIDEST_GAP = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """One connected area on one drawn slice, as a shapely polygon."""

    w_mm: float
    shape: Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Island:
    """A separate part of a structure: its pieces, ascending, and its volume as slabs."""

    pieces: tuple[Piece, ...]
    volume_cc: float

    @property
    def heights_mm(self) -> tuple[float, ...]:
        """The slices on which it is drawn, ascending."""
        return tuple(sorted({piece.w_mm for piece in self.pieces}))


def is_one_part(sections: Sections) -> bool:
    """Whether one outline a slice overlaps the next one's, so that nothing has to be grouped; False where in doubt."""
    drawn = [s for s in sections.drawn if s.rings]
    if any(len(s.rings) != 1 or len(s.rings[0]) < 3 for s in drawn):
        return False
    heights = np.array([s.w_mm for s in drawn])
    if (np.diff(heights) > _WIDEST_GAP * sections.gap_mm + 1e-6).any():
        return False
    rings = [s.rings[0] for s in drawn]
    middles = np.array([ring.mean(axis=0) for ring in rings])
    strips, slices = as_strips(rings), np.arange(len(rings), dtype=float)
    inside = np.zeros((2, len(rings)), np.bool_)
    # The middle of one that lies in the next as well is a point of both.
    for row, ahead in zip(inside, (0, 1), strict=True):
        holds_points(np.column_stack([middles, slices + ahead]), strips, row)
    return bool(inside[:, :-1].all())


def islands_of(sections: Sections) -> tuple[Island, ...]:
    """Return the separate parts of a solid, the largest first: pieces that overlap on neighbouring slices are one."""
    levels = [[Piece(w_mm=s.w_mm, shape=p) for p in _parts(s)] for s in sections.drawn]
    pieces = [piece for level in levels for piece in level]
    number = {id(piece): n for n, piece in enumerate(pieces)}
    group = list(range(len(pieces)))

    def root(n: int) -> int:
        while group[n] != n:
            n = group[n]
        return n

    for below, above in pairwise(levels):
        for p in below:
            for q in above:
                near = q.w_mm - p.w_mm <= _WIDEST_GAP * sections.gap_mm + 1e-6
                if near and p.shape.intersects(q.shape):
                    group[root(number[id(q)])] = root(number[id(p)])
    found: dict[int, list[Piece]] = {}
    for n, piece in enumerate(pieces):
        found.setdefault(root(n), []).append(piece)
    heights = np.array([s.w_mm for s in sections.drawn])
    made = [
        Island(pieces=tuple(members), volume_cc=_volume_cc(members, heights, sections.gap_mm))
        for members in found.values()
    ]
    return tuple(sorted(made, key=lambda island: -island.volume_cc))


def _parts(section: Section) -> list[Any]:
    shape = polygon_of(section.rings)
    return [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > 0]


def _volume_cc(pieces: Sequence[Piece], heights: Any, gap_mm: float) -> float:  # noqa: ANN401 -- (n,) numbers
    total = 0.0
    for piece in pieces:
        at = int(np.searchsorted(heights, piece.w_mm))
        below = min(piece.w_mm - heights[at - 1], gap_mm * _WIDEST_GAP) if at > 0 else gap_mm
        above = min(heights[at + 1] - piece.w_mm, gap_mm * _WIDEST_GAP) if at + 1 < len(heights) else gap_mm
        total += piece.shape.area * 0.5 * (below + above)
    return float(total) / 1000.0
