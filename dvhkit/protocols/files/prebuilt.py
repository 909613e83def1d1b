"""Shipped protocols as their YAML says, without its parsing: kept as JSON beside, each with the hash of its YAML.

Parsing the largest takes half a second, as long as the DVHs of some plans. A prebuilt file that does not fit its YAML
to the byte is passed over. `scripts/prebuild_protocols.py` writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from dvhkit.errors import ProtocolError
from dvhkit.yaml_text import Place, Plain, YamlDocument, read_yaml_bytes

_FOLDER = "prebuilt"


def prebuilt_path(path: Path) -> Path:
    """Return where the prebuilt form of the protocol file `path` lies."""
    return path.parent / _FOLDER / f"{path.stem}.json"


def prebuilt_text(document: YamlDocument) -> str:
    """Return the prebuilt form of a document."""
    lines = [document.lines[place] for place in _places(document.data, ())]
    kept = {"sha256": hashlib.sha256(document.text).hexdigest(), "data": document.data, "lines": lines}
    return json.dumps(kept, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def read_prebuilt(path: Path) -> YamlDocument | None:
    """Return the document in the YAML file `path` out of its prebuilt form; None where there is none that fits it."""
    text = read_yaml_bytes(path, error=ProtocolError)
    try:
        kept = json.loads(prebuilt_path(path).read_bytes())
        if kept["sha256"] != hashlib.sha256(text).hexdigest():
            return None
        data = kept["data"]
        lines = dict(zip(_places(data, ()), kept["lines"], strict=True))
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return YamlDocument(path=path, data=data, lines=lines, text=text)


def _places(value: Plain, place: Place) -> Iterator[Place]:
    """Yield every place in a document, in the order of its lines."""
    yield place
    inner: Iterator[tuple[str | int, Plain]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, item in inner:
        yield from _places(item, (*place, key))
