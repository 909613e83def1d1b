"""Which format a file is in, by its ending: ours (.yaml), a constraint table (.csv), a ProKnow scorecard (.json)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dvhkit.errors import ProtocolError
from dvhkit.findings import Finding
from dvhkit.protocols.converters.constraint_csv import constraint_csv, read_constraint_csv
from dvhkit.protocols.converters.own_yaml import protocol_yaml
from dvhkit.protocols.converters.proknow_json import proknow_json, read_proknow
from dvhkit.protocols.load import load_protocol
from dvhkit.protocols.rules import Protocol

Read = tuple[Protocol, tuple[Finding, ...]]
Written = tuple[str, tuple[Finding, ...]]


def _read_own(path: Path | str) -> Read:
    return load_protocol(path), ()


def _write_own(protocol: Protocol) -> Written:
    return protocol_yaml(protocol), ()


# Ending -> reader, writer. A new format is one file and one line here.
FORMATS: dict[str, tuple[Callable[[Path | str], Read], Callable[[Protocol], Written]]] = {
    ".yaml": (_read_own, _write_own),
    ".yml": (_read_own, _write_own),
    ".csv": (read_constraint_csv, constraint_csv),
    ".json": (read_proknow, proknow_json),
}


def read_any(id_or_path: str | Path) -> Read:
    """Return a protocol in any of the formats, or a shipped one by ID, and what could not be read of it."""
    reader = FORMATS.get(Path(id_or_path).suffix.lower())
    return _read_own(id_or_path) if reader is None else reader[0](Path(id_or_path))


def written_as(protocol: Protocol, path: Path | str) -> Written:
    """Return the protocol as text in the format that `path` ends in, and what that cannot hold.

    Raises
    ------
    ProtocolError
        If no format has that ending.
    """
    found = FORMATS.get(Path(path).suffix.lower())
    if found is None:
        raise ProtocolError(
            f"no format ends in {Path(path).suffix!r}.", path=path, remedy=f"Use one of {', '.join(FORMATS)}."
        )
    return found[1](protocol)
