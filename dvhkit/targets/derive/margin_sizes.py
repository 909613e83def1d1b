"""Margins as lengths in patient directions: what they are, and how they are spelt."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from dvhkit.errors import InputError
from dvhkit.units import number_text

# Patient directions in LPS: letter -> field, and the unit vector that the letter stands for.
_FIELDS = {
    "L": "left_mm",
    "R": "right_mm",
    "A": "anterior_mm",
    "P": "posterior_mm",
    "S": "superior_mm",
    "I": "inferior_mm",
}
_GREATEST_MM = 100.0
_PIECE = re.compile(r"\s*([A-Za-z]+)\s*[=:]\s*(\S+)\s*$")
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))\s*(mm|cm)?$", re.IGNORECASE)
_LONG_NAMES = {field.removesuffix("_mm"): letter for letter, field in _FIELDS.items()}
_LONG_NAMES |= {"LEFT": "L", "RIGHT": "R", "ANT": "A", "POST": "P", "SUP": "S", "INF": "I"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Six margins in patient directions, each zero or more, in mm.

    Growing by them is the Minkowski sum with the body that is an eighth of an ellipsoid in each octant: towards the
    left, front and head, say, with the semi-axes ``left_mm``, ``anterior_mm`` and ``superior_mm``. This is what
    planning systems do; along each axis a flat face moves by exactly its margin, and between the axes the margin goes
    over smoothly. Shrinking is the Minkowski difference: the left side recedes by ``left_mm``.

    Directions are the patient's whatever the patient position: left, right, anterior, posterior, superior (head) and
    inferior (feet).
    """

    left_mm: float
    right_mm: float
    anterior_mm: float
    posterior_mm: float
    superior_mm: float
    inferior_mm: float

    def __post_init__(self) -> None:
        for letter, name in _FIELDS.items():
            value = getattr(self, name)
            if not np.isfinite(value) or value < 0:
                raise InputError(
                    f"the margin {letter}={value:g} mm is not zero or more.",
                    remedy="Give margins as lengths; to make a structure smaller, shrink it instead of growing it.",
                )
            if value > _GREATEST_MM:
                raise InputError(
                    f"the margin {letter}={value:g} mm is more than {_GREATEST_MM:g} mm.",
                    remedy="Margins are in millimetres; write 'cm' behind a number in centimetres.",
                )

    @staticmethod
    def isotropic(margin_mm: float) -> Margins:
        """Return the same margin on all sides."""
        return Margins(**dict.fromkeys(_FIELDS.values(), float(margin_mm)))

    @property
    def is_isotropic(self) -> bool:
        """Whether all six are equal."""
        return len({getattr(self, name) for name in _FIELDS.values()}) == 1

    def by_side(self) -> dict[str, float]:
        """Return the six by the names of their fields."""
        return {name: float(getattr(self, name)) for name in _FIELDS.values()}

    @property
    def along_axes(self) -> tuple[tuple[float, float], ...]:
        """The margins towards growing and falling x, y and z of the patient's coordinates."""
        return (
            (self.left_mm, self.right_mm),
            (self.posterior_mm, self.anterior_mm),
            (self.superior_mm, self.inferior_mm),
        )

    @property
    def greatest_mm(self) -> float:
        """The greatest of the six."""
        return max(float(getattr(self, name)) for name in _FIELDS.values())

    def __str__(self) -> str:
        if self.is_isotropic:
            return f"{number_text(self.left_mm)} mm"
        return ", ".join(f"{letter}={number_text(getattr(self, name))}" for letter, name in _FIELDS.items()) + " mm"


def parse_margins(text: str) -> Margins:
    """Return the margins that `text` spells: ``5``, ``5mm``, ``0.5 cm``, or ``L=5,R=7,A=6,P=8,S=9,I=10``.

    Directions may be spelt out (``left=5``), pairs named together (``LR=5, AP=6, SI=8``) and a bare number given for
    those not named (``5, P=3``). What is left open altogether is refused.

    Raises
    ------
    InputError
        With what is wrong and an example.
    """
    values: dict[str, float] = {}
    rest: float | None = None
    for piece in _split(text):
        named = _PIECE.match(piece)
        if named is None:
            if rest is not None:
                raise _bad(text, "it holds two numbers without a direction")
            rest = _length_mm(piece, text)
            continue
        for letter in _letters(named[1], text):
            if letter in values:
                raise _bad(text, f"it names {letter} twice")
            values[letter] = _length_mm(named[2], text)
    missing = [letter for letter in _FIELDS if letter not in values]
    if missing and rest is None:
        raise _bad(text, f"it leaves open {', '.join(missing)}")
    return Margins(**{name: values.get(letter, rest or 0.0) for letter, name in _FIELDS.items()})


def _split(text: str) -> list[str]:
    pieces = [piece.strip() for piece in re.split(r"[,;]", text)]
    if not all(pieces):
        raise _bad(text, "it is empty" if not text.strip() else "a number is missing at a comma")
    return pieces


def _letters(word: str, text: str) -> str:
    if word.upper() in _LONG_NAMES or word.lower() in _LONG_NAMES:
        return _LONG_NAMES.get(word.upper()) or _LONG_NAMES[word.lower()]
    letters = word.upper().replace("CC", "SI")
    if not all(letter in _FIELDS for letter in letters):
        raise _bad(text, f"{word!r} is no direction")
    return letters


def _length_mm(number: str, text: str) -> float:
    match = _NUMBER.match(number.strip())
    if match is None:
        raise _bad(text, f"{number.strip()!r} is no length")
    return float(match[1]) * (10.0 if (match[2] or "").lower() == "cm" else 1.0)


def _bad(text: str, why: str) -> InputError:
    return InputError(
        f"the margin {text!r} cannot be used: {why}.",
        remedy="Write '5' for 5 mm on all sides, or 'L=5,R=7,A=6,P=8,S=9,I=10' (patient left, right, anterior, "
        "posterior, superior, inferior).",
    )


def margins_text(margins: Margins) -> str:
    """Return margins as expressions spell them: ``5mm`` or ``[L=5,R=7,A=6,P=8,S=9,I=10]``."""
    if margins.is_isotropic:
        return f"{number_text(margins.left_mm)}mm"
    return "[" + str(margins).removesuffix(" mm").replace(" ", "") + "]"
