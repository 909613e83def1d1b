"""Structures that are made of others, such as `Liver - GTV`: the expression, and what it comes to in one case.

The grammar is that of `dvhkit.targets.regions.expression`, margins included. One word differs in rules: bare GTV,
CTV, ITV and PTV stand for all structures of that type together, whatever they are called; in quotes they are names like
any other.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvhkit.errors import InputError
from dvhkit.model.roi_kinds import TARGET_KINDS
from dvhkit.targets.regions import expression as grammar

if TYPE_CHECKING:
    from dvhkit.targets.derive.margin_sizes import Margins

OPERATORS = {"-": "difference", "|": "union", "&": "intersection"}


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


@dataclass(frozen=True, slots=True)
class Margin:
    """A region grown (``+``) or shrunk (``-``) by a margin."""

    base: Expression
    sign: str
    margins: Margins


Expression = Name | OfType | Operation | Margin


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


@dataclass(frozen=True, slots=True)
class Grown:
    """A region of the case grown (sign ``+``) or shrunk (``-``) by a margin."""

    part: Region
    sign: str
    margins: Margins
    text: str

    def __str__(self) -> str:
        return self.text


Region = RoiRef | Combination | Grown


def is_expression(text: str) -> bool:
    """Whether `text` is made of several names rather than being one."""
    return grammar.is_expression(text)


def parse_region(text: str, *, known: Container[str] = ()) -> Expression:
    """Return the expression that `text` spells; ValueError, with what is wrong, if it spells none.

    A text that is all one of the `known` names is that name, even if it is a type word.
    """
    if text in known:
        return Name(text)
    try:
        return _as_rules_mean_it(grammar.parse_expression(text))
    except InputError as error:
        place = f" ({error.where})" if error.where else ""
        raise ValueError(error.message.rstrip(".") + place) from None


def _as_rules_mean_it(expression: grammar.Expression) -> Expression:
    if isinstance(expression, grammar.Operation):
        left, right = (_as_rules_mean_it(side) for side in (expression.left, expression.right))
        return Operation(OPERATORS[expression.operator], left, right)
    if isinstance(expression, grammar.Margin):
        return Margin(_as_rules_mean_it(expression.base), expression.sign, expression.margins)
    is_type = expression.name in TARGET_KINDS and not expression.quoted
    return OfType(expression.name) if is_type else Name(expression.name)
