"""Protocol files: found by ID or path, checked strictly, turned into plain records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.errors import ProtocolError
from dvhkit.protocols.files.build import build_protocol
from dvhkit.protocols.files.prebuilt import read_prebuilt
from dvhkit.protocols.files.problems import Problem
from dvhkit.protocols.files.rules import Protocol, ProtocolInfo
from dvhkit.protocols.naming.names import nearest
from dvhkit.yaml_text import Place, YamlDocument, read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["Protocol", "ProtocolInfo", "list_protocols", "load_protocol", "protocol_of", "shipped_paths"]

_SUFFIXES = (".yaml", ".yml")


def load_protocol(id_or_path: str | Path) -> Protocol:
    """Return the shipped protocol of that ID, or the one in that file.

    A text without folder and ending is an ID first and a file name second; a `Path` is always a file.

    Raises
    ------
    ProtocolError
        With file and line of the first fault and the number of others; or with the nearest ID.
    """
    if isinstance(id_or_path, str) and id_or_path in shipped_paths():
        return _load_shipped(id_or_path)
    path = Path(id_or_path)
    if isinstance(id_or_path, str) and path.suffix.lower() not in _SUFFIXES and not _is_file(path):
        raise _unknown_id(id_or_path)
    return _load_file(path)


def list_protocols() -> tuple[ProtocolInfo, ...]:
    """Return what is shipped, in the order of IDs."""
    loaded = ((path, load_protocol(name)) for name, path in shipped_paths().items())
    return tuple(
        ProtocolInfo(id=p.id, version=p.version, title=p.title, site=p.site, rule_count=len(p.rules), path=path)
        for path, p in loaded
    )


@lru_cache(maxsize=1)
def shipped_paths() -> dict[str, Path]:
    """Return the shipped files by protocol ID, which is the file's name without ending."""
    folder = Path(str(files("dvhkit.protocols"))) / "data"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


@lru_cache(maxsize=32)
def _load_shipped(protocol_id: str) -> Protocol:
    path = shipped_paths()[protocol_id]
    return protocol_of(read_prebuilt(path) or read_yaml(path, error=ProtocolError))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _unknown_id(text: str) -> ProtocolError:
    known = list(shipped_paths())
    near = nearest(text, known)
    asked = f"Did you mean {near!r}? " if near else ""
    return ProtocolError(
        f"there is no protocol {text[:100]!r}, shipped or as a file.",
        remedy=f"{asked}Shipped are: {', '.join(known)}.",
    )


def _load_file(path: Path) -> Protocol:
    return protocol_of(read_yaml(path, error=ProtocolError))


def protocol_of(document: YamlDocument) -> Protocol:
    """Return the protocol that a document holds, in the shape of a protocol file; raises `ProtocolError`."""
    from pydantic import ValidationError

    from dvhkit.protocols.files.schema import ProtocolModel

    try:
        model = ProtocolModel.model_validate(document.data)
    except ValidationError as bad:
        raise _combined(document, (_explain(detail, document.data) for detail in bad.errors())) from bad
    fingerprint = hashlib.sha256(document.text).hexdigest()
    protocol, problems = build_protocol(model, path=document.path, sha256=fingerprint, line_of=document.line_of)
    if problems or protocol is None:
        raise _combined(document, problems)
    return protocol


def _combined(document: YamlDocument, problems: Iterable[Problem]) -> ProtocolError:
    """Return one error for all problems: the first in full, the others counted.

    A misspelt key comes before a missing one, being most likely its cause; else the order is that of the lines.
    """
    ranked = sorted(("is not known" not in message, document.line_of(place), message) for place, message in problems)
    ordered = [(line, message) for _, line, message in ranked]
    line, message = ordered[0]
    others = len(ordered) - 1
    lines = ", ".join(str(n) for n in dict.fromkeys(n for n, _ in ordered[1:]))
    plural = "" if others == 1 else "s"
    remedy = f"There {'is' if others == 1 else 'are'} {others} more fault{plural} (line {lines})." if others else None
    return ProtocolError(message, path=document.path, where=f"line {line}", remedy=remedy)


def _explain(detail: ErrorDetails, data: Any) -> Problem:  # noqa: ANN401 -- whatever the file held
    """Return a pydantic error in the words of a person who wrote the file."""
    from dvhkit.protocols.files.schema import fields_of

    place: Place = tuple(detail["loc"])
    last = str(place[-1]) if place else ""
    match detail["type"]:
        case "extra_forbidden":
            known = fields_of(place[:-1])
            near = nearest(last, known)
            hint = f"Did you mean {near!r}?" if near else f"Known are: {', '.join(known)}."
            return place, f"the key {last!r} is not known here. {hint}"
        case "missing":
            return place, f"the key {last!r} is missing{_in_rule(place, data)}."
        case "value_error":
            why = detail["msg"].removeprefix("Value error, ")
            return place, f"{why}{_in_rule(place, data)}."
        case "too_short" if not detail["input"]:
            return place, f"{last!r} must not be empty{_in_rule(place, data)}."
        case "string_pattern_mismatch":
            return place, f"{last!r} must be a short word of letters, digits, - and _, not {detail['input']!r:.80}."
        case _:
            why = re.sub(r"^(Input|String|List|Dictionary) should", "should", detail["msg"])
            why = re.sub(r" after validation, not \d+", "", why).replace("dictionary", "mapping")
            return place, f"{last!r} {why}, not {detail['input']!r:.80}{_in_rule(place, data)}."


def _in_rule(place: Place, data: Any) -> str:  # noqa: ANN401
    """Return which rule it is about, by ID where it has one."""
    if len(place) < 2 or place[0] != "rules" or not isinstance(place[1], int):
        return ""
    rule = data["rules"][place[1]]
    name = rule.get("id") if isinstance(rule, dict) else None
    return f" (rule {name})" if isinstance(name, str) else f" (rule number {place[1] + 1})"
