"""A clinic's own spellings of structure names: a YAML file beside the plans that grows with use.

::

    SpinalCord: [Medulla, Myelon]
    Kidney_L: [Niere links]
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.protocols.files.rules import Protocol
from dvhkit.protocols.lint.names import names_of
from dvhkit.protocols.naming.names import fold
from dvhkit.protocols.naming.organs import side_of
from dvhkit.yaml_text import YamlDocument, read_yaml

Aliases = Mapping[str, tuple[str, ...]]

_LONGEST_NAME = 64  # ROIName is an LO: 64 characters
_MOST_ALIASES = 200
# A finding that lists more is not read.
_MOST_TOLD = 12


def load_aliases(path: Path | str) -> dict[str, tuple[str, ...]]:
    """Return the spellings by structure name.

    Raises
    ------
    InputError
        With file and line: no list of texts, one spelling for two structures, a spelling of the other side.
    """
    document = read_yaml(Path(path), error=InputError)
    found: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    for name, spellings in document.data.items():
        if not isinstance(spellings, list) or not all(isinstance(s, str) and s.strip() for s in spellings):
            raise _bad(document, name, f"write the spellings of {name!r} as a list: [one, another]")
        if len(spellings) > _MOST_ALIASES or any(len(str(s)) > _LONGEST_NAME for s in spellings):
            raise _bad(
                document, name, f"{name!r} has too many or too long spellings (at most {_LONGEST_NAME} characters)"
            )
        for spelling in map(str, spellings):
            why = _why_not(name, spelling, owner)
            if why:
                raise _bad(document, name, why)
        found[name] = tuple(dict.fromkeys(str(s).strip() for s in spellings))
    for name in found:
        if owner.get(fold(name), name) != name:
            raise _bad(document, name, f"{name!r} is also given as a spelling of {owner[fold(name)]!r}")
    return found


def with_aliases(protocol: Protocol, aliases: Aliases) -> Protocol:
    """Return the protocol with a clinic's spellings added to its own."""
    names = dict.fromkeys([*(name for name, _ in protocol.aliases), *aliases])
    joined = ((name, tuple(dict.fromkeys((*protocol.aliases_of(name), *aliases.get(name, ()))))) for name in names)
    return replace(protocol, aliases=tuple(joined), clinic_names=tuple(aliases))


def unused_aliases(protocol: Protocol, drawn: Iterable[str]) -> list[Finding]:
    """Return a finding on entries of the clinic's alias file that do nothing for this protocol and these structures."""
    asked = {fold(name) for rule in protocol.rules for name in names_of(rule)}
    there = {fold(name) for name in drawn}
    told = []
    for name in protocol.clinic_names:
        group = {fold(one) for one in (name, *protocol.aliases_of(name))}
        if not group & asked:
            told.append(f"{name} (no rule asks for it)")
        elif not group & there:
            told.append(f"{name} (the plan has neither it nor any of its spellings)")
    if not told:
        return []
    more = f" and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    message = f"Entries of the alias file that change nothing here: {', '.join(told[:_MOST_TOLD])}{more}."
    return [Finding(level=Level.INFO, code="aliases-unused", message=message)]


def learned(aliases: Aliases, name: str, spelling: str) -> dict[str, tuple[str, ...]]:
    """Return the spellings with one more.

    Raises
    ------
    InputError
        If the spelling belongs to another structure, or to the other side.
    """
    name, spelling = name.strip(), spelling.strip()
    if not name or not spelling or max(len(name), len(spelling)) > _LONGEST_NAME:
        raise InputError(f"a structure name has 1 to {_LONGEST_NAME} characters.")
    owner = {fold(s): n for n, spellings in aliases.items() for s in spellings}
    taken = next((known for known in aliases if fold(known) == fold(spelling) and known != name), None)
    why = _why_not(name, spelling, owner) or (f"{spelling!r} is itself the name of a structure" if taken else None)
    if why:
        raise InputError(f"{why}.")
    grown = {known: tuple(spellings) for known, spellings in aliases.items()}
    grown[name] = tuple(dict.fromkeys((*grown.get(name, ()), spelling)))
    return grown


def aliases_yaml(aliases: Aliases) -> str:
    """Return the text of an alias file."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 110
    yaml.allow_unicode = True
    stream = io.StringIO()
    yaml.dump({name: list(aliases[name]) for name in sorted(aliases)}, stream)
    return stream.getvalue()


def _why_not(name: str, spelling: str, owner: dict[str, str]) -> str | None:
    """Return why `spelling` cannot stand for `name`, and note whose it is."""
    if owner.setdefault(fold(spelling), name) != name:
        return f"{spelling!r} is given for both {owner[fold(spelling)]!r} and {name!r}"
    if side_of(name) and side_of(spelling) and side_of(name) != side_of(spelling):
        return f"{spelling!r} is on the other side than {name!r}"
    return None


def _bad(document: YamlDocument, name: str, message: str) -> InputError:
    return InputError(f"{message}.", path=document.path, where=f"line {document.line_of((name,))}")
