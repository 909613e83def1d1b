"""Whether files of one PatientID can be of one person. What is compared is kept as digests and never shown."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING

from dvhkit.readers.files.elements import charset_of, name_text, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.readers.files.elements import DataSet


# Of a series whose every file names somebody else, a few say enough.
_COMPARED = 20


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """What a file says of its patient beside the ID: birth date, sex, and the words of the name, as digests."""

    born: str = ""
    sex: str = ""
    names: frozenset[str] = frozenset()


def person_of(data: DataSet) -> Person:
    """Return what a header says of its patient; what it does not say is empty."""
    # The first group of a person's name is the alphabetic one; its parts may be joined by anything.
    name = name_text(data, "PatientName", charset_of(data)).partition("=")[0].casefold()
    sex = text(data, "PatientSex").upper()
    return Person(
        born=_digest(text(data, "PatientBirthDate")),
        sex=sex if sex in ("M", "F") else "",
        names=frozenset(_digest(word) for word in re.findall(r"\w+", name)),
    )


def unlike(persons: Iterable[Person]) -> tuple[str, ...]:
    """Return in what respect two of `persons` cannot be the same: birth date, sex, name.

    A name that holds all words of another is no other name.
    """
    found: dict[str, None] = {}
    for one, other in combinations(islice(dict.fromkeys(persons), _COMPARED), 2):
        if one.born and other.born and one.born != other.born:
            found["birth date"] = None
        if one.sex and other.sex and one.sex != other.sex:
            found["sex"] = None
        if one.names and other.names and not (one.names <= other.names or other.names <= one.names):
            found["name"] = None
    return tuple(found)


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:16] if words else ""
