"""Finding the structure that a rule means: by exact name, then whatever case and blanks, then by alias; never guessed.

A name that merely looks alike is shown to the user as a suggestion and not used: the wrong organ in a table is worse
than an empty row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process

from dvhkit.protocols.facts import StructureFact

# Below this likeness (0 to 100) a suggestion is noise.
_SUGGEST_FROM = 55.0
_MOST_LISTED = 8
_SHORT = 5
_SLIP_FROM = 75.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a name came to: no structure, one, or several (which is ambiguous).

    Attributes
    ----------
    how
        Why they match, where it is not plainly the exact name.
    """

    found: tuple[StructureFact, ...]
    how: str = ""


@lru_cache(maxsize=8192)  # the same few hundred names are asked for with every structure
def fold(name: str) -> str:
    """Return `name` without regard to case and blanks."""
    return re.sub(r"\s+", "", name).casefold()


def match_name(name: str, structures: Sequence[StructureFact], aliases: Iterable[str] = ()) -> Match:
    """Return the structures that `name` means; an alias counts only if the name itself is not there."""
    exact = tuple(s for s in structures if s.name == name)
    if exact:
        return Match(found=exact)
    loose = tuple(s for s in structures if fold(s.name) == fold(name))
    if loose:
        return Match(found=loose, how=f"{loose[0].name!r} was taken for {name!r}")
    known = {fold(alias) for alias in aliases}
    through = tuple(s for s in structures if fold(s.name) in known)
    return Match(found=through, how=f"{through[0].name!r} is an alias of {name!r}" if through else "")


# TG-263 target names: type, classifier, number, then dose level, number of the target or crop in mm. "PTV_Ring" and
# "zPTV" are helpers for planning, not targets.
_TARGET_NAME = r"{type}!?(n|p|sb|par|v|vas)?\d*([_ ]?(high|mid\d*|low\d*|\d+([.p]\d+)?(gy|cgy)?(x\d+)?))?(-\d+)?"


def is_target_name(name: str, rt_roi_type: str) -> bool:
    """Whether TG-263 would read `name` as a target of that type."""
    return re.fullmatch(_TARGET_NAME.format(type=re.escape(rt_roi_type)), name.strip(), re.IGNORECASE) is not None


def structures_of_type(rt_roi_type: str, structures: Sequence[StructureFact]) -> Match:
    """Return the structures of a type such as PTV.

    A structure whose type is missing counts if TG-263 would read its name as such a target. If no structure has the
    type, that is, the system wrote another one or none for all, the names alone decide, and `how` says so.
    """
    named = [s for s in structures if is_target_name(s.name, rt_roi_type)]
    typed = tuple(s for s in structures if s.rt_roi_type == rt_roi_type or (not s.rt_roi_type and s in named))
    if any(s.rt_roi_type == rt_roi_type for s in typed):
        return Match(found=typed)
    found = tuple(named)
    how = f"no structure has the type {rt_roi_type}; its targets were found by name" if found else ""
    return Match(found=found, how=how)


def suggestions(name: str, structures: Sequence[StructureFact]) -> str:
    """Return a sentence for a name that was not found: what comes nearest, or what there is at all."""
    names = [s.name for s in structures]
    if not names:
        return "The structure set is empty."
    # Three letters are somehow like any long name: a short one must stand in the other as it is, as Cord in SpinalCord.
    likely = [n for n in names if len(fold(n)) >= _SHORT or _is_near(fold(n), fold(name))]
    near = process.extract(name, likely, scorer=fuzz.WRatio, processor=fold, limit=2, score_cutoff=_SUGGEST_FROM)
    if near:
        return f"Did you mean {' or '.join(repr(n) for n, *_ in near)}?"
    # A name out of a DICOM file may hold line breaks and worse; quoted, it stays one line.
    listed = ", ".join(n if n.isprintable() else repr(n) for n in names[:_MOST_LISTED])
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"There are: {listed}{more}."


def _is_near(short: str, name: str) -> bool:
    """Whether a short name is part of the other, the other of it, or it is a slip of the pen away."""
    return short in name or name in short or fuzz.ratio(short, name) >= _SLIP_FROM


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the word of `known` that `word` is most likely a slip of, or None."""
    found = process.extractOne(word, list(known), scorer=fuzz.ratio, processor=str.casefold, score_cutoff=_SUGGEST_FROM)
    return str(found[0]) if found else None
