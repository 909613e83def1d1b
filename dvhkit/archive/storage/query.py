"""SQL over a store, and a store as one table for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dvhkit.archive.storage.store import Store, open_store
from dvhkit.archive.storage.tables import TABLES, schema
from dvhkit.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_INSTALL = "pip install 'dvhkit[archive]'"
# A sheet of Excel ends here (its own limits, ECMA-376).
_MOST_SHEET_ROWS = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a query gives: names of columns, and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def objects(self) -> list[dict[str, Any]]:
        """Return each row as an object by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@contextmanager
def store_at(run: Path | str) -> Iterator[Store]:
    """Yield the store of a run; one at an fsspec address (``s3://…``, ``zip://…``) is copied for the time being."""
    text = str(run)
    if "://" not in text:
        yield open_store(Path(run))
        return
    try:
        import fsspec
    except ImportError as error:
        raise InputError("addresses need fsspec.", path=text, remedy=_INSTALL) from error
    with TemporaryDirectory() as folder:
        try:
            files, place = fsspec.core.url_to_fs(text)
            files.get(f"{place.rstrip('/')}/store", f"{folder}/store", recursive=True)
        except (OSError, ValueError, ImportError) as error:
            raise InputError(
                f"no store can be read there ({error}).", path=text, remedy="Check the address."
            ) from error
        yield open_store(Path(folder))


def query(run: Path | str, sql: str) -> Answer:
    """Return the answer of a store to a question in SQL (DuckDB's).

    Its tables are those of `dvhkit.archive.storage.tables`. Nothing else can be read or written by the question,
    whatever it says.

    Raises
    ------
    InputError
        If there is no store, or DuckDB does not understand the question.
    """
    with store_at(run) as store, connected(store) as base:
        import duckdb

        try:
            found = base.execute(sql)
            columns = tuple(str(column[0]) for column in found.description or ())
            return Answer(columns=columns, rows=tuple(found.fetchall()))
        except duckdb.Error as error:
            first = str(error).strip().partition("\n")[0]
            tables = ", ".join((*TABLES, "objects"))
            raise InputError(f"the question is not understood: {first}.", remedy=f"Tables: {tables}.") from error


@contextmanager
def connected(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield DuckDB with the tables of a store as views, shut off from all other files."""
    try:
        import duckdb
    except ImportError as error:
        raise InputError("queries need DuckDB.", remedy=_INSTALL) from error
    base = duckdb.connect(":memory:")
    try:
        for table in (*TABLES, "objects"):
            parts = [str(part) for part in store.parts(table)]
            if parts:
                base.register(f"_{table}", _relation(base, parts))
                base.execute(f'CREATE VIEW "{table}" AS SELECT * FROM "_{table}"')
            else:
                base.register(table, schema(table).empty_table())
        base.execute(f"SET allowed_directories = [{_quoted(str(store.folder.absolute()) + '/')}]")
        base.execute("SET enable_external_access = false")
        base.execute("SET lock_configuration = true")
        yield base
    finally:
        base.close()


def _relation(base: duckdb.DuckDBPyConnection, parts: list[str]) -> Any:  # noqa: ANN401
    return base.read_parquet(parts, union_by_name=True)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def verdict_table(store: Store) -> pa.Table:
    """Return the table of a run that people work with: a row a case and rule, and one for each case without any.

    Its columns are those of the table ``rules``, and of the case its status, patient and prescription.
    """
    import pyarrow as pa

    rules = store.read("rules")
    cases = store.read("cases", ["case_id", "status", "error", "patient", "prescription", "protocol_id", "n_findings"])
    cases = cases.rename_columns(["case_id", "case_status", *cases.column_names[2:]])
    joined = rules.join(cases, keys="case_id", join_type="full outer")
    first = ["case_id", "case_status", "protocol_id", "rule_id", "title", "roi", "metric", "verdict", "value", "unit"]
    names = [*first, *(n for n in joined.column_names if n not in first)]
    return pa.table(joined.select(names)).sort_by(
        [("case_id", "ascending"), ("rule_id", "ascending"), ("roi", "ascending")]
    )


def write_xlsx(table: pa.Table, path: Path) -> bytes:
    """Return a table as an Excel workbook; texts that begin like a formula stay texts."""
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    except ImportError as error:
        raise InputError("Excel files need openpyxl.", path=path, remedy=_INSTALL) from error
    from io import BytesIO

    if table.num_rows >= _MOST_SHEET_ROWS:
        raise InputError(
            f"{table.num_rows} rows are more than a sheet holds.", path=path, remedy="Use --parquet or --csv."
        )
    book = Workbook(write_only=True)
    sheet = book.create_sheet("verdicts")
    sheet.freeze_panes = "A2"
    sheet.append(table.column_names)
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet, value=_printable(value) if isinstance(value, str) else value)
            if isinstance(value, str):
                cell.data_type = "s"  # never a formula, whatever a name of the plan begins with
            cells.append(cell)
        sheet.append(cells)
    sink = BytesIO()
    book.save(sink)
    return sink.getvalue()


def _printable(text: str) -> str:
    """Return a text without the control characters that a workbook cannot hold."""
    return "".join(c if c >= " " or c in "\t\n" else "�" for c in text)[:32_767]


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def csv_text(table: pa.Table) -> str:
    """Return a table as CSV; texts that a spreadsheet would take for a formula get an apostrophe before them."""
    import csv
    import io

    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(table.column_names)
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        writer.writerow([_harmless(v) if isinstance(v, str) else v for v in row])
    return sink.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
