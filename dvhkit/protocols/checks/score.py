"""Points for a value: straight lines between the points that a protocol states, level beyond the first and the last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

_MOST_POINTS = 50


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """Points by value, in the unit of the rule's metric.

    Attributes
    ----------
    knots
        Pairs of value and points, ascending in value, at least two.
    """

    knots: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.knots) <= _MOST_POINTS:
            raise ValueError(f"a score has from 2 to {_MOST_POINTS} points, such as [[10, 5], [15, 0]]")
        if not all(math.isfinite(number) for knot in self.knots for number in knot):
            raise ValueError("a score is made of plain numbers")
        if any(first[0] >= second[0] for first, second in pairwise(self.knots)):
            raise ValueError("the values of a score must rise from point to point")

    def __call__(self, value: float) -> float:
        """Return the points for `value`."""
        first, last = self.knots[0], self.knots[-1]
        if value <= first[0]:
            return first[1]
        if value >= last[0]:
            return last[1]
        (x0, y0), (x1, y1) = next((a, b) for a, b in pairwise(self.knots) if value <= b[0])
        # As a weighted mean, so that each knot comes out as it was stated.
        share = (value - x0) / (x1 - x0)
        return y0 * (1 - share) + y1 * share

    @property
    def most(self) -> float:
        """The most points that there are."""
        return max(points for _, points in self.knots)
