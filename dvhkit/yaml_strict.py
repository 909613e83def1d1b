"""Strict reading of YAML documents of our own kinds: a misspelt key or an empty text is refused with its line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import NoReturn

from dvhkit.errors import InputError
from dvhkit.yaml_text import Place, Plain, YamlDocument


class StrictReader:
    """Reads one document; every refusal is an `error` that names file and line."""

    error: type[InputError] = InputError

    def __init__(self, document: YamlDocument) -> None:
        self.document = document

    def _keys(self, node: dict[str, Plain], place: Place, known: set[str], must: tuple[str, ...]) -> None:
        for key in node:
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.5)
                asked = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
                self._refuse((*place, key), f"the key {key[:40]!r} is unknown here; {asked}")
        for key in must:
            if key not in node:
                self._refuse(place, f"the key {key!r} is missing")

    def _text(self, node: dict[str, Plain], place: Place, key: str) -> str:
        value = node[key]
        if not isinstance(value, str) or not value.strip():
            self._refuse((*place, key), f"{key!r} must be a text that is not empty")
        return value.strip()

    def _refuse(self, place: Place, why: str) -> NoReturn:
        raise self.error(f"{why}.", path=self.document.path, where=f"line {self.document.line_of(place)}")
