"""The tables of a store: their columns, and the rows that one finished case gives.

A finished case is a document: ``{"case": {...}, "document": {...}, "structures": [...], "run": {...}, "summary": ""}``,
whose `document` is the case as ``audit.json`` holds it, and whose `summary` its lines of ``summary.csv``. All rows come
of it. Under `text` may be what ``audit.json`` holds, as it is written there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from io import BytesIO
from typing import TYPE_CHECKING, Any

from dvhkit.outputs.records import case_text
from dvhkit.results.audit import MetricResult, RuleResult

if TYPE_CHECKING:
    import pyarrow as pa

Document = Mapping[str, Any]
Row = dict[str, Any]

# Column → type, where it is not a text.
_NUMBERS = {"value", "low", "high", "margin", "margin_pct", "score", "score_max", "volume_cc", "seconds"}
_WHOLE = {
    "priority",
    "n_rules",
    "n_pass",
    "n_fail",
    "n_findings",
    "numerics_version",
    "roi_number",
    "n_contours",
    "n_files",
}
_LISTS = {"dose_gy", "volume_pct"}
_YES_NO = {"all_met"}

# What a column is called in the store where the record calls it otherwise.
_RENAMED = {"quantity": "metric"}


def _columns_of(record: type) -> tuple[str, ...]:
    return tuple(_RENAMED.get(f.name, f.name) for f in fields(record))


TABLES: dict[str, tuple[str, ...]] = {
    "cases": (
        "case_id", "status", "error", "all_met", "n_rules", "n_pass", "n_fail", "n_findings", "protocol_id",
        "protocol_version", "prescription", "context", "patient", "key", "key_parts", "content", "numerics_version",
        "dvhkit_version", "plan_label", "rtstruct", "rtplan", "rtdose",
    ),
    "rules": ("case_id", *_columns_of(RuleResult), "finding_code"),
    "metrics": ("case_id", *_columns_of(MetricResult), "rule_id", "verdict", "finding_code"),
    "findings": ("case_id", "finding_code", "level", "message", "roi"),
    "curves": ("case_id", "roi", "roi_type", "volume_cc", "dose_gy", "volume_pct"),
    "structures": ("case_id", "roi", "roi_number", "roi_type", "n_contours", "contours"),
    "records": ("case_id", "document", "summary"),
    "provenance": ("case_id", "finished_utc", "seconds", "dvhkit_version", "engine", "libraries", "inputs"),
}  # fmt: skip
_NUMERIC = {int, float}
# What pyarrow reads of JSON at a time; more only where a row is longer.
_LEAST_BLOCK_BYTES = 1 << 20
OBJECTS = ("path", "role", "n_files", "case_id", "reason")


def schema(table: str) -> pa.Schema:
    """Return the Arrow schema of a table."""
    import pyarrow as pa

    def kind(name: str) -> pa.DataType:
        if name in _NUMBERS:
            return pa.float64()
        if name in _LISTS:
            return pa.list_(pa.float64())
        if name in _YES_NO:
            return pa.bool_()
        return pa.int64() if name in _WHOLE else pa.string()

    columns = OBJECTS if table == "objects" else dict.fromkeys(TABLES[table])
    return pa.schema([(name, kind(name)) for name in columns])


def rows_of(document: Document, table: str) -> Iterator[Row]:
    """Yield the rows of one table that a finished case gives."""
    case = document["case"]
    case_id = case["case_id"]
    if table == "cases":
        yield dict(case)
    elif table == "records":
        text = document.get("text") or case_text(document["document"])
        yield {"case_id": case_id, "document": text, "summary": document.get("summary")}
    elif table == "provenance":
        yield {"case_id": case_id, **document["run"]}
    elif table == "structures":
        yield from ({"case_id": case_id, **row} for row in document["structures"])
    elif table == "findings":
        yield from (_finding(case_id, finding) for finding in document["document"]["findings"])
    else:
        for row in document["document"][table]:
            cells = {_RENAMED.get(key, key): _plain(value) for key, value in row.items() if key != "withheld"}
            codes = "; ".join(row.get("withheld", ()))
            # A rule or metric bears the findings that withhold it; empty where none does.
            yield {
                "case_id": case_id,
                **cells,
                **({} if table == "curves" else {"withheld": codes, "finding_code": codes}),
            }


def _finding(case_id: str, finding: Document) -> Row:
    return {
        "case_id": case_id,
        "finding_code": finding["code"],
        "level": finding["level"],
        "message": finding["message"],
        "roi": finding["where"],
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 -- JSON has no narrower type
    """Return a value that a column of texts or numbers can hold."""
    if isinstance(value, dict) or (isinstance(value, list) and not {*map(type, value)} <= _NUMERIC):
        return json.dumps(value, ensure_ascii=False)
    return value


def json_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as JSON, a line each; raises `ValueError` where a number is none."""
    # Half a letter, as of a file name that is no text, becomes a question mark.
    return b"".join(
        json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n" for row in rows
    )


def table_of_lines(lines: bytes, table: str) -> pa.Table:
    """Return rows, a line of JSON each, as an Arrow table; what is not known is left out, what is missing is null.

    `pyarrow.array` would import pandas, half a second.

    Raises
    ------
    ValueError
        If a value is not of its column's kind.
    """
    import pyarrow as pa
    import pyarrow.json

    columns = schema(table)
    if not lines:
        return pa.Table.from_batches([], schema=columns)  # Schema.empty_table imports pandas
    # No row may reach over a whole block.
    size = max(_LEAST_BLOCK_BYTES, 2 * max(map(len, lines.split(b"\n"))))
    found = pyarrow.json.read_json(
        BytesIO(lines),
        read_options=pyarrow.json.ReadOptions(block_size=size),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=columns, unexpected_field_behavior="ignore"),
    )
    return found.combine_chunks()


def arrow_table(rows: Iterable[Mapping[str, Any]], table: str) -> pa.Table:
    """Return rows as an Arrow table; as `table_of_lines`."""
    return table_of_lines(json_lines(rows), table)
