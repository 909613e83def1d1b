"""Texts out of DICOM made harmless for a terminal, a page or a spreadsheet."""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\ufffd"
# Needed to write Persian and the languages of India; they neither move nor hide text.
_JOINERS = "\u200c\u200d"
# More marks than this on one letter only serve to paint over the lines above and below.
_MOST_MARKS = 4
# Of a name that is cut, one part in so many is its end.
_TAIL = 3

_INVISIBLE = ("Cc", "Cf", "Cs", "Cn", "Co")
_SPACES = re.compile(r"\s+")


def clean(text: object, *, longest: int | None = None) -> str:
    """Return `text` on one line, without characters that steer or hide.

    Control characters (terminal escapes among them), direction overrides, lone surrogates and the like become
    ``U+FFFD``, so that two names that differ in them only still look different from a plain name. White space
    becomes one space, piles of combining marks are cut to four, and `longest` cuts the text and marks the cut.
    """
    single_line = _SPACES.sub(" ", str(text)).strip()
    if single_line.isascii() and single_line.isprintable():
        return shorten(single_line, longest)
    return shorten("".join(_harmless(single_line)), longest)


def shorten(text: str, longest: int | None) -> str:
    """Return `text` with at most `longest` characters, the last one an ellipsis where something was cut."""
    if longest is None or len(text) <= longest:
        return text
    return text[: longest - 1].rstrip() + "…"


def clean_name(text: object, longest: int) -> str:
    """Return a name as `clean` does; one that is too long is cut in its middle, as names often differ at their ends.

    >>> clean_name("Planning target volume, phase 50 %", 20)
    'Planning targ…e 50 %'
    """
    whole = clean(text)
    if len(whole) <= longest:
        return whole
    tail = (longest - 1) // _TAIL
    return f"{whole[: longest - 1 - tail].rstrip()}…{whole[len(whole) - tail :].lstrip()}"


def sentence_case(text: str) -> str:
    """Return `text` with its first letter as at the start of a sentence; names and units keep their own.

    Only a plain first word is raised: ``eqd2``, ``pH`` or ``'Liver'`` stay as they are.
    """
    first = re.match(r"[a-z]+(?=[\s,;:]|$)", text)
    return text[0].upper() + text[1:] if first else text


def _harmless(text: str) -> list[str]:
    out: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category[0] == "M" else 0
        if marks > _MOST_MARKS:
            continue
        is_hidden = category in _INVISIBLE and character not in _JOINERS
        if is_hidden and out and out[-1] == REPLACEMENT:
            continue
        out.append(REPLACEMENT if is_hidden else character)
    return out
