"""Derived structures as PlanScoreCard writes them: ``{<Lung_L> OR <Lung_R>} SUB {<GTV>|3}``, margins in mm.

Groups stand in braces and names in angle brackets; older files have parentheses and bare names, which are read, too. A
margin follows a name or a group: one number all round, negative to shrink, or of a name six (left, right, head, feet,
posterior, anterior).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dvhkit.model.roi_kinds import TARGET_KINDS
from dvhkit.targets.regions.expression import Expression, Margin, Name, Operation, leaves_of
from dvhkit.units import number_text

if TYPE_CHECKING:
    from dvhkit.targets.derive.margin_sizes import Margins

_WORDS = {"-": "SUB", "|": "OR", "&": "AND"}
_SIGNS = {"SUB": "-", "OR": "|", "AND": "&"}
_CLOSING = {"(": ")", "{": "}"}
_TOKEN = re.compile(
    r"\s*(?:(?P<bracket>[(){}])|(?P<word>AND|OR|SUB)(?=[\s({<]|$)|\|\s*(?P<margin>-?[\d.]+(?:\s*\^\s*-?[\d.]+)*)?"
    r"|<(?P<quoted>[^<>]*)>|(?P<name>(?:(?!\s+(?:AND|OR|SUB)[\s({<])[^(){}<>|])+))"
)
_DEEPEST = 20
_SIX = ("L", "R", "S", "I", "P", "A")


def derived_text(expression: Expression) -> str:
    """Return an expression in that form; see `can_be_spelled`."""
    if isinstance(expression, Operation):
        word = _WORDS[expression.operator]
        # A chain reads from left to right, so its left side needs no group of its own.
        left, right = _side(expression.left, in_chain=True), _side(expression.right)
        return f"{left} {word} {right}"
    return _side(expression)


def _side(expression: Expression, *, in_chain: bool = False) -> str:
    if isinstance(expression, Operation):
        return derived_text(expression) if in_chain else f"{{{derived_text(expression)}}}"
    if isinstance(expression, Margin):
        base = _side(expression.base)
        inner = base if isinstance(expression.base, Operation) else base[:-1]
        margin = f"|{_margin_text(expression)}"
        return f"{inner}{margin}" if isinstance(expression.base, Operation) else f"{inner}{margin}}}"
    return f"{{<{expression.name}>}}"


def _margin_text(expression: Margin) -> str:
    sign = "-" if expression.sign == "-" else ""
    return "^".join(f"{sign}{number_text(side)}" for side in _sides(expression.margins))


def _sides(margins: Margins) -> tuple[float, ...]:
    """Return one margin where all are alike, else six in the order of the form."""
    if margins.is_isotropic:
        return (margins.left_mm,)
    return (
        margins.left_mm,
        margins.right_mm,
        margins.superior_mm,
        margins.inferior_mm,
        margins.posterior_mm,
        margins.anterior_mm,
    )


def derived_from(text: str) -> str:
    """Return what `text` spells as an expression of ours.

    Raises
    ------
    ValueError
        With what is wrong: brackets that do not match, a margin that both grows and shrinks.
    """
    reader = _Reader(text)
    made = reader.sequence(0)
    if reader.peek() is not None:
        raise ValueError(f"the structure {text!r:.80} cannot be read")
    return _bare(made)


def is_derived(text: str) -> bool:
    """Whether a text speaks of more than one plain name."""
    return bool(re.search(r"\b(AND|OR|SUB)\b|[<{|]", text))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def peek(self) -> re.Match[str] | None:
        """Return the next token without taking it."""
        if not self.text[self.at :].strip():
            return None
        match = _TOKEN.match(self.text, self.at)
        if match is None or match.end() == self.at:
            raise ValueError(f"the structure {self.text!r:.80} cannot be read")
        return match

    def sequence(self, depth: int) -> str:
        """Return operands joined from left to right."""
        made = self.operand(depth)
        while (match := self.peek()) is not None and match["word"]:
            self.at = match.end()
            made = f"{made} {_SIGNS[match['word']]} {self.operand(depth)}"
        return made

    def operand(self, depth: int) -> str:
        """Return one operand with its margin; a group stays in brackets."""
        match = self.peek()
        if match is None or depth > _DEEPEST:
            raise ValueError(f"the structure {self.text!r:.80} ends too early")
        self.at = match.end()
        if match["bracket"] in _CLOSING:
            made = self._group(depth, _CLOSING[match["bracket"]])
        elif (name := (match["quoted"] or match["name"] or "").strip()) != "":
            made = _quoted(name)
        else:
            raise ValueError(f"the structure {self.text!r:.80} cannot be read")
        return self._with_margin(made)

    def _group(self, depth: int, closing: str) -> str:
        made = self.sequence(depth + 1)
        match = self.peek()
        if match is None or match["bracket"] != closing:
            raise ValueError(f"a bracket is missing in the structure {self.text!r:.80}")
        self.at = match.end()
        return f"({made})" if re.search(r" [-|&] ", made) and not _is_whole_group(made) else made

    def _with_margin(self, made: str) -> str:
        match = self.peek()
        if match is None or not match[0].lstrip().startswith("|"):
            return made
        self.at = match.end()
        sides = [float(part) for part in re.split(r"\s*\^\s*", match["margin"])] if match["margin"] else [0.0]
        if len(sides) not in (1, 6):
            raise ValueError(f"a margin of the structure {self.text!r:.80} has {len(sides)} sides, not one or six")
        if not any(sides):
            return made
        if min(sides) < 0 < max(sides):
            raise ValueError(f"a margin of the structure {self.text!r:.80} grows and shrinks, which ours cannot")
        sign, sizes = ("-" if min(sides) < 0 else "+"), [number_text(abs(side)) for side in sides]
        named = ",".join(f"{side}={size}" for side, size in zip(_SIX, sizes, strict=False))
        return f"({made} {sign} {sizes[0]}mm)" if len(sides) == 1 else f"({made} {sign} [{named}])"


def _is_whole_group(text: str) -> bool:
    """Whether a text stands in one pair of brackets from its first letter to its last."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return i == len(text) - 1
    return False


def _bare(text: str) -> str:
    return text[1:-1] if _is_whole_group(text) else text


def _quoted(name: str) -> str:
    """Return a name as our expressions spell it; in quotes where a bare word would mean more than that name."""
    plain = name not in TARGET_KINDS and not re.search(r'[|&()"]|\s[-+]\s', name)
    return name if plain else f'"{name}"'


def can_be_spelled(expression: Expression) -> bool:
    """Whether an expression can stand in that form: names with its signs cannot, nor margins it has no place for."""
    if isinstance(expression, Operation):
        return can_be_spelled(expression.left) and can_be_spelled(expression.right)
    if isinstance(expression, Margin):
        of_group = isinstance(expression.base, Operation)
        # Of a group the form knows whole millimetres all round only.
        round_mm = expression.margins.is_isotropic and expression.margins.left_mm == int(expression.margins.left_mm)
        fits = not isinstance(expression.base, Margin) and (not of_group or round_mm)
        return fits and can_be_spelled(expression.base)
    return not re.search(r"[<>{}|]", expression.name)


def is_type(expression: Expression) -> bool:
    """Whether an expression speaks of all structures of a type, which the form cannot say."""
    return any(isinstance(leaf, Name) and leaf.is_type for leaf in leaves_of(expression))
