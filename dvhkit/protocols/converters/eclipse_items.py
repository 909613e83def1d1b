"""Reading Eclipse's clinical protocols: their elements, whatever the namespace, and the items of a prescription."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from dvhkit.metrics.expression import parse_metric
from dvhkit.units import number_text

XSI = "http://www.w3.org/2001/XMLSchema-instance"
NIL = f"{{{XSI}}}nil"
# What a prescription asks of its target, by their modifier: our metric and comparator; {volume} and {dose} are theirs.
_ASKS = {
    0: ("D{volume}%[Gy]", ">= {dose}"),  # at least so many % receive
    1: ("V{dose}Gy[%]", "<= {volume}"),  # at most so many % receive
    7: ("Mean[Gy]", "> {dose}"),
    8: ("Mean[Gy]", "< {dose}"),
    9: ("Min[Gy]", "> {dose}"),
    10: ("Max[Gy]", "< {dose}"),
}
_NO_RULE = {
    2: "that the mean dose is just so much",
    3: "that the maximum is just so much",
    4: "that the minimum is just so much",
    5: "the dose at a reference point",
}


def prescription_item(item: ET.Element, fractions: int | None) -> dict[str, Any]:
    """Return what an item of a prescription asks of its target, as a rule; ValueError, in words, if it cannot be read.

    The dose is the total one; where only that of a fraction stands, it is taken as often as the phase has fractions.
    """
    name = item.get("ID", "").strip()
    if not name:
        raise ValueError("the prescription item names no structure")
    modifier = code(item, "Modifier")
    if modifier not in _ASKS:
        what = _NO_RULE.get(modifier, f"something by the modifier {text_down(item, 'Modifier')!r:.40}")
        raise ValueError(f"the prescription item asks for {what}, which is no rule")
    dose = number(text_down(item, "TotalDose"))
    per_fraction = number(text_down(item, "Dose"))
    if dose is None and per_fraction is not None and fractions:
        dose = per_fraction * fractions
    volume = number(text_down(item, "Parameter"))
    if dose is None or dose <= 0 or (modifier in (0, 1) and volume is None):
        raise ValueError("the prescription item does not state dose and volume")
    said = {"dose": number_text(dose), "volume": "" if volume is None else number_text(volume)}
    metric, goal = (form.format(**said) for form in _ASKS[modifier])
    parsed = parse_metric(metric)
    return {"structure": {"name": name}, "metric": parsed.canonical, "goal": f"{goal} {parsed.unit.value}"}


def tag(element: ET.Element) -> str:
    """Return the name of an element without its namespace."""
    return str(element.tag).rsplit("}", 1)[-1]


def all_down(element: ET.Element, *path: str) -> Iterator[ET.Element]:
    """Yield the elements down `path`, whatever their namespace."""
    if not path:
        yield element
        return
    for child in element:
        if tag(child) == path[0]:
            yield from all_down(child, *path[1:])


def text_down(element: ET.Element, *path: str) -> str:
    """Return the text down `path`; empty where it is missing or nil."""
    found = next(all_down(element, *path), None)
    if found is None or found.get(NIL, "").strip().lower() in ("true", "1"):
        return ""
    return (found.text or "").strip()


def code(item: ET.Element, name: str) -> int:
    """Return the code that stands under a name; -1 where none does."""
    found = whole(text_down(item, name))
    return -1 if found is None else found


def whole(text: str) -> int | None:
    """Return a whole number, or None."""
    return int(text) if re.fullmatch(r"\d{1,6}", text) else None


def number(text: str) -> float | None:
    """Return a finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
