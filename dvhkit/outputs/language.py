"""What pages say, by key: one catalogue a language, each a file of JSON in ``languages/``.

A message is a sentence or a word with named places such as ``{n}``, never a part of a sentence; where its words depend
on a number it is an object of CLDR plural categories, chosen by ``n``. Numbers, units, dates (ISO 8601), names of
TG-263 and DICOM, and what a record holds are the same in every language.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from dvhkit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "en"
# Which language pages are written in where none is named.
VARIABLE = "DVHKIT_LANGUAGE"
Message = str | dict[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The messages of one language; `language` is a tag of BCP 47, as ``<html lang>`` takes it."""

    language: str
    messages: Mapping[str, Message]

    def text(self, key: str, given: Mapping[str, object]) -> str:
        """Return a message as it stands, with its places open; of a plural message the form for ``n``."""
        message = self.messages[key]
        if isinstance(message, str):
            return message
        # English, German and most languages of Europe part one from the rest; a language that parts more adds its rule.
        return message["one" if given.get("n") == 1 else "other"]


def languages() -> list[str]:
    """Return the tags of the languages that there are catalogues of."""
    folder = files("dvhkit.outputs") / "languages"
    return sorted(one.name.removesuffix(".json") for one in folder.iterdir() if one.name.endswith(".json"))


@cache
def catalogue(language: str) -> Catalogue:
    """Return the catalogue of a language; raises `InputError` where there is none."""
    if language not in languages():
        raise InputError(f"there is no catalogue of the language '{language}': there are {', '.join(languages())}.")
    text = (files("dvhkit.outputs") / "languages" / f"{language}.json").read_text(encoding="utf-8")
    return Catalogue(language, MappingProxyType(json.loads(text)))


_spoken: ContextVar[Catalogue | None] = ContextVar("spoken", default=None)


def spoken() -> Catalogue:
    """Return the catalogue in use."""
    return _spoken.get() or catalogue(DEFAULT)


def write_pages_in(language: str) -> None:
    """Write pages in a language, in this process and those that it starts; raises `InputError` without a catalogue."""
    os.environ[VARIABLE] = catalogue(language).language


@contextmanager
def speaking(language: str | Catalogue | None) -> Iterator[None]:
    """Say all that is said within in one language; None for what `VARIABLE` names, else English."""
    named = os.environ.get(VARIABLE) or DEFAULT if language is None else language
    token = _spoken.set(named if isinstance(named, Catalogue) else catalogue(named))
    try:
        yield
    finally:
        _spoken.reset(token)


def say(key: str, **given: object) -> str:
    """Return the message `key` in the language in use, its places filled."""
    text = spoken().text(key, given)
    return text.format(**given) if given else text


def say_markup(key: str, **given: object) -> Markup:
    """Return a message for a page: escaped, as is all that is filled in and is no markup itself."""
    return Markup(escape(spoken().text(key, given))).format(**given)


def has_message(key: str) -> bool:
    """Whether the language in use has the message `key`."""
    return key in spoken().messages


def script_words(*areas: str) -> Markup:
    """Return the messages of some areas, the parts of keys before the dot, as JSON that a page's script reads."""
    chosen = {key: text for key, text in spoken().messages.items() if key.partition(".")[0] in areas}
    # Within a script element only '<' could begin something.
    return Markup(json.dumps(chosen, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))
