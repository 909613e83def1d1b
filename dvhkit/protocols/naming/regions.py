"""Structures that are made of others, such as `Liver - GTV`: as rules write them, and what that is in one case.

The grammar is that of `dvhkit.targets.regions.expression`, margins included. One word differs in rules: bare GTV,
CTV, ITV and PTV stand for all structures of that type together, whatever they are called; in quotes they are names like
any other.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from dvhkit.errors import InputError
from dvhkit.model.roi_kinds import TARGET_KINDS
from dvhkit.targets.regions.expression import Expression, Leaf, Name, RoiRef, parse_expression, with_leaves


@dataclass(frozen=True, slots=True)
class Made:
    """A region of a case that is made of its ROIs; `text` is how reports call it, such as ``Liver - GTV``."""

    tree: Expression
    text: str

    def __str__(self) -> str:
        return self.text


Region = RoiRef | Made


def parse_region(text: str, *, known: Container[str] = ()) -> Expression:
    """Return the expression that `text` spells; ValueError, with what is wrong, if it spells none.

    A text that is all one of the `known` names is that name, even if it is a type word.
    """
    if text in known:
        return _plain(Name(text, quoted=True))
    try:
        return with_leaves(parse_expression(text), _plain)
    except InputError as error:
        place = f" ({error.where})" if error.where else ""
        raise ValueError(error.message.rstrip(".") + place) from None


def _plain(leaf: Leaf) -> Leaf:
    """Return a name without quotes that change nothing."""
    return Name(leaf.name, quoted=leaf.quoted and leaf.name in TARGET_KINDS) if isinstance(leaf, Name) else leaf
