"""The margins that a protocol asks for: ``2..5``, or ``AP=6..8,LR=5..7,CC=8..10``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dvhkit.errors import InputError
from dvhkit.model.arrays import FloatArray
from dvhkit.targets.achieved.fit import DIRECTIONS

# No expansion is wider; a limit beyond it was written in another unit.
_MOST_MM = 100.0
_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_RANGE = re.compile(rf"(?:{_NUMBER}(?:\.\.{_NUMBER})?|(<=|>=|≤|≥){_NUMBER})(?:mm)?", re.IGNORECASE)
_ALL = frozenset(DIRECTIONS)
_WORDS: dict[str, frozenset[str]] = {
    "all": _ALL,
    "ap": frozenset({"anterior", "posterior"}),
    "pa": frozenset({"anterior", "posterior"}),
    "lr": frozenset({"left", "right"}),
    "rl": frozenset({"left", "right"}),
    "cc": frozenset({"superior", "inferior"}),
    "si": frozenset({"superior", "inferior"}),
    "is": frozenset({"superior", "inferior"}),
    "cranial": frozenset({"superior"}),
    "caudal": frozenset({"inferior"}),
    **{name: frozenset({name}) for name in DIRECTIONS},
    **{name[0]: frozenset({name}) for name in DIRECTIONS},
    **{name[:3]: frozenset({name}) for name in ("anterior", "posterior", "superior", "inferior")},
}
_HELP = "Write '2..5', '5', '>=3', or ranges by axis or direction: 'AP=6..8,LR=5..7,CC=8..10', 'all=5,inferior=8'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A range of margins for each direction, in mm; None on a side that is open.

    Attributes
    ----------
    low_mm, high_mm
        Towards left, right, posterior, anterior, superior, inferior.
    """

    low_mm: tuple[float | None, ...]
    high_mm: tuple[float | None, ...]
    text: str

    def low(self) -> FloatArray:
        """Return the lower bounds, 0 where there is none."""
        return np.array([0.0 if bound is None else bound for bound in self.low_mm])

    def high(self) -> FloatArray | None:
        """Return the upper bounds, or None if no direction has one; an open one is as wide as any margin."""
        if all(bound is None for bound in self.high_mm):
            return None
        return np.array([_MOST_MM if bound is None else bound for bound in self.high_mm])


def expect_range(low_mm: float | None, high_mm: float | None, *, text: str = "") -> Expectation:
    """Return one range for all six directions."""
    shown = text or f"{'' if low_mm is None else f'{low_mm:g}'}..{'' if high_mm is None else f'{high_mm:g}'}"
    return Expectation(low_mm=(low_mm,) * 6, high_mm=(high_mm,) * 6, text=shown)


def parse_expectation(text: str) -> Expectation:
    """Return the margins that `text` asks for.

    A range alone holds all round. Otherwise ranges stand behind an axis (AP, LR, CC or SI), a direction (``left``,
    ``L``, ...) or ``all``; a later word narrows an earlier one, and a direction that no word names may be anything.

    Raises
    ------
    InputError
        Text that is no such list, or a range that runs backwards.
    """
    parts = [part for part in re.split(r"[,;]", re.sub(r"\s+", "", text)) if part]
    if not parts:
        raise InputError("an expected margin is empty.", remedy=_HELP)
    ranges: dict[str, tuple[float | None, float | None]] = {}
    for part in parts:
        word, mark, limits = part.partition("=") if not part.startswith((">", "<")) else ("all", "=", part)
        if not mark:
            word, limits = "all", word
        for name in _directions(word, text):
            ranges[name] = _range(limits, text)
    return _as_expectation(ranges, text.strip())


def _as_expectation(ranges: Mapping[str, tuple[float | None, float | None]], text: str) -> Expectation:
    bounds = [ranges.get(name, (None, None)) for name in DIRECTIONS]
    return Expectation(low_mm=tuple(b[0] for b in bounds), high_mm=tuple(b[1] for b in bounds), text=text)


def _directions(word: str, text: str) -> frozenset[str]:
    named = _WORDS.get(word.casefold())
    if named is None:
        raise InputError(f"{word!r} in the expected margin {text!r} is no direction.", remedy=_HELP)
    return named


def _range(limits: str, text: str) -> tuple[float | None, float | None]:
    match = _RANGE.fullmatch(limits)
    if match is None:
        raise InputError(f"{limits!r} in the expected margin {text!r} is no range of millimetres.", remedy=_HELP)
    first, last, sign, bound = match.groups()
    low: float | None
    high: float | None
    if sign:
        low, high = (float(bound), None) if sign in (">=", "≥") else (None, float(bound))
    else:
        low = float(first)
        high = float(last) if last else low
    if low is not None and high is not None and low > high:
        raise InputError(f"the range {limits!r} in the expected margin runs backwards.", remedy=_HELP)
    if max(low or 0.0, high or 0.0) > _MOST_MM:
        raise InputError(f"{limits!r} is no margin in millimetres that anybody draws.", remedy=_HELP)
    # No margin at all and the widest one are no limits.
    return low or None, None if high is not None and high >= _MOST_MM else high
