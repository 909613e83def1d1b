"""Which format a file is in: by its ending, by its content where two share one, or by the user's word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvhkit.errors import InputError, ProtocolError
from dvhkit.findings import Finding
from dvhkit.protocols.converters.constraint_csv import constraint_csv, read_constraint_csv
from dvhkit.protocols.converters.eclipse_xml import eclipse_xml, read_eclipse
from dvhkit.protocols.converters.json_text import read_json
from dvhkit.protocols.converters.own_yaml import protocol_yaml
from dvhkit.protocols.converters.planscorecard_json import planscorecard_json, read_planscorecard
from dvhkit.protocols.converters.proknow_json import proknow_json, read_proknow
from dvhkit.protocols.files.load import load_protocol
from dvhkit.protocols.files.rules import Protocol

Read = tuple[Protocol, tuple[Finding, ...]]
Written = tuple[str, tuple[Finding, ...]]


def _read_own(path: Path | str) -> Read:
    return load_protocol(path), ()


def _write_own(protocol: Protocol) -> Written:
    return protocol_yaml(protocol), ()


@dataclass(frozen=True, slots=True)
class Format:
    """A format: the endings of its files, how it is read and written."""

    endings: tuple[str, ...]
    read: Callable[[Path | str], Read]
    write: Callable[[Protocol], Written]


# A new format is one file and one line here. Of two with one ending the first is written unless the user says.
FORMATS: dict[str, Format] = {
    "yaml": Format((".yaml", ".yml"), _read_own, _write_own),
    "csv": Format((".csv",), read_constraint_csv, constraint_csv),
    "proknow": Format((".json",), read_proknow, proknow_json),
    "planscorecard": Format((".json",), read_planscorecard, planscorecard_json),
    "eclipse": Format((".xml",), read_eclipse, eclipse_xml),
}


def read_any(id_or_path: str | Path, *, eclipse_codes: str = "") -> Read:
    """Return a protocol in any of the formats, or a shipped one by ID, and what could not be read of it.

    `eclipse_codes` says how Eclipse's ambiguous codes are meant; see `read_eclipse`.
    """
    path = Path(id_or_path)
    ending = path.suffix.lower()
    if ending == ".xml":
        return read_eclipse(path, eclipse_codes)
    if ending == ".json":
        _, data = read_json(path)
        is_scorecard = isinstance(data, dict) and "ScoreTemplates" in data
        return FORMATS["planscorecard" if is_scorecard else "proknow"].read(path)
    found = next((form for form in FORMATS.values() if ending in form.endings), None)
    return _read_own(id_or_path) if found is None or ending in FORMATS["yaml"].endings else found.read(path)


def written_as(protocol: Protocol, path: Path | str, form: str | None = None) -> Written:
    """Return the protocol as text in the format `form`, else in that of `path`'s ending, and what it cannot hold.

    Raises
    ------
    InputError
        If there is no such format.
    ProtocolError
        If no format has that ending.
    """
    if form is not None:
        if form not in FORMATS:
            raise InputError(f"there is no format {form!r:.40}.", remedy=f"Use one of {', '.join(FORMATS)}.")
        return FORMATS[form].write(protocol)
    ending = Path(path).suffix.lower()
    found = next((known for known in FORMATS.values() if ending in known.endings), None)
    if found is None:
        endings = dict.fromkeys(e for known in FORMATS.values() for e in known.endings)
        raise ProtocolError(
            f"no format ends in {ending!r}.", path=path, remedy=f"Use one of {', '.join(endings)}, or --format."
        )
    return found.write(protocol)
