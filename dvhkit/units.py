"""Quantities that cannot be mixed up: a number and its unit.

Inside dvhkit dose is Gy, volume cc, length mm. cGy, ml and cm3 exist only in what users type.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Unit(StrEnum):
    """The units that dvhkit prints."""

    GY = "Gy"
    PERCENT = "%"
    CC = "cc"
    MM = "mm"
    CM2 = "cm2"
    COUNT = "count"
    NONE = ""


# What users type, in lower case -> (unit, factor to that unit).
_SPELLINGS: dict[str, tuple[Unit, float]] = {
    "gy": (Unit.GY, 1.0),
    "cgy": (Unit.GY, 0.01),
    "%": (Unit.PERCENT, 1.0),
    "cc": (Unit.CC, 1.0),
    "cm3": (Unit.CC, 1.0),
    "cm³": (Unit.CC, 1.0),
    "ml": (Unit.CC, 1.0),
    "mm3": (Unit.CC, 1e-3),
    "mm³": (Unit.CC, 1e-3),
    "mm": (Unit.MM, 1.0),
    "cm": (Unit.MM, 10.0),
    "cm2": (Unit.CM2, 1.0),
    "cm²": (Unit.CM2, 1.0),
    "mm2": (Unit.CM2, 0.01),
    "count": (Unit.COUNT, 1.0),
    "": (Unit.NONE, 1.0),
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        return f"{self.value:g}{'' if self.unit is Unit.PERCENT or not self.unit else ' '}{self.unit.value}"


def parse_unit(text: str) -> tuple[Unit, float] | None:
    """Return the unit that `text` spells and the factor to it, or None if it spells none.

    Case does not matter: ``cGy`` gives ``(Unit.GY, 0.01)``.
    """
    return _SPELLINGS.get(text.strip().lower())


def quantity(value: float, unit_text: str) -> Quantity | None:
    """Return `value` in the unit that `unit_text` spells, or None if it spells none."""
    parsed = parse_unit(unit_text)
    if parsed is None:
        return None
    unit, factor = parsed
    # Division keeps 1500 cGy at exactly 15 Gy, where 1500 * 0.01 need not.
    return Quantity(value if factor == 1.0 else value / round(1 / factor) if factor < 1 else value * factor, unit)


def number_text(value: float, *, digits: int = 12) -> str:
    """Return `value` in plain decimals, never with an exponent, to at most `digits` significant digits.

    >>> number_text(700.0), number_text(0.035), number_text(1e-5)
    ('700', '0.035', '0.00001')
    """
    text = f"{Decimal(f'{value:.{digits - 1}e}'):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
