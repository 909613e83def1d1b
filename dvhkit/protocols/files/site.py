"""A site file: which findings a clinic vouches for once and for all, each with its reason.

::

    accept:
      - code: image-thickness-differs
        reason: our scanner writes the collimation there, checked in May 2025
"""

from __future__ import annotations

from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.findings import require_code
from dvhkit.results.audit import Acceptance
from dvhkit.yaml_text import Place, YamlDocument, read_yaml

_LONGEST_TEXT = 500


def load_site(path: Path | str) -> tuple[Acceptance, ...]:
    """Return what a site file vouches for.

    Raises
    ------
    InputError
        With file and line: an unknown key or code, or one without a reason.
    """
    document = read_yaml(Path(path), error=InputError)
    for key in document.data:
        if key != "accept":
            raise _bad(document, (key,), f"the key {str(key)[:40]!r} is not known here; there is only 'accept'")
    listed = document.data.get("accept")
    if not isinstance(listed, list) or not listed:
        raise _bad(document, ("accept",), "list what is accepted under `accept:`, each with code and reason")
    return tuple(_acceptance(document, ("accept", i), item) for i, item in enumerate(listed))


def _acceptance(document: YamlDocument, place: Place, item: object) -> Acceptance:
    if not isinstance(item, dict) or set(item) != {"code", "reason"}:
        raise _bad(document, place, "what is accepted has just the keys code and reason")
    for key, value in item.items():
        if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT:
            raise _bad(document, (*place, key), f"{key!r} must be a text of at most {_LONGEST_TEXT} characters")
    try:
        code = require_code(item["code"].strip())
    except InputError as error:
        raise _bad(document, (*place, "code"), error.message) from None
    return Acceptance(code=code, by=f"site file {document.path.name}", reason=item["reason"].strip())


def _bad(document: YamlDocument, place: Place, message: str) -> InputError:
    end = "" if message.endswith(("?", ".")) else "."
    return InputError(f"{message}{end}", path=document.path, where=f"line {document.line_of(place)}")
