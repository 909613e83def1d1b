"""An inventory without anything that could tell who the patient is: for showing to others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from dvhkit.results.inventory import Inventory, TripleRecord

# Texts that people type, and that may hold a name.
_FREE_TEXTS = {"description"}
# Words of ours, in which nothing is to be replaced.
_CODES = {"code", "level", "role", "modality"}
_UIDS = {"sop_instance_uid", "series_instance_uid", "study_instance_uid", "frame_of_reference_uid"}
_UID = re.compile(r"\b[0-9]+(?:\.[0-9]+){4,}\b")
# What a message quotes comes out of a file; where that is broken, it may be from anywhere in it.
_QUOTED = re.compile(r"'[^']*'")
_QUOTING = {"reason", "problem", "message"}
_WORD = re.compile(r"\S+")
_PUNCTUATION = "()[]'\",.;:"


def anonymous(found: Inventory) -> Inventory:
    """Return `found` with paths, labels and structures numbered, UIDs hashed, and free texts left out.

    File names are replaced wherever they occur, in links and findings too: exports often carry the patient's name or
    ID in them.
    """
    paths = [o.path for p in found.patients for s in p.studies for series in s.series for o in series.objects]
    paths += [u.path for u in found.unreadable]
    numbers = {path: f"file {number}" for number, path in enumerate(dict.fromkeys(paths), start=1)}
    labels = {triple.label: f"case {number}" for number, triple in enumerate(found.triples, start=1)}
    below = {_below(path, found.root): number for path, number in numbers.items()}
    everywhere = {found.root: "(hidden)", **_base_names(paths, numbers), **labels, **below, **numbers}
    rest = _hide(replace(found, triples=()), _Names(everywhere))
    assert isinstance(rest, Inventory)
    triples = tuple(_triple(triple, everywhere, numbers) for triple in found.triples)
    return replace(rest, root="(hidden)", triples=triples)


def _triple(triple: TripleRecord, everywhere: dict[str, str], numbers: dict[str, str]) -> TripleRecord:
    """Return a triple without identity; a file name that occurs in other folders too is that of its own file."""
    own = [path for path in (triple.rtstruct, triple.rtplan, *triple.rtdose) if path is not None]
    rois = {name: f"structure {number}" for number, name in enumerate(triple.rois, start=1)}
    hidden = _hide(triple, _Names({**rois, **everywhere, **_base_names(own, numbers)}))
    assert isinstance(hidden, TripleRecord)
    return replace(hidden, rois=tuple(rois[name] for name in triple.rois))


def _below(path: str, root: str) -> str:
    """Return a path as messages name it, from the folder that was searched."""
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


def _base_names(paths: Iterable[str], numbers: dict[str, str]) -> dict[str, str]:
    table: dict[str, str] = {}
    for path in paths:
        table.setdefault(Path(path).name, numbers.get(path, "a file"))
    return table


class _Names:
    """Replaces names by what stands for them, never inside a longer word."""

    def __init__(self, table: dict[str, str]) -> None:
        self._table = table
        self._of_words = [name for name in table if len(name.split()) > 1]

    def hide(self, text: str) -> str:
        """Return a text without the names. An archive holds many of them, so they are looked up, not tried."""
        if text in self._table:
            return self._table[text]
        found = sorted((name for name in self._of_words if name in text), key=len, reverse=True)
        if found:
            pattern = r"(?<!\w)(?:" + "|".join(map(re.escape, found)) + r")(?!\w)"
            text = re.sub(pattern, lambda match: self._table[match[0]], text)
        return _WORD.sub(self._hide_word, text)

    def _hide_word(self, match: re.Match[str]) -> str:
        word = match[0]
        first = len(word) - len(word.lstrip(_PUNCTUATION))
        for last in range(len(word), len(word.rstrip(_PUNCTUATION)) - 1, -1):
            for begin in {0, first}:
                if word[begin:last] in self._table:
                    return word[:begin] + self._table[word[begin:last]] + word[last:]
        return word


def _hide(value: Any, names: _Names, field_name: str = "") -> Any:  # noqa: ANN401 -- any JSON-able
    if isinstance(value, str):
        return _hide_text(value, names, field_name)
    if isinstance(value, tuple):
        return tuple(_hide(item, names, field_name) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _hide(getattr(value, f.name), names, f.name) for f in fields(value)})
    return value


def _hide_text(text: str, names: _Names, field_name: str) -> str:
    if field_name in _FREE_TEXTS:
        return ""
    if field_name in _CODES:
        return text
    if field_name in _UIDS and text:
        return _hashed(text)
    text = names.hide(text)
    if field_name in _QUOTING:
        text = _QUOTED.sub("'...'", text)
    return _UID.sub(lambda match: _hashed(match[0]), text)


def _hashed(uid: str) -> str:
    return "uid-" + sha256(uid.encode()).hexdigest()[:12]
