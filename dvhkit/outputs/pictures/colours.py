"""Structure colours made legible: planning systems choose them for black screens with CT on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Rgb = tuple[int, int, int]

# The backgrounds that the plot stands on; report.css has the same.
PAPER_LIGHT: Rgb = (255, 255, 255)
PAPER_DARK: Rgb = (24, 27, 31)
# WCAG 2.2, success criterion 1.4.11, asks 3:1 of graphical objects; a thin line needs a little more.
_LEAST_CONTRAST = 3.4
_STEPS = 50
# Two colours closer than this (Euclidean, of 441) look alike as thin lines.
_ALIKE = 60.0

# For structures without a colour: Okabe and Ito's set, made for colour-blind readers (doi:10.1038/nmeth.1618).
_SPARE: tuple[Rgb, ...] = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (120, 120, 120),
)  # fmt: skip
# SVG dash patterns that tell apart curves of like colour; the first is a full line.
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "1 4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """How a curve is drawn: its colour on light and on dark paper (``#rrggbb``), and its dash pattern."""

    light: str
    dark: str
    dash: str


def inks(colours: Iterable[Rgb | None]) -> list[Ink]:
    """Return an ink for each structure colour, in order.

    The hue stays; the colour is mixed with black or white until it stands out from the paper. Structures without a
    colour get one from a colour-blind safe set, and structures whose colours look alike get different dashes.
    """
    given = list(colours)
    taken = [_within_range(colour) for colour in given if colour is not None]
    out: list[Ink] = []
    drawn: list[Rgb] = []
    for colour in given:
        chosen = _within_range(colour) if colour is not None else _spare_colour(taken)
        light, dark = legible(chosen, PAPER_LIGHT), legible(chosen, PAPER_DARK)
        alike = {ink.dash for ink, other in zip(out, drawn, strict=True) if _distance(light, other) < _ALIKE}
        free = [dash for dash in DASHES if dash not in alike] or [DASHES[len(out) % len(DASHES)]]
        drawn.append(light)
        out.append(Ink(light=_hex(light), dark=_hex(dark), dash=free[0]))
    return out


def legible(colour: Rgb, paper: Rgb) -> Rgb:
    """Return `colour`, mixed with black on light paper or white on dark paper as far as needed to stand out."""
    pole = (0, 0, 0) if luminance(paper) > 0.5 else (255, 255, 255)
    for step in range(_STEPS + 1):
        share = step / _STEPS
        mixed = tuple(round(c + (p - c) * share) for c, p in zip(colour, pole, strict=True))
        candidate = (mixed[0], mixed[1], mixed[2])
        if contrast(candidate, paper) >= _LEAST_CONTRAST:
            return candidate
    return pole


def luminance(colour: Rgb) -> float:
    """Return the relative luminance of an sRGB colour, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _spare_colour(taken: list[Rgb]) -> Rgb:
    """Return the spare colour farthest from all in `taken`, and add it to them."""
    best = max(_SPARE, key=lambda spare: min((_distance(spare, other) for other in taken), default=0.0))
    taken.append(best)
    return best


def _within_range(colour: Rgb) -> Rgb:
    red, green, blue = (min(255, max(0, int(part))) for part in colour)
    return red, green, blue


def _distance(one: Rgb, other: Rgb) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def screen_colours(colours: Iterable[Rgb | None]) -> list[str]:
    """Return a colour (``#rrggbb``) for each structure that stands out from black, where pictures are drawn on it."""
    given = list(colours)
    taken = [_within_range(colour) for colour in given if colour is not None]
    chosen = [_within_range(c) if c is not None else _spare_colour(taken) for c in given]
    return [_hex(legible(colour, PAPER_DARK)) for colour in chosen]
