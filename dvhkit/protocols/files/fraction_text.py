"""Fractionations as protocols state them: `5`, `3, 5`, `3..5` fractions; `1.8..2.0` Gy per fraction."""

from __future__ import annotations

import re

_MOST_FRACTIONS = 100


def parse_fractions(text: str) -> frozenset[int]:
    """Return the numbers of fractions that ``5``, ``3, 5`` or ``3..5`` spells; ValueError if it spells none."""
    numbers: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})\s*(?:(?:\.\.|-)\s*(\d{1,3})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= _MOST_FRACTIONS:
            raise ValueError(f"{text!r} spells no numbers of fractions; write 5, [3, 5] or 3..5")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def parse_dose_range(text: str) -> tuple[float, float]:
    """Return the range in Gy that ``1.8..2.0`` or ``2`` spells; ValueError if it spells none."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(?:\.\.\s*(\d+(?:\.\d*)?)\s*)?", text)
    low, high = (float(match[1]), float(match[2] or match[1])) if match else (0.0, 0.0)
    if not 0 < low <= high:
        raise ValueError(f"{text!r} spells no range of dose per fraction; write 1.8..2.0")
    return low, high
