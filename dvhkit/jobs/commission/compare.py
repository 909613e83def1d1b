"""Which numbers changed between two records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from dvhkit.errors import InputError
from dvhkit.results.commission import (
    COMMISSION_SCHEMA,
    CommissionNumber,
    CommissionRecord,
    CommissionTest,
    NumberChange,
)

# A change of less than this is the last digits of another processor or library.
_SAME_FRAC = 1e-7
_REMEDY = "Name a commission.json, or the folder that holds one."


def changed_numbers(old: Iterable[CommissionNumber], new: Iterable[CommissionNumber]) -> tuple[NumberChange, ...]:
    """Return the numbers that differ by more than their last digits, and those that only one record has."""
    before = {(n.of, n.roi, n.metric): n for n in old}
    after = {(n.of, n.roi, n.metric): n for n in new}
    changes = []
    for key in dict.fromkeys([*before, *after]):
        a, b = before.get(key), after.get(key)
        if a is not None and b is not None and _same(a.value, b.value):
            continue
        unit = (b or a).unit if (b or a) is not None else ""  # type: ignore[union-attr]
        values = (None if a is None else a.value, None if b is None else b.value)
        changes.append(NumberChange(of=key[0], roi=key[1], metric=key[2], unit=unit, old=values[0], new=values[1]))
    return tuple(changes)


def _same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) <= _SAME_FRAC * max(1.0, abs(a), abs(b))


def read_record(path: Path) -> CommissionRecord:
    """Read a ``commission.json``, or the one in a folder.

    Raises
    ------
    InputError
        If there is none, or it is none.
    """
    source = path / "commission.json" if path.is_dir() else path
    try:
        document = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(f"the record cannot be read: {why}.", path=source, remedy=_REMEDY) from error
    except ValueError as error:
        raise InputError("the record is not JSON.", path=source, remedy=_REMEDY) from error
    if not isinstance(document, dict) or document.get("schema") != COMMISSION_SCHEMA:
        raise InputError("this is no commissioning record.", path=source, remedy=_REMEDY)
    try:
        return _record(document)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the record is not complete: {error}.", path=source, remedy=_REMEDY) from error


def _record(document: dict[str, Any]) -> CommissionRecord:
    known = {field.name for field in fields(CommissionRecord)}
    plain = {key: value for key, value in document.items() if key in known}
    rows = {"tests": CommissionTest, "numbers": CommissionNumber, "changes": NumberChange}
    for key, kind in rows.items():
        plain[key] = tuple(kind(**row) for row in plain.get(key, ()))
    for key in ("diagnosis", "not_tested"):
        plain[key] = tuple(plain.get(key, ()))
    return CommissionRecord(**plain)
