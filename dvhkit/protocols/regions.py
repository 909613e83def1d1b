"""Structures that are made of others, such as `Liver - GTV`: the expression, and what it comes to in one case.

::

    Liver - GTV             the liver less every structure of type GTV
    Lungs - (PTV | ITV)     A - B without B, A | B both together, A & B what they share; from left to right
    "Kidney (left)" | Kidney_R

An operator has blanks round it (``Liver-GTV`` is a name). The bare words GTV, CTV, ITV and PTV stand for all
structures of that type together; in quotes they are names like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TARGET_TYPES = ("GTV", "CTV", "ITV", "PTV")
OPERATORS = {"-": "difference", "|": "union", "&": "intersection"}
_TOKEN = re.compile(r'\s*(?:"(?P<quoted>[^"]+)"|(?P<paren>[()])|(?P<op>[|&])|(?P<minus>-)(?=\s))')
_NAME = re.compile(r'\s*((?:(?!\s+-\s|\s*[|&()"]).)+)')


@dataclass(frozen=True, slots=True)
class Name:
    """A structure by name."""

    name: str


@dataclass(frozen=True, slots=True)
class OfType:
    """All structures of one RTROIInterpretedType, together."""

    rt_roi_type: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Two regions put together; `operator` is ``difference``, ``union`` or ``intersection``."""

    operator: str
    left: Expression
    right: Expression


Expression = Name | OfType | Operation


@dataclass(frozen=True, slots=True)
class RoiRef:
    """One ROI of the case."""

    number: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Combination:
    """Regions of the case put together.

    ``difference`` is the first part without all others, ``union`` and ``intersection`` are of all parts. `text` is how
    reports call it, such as ``Liver - GTV``.
    """

    operator: str
    parts: tuple[Region, ...]
    text: str

    def __str__(self) -> str:
        return self.text


Region = RoiRef | Combination


def is_expression(text: str) -> bool:
    """Whether `text` is made of several names rather than being one."""
    return isinstance(_parse_or_none(text), Operation)


def parse_region(text: str) -> Expression:
    """Return the expression that `text` spells; ValueError, with what is wrong, if it spells none."""
    expression, rest = _sequence(text, 0)
    if text[rest:].strip():
        raise ValueError(f"{text[rest:].strip()!r} is too much in the structure expression {text!r}")
    return expression


def _parse_or_none(text: str) -> Expression | None:
    try:
        return parse_region(text)
    except ValueError:
        return None


def _sequence(text: str, at: int) -> tuple[Expression, int]:
    left, at = _operand(text, at)
    while True:
        match = _TOKEN.match(text, at)
        sign = match and (match["op"] or match["minus"])
        if not match or not sign:
            return left, at
        right, at = _operand(text, match.end())
        left = Operation(OPERATORS[sign], left, right)


def _operand(text: str, at: int) -> tuple[Expression, int]:
    match = _TOKEN.match(text, at)
    if match and match["quoted"]:
        return Name(match["quoted"]), match.end()
    if match and match["paren"] == "(":
        inner, at = _sequence(text, match.end())
        closing = _TOKEN.match(text, at)
        if not closing or closing["paren"] != ")":
            raise ValueError(f"a closing parenthesis is missing in the structure expression {text!r}")
        return inner, closing.end()
    word = _NAME.match(text, at)
    if match or not word or not word[1].strip():
        raise ValueError(f"a structure name is missing in the structure expression {text!r}")
    name = word[1].strip()
    return (OfType(name) if name in TARGET_TYPES else Name(name)), word.end()
