"""Structures made out of others: one grammar for names, booleans and margins, and what an expression comes to.

::

    Liver - GTV                      the liver without the GTV
    (Kidney_L | Kidney_R) & Body     both kidneys together, and what of them lies in the body
    PTV - (SpinalCanal + 3mm)        the PTV kept 3 mm away from the canal
    GTV + [L=5,R=7,A=6,P=8,S=9,I=10] six margins in patient directions, mm
    (PTV + 20mm) - (PTV + 5mm)       a shell
    Rectum - (Rectum - 3mm)          the wall, 3 mm thick
    "Kidney (left)" | #7             a name that holds signs, in quotes; an ROI by its number

Operators have blanks round them (``Liver-GTV`` is a name) and are worked off from left to right. A margin binds
to the one operand before it: after an operation it needs parentheses, since ``A - B + 3mm`` may mean either.

A text that is all the name of one structure is that structure. As part of an expression the bare words GTV, CTV, ITV
and PTV stand for all structures of that type together, as they do in protocols: ``Liver - GTV`` leaves no lesion in.
In quotes they are names like any other; where nothing has the type they are names too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Literal

from dvhkit.errors import InputError, UnknownStructureError
from dvhkit.findings import Finding, Level
from dvhkit.model.roi_kinds import TARGET_KINDS

if TYPE_CHECKING:
    from dvhkit.engine.options import EngineOptions
    from dvhkit.model.image import ImageSeries
    from dvhkit.model.structure import Structure, StructureSet
    from dvhkit.targets.derive.margin import Derived
    from dvhkit.targets.derive.margin_sizes import Margins

Operator = Literal["-", "|", "&"]
# Far longer than any expression that is meant, and short enough for nested parentheses.
_LONGEST = 500
_BLANKS = re.compile(r"\s*")
_QUOTED = re.compile(r'"([^"]*)"')
# A bare name ends at a sign with blanks round it, and at |, &, parentheses and quotes.
_NAME = re.compile(r'(?:(?!\s+[-+](?:\s|$)|\s*[|&()"]).)+')
_SIGN = re.compile(r"([-+])(?=\s|$)|([|&])")
_LENGTH = re.compile(r"(?:\d+\.?\d*|\.\d+)\s*(?:mm|cm)(?![\w.])", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)\s*(?=$|[-+|&()])")
_SIX = re.compile(r"\[([^\]]*)\]")
_EXAMPLE = "Write for example 'Liver - GTV', '(Kidney_L | Kidney_R) & Body' or 'PTV - (SpinalCanal + 3mm)'."


@dataclass(frozen=True, slots=True)
class Name:
    """A structure by name or ``#number``; `quoted` if it can mean nothing but a name."""

    name: str
    quoted: bool = False

    @property
    def is_type(self) -> bool:
        """Whether it is a bare type word, which stands for all structures of that type."""
        return not self.quoted and self.name in TARGET_KINDS

    def __str__(self) -> str:
        return f'"{self.name}"' if self.quoted else self.name


@dataclass(frozen=True, slots=True)
class RoiRef:
    """One ROI of a case: what a name came to."""

    number: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Operation:
    """Two regions put together: ``-`` the left without the right, ``|`` both, ``&`` what they share."""

    operator: Operator
    left: Expression
    right: Expression

    def __str__(self) -> str:
        right = f"({self.right})" if isinstance(self.right, Operation | Margin) else str(self.right)
        return f"{self.left} {self.operator} {right}"


@dataclass(frozen=True, slots=True)
class Margin:
    """A region grown (``+``) or shrunk (``-``) by a margin."""

    base: Expression
    sign: Literal["+", "-"]
    margins: Margins

    def __str__(self) -> str:
        from dvhkit.targets.derive.margin_sizes import margins_text

        base = f"({self.base})" if isinstance(self.base, Operation) else str(self.base)
        return f"{base} {self.sign} {margins_text(self.margins)}"


Leaf = Name | RoiRef
Expression = Leaf | Operation | Margin


def leaves_of(expression: Expression) -> Iterator[Leaf]:
    """Yield the names, or the ROIs, that an expression is made of, from left to right."""
    if isinstance(expression, Operation):
        yield from leaves_of(expression.left)
        yield from leaves_of(expression.right)
    elif isinstance(expression, Margin):
        yield from leaves_of(expression.base)
    else:
        yield expression


def with_leaves(expression: Expression, change: Callable[[Leaf], Expression]) -> Expression:
    """Return an expression with each of its leaves replaced."""
    if isinstance(expression, Operation):
        left, right = with_leaves(expression.left, change), with_leaves(expression.right, change)
        return Operation(expression.operator, left, right)
    if isinstance(expression, Margin):
        return Margin(with_leaves(expression.base, change), expression.sign, expression.margins)
    return change(expression)


def parse_expression(text: str) -> Expression:
    """Return the expression that `text` spells.

    Raises
    ------
    InputError
        With the position of what is wrong, counted from 1, and an example.
    """
    if len(text) > _LONGEST:
        raise InputError(
            f"the structure expression has {len(text)} characters; {_LONGEST} are allowed.",
            remedy="Write its parts as structures of their own first.",
        )
    return _Parser(text).whole()


def is_expression(text: str) -> bool:
    """Whether `text` is made of several parts rather than being one name."""
    try:
        return not isinstance(parse_expression(text), Name)
    except InputError:
        return False


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def whole(self) -> Expression:
        expression = self.sequence()
        if self.at < len(self.text):
            raise self.error(f"{self.text[self.at :].strip()[:20]!r} is too much")
        return expression

    def sequence(self) -> Expression:
        left = self.operand()
        is_operation = False
        while True:
            self.blanks()
            start = self.at
            sign = _SIGN.match(self.text, self.at)
            if sign is None:
                return left
            self.at = sign.end()
            self.blanks()
            margins = self.margins() if sign[1] else None
            if margins is not None:
                if is_operation:
                    self.at = start
                    raise self.error("a margin after an operation may mean its last part or all of it: use parentheses")
                left = Margin(left, "+" if sign[1] == "+" else "-", margins)
                continue
            if sign[1] == "+":
                self.at = start
                raise self.error("'+' needs a length such as 3mm behind it; '|' puts structures together")
            operator: Operator = "-" if sign[1] else ("|" if sign[2] == "|" else "&")
            left, is_operation = Operation(operator, left, self.operand()), True

    def operand(self) -> Expression:
        self.blanks()
        if self.text.startswith("(", self.at):
            self.at += 1
            inner = self.sequence()
            self.blanks()
            if not self.text.startswith(")", self.at):
                raise self.error("a closing parenthesis is missing")
            self.at += 1
            return inner
        quoted = _QUOTED.match(self.text, self.at)
        if quoted is not None and quoted[1].strip():
            self.at = quoted.end()
            return Name(quoted[1], quoted=True)
        word = None if _SIGN.match(self.text, self.at) else _NAME.match(self.text, self.at)
        if word is None or not word[0].strip():
            raise self.error("a structure name is missing")
        self.at = word.end()
        return Name(word[0].strip())

    def margins(self) -> Margins | None:
        """Read a length or six margins; None if there is none."""
        from dvhkit.targets.derive.margin_sizes import parse_margins

        six = _SIX.match(self.text, self.at)
        found = six or _LENGTH.match(self.text, self.at)
        if found is None:
            if _NUMBER.match(self.text, self.at):
                raise self.error("the length needs its unit, mm or cm")
            return None
        margins = parse_margins(six[1] if six else found[0])
        self.at = found.end()
        return margins

    def blanks(self) -> None:
        match = _BLANKS.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def error(self, why: str) -> InputError:
        return InputError(
            f"the structure expression {self.text!r} cannot be used: {why}.",
            where=f"position {self.at + 1}",
            remedy=_EXAMPLE,
        )


def evaluate(
    expression: Expression | str,
    structures: StructureSet,
    *,
    image: ImageSeries | None = None,
    name: str | None = None,
) -> Derived:
    """Return the structure that an expression comes to.

    Booleans are exact in every plane; margins start from the contours (`dvhkit.targets.derive.margin`). Only what the
    result depends on is computed, and each part once.

    Parameters
    ----------
    expression
        Parsed or as text. A text that is the exact name of a structure is that structure.
    image
        Margins are drawn on its slices.
    name
        Of the result; by default the expression.

    Raises
    ------
    InputError
        If the text is no expression.
    UnknownStructureError
        If a name is not in the set, with the names that are.
    GeometryError
        If contours do not lie in parallel planes, or parts do not fit together.
    """
    from dvhkit.targets.derive.margin import Derived

    text = str(expression)
    if isinstance(expression, str):
        expression = Name(text, quoted=True) if text in structures else parse_expression(text)
    named = _Named(structures)
    work = Evaluation(named, image=image)
    result = work.value(expression)
    if isinstance(expression, Name):
        # '#3' and 'ptv' are ways to spell a name that stands in the set.
        text = result.name
    findings = [*named.findings, *work.findings]
    if result.is_empty and not isinstance(expression, Name):
        findings.append(_nothing_left(name or text))
    unique = tuple(dict.fromkeys(findings))
    return Derived(structure=replace(result, name=name or text), how=text, findings=unique)


class Evaluation:
    """What expressions come to, each part computed once.

    Attributes
    ----------
    findings
        What was odd about margins so far.
    """

    def __init__(
        self,
        leaf: Callable[[Leaf], Structure],
        *,
        image: ImageSeries | None = None,
        options: EngineOptions | None = None,
    ) -> None:
        self.leaf, self.image, self.options = leaf, image, options
        self.findings: list[Finding] = []
        self._known: dict[Expression, Structure] = {}

    def value(self, expression: Expression) -> Structure:
        """Return the structure that an expression comes to; raises `GeometryError` where parts do not fit together."""
        if expression not in self._known:
            self._known[expression] = self._compute(expression)
        return self._known[expression]

    def _compute(self, expression: Expression) -> Structure:
        if isinstance(expression, Margin):
            return self._with_margin(expression)
        if not isinstance(expression, Operation):
            return self.leaf(expression)
        from dvhkit.engine.combine import combine

        left = self.value(expression.left)
        if left.is_empty and expression.operator != "|":
            # Nothing without something, or shared with it, is nothing; but a name that is wrong must not go unseen.
            for leaf in leaves_of(expression.right):
                self.leaf(leaf)
            return left
        return combine(expression.operator, left, self.value(expression.right), name=str(expression))

    def _with_margin(self, expression: Margin) -> Structure:
        from dvhkit.targets.derive.margin import grow, shrink

        make: Callable[..., Derived] = grow if expression.sign == "+" else shrink
        made = make(self.value(expression.base), expression.margins, image=self.image, options=self.options)
        self.findings += made.findings
        return made.structure


class _Named:
    """Leaves by name in one structure set; a bare type word is all structures of that type together."""

    def __init__(self, structures: StructureSet) -> None:
        self.structures = structures
        self.findings: list[Finding] = []

    def __call__(self, name: Leaf) -> Structure:
        if isinstance(name, RoiRef) or not name.is_type:
            return self.structures[name.name]
        of_type = [s for s in self.structures if s.rt_roi_type == name.name and not s.is_empty]
        if not of_type and name.name in self.structures:
            return self.structures[name.name]
        if not of_type:
            raise UnknownStructureError(
                f"there is no structure {name.name!r} and none of type {name.name}.",
                path=self.structures.path,
                remedy=f"There are: {', '.join(self.structures.names[:30]) or 'none'}.",
            )
        from dvhkit.engine.combine import combine

        if len(of_type) > 1:
            self.findings.append(_several(name.name, [s.name for s in of_type]))
        return reduce(lambda a, b: combine("|", a, b, name=name.name), of_type)


def _several(type_name: str, names: list[str]) -> Finding:
    return Finding(
        level=Level.INFO,
        code="type-united",
        message=f"{type_name} stands for all structures of that type together: {', '.join(names)}. "
        f'Write "{type_name}" in quotes, or #number, for one of them.',
        where=type_name,
    )


def _nothing_left(name: str) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="derived-empty",
        message="The expression leaves nothing: its parts do not overlap, or one encloses the other.",
        where=name,
    )
