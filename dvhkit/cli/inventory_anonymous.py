"""An inventory without anything that could tell who the patient is: for showing to others."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from dvhkit.readers.inventory import Inventory

# Texts that people type, and that may hold a name.
_FREE_TEXTS = {"description"}
_UIDS = {"sop_instance_uid", "series_instance_uid", "study_instance_uid", "frame_of_reference_uid"}
_UID = re.compile(r"\b[0-9]+(?:\.[0-9]+){4,}\b")


def anonymous(found: Inventory) -> Inventory:
    """Return `found` with paths and labels numbered, UIDs hashed, and free texts left out.

    File names are replaced wherever they occur, in links and findings too: exports often carry the patient's name or
    ID in them.
    """
    names = _names(found)
    hidden = _hide(found, names)
    assert isinstance(hidden, Inventory)
    triples = tuple(replace(t, label=f"case {n}") for n, t in enumerate(hidden.triples, start=1))
    return replace(hidden, root="(hidden)", triples=triples)


def _names(found: Inventory) -> list[tuple[str, str]]:
    """Return what to replace and by what, the longest first so that no path is cut by its own file name."""
    paths = [o.path for p in found.patients for s in p.studies for series in s.series for o in series.objects]
    paths += [u.path for u in found.unreadable]
    table: dict[str, str] = {}
    for number, path in enumerate(dict.fromkeys(paths), start=1):
        table.setdefault(path, f"file {number}")
        table.setdefault(Path(path).name, f"file {number}")
    for number, triple in enumerate(found.triples, start=1):
        table.setdefault(triple.label, f"case {number}")
    table.setdefault(found.root, "(hidden)")
    return sorted(table.items(), key=lambda pair: -len(pair[0]))


def _hide(value: Any, names: list[tuple[str, str]], field_name: str = "") -> Any:  # noqa: ANN401 -- any JSON-able
    if isinstance(value, str):
        return _hide_text(value, names, field_name)
    if isinstance(value, tuple):
        return tuple(_hide(item, names, field_name) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _hide(getattr(value, f.name), names, f.name) for f in fields(value)})
    return value


def _hide_text(text: str, names: list[tuple[str, str]], field_name: str) -> str:
    if field_name in _FREE_TEXTS:
        return ""
    if field_name in ("code", "level", "role", "modality"):
        return text
    for name, number in names:
        text = text.replace(name, number)
    return _hashed(text) if field_name in _UIDS and text else _UID.sub(lambda m: _hashed(m[0]), text)


def _hashed(uid: str) -> str:
    return "uid-" + sha256(uid.encode()).hexdigest()[:12]
