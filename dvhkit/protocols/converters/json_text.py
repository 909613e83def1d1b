"""JSON files of other programs, read with care: what is no JSON is one error, however it is broken."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from dvhkit.errors import ProtocolError
from dvhkit.yaml_text import MAX_BYTES

_MOST_DEPTH_ERRORS = (RecursionError, ValueError)  # ValueError: broken JSON, and numbers of absurd length


def read_json(path: Path) -> tuple[bytes, Any]:
    """Return the bytes of a JSON file and what they spell; raises `ProtocolError` if that is no JSON."""
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise ProtocolError(f"the file has {len(raw)} bytes; at most {MAX_BYTES} are read.", path=path)
        return raw, json.loads(raw.decode("utf-8-sig"))
    except OSError as bad:
        raise ProtocolError(f"the file cannot be read: {bad}.", path=path) from bad
    except json.JSONDecodeError as bad:
        raise ProtocolError(f"this is no JSON: {bad.msg}.", path=path, where=f"line {bad.lineno}") from bad
    except _MOST_DEPTH_ERRORS as bad:
        raise ProtocolError("this is no JSON that can be read.", path=path) from bad


def plain_number(value: object) -> float | None:
    """Return a finite number, or None for whatever else stands there; true and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of some hundred digits
        return None
    return number if math.isfinite(number) else None
