"""What codes of a clinical protocol mean where public readers of the format contradict each other.

Two of them read modifier 3 as "at least" and 4 as "at most", type 6 as minimum and 7 as maximum
(WUSTL-ClinicalDev/ClinicalTemplateReader), or the other way about (a writer of clinical goals from tables, which names
query volumes in cc and volumes as values in mm³). The file's own consistency decides; else the user is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from dvhkit.errors import InputError
from dvhkit.protocols.converters.eclipse_items import code, number, text_down

# By question: the two answers. The first is what is shown of an undecided rule, which is then not judged.
ANSWERS: dict[str, tuple[str, str]] = {
    "modifiers": ("ge-le", "le-ge"),  # what 3 and 4 are
    "types": ("min-max", "max-min"),  # what 6 and 7 are
    "levels": ("mm3", "cc"),  # volumes that a dose is asked at (type 5)
    "volumes": ("mm3", "cc"),  # volumes that are a limit (types 2 and 3 in absolute units)
}
# What we write says how it is meant, in a comment that others pass over.
OWN = "dvhkit codes: " + ",".join(f"{question}={answers[0]}" for question, answers in ANSWERS.items())
_OWN = re.compile(rb"<!--\s*dvhkit codes: ([a-z0-9=,-]+)\s*-->")
_MORE, _LESS, _SOME, _OTHER = 0, 1, 3, 4
_MIN_MAX = (6, 7)
# Less than a mm³ is less than any voxel; more than ten litres, taken as cc, is more than any organ.
_LEAST_MM3 = 1.0
_MOST_CC = 10_000.0


@dataclass(frozen=True, slots=True)
class Codes:
    """The answers, by question, and the questions that nothing decides."""

    answers: Mapping[str, str]
    undecided: frozenset[str]

    @property
    def modifiers(self) -> dict[int, str]:
        """Comparators by modifier."""
        at_least_first = self.answers["modifiers"] == "ge-le"
        return {
            _MORE: ">",
            _LESS: "<",
            2: "==",
            _SOME: ">=" if at_least_first else "<=",
            _OTHER: "<=" if at_least_first else ">=",
        }

    @property
    def extremes(self) -> dict[int, str]:
        """Kinds of metric by type."""
        first, second = ("Min", "Max") if self.answers["types"] == "min-max" else ("Max", "Min")
        return dict(zip(_MIN_MAX, (first, second), strict=True))

    def mm3(self, question: str) -> bool:
        """Whether volumes of a kind, levels or volumes, are in mm³."""
        return self.answers[question] == "mm3"

    def doubts(self, item: ET.Element) -> list[str]:
        """Return the undecided questions that an item depends on."""
        return [question for question in _concerns(item) if question in self.undecided]


def said_codes(text: str) -> dict[str, str]:
    """Read answers such as ``modifiers=ge-le,levels=cc``; raises `InputError` for what is none."""
    said = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        question, _, answer = part.partition("=")
        if answer not in ANSWERS.get(question, ()):
            known = "; ".join(f"{q}={a} or {q}={b}" for q, (a, b) in ANSWERS.items())
            raise InputError(f"{part!r:.40} is no answer about codes of Eclipse.", remedy=f"There are: {known}.")
        said[question] = answer
    return said


def settled(raw: bytes, items: Iterable[ET.Element], said: Mapping[str, str]) -> Codes:
    """Return what the codes mean: as the user or the file says, else as the items are consistent."""
    listed = list(items)
    own = _OWN.search(raw)
    known = (said_codes(own[1].decode("ascii")) if own else {}) | dict(said)
    for question, votes in (("modifiers", _modifier_votes), ("types", _type_votes), ("modifiers", _modifier_votes)):
        if question not in known and (answer := _agreed(v for item in listed for v in votes(item, known))):
            known[question] = answer
    for question in ("levels", "volumes"):
        if question not in known and (answer := _agreed(v for item in listed for v in _volume_votes(item, question))):
            known[question] = answer
    undecided = frozenset(ANSWERS) - set(known)
    return Codes({q: known.get(q, answers[0]) for q, answers in ANSWERS.items()}, undecided)


def question_text(questions: Iterable[str]) -> str:
    """Return what to ask the user."""
    meanings = {
        "modifiers": "modifier 3 is >= to one public reader and <= to another, 4 the opposite",
        "types": "type 6 is the minimum to one public reader and the maximum to another, 7 the opposite",
        "levels": "the volume that a dose is asked at may be in mm³ or in cc",
        "volumes": "a volume as limit may be in mm³ or in cc",
    }
    asked = [q for q in ANSWERS if q in set(questions)]
    said = "; ".join(meanings[q] for q in asked)
    answers = ",".join(f"{q}={'|'.join(ANSWERS[q])}" for q in asked)
    return f"nothing in the file decides how it is meant: {said}. Say --eclipse-codes {answers}"


def _agreed(votes: Iterator[str]) -> str | None:
    found = set(votes)
    return found.pop() if len(found) == 1 else None


def _concerns(item: ET.Element) -> Iterator[str]:
    kind = code(item, "Type")
    if code(item, "Modifier") in (_SOME, _OTHER):
        yield "modifiers"
    if kind in _MIN_MAX:
        yield "types"
    if kind == 5:
        yield "levels"
    if kind in (2, 3) and is_absolute(item):
        yield "volumes"


def is_absolute(item: ET.Element) -> bool:
    """Whether the value of an item is in Gy or a volume, not in percent."""
    return text_down(item, "ReportDQPValueInAbsoluteUnits").lower() in ("true", "1")


def _side(item: ET.Element, known: Mapping[str, str]) -> str:
    """Return whether a limit is "upper" or "lower" by what is known of its modifier; empty where nothing is."""
    modifier = code(item, "Modifier")
    if modifier in (_MORE, _LESS):
        return "lower" if modifier == _MORE else "upper"
    if modifier in (_SOME, _OTHER) and "modifiers" in known:
        return "lower" if (modifier == _SOME) == (known["modifiers"] == "ge-le") else "upper"
    return ""


def _modifier_votes(item: ET.Element, known: Mapping[str, str]) -> Iterator[str]:
    """Yield what an item says of 3 and 4: variations lie beyond their limit, maxima are limited above, minima below."""
    modifier = code(item, "Modifier")
    if modifier not in (_SOME, _OTHER):
        return
    value, accepted = number(text_down(item, "Value")), number(text_down(item, "VariationAcceptable"))
    sides = []
    if value is not None and accepted is not None and accepted != value:
        sides.append("upper" if accepted > value else "lower")
    kind = code(item, "Type")
    if kind in _MIN_MAX and "types" in known:
        is_min = (kind == _MIN_MAX[0]) == (known["types"] == "min-max")
        sides.append("lower" if is_min else "upper")
    for side in sides:
        yield "ge-le" if (side == "lower") == (modifier == _SOME) else "le-ge"


def _type_votes(item: ET.Element, known: Mapping[str, str]) -> Iterator[str]:
    kind, side = code(item, "Type"), _side(item, known)
    if kind in _MIN_MAX and side:
        yield "min-max" if (side == "lower") == (kind == _MIN_MAX[0]) else "max-min"


def _volume_votes(item: ET.Element, question: str) -> Iterator[str]:
    if question not in _concerns(item):
        return
    names = ("TypeSpecifier",) if question == "levels" else ("Value", "VariationAcceptable")
    for value in (number(text_down(item, name)) for name in names):
        if value is not None and 0 < value < _LEAST_MM3:
            yield "cc"
        if value is not None and value > _MOST_CC:
            yield "mm3"
