"""Limits as protocols state them: `<= 15 Gy`, `>= 95 %`, `2..5 mm`; how far a value is from one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.dvh import DOSE_EQUALITY_RTOL
from dvhkit.units import Unit, number_text, parse_unit

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
_LIMIT = re.compile(
    rf"\s*(?P<op><=|>=|==|<|>|≤|≥|=)?\s*(?P<first>{_NUMBER})\s*"
    rf"(?:\.\.\s*(?P<last>{_NUMBER})\s*)?(?P<unit>%|[A-Za-z]+[³3]?)?\s*"
)
# A structure drawn for just the least volume of a table comes out a rounding error off.
_VOLUME_RTOL = 1e-9
_OPERATORS = {"≤": "<=", "≥": ">=", "=": "=="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a value must keep to: a bound on one side, or on both.

    Attributes
    ----------
    low, high
        The bounds; None on a side that is open.
    strict
        Whether a value just at the bound is outside (`<`, `>`).
    words
        What a text must be one of; then there are no bounds, and no value has a distance from it.
    by_volume
        Bounds by the structure's volume in cc, ascending, linear in between; then `low` or `high` is the loosest of
        them, and what holds for a structure is `at_volume`.
    of_prescription
        Whether the bound is what the plan prescribes, whatever that is.
    """

    low: float | None
    high: float | None
    unit: Unit
    strict: bool = False
    words: tuple[str, ...] = ()
    by_volume: tuple[tuple[float, float], ...] = ()
    of_prescription: bool = False

    def __str__(self) -> str:
        if self.words:
            return f"one of {', '.join(self.words)}"
        if self.by_volume or self.of_prescription:
            sign = "<" if self.is_upper else ">"
            return f"{sign if self.strict else f'{sign}='} {'by volume' if self.by_volume else 'prescription'}"
        unit = f" {self.unit.value}" if self.unit not in (Unit.NONE, Unit.COUNT) else ""
        low, high = (None if bound is None else number_text(bound) for bound in (self.low, self.high))
        if low is not None and high is not None:
            return f"== {low}{unit}" if low == high else f"{low}..{high}{unit}"
        if high is not None:
            return f"{'<' if self.strict else '<='} {high}{unit}"
        return f"{'>' if self.strict else '>='} {low}{unit}"

    @property
    def is_upper(self) -> bool:
        """Whether it bounds from above only."""
        return self.low is None and not self.words

    @property
    def is_range(self) -> bool:
        """Whether it bounds from both sides."""
        return self.low is not None and self.high is not None

    def margin(self, value: float) -> float:
        """Return the distance of `value` from the nearest bound, positive on the good side."""
        distances = []
        if self.low is not None:
            distances.append(value - self.low)
        if self.high is not None:
            distances.append(self.high - value)
        return min(distances)

    def margin_pct(self, value: float) -> float | None:
        """Return `margin` in percent of the bound that it is taken from; None where that is 0."""
        nearest = self._nearer(value)
        return None if nearest == 0 else 100 * self.margin(value) / abs(nearest)

    def _nearer(self, value: float) -> float:
        """Return the bound that the margin is taken from."""
        if self.low is None or self.high is None:
            bound = self.high if self.low is None else self.low
            assert bound is not None  # a limit has at least one
            return bound
        return self.low if value - self.low <= self.high - value else self.high

    def is_met(self, value: float, *, atol: float = 0.0) -> bool:
        """Whether `value` keeps to it.

        A value within `atol`, or within the rounding of stored doses (1e-7 of the bound), is *at* the bound: good
        unless the bound is strict.
        """
        met = True
        for bound, sign in ((self.low, 1.0), (self.high, -1.0)):
            if bound is None:
                continue
            slack = max(atol, abs(bound) * DOSE_EQUALITY_RTOL)
            distance = sign * (value - bound)
            met = met and (distance > slack if self.strict else distance >= -slack)
        return met

    def at_volume(self, volume_cc: float) -> Limit:
        """Return the limit for so much volume; raises `NotEvaluable` beyond the volumes it is stated for.

        What is interpolated is rounded to five digits: tables have two, and a verdict must be as good as its print.
        """
        first, last = self.by_volume[0], self.by_volume[-1]
        if not first[0] * (1 - _VOLUME_RTOL) <= volume_cc <= last[0] * (1 + _VOLUME_RTOL):
            raise NotEvaluable(
                f"the limit is stated for volumes of {number_text(first[0])} to {number_text(last[0])} cc; "
                f"there are {number_text(volume_cc, digits=4)} cc here.",
                reason=Reason.NOT_APPLICABLE,
            )
        bound = last[1]
        for (v0, b0), (v1, b1) in pairwise(self.by_volume):
            if volume_cc <= v1:
                share = min(1.0, max(0.0, (volume_cc - v0) / (v1 - v0)))
                bound = float(f"{b0 * (1 - share) + b1 * share:.5g}")
                break
        return Limit(
            low=None if self.is_upper else bound,
            high=bound if self.is_upper else None,
            unit=self.unit,
            strict=self.strict,
        )

    def is_looser_than(self, other: Limit) -> bool:
        """Whether every value that meets `other` meets this one, and some more do."""
        if self.words:
            return set(self.words) > set(other.words)
        if self.by_volume:
            sign = 1.0 if self.is_upper else -1.0
            pairs = zip(self.by_volume, other.by_volume, strict=True)
            return self.by_volume != other.by_volume and all(sign * (own[1] - their[1]) >= 0 for own, their in pairs)
        looser_low = self.low is None or (other.low is not None and self.low <= other.low)
        looser_high = self.high is None or (other.high is not None and self.high >= other.high)
        return (
            looser_low and looser_high and (self.low, self.high, self.strict) != (other.low, other.high, other.strict)
        )


def split_constraint(text: str) -> tuple[str, str] | None:
    """Return metric and limit of a constraint in one text, such as ``D1cc < 10 Gy``; None if it is not one."""
    match = re.fullmatch(r"\s*([^<>=≤≥]+?)\s*((?:<=|>=|==|<|>|≤|≥)[^<>=≤≥]+)", text)
    return None if match is None else (match[1], match[2].strip())


def parse_limit(text: str | float, *, unit: Unit, like: Limit | None = None, bare_ok: bool = True) -> Limit:
    """Return the limit that `text` spells for a quantity in `unit`.

    Parameters
    ----------
    text
        ``<= 15 Gy``, ``> 95``, ``2..5 mm``; a bare number takes its direction from `like`.
    unit
        Unit of the quantity; a limit in another one is refused, cGy and mm³ are converted.
    bare_ok
        Whether the number may stand without a unit.

    Raises
    ------
    ValueError
        With what is wrong, in words.
    """
    text = number_text(text) if isinstance(text, int | float) else text
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise ValueError(f"the limit {text!r} cannot be read; write '<= 15 Gy', '>= 95 %' or '2..5 mm'")
    factor = _factor(text, match["unit"], unit, bare_ok=bare_ok)
    first, last = float(match["first"]) / factor, match["last"]
    operator = _OPERATORS.get(match["op"] or "", match["op"] or "")
    if last is not None:
        return _range(text, operator, first, float(last) / factor, unit)
    if not operator:
        if like is None or like.is_range:
            raise ValueError(f"the limit {text!r} lacks a direction; write '<= {text}' or '>= {text}'")
        return Limit(
            low=None if like.is_upper else first, high=first if like.is_upper else None, unit=unit, strict=like.strict
        )
    return Limit(
        low=first if operator in (">=", ">", "==") else None,
        high=first if operator in ("<=", "<", "==") else None,
        unit=unit,
        strict=operator in ("<", ">"),
    )


def parse_by_volume(text: str, rows: Sequence[Sequence[float]], *, unit: Unit) -> tuple[Limit, Limit | None]:
    """Return goal and variation of a limit by volume: ``< by volume`` with rows of cc, goal and maybe variation.

    Raises
    ------
    ValueError
        With what is wrong, in words.
    """
    match = re.fullmatch(r"\s*(<=|>=|<|>|≤|≥)\s*by volume\s*", text)
    if match is None:
        raise ValueError(f"the goal {text!r} of limits by volume cannot be read; write '< by volume'")
    operator = _OPERATORS.get(match[1], match[1])
    widths = {len(row) for row in rows}
    if len(rows) < 2 or len(widths) != 1 or not widths <= {2, 3}:
        raise ValueError(
            "limits by volume are at least two rows alike: [volume in cc, goal] or with the variation third"
        )
    volumes = [row[0] for row in rows]
    if volumes[0] <= 0 or any(a >= b for a, b in pairwise(volumes)):
        raise ValueError("the volumes of limits by volume must rise from row to row")

    def limit(column: int) -> Limit:
        bounds = [row[column] for row in rows]
        upper = operator in ("<=", "<")
        return Limit(
            low=None if upper else min(bounds),
            high=max(bounds) if upper else None,
            unit=unit,
            strict=operator in ("<", ">"),
            by_volume=tuple((float(row[0]), float(row[column])) for row in rows),
        )

    return limit(1), limit(2) if widths == {3} else None


def parse_words(text: str) -> Limit:
    """Return the limit that ``one of VMAT, IMRT`` spells for a text; ValueError if it spells none."""
    match = re.fullmatch(r"\s*one of\s+(\S.*)", text, re.IGNORECASE)
    words = tuple(dict.fromkeys(word.strip() for word in match[1].split(","))) if match else ()
    if not all(words) or not words:
        raise ValueError(f"the goal {text!r} of a text cannot be read; write 'one of VMAT, IMRT'")
    return Limit(low=None, high=None, unit=Unit.NONE, words=words)


def _range(text: str, operator: str, low: float, high: float, unit: Unit) -> Limit:
    if operator:
        raise ValueError(f"the limit {text!r} has both a direction and a range; keep one")
    if low > high:
        raise ValueError(f"the range {text!r} runs backwards")
    return Limit(low=low, high=high, unit=unit)


def _factor(text: str, spelling: str | None, unit: Unit, *, bare_ok: bool) -> float:
    """Return what the numbers are divided by to be in `unit`."""
    if spelling is None:
        if not bare_ok:
            raise ValueError(f"the limit {text!r} needs a unit, since the metric is not written in {unit.value}")
        return 1.0
    parsed = parse_unit(spelling)
    if parsed is None or parsed[0] is not unit:
        expected = unit.value or "a plain number"
        raise ValueError(f"the limit {text!r} is in {spelling}, but what is measured comes in {expected}")
    # Division keeps 1500 cGy at exactly 15 Gy, where 1500 * 0.01 need not.
    return float(round(1 / parsed[1])) if parsed[1] < 1 else 1 / parsed[1]
