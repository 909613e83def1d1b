"""The clinical context of a case: what no DICOM file states and rules depend on, from a small YAML file.

::

    child_pugh_b7_worse: true
    prescription: {dose_gy: 50, fractions: 5}     # optional: overrides what the plan says
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dvhkit.errors import InputError
from dvhkit.protocols.files.rules import Protocol
from dvhkit.protocols.naming.names import nearest
from dvhkit.yaml_text import YamlDocument, read_yaml

PRESCRIPTION = "prescription"
_MOST_GY = 300.0
_MOST_FRACTIONS = 100


def load_context(path: Path | str) -> dict[str, Any]:
    """Return the `key: value` pairs of a context file; values are true/false, numbers or texts.

    `prescription`, where it is given, is a mapping with `dose_gy` (a number, Gy in all) and, if known, `fractions`.

    Raises
    ------
    InputError
        With file and line.
    """
    document = read_yaml(Path(path), error=InputError)
    for key, value in document.data.items():
        if key == PRESCRIPTION:
            _check_prescription(document, value)
        else:
            _check_plain(document, key, value)
    return dict(document.data)


def unknown_keys(protocol: Protocol, context: Mapping[str, object]) -> tuple[str, ...]:
    """Return one sentence for each context key that the protocol does not ask for: most likely a slip."""
    known = [key.name for key in protocol.context]
    return tuple(_unknown(key, known) for key in context if key != PRESCRIPTION and key not in known)


def _unknown(key: str, known: Iterable[str]) -> str:
    near = nearest(key, known)
    hint = f" Did you mean {near!r}?" if near else ""
    return f"the context states {key!r}, which no rule of the protocol asks for.{hint}"


def _check_plain(document: YamlDocument, key: str, value: object) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", key):
        raise _bad(document, (key,), f"the key {key[:60]!r} must be small letters, digits and _")
    if not isinstance(value, bool | int | float | str):
        raise _bad(document, (key,), f"{key!r} must be true, false, a number or a text")


def _check_prescription(document: YamlDocument, value: object) -> None:
    if not isinstance(value, dict) or "dose_gy" not in value:
        raise _bad(document, (PRESCRIPTION,), "write the prescription as {dose_gy: 50, fractions: 5}")
    for key in value:
        if key not in ("dose_gy", "fractions"):
            near = nearest(key, ("dose_gy", "fractions"))
            hint = f". Did you mean {near!r}?" if near else ""
            raise _bad(document, (PRESCRIPTION, key), f"the key {key!r} is not known here{hint}")
    dose, fractions = value["dose_gy"], value.get("fractions")
    if isinstance(dose, bool) or not isinstance(dose, int | float) or not 0 < dose <= _MOST_GY:
        raise _bad(document, (PRESCRIPTION, "dose_gy"), f"dose_gy must be a number of Gy up to {_MOST_GY:g}")
    if "fractions" in value and not _is_count(fractions):
        raise _bad(document, (PRESCRIPTION, "fractions"), f"fractions must be a whole number up to {_MOST_FRACTIONS}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_FRACTIONS


def _bad(document: YamlDocument, place: tuple[str | int, ...], message: str) -> InputError:
    end = "" if message.endswith("?") else "."
    return InputError(f"{message}{end}", path=document.path, where=f"line {document.line_of(place)}")
