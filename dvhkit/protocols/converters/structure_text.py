"""Derived structures as PlanScoreCard writes them: ``((Lung_L) OR (Lung_R)) SUB (GTV)``, maybe with ``|margin``."""

from __future__ import annotations

import re

from dvhkit.protocols.regions import TARGET_TYPES, Expression, Margin, Name, OfType, Operation

_WORDS = {"difference": "SUB", "union": "OR", "intersection": "AND"}
_SIGNS = {"SUB": "-", "OR": "|", "AND": "&"}
_TOKEN = re.compile(r"\s*(?:(?P<paren>[()])|(?P<word>AND|OR|SUB)(?=[\s(]|$)|(?P<margin>\|[\d.^\s-]*)"
                    r"|(?P<name>(?:(?!\s+(?:AND|OR|SUB)[\s(])[^()|])+))")  # fmt: skip
_DEEPEST = 20


def derived_text(expression: Expression) -> str:
    """Return an expression in that form. Raises ValueError for a margin; see `can_be_spelled`."""
    if isinstance(expression, Margin):
        raise ValueError("margins are not written in that form")
    if isinstance(expression, Operation):
        left, right = derived_text(expression.left), derived_text(expression.right)
        return f"({left}) {_WORDS[expression.operator]} ({right})"
    return expression.name if isinstance(expression, Name) else expression.rt_roi_type


def derived_from(text: str) -> str:
    """Return what `text` spells as an expression of ours.

    Raises
    ------
    ValueError
        With what is wrong: brackets that do not match, or a margin, which our expressions do not have.
    """
    reader = _Reader(text)
    made = reader.sequence(0)
    if reader.peek() is not None:
        raise ValueError(f"the structure {text!r:.80} cannot be read")
    return made


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
        """Return one operand; a group stays in brackets."""
        match = self.peek()
        if match is None or depth > _DEEPEST:
            raise ValueError(f"the structure {self.text!r:.80} ends too early")
        self.at = match.end()
        if match["paren"] == "(":
            made = self._group(depth)
        elif match["name"]:
            made = _quoted(match["name"].strip())
        else:
            raise ValueError(f"the structure {self.text!r:.80} cannot be read")
        self._no_margin()
        return made

    def _group(self, depth: int) -> str:
        made = self.sequence(depth + 1)
        closing = self.peek()
        if closing is None or closing["paren"] != ")":
            raise ValueError(f"a bracket is missing in the structure {self.text!r:.80}")
        self.at = closing.end()
        return f"({made})" if re.search(r" [-|&] ", made) else made

    def _no_margin(self) -> None:
        match = self.peek()
        if match is None or match["margin"] is None:
            return
        self.at = match.end()
        if any(float(part or 0) for part in match["margin"][1:].replace(" ", "").split("^")):
            raise ValueError(f"the structure {self.text!r:.80} has a margin, which rules cannot draw")


def _quoted(name: str) -> str:
    """Return a name as our expressions spell it; a bare GTV stands for all of that type there, as it does here."""
    plain = name in TARGET_TYPES or not re.search(r'[|&()"]|\s[-+]\s', name)
    return name if plain else f'"{name}"'


def can_be_spelled(expression: Expression) -> bool:
    """Whether an expression can stand in that form: names with brackets, bars or its own words cannot, nor margins."""
    if isinstance(expression, Operation):
        return can_be_spelled(expression.left) and can_be_spelled(expression.right)
    if isinstance(expression, Margin):
        return False
    name = expression.name if isinstance(expression, Name) else expression.rt_roi_type
    is_type_word = isinstance(expression, Name) and name in TARGET_TYPES
    return not is_type_word and not re.search(r"[()|]|\b(AND|OR|SUB)\b", name)


def is_type(expression: Expression) -> bool:
    """Whether an expression speaks of all structures of a type, which the form cannot say."""
    if isinstance(expression, Operation):
        return is_type(expression.left) or is_type(expression.right)
    if isinstance(expression, Margin):
        return is_type(expression.base)
    return isinstance(expression, OfType)
