"""Results to and from JSON: plain objects, enums by their values, and never a NaN."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, TypeAlias

from dvhkit.errors import EngineError, InputError
from dvhkit.results.audit import AUDIT_SCHEMA, METRICS_SCHEMA, AuditRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pydantic import TypeAdapter

    from dvhkit.results.audit import MetricResult

# The keys that every reader of metric rows needs, first and in this order.
_FIRST_KEYS = ("roi", "metric", "value", "unit", "reason")
_TEXT = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
# What begins a line where a case stands in an audit document.
_CASE_LINE = "\n    "
_AS_THEY_ARE, _FLOATS = frozenset({bool, int}), frozenset({float})
# Where a value stands: a name, or a place and a name in it, which are joined for a message only.
_Place: TypeAlias = "str | tuple[_Place, object]"
_REMEDY = "Hand in an audit.json that this version of dvhkit wrote."


def metrics_document(rows: Iterable[MetricResult]) -> dict[str, object]:
    """Return metric rows as a JSON object: ``{"schema": "dvhkit/metrics/1", "rows": [...]}``.

    Each row begins with ``roi, metric, value, unit, reason``; value is null where reason says why.
    """
    return {"schema": METRICS_SCHEMA, "rows": [_metric_row(row) for row in rows]}


def audit_document(records: Iterable[AuditRecord]) -> dict[str, object]:
    """Return audit records as a JSON object: ``{"schema": "dvhkit/audit/1", "cases": [...]}``.

    A case holds the fields of `dvhkit.results.AuditRecord`, and ``all_met``, ``counts`` and the total ``score`` for
    programs that want no more. `read_audit` returns the records.
    """
    return {"schema": AUDIT_SCHEMA, "cases": [_case(record) for record in records]}


def plain_record(record: object, where: str) -> dict[str, object]:
    """Return a record of `dvhkit.results` as a JSON object, its fields in order; `where` names it in messages."""
    plain: dict[str, object] = _plain(record, where)
    return plain


def json_text(document: Mapping[str, object]) -> str:
    """Return `document` as indented JSON with each list of numbers on one line, ending with a line end.

    Raises
    ------
    EngineError
        If a number is NaN or infinite.
    """
    return _written(document, "\n") + "\n"


def case_text(case: Mapping[str, object]) -> str:
    """Return one of the ``cases`` of an audit document as it stands in ``audit.json``; errors as of `json_text`."""
    return _written(case, _CASE_LINE)


def audit_text(cases: Iterable[str]) -> str:
    """Return the `json_text` of an audit document, whose cases are at hand as `case_text` returns them."""
    listed = f",{_CASE_LINE}".join(cases)
    rows = f"[{_CASE_LINE}{listed}\n  ]" if listed else "[]"
    return f'{{\n  "schema": {_TEXT.encode(AUDIT_SCHEMA)},\n  "cases": {rows}\n}}\n'


def _written(document: Mapping[str, object], line: str) -> str:
    try:
        return _indented(document, line)
    except ValueError as error:
        raise EngineError(
            f"A result cannot be written as JSON ({error}).", remedy="Please report this with the case."
        ) from error


def _indented(value: object, line: str) -> str:
    """Return a value as JSON; `line` begins a line at the depth of the value.

    The library indents by Python code, number by number: for a run of 200 cases that took as long as 20 of its cases.
    It sets itself up anew for each value, too, so that texts and single numbers are written here.
    """
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if type(value) is float and math.isfinite(value):
        return repr(value)
    deeper = line + "  "
    if isinstance(value, dict):
        rows = [f"{encode_basestring(str(key))}: {_indented(item, deeper)}" for key, item in value.items()]
        return f"{{{deeper}{f',{deeper}'.join(rows)}{line}}}" if rows else "{}"
    if isinstance(value, (list, tuple)) and value and not _is_numbers(value):
        return f"[{deeper}{f',{deeper}'.join([_indented(item, deeper) for item in value])}{line}]"
    return _TEXT.encode(value)


def _is_numbers(value: Sequence[object]) -> bool:
    """Whether a list is one of numbers, some of which may be missing."""
    kinds = set(map(type, value))
    return kinds <= {int, float, type(None)} and value[0] is not None


def read_audit(text: str | bytes, *, path: Path | str | None = None) -> tuple[AuditRecord, ...]:
    """Return the records of an ``audit.json``.

    Parameters
    ----------
    text
        What the file holds.
    path
        Its name, for messages.

    Raises
    ------
    InputError
        If it is no JSON, has another schema, or a field is missing, unknown, or of another kind.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"This is no JSON ({error}).", path=path, remedy=_REMEDY) from error
    schema = document.get("schema") if isinstance(document, dict) else None
    cases = document.get("cases") if isinstance(document, dict) else None
    if schema != AUDIT_SCHEMA or not isinstance(cases, list):
        raise InputError(f"The schema is {schema!r}, not {AUDIT_SCHEMA!r}.", path=path, remedy=_REMEDY)
    return records_of_cases(cases, path=path)


def records_of_cases(cases: Sequence[object], *, path: Path | str | None = None) -> tuple[AuditRecord, ...]:
    """Return the records of the ``cases`` of an ``audit.json``; see `read_audit`."""
    try:
        text = json.dumps(cases, allow_nan=False)
    except ValueError as error:
        raise InputError("A number is too large.", path=path, remedy=_REMEDY) from error
    return _validated(text, path)


def records_of_texts(cases: Iterable[str]) -> tuple[AuditRecord, ...]:
    """Return the records of cases that `case_text` wrote; errors as of `read_audit`."""
    return _validated(f"[{','.join(cases)}]", None)


def _validated(text: str, path: Path | str | None) -> tuple[AuditRecord, ...]:
    from pydantic import ValidationError

    try:
        records = _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = _place(first["loc"])
        raise InputError(f"{first['msg']}.", path=path, where=place, remedy=_REMEDY) from error
    for i, record in enumerate(records):
        for j, curve in enumerate(record.curves):
            if len(curve.dose_gy) != len(curve.volume_pct):
                place = f"cases[{i}].curves[{j}]"
                raise InputError("There are not as many volumes as doses.", path=path, where=place, remedy=_REMEDY)
    return records


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[tuple[AuditRecord, ...]]:
    from pydantic import TypeAdapter

    return TypeAdapter(tuple[AuditRecord, ...])


def _metric_row(row: MetricResult) -> dict[str, object]:
    all_keys = _plain(row, f"{row.roi} {row.metric}")
    return {key: all_keys[key] for key in (*_FIRST_KEYS, *(k for k in all_keys if k not in _FIRST_KEYS))}


def _case(record: AuditRecord) -> dict[str, object]:
    plain: dict[str, object] = _plain(record, record.case)
    counts = {verdict.value: count for verdict, count in record.counts().items()}
    score = _plain(record.score(), record.case)
    return {"case": plain.pop("case"), "all_met": record.all_met, "counts": counts, "score": score, **plain}


def _plain(value: Any, where: _Place) -> Any:  # noqa: ANN401 -- JSON has no narrower type
    """Return `value` as JSON knows it; `where` names it should it be a NaN."""
    kind = type(value)
    if value is None or kind in _AS_THEY_ARE:
        return value
    names = _field_names(kind)  # type: ignore[arg-type]  # mypy: a class is hashable
    if names is not None:
        return {name: _plain(getattr(value, name), (where, name)) for name in names}
    if isinstance(value, dict):
        return {str(key): _plain(item, (where, key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        if set(map(type, value)) <= _FLOATS and all(map(math.isfinite, value)):
            return list(value)  # curves: most of a record
        return [_plain(item, where) for item in value]
    return _plain_scalar(value, where)


@lru_cache(maxsize=256)
def _field_names(kind: type[Any]) -> tuple[str, ...] | None:
    """Return the names of the fields of a dataclass; None for another type."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


def _plain_scalar(value: Any, where: _Place) -> object:  # noqa: ANN401 -- as above
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        # A lone surrogate, out of bytes that no character set explains, has no place in UTF-8.
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if not isinstance(value, float):
        as_scalar = getattr(value, "item", None)  # a numpy scalar
        return _plain(as_scalar(), where) if callable(as_scalar) else _plain(str(value), where)
    if not math.isfinite(value):
        raise EngineError(
            "A result is not a finite number.", where=_told(where), remedy="Please report this with the case."
        )
    return float(value)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _told(where: _Place) -> str:
    return where if isinstance(where, str) else f"{_told(where[0])}, {where[1]}"


def _place(location: tuple[int | str, ...]) -> str:
    return "cases" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
