"""Flat rows as Parquet files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dvhkit.extras import needs_extra
from dvhkit.outputs.files import write_bytes_whole

# Columns that hold words; all others hold numbers, and are so even where no row has one.
_TEXTS = frozenset({
    "case_id", "roi", "metric", "unit", "reason_code", "reason", "note", "withheld", "inner", "outer", "paired",
    "verdict", "recipe", "expected",
})  # fmt: skip


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows to a Parquet file, whole or not at all."""
    with needs_extra("archive"):
        import pyarrow as pa
    from dvhkit.archive.storage.query import parquet_bytes

    schema = pa.schema([(name, pa.string() if name in _TEXTS else pa.float64()) for name in columns])
    write_bytes_whole(path, parquet_bytes(pa.Table.from_pylist([dict(row) for row in rows], schema=schema)))
