"""What a report says of its making: program, libraries, files and their hashes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dvhkit.outputs.language import say
from dvhkit.outputs.text import clean, clean_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.results.audit import InputFile, Provenance

_LONGEST_NAME, _LONGEST_SENTENCE = 64, 600
# A CT has hundreds of files: from here on a role gets one line and one hash over all of them.
_MOST_FILES_A_ROLE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class InputView:
    """A file that went in, or all files of one role as one line."""

    role: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceView:
    """What the numbers were made from and with."""

    created: str
    software: str
    libraries: str
    protocol_sha256: str
    inputs: list[InputView]


def provenance_view(made: Provenance) -> ProvenanceView:
    """Return what a record says of its making, in words."""
    return ProvenanceView(
        created=_time_text(made.created_utc),
        software=say("fact.software", version=_name(made.dvhkit_version), engine=_name(made.engine)),
        libraries=_sentence(", ".join(f"{name} {version}" for name, version in sorted(made.libraries.items()))),
        protocol_sha256=_name(made.protocol_sha256),
        inputs=_input_views(made.inputs),
    )


def _time_text(iso: str) -> str:
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return _name(iso)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment.tzinfo else _name(iso)


def _input_views(inputs: Iterable[InputFile]) -> list[InputView]:
    by_role: dict[str, list[InputFile]] = {}
    for file in inputs:
        by_role.setdefault(file.role, []).append(file)
    return [view for role, files in by_role.items() for view in _role_views(role, files)]


def _role_views(role: str, files: list[InputFile]) -> list[InputView]:
    if len(files) <= _MOST_FILES_A_ROLE:
        return [InputView(role=_name(role), path=_sentence(f.path), sha256=_name(f.sha256)) for f in files]
    joined = "\n".join(sorted(f.sha256.lower() for f in files))
    digest = hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()
    paths = say("fact.many_files", n=len(files), first=files[0].path, last=files[-1].path)
    return [InputView(role=_name(role), path=_sentence(paths), sha256=digest)]


def _name(text: object) -> str:
    return clean_name(text, _LONGEST_NAME)


def _sentence(text: object) -> str:
    return clean(text, longest=_LONGEST_SENTENCE)
