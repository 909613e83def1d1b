"""Parquet parts of a store's tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.archive.storage.tables import schema
from dvhkit.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


def has_arrow() -> bool:
    """Return whether Parquet can be written and read here."""
    return find_spec("pyarrow") is not None


def parts_of(folder: Path, table: str) -> list[Path]:
    """Return the parts of a table in the folder of a store."""
    return sorted((folder / table).glob("part-*.parquet"))


def is_whole(path: Path) -> bool:
    """Return whether a Parquet file has its first and last mark."""
    try:
        with path.open("rb") as file:
            first = file.read(4)
            file.seek(-4, os.SEEK_END)
            return first == file.read(4) == b"PAR1"
    except OSError:
        return False


def read_parts(parts: Sequence[Path], table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return parts as one table; columns that an older version did not write are empty."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = schema(table)
    if columns is not None:
        wanted = pa.schema([wanted.field(name) for name in columns])
    tables = []
    for part in parts:
        try:
            with pq.ParquetFile(part) as file:
                stored = file.schema_arrow.names
                found = file.read(columns=[name for name in wanted.names if name in stored])
        except FileNotFoundError:
            continue
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(
                "this part of the store cannot be read.",
                path=part,
                remedy="Remove it and run the same audit again: what it held is computed anew.",
            ) from error
        for name in wanted.names:
            if name not in found.column_names:
                found = found.append_column(name, pa.nulls(found.num_rows, wanted.field(name).type))
        tables.append(found.select(wanted.names).cast(wanted))
    return pa.concat_tables(tables) if tables else pa.Table.from_batches([], schema=wanted)


def read_columns(part: Path, columns: list[str]) -> pa.Table:
    """Return some columns of one part; `pyarrow.parquet.read_table` would load much that is not needed here."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(part) as file:
        return file.read(columns=columns)


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
