"""What a structure's name says of a vertebra: the part and the level.

TG-263 names vertebrae and bodies (``VB_T07``) and the canal, but no pedicle, lamina or process. For those the names
here are ``zPed_T07_L``, ``zTP_T07_L``, ``zLam_T07_L`` and ``zSP_T07``; the leading z keeps them out of dose tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dvhkit.targets.vertebra.rules import Compartment

Part = Literal["vertebra", "canal", "cord"] | Compartment

# Words that name a part, folded: no case, no blanks, no underscores, no leading z.
_KINDS: dict[str, tuple[str, ...]] = {
    "body": (
        "vb",
        "body",
        "vertbody",
        "vertebralbody",
        "vertebrabody",
        "corpus",
        "vertebralcorpus",
        "corpusvertebrae",
        "wirbelkörper",
        "wirbelkoerper",
    ),
    "pedicle": ("ped", "pedicle", "pedicles", "pedicel", "pediculus", "pedikel", "bogenwurzel"),
    "transverse": (
        "tp",
        "transproc",
        "transverse",
        "transverseprocess",
        "transverseproc",
        "costalprocess",
        "processustransversus",
        "proctransversus",
        "querfortsatz",
    ),
    "lamina": ("lam", "lamina", "laminae", "laminaarcus"),
    "spinous": (
        "sp",
        "spinous",
        "spinousprocess",
        "spinousproc",
        "spinproc",
        "spinosusprocess",
        "processusspinosus",
        "procspinosus",
        "dornfortsatz",
    ),
    "vertebra": ("vert", "vertebra", "vertebrae", "wholevertebra", "vertebrawhole", "v", "wirbel"),
    "canal": (
        "spinalcanal",
        "canal",
        "spinecanal",
        "vertebralcanal",
        "canalspinal",
        "canalisvertebralis",
        "spinalkanal",
    ),
    "cord": ("spinalcord", "cord", "myelon", "thecalsac", "caudaequina"),
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words}
_SIDES = {"l": "L", "left": "L", "lt": "L", "li": "L", "r": "R", "right": "R", "rt": "R", "re": "R"}
_LEVEL = re.compile(r"(c|th|t|d|l|s)0?(\d{1,2})", re.IGNORECASE)
_HIGHEST = {"C": 7, "T": 13, "L": 6, "S": 5}
_PREFIX = {Compartment.BODY: "VB", Compartment.SPINOUS: "zSP"}
_SIDED_PREFIX = {"pedicle": "zPed", "transverse": "zTP", "lamina": "zLam"}


@dataclass(frozen=True, slots=True)
class NamedPart:
    """What a name means; `level` is such as ``T07``, empty where the name does not say."""

    part: Part
    level: str


def parse_level(text: str) -> str | None:
    """Return a level in the form ``T07``, or None where `text` is none.

    >>> parse_level("Th7"), parse_level("l3"), parse_level("T15")
    ('T07', 'L03', None)
    """
    match = _LEVEL.fullmatch(text.strip())
    if match is None:
        return None
    region = "T" if match[1].upper() in ("TH", "T", "D") else match[1].upper()
    number = int(match[2])
    return f"{region}{number:02d}" if 1 <= number <= _HIGHEST[region] else None


def parse_name(name: str) -> NamedPart | None:
    """Return the part and level that a structure's name means, or None where it means no part of a vertebra.

    >>> parse_name("zPed_T07_L"), parse_name("Lamina left L3"), parse_name("vertebrae_L3").part
    (NamedPart(part=<Compartment.PEDICLE_L: 'pedicle_L'>, level='T07'), \
NamedPart(part=<Compartment.LAMINA_L: 'lamina_L'>, level='L03'), 'vertebra')
    """
    words = [
        part for word in re.split(r"[\s_\-.,()]+", name.strip()) if word not in ("", "of") for part in _parted(word)
    ]
    levels = [(n, level) for n, word in enumerate(words) if (level := parse_level(word))]
    if len(levels) > 1:
        return None
    rest = [word.casefold() for n, word in enumerate(words) if not levels or n != levels[0][0]]
    sides = [_SIDES[word] for word in rest if word in _SIDES]
    kind = _kind("".join(word for word in rest if word not in _SIDES))
    level = levels[0][1] if levels else ""
    if not rest and level:
        return NamedPart("vertebra", level)
    if kind is None or len(sides) > 1:
        return None
    return _part(kind, sides, level)


def _parted(word: str) -> tuple[str, ...]:
    """Return a part with its side as two words, as in ``PedicleL``; any other word as it is."""
    match = re.fullmatch(r"(.*[a-z])([LR])", word)
    if match is None or _kind(match[1].casefold()) not in _SIDED_PREFIX:
        return (word,)
    return (match[1], match[2])


def _kind(folded: str) -> str | None:
    return _KIND_OF.get(folded) or _KIND_OF.get(folded.removeprefix("z"))


def _part(kind: str, sides: list[str], level: str) -> NamedPart | None:
    if kind in _SIDED_PREFIX:
        return NamedPart(Compartment(f"{kind}_{sides[0]}"), level) if sides else None
    if sides:
        return None
    match kind:
        case "body" | "spinous":
            return NamedPart(Compartment(kind), level)
        case "vertebra":
            # A level is what makes it one vertebra; "Vertebrae" alone may be the whole spine.
            return NamedPart("vertebra", level)
        case "canal":
            return NamedPart("canal", level)
    return NamedPart("cord", level)


def levels_named(name: str) -> tuple[str, ...]:
    """Return the levels that a target's name bears; T1 and T2 alone also mean MR sequences, so they count for none.

    >>> levels_named("CTV_L3"), levels_named("GTV T11-T12"), levels_named("GTV_T1"), levels_named("PTV1")
    (('L03',), ('T11', 'T12'), (), ())
    """
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    levels = tuple(level for word in words if (level := parse_level(word)))
    return tuple(level for level in levels if level not in ("T01", "T02"))


def structure_name(part: Compartment, level: str) -> str:
    """Return the name under which a compartment is written, at most 16 characters.

    >>> structure_name(Compartment.LAMINA_R, "L03")
    'zLam_L03_R'
    """
    if part in _PREFIX:
        return f"{_PREFIX[part]}_{level}"
    kind, side = part.value.split("_")
    return f"{_SIDED_PREFIX[kind]}_{level}_{side}"
