"""The store of a run: finished cases as they come, folded into Parquet parts, whole at every moment.

::

    RUN/store/store.json                     what this is, and of which version
    RUN/store/pending/<name>.json            a finished case, on disk before the next begins
    RUN/store/{cases,rules,…}/part-….parquet  what was folded; opens in DuckDB, pandas, polars
    RUN/store/journal.jsonl                  a line an event
    RUN/store/commit.json                    a fold under way: whoever comes next ends it
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.archive.storage.fold import COMMIT, fold_into
from dvhkit.archive.storage.keys import digest
from dvhkit.archive.storage.locks import StoreBusyError, locked
from dvhkit.archive.storage.parts import has_arrow, is_whole, parquet_bytes, parts_of, read_columns, read_parts
from dvhkit.archive.storage.pending import Pending, pending_bytes, pending_in
from dvhkit.archive.storage.tables import TABLES, Document, arrow_table
from dvhkit.errors import DvhkitError, InputError, OutputError
from dvhkit.outputs.files import require_writable_folder, write_bytes_whole, write_text_whole

if TYPE_CHECKING:
    import pyarrow as pa

    from dvhkit.archive.work_list import ObjectRow

__all__ = ["Store", "StoreBusyError", "has_arrow", "open_store"]

STORE_SCHEMA = "dvhkit/store/"
STORE_VERSION = 1


class Store:
    """The store under a run's folder."""

    def __init__(self, run: Path | str) -> None:
        self.run = Path(run)
        self.folder = self.run / "store"

    # -- opening

    def create(self) -> None:
        """Make the store, or check the one that is there."""
        if (self.folder / "store.json").exists():
            self.require()
            require_writable_folder(self.folder)
            return
        require_writable_folder(self.run)
        write_text_whole(self.folder / "store.json", json.dumps({"schema": f"{STORE_SCHEMA}{STORE_VERSION}"}) + "\n")

    def require(self) -> None:
        """Raise `InputError` if this is no store, or one that a newer dvhkit wrote."""
        path = self.folder / "store.json"
        try:
            stated = json.loads(path.read_text(encoding="utf-8"))["schema"]
            version = int(str(stated).removeprefix(STORE_SCHEMA))
        except FileNotFoundError:
            raise InputError(
                "there is no store here.", path=self.run, remedy="Name a folder that `dvhkit audit --out` wrote."
            ) from None
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError("is no store of dvhkit.", path=path, remedy="Name another folder.") from None
        if version > STORE_VERSION:
            raise InputError(
                f"the store is of version {version}; this dvhkit reads up to {STORE_VERSION}.",
                path=self.run,
                remedy="Use a newer dvhkit, or another --out.",
            )

    @contextmanager
    def writing(self, shard: str = "") -> Iterator[None]:
        """Hold the store for one run, or for one shard of it beside others."""
        with locked(self.folder / ".run.lock", shared=bool(shard)):
            if not shard:
                yield
                return
            with locked(self.folder / f".shard-{shard}.lock"):
                yield

    # -- finished cases

    def pending_path(self, case_id: str) -> Path:
        """Return where a finished case lies until it is folded."""
        return self.folder / "pending" / f"{digest(case_id)}.json"

    def put(self, document: Document) -> None:
        """Write a finished case, whole or not at all; see `dvhkit.archive.storage.tables`."""
        write_bytes_whole(self.pending_path(document["case"]["case_id"]), pending_bytes(document))

    def pending(self) -> list[Path]:
        """Return the finished cases that are not folded yet."""
        return pending_in(self.folder)

    def write_objects(self, objects: Iterable[ObjectRow], *, beside: Sequence[str] | None = None) -> None:
        """Write what was found in the folders; with `beside`, rows of all but these folders stay as they are."""
        if not has_arrow():
            return
        rows = [asdict(row) for row in objects]
        if beside is not None and self.parts("objects"):
            folders = tuple(f"{name}/" for name in beside)
            rows += [row for row in self.read("objects").to_pylist() if not str(row["path"]).startswith(folders)]
        write_bytes_whole(self.folder / "objects" / "part-all.parquet", parquet_bytes(arrow_table(rows, "objects")))

    # -- reading

    def parts(self, table: str) -> list[Path]:
        """Return the parts of a table."""
        return parts_of(self.folder, table)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a whole table, or some of its columns."""
        return read_parts(self.parts(table), table, columns)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield each case's ID and what ``audit.json`` holds of it, a part of the store in memory at a time.

        In order within a part. Of a dvhkit that wrote it on one line the text is that line.
        """
        new = {one.case_id: one for one in self._finished()}
        for part in self.parts("records"):
            found = read_columns(part, ["case_id", "document"])
            columns = (found.column(name).to_pylist() for name in ("case_id", "document"))
            yield from ((case_id, text) for case_id, text in zip(*columns, strict=True) if case_id not in new)
        yield from ((case_id, one.text()) for case_id, one in sorted(new.items()))

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield each case as ``audit.json`` holds it, a part of the store in memory at a time, in order within it."""
        yield from (json.loads(text) for _, text in self.texts())

    def pending_documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield ID and document of each case that is finished and not folded yet."""
        yield from ((one.case_id, one.document()) for one in self._finished())

    def _finished(self) -> Iterator[Pending]:
        return map(Pending, self.pending())

    def cases(self) -> dict[str, dict[str, Any]]:
        """Return the row of each case in the table ``cases``, and of those that are finished but not folded."""
        found = {}
        if self.parts("cases"):
            found = {str(row["case_id"]): row for row in self.read("cases").to_pylist()}
        found |= {one.case_id: one.head()["case"] for one in self._finished()}
        return dict(sorted(found.items()))

    def summaries(self) -> Iterator[tuple[str, str | None]]:
        """Yield each case's lines of ``summary.csv``; None for one of a dvhkit that did not keep them."""
        new = {one.case_id: one for one in self._finished()}
        if self.parts("records"):
            found = self.read("records", ["case_id", "summary"])
            for case_id, text in zip(*(column.to_pylist() for column in found.columns), strict=True):
                if case_id not in new:
                    yield case_id, text
        yield from ((case_id, one.head().get("summary")) for case_id, one in new.items())

    def verdicts(self) -> Iterator[tuple[str, str, str]]:
        """Yield case ID, rule ID and verdict of each row of a rule."""
        if self.parts("rules"):
            found = self.read("rules", ["case_id", "rule_id", "verdict"])
            yield from zip(*(column.to_pylist() for column in found.columns), strict=True)
        for one in self._finished():
            for row in map(json.loads, one.rows("rules").splitlines()):
                yield row["case_id"], row["rule_id"], row["verdict"]

    def drop_broken(self) -> None:
        """Take out parts that are not there, or not whole, in every table: their cases are computed anew."""
        names = [{part.name for part in self.parts(table)} for table in TABLES]
        for name in set().union(*names):
            if not all(
                name in of_table and is_whole(self.folder / t / name) for t, of_table in zip(TABLES, names, strict=True)
            ):
                for table in TABLES:
                    (self.folder / table / name).unlink(missing_ok=True)

    # -- folding

    def fold(self, *, gone: Iterable[str] = ()) -> int:
        """Fold what is finished into the parts, take out the cases in `gone`, and return how many were folded.

        Without pyarrow what is finished stays as it is.
        """
        if not has_arrow():
            for case_id in gone:
                self.pending_path(case_id).unlink(missing_ok=True)
            return 0
        return fold_into(self.folder, gone)

    # -- the journal

    def journal(self, event: str, *, shard: str = "", **told: object) -> None:
        """Add one line to the journal; a line that a crash cut short is passed over when it is read."""
        name = f"journal-{shard}.jsonl" if shard else "journal.jsonl"
        line = json.dumps({"time": round(time.time(), 3), "event": event, **told}, ensure_ascii=False) + "\n"
        try:
            with (self.folder / name).open("ab") as file:
                file.write(line.encode("utf-8", "replace"))
        except OSError as error:
            raise OutputError(
                f"the journal cannot be written ({error.strerror}).", path=self.folder / name, remedy="Free some space."
            ) from error

    def events(self) -> list[dict[str, Any]]:
        """Return what the journals tell, in order of time."""
        found = []
        for path in sorted(self.folder.glob("journal*.jsonl")):
            for line in path.read_bytes().splitlines():
                with suppress(ValueError):
                    found.append(json.loads(line))
        return sorted(found, key=lambda e: e["time"])

    # -- small things beside

    def load_json(self, name: str) -> dict[str, Any]:
        """Return a small file of the store; empty where it is missing or broken: it only saves time."""
        try:
            found = json.loads((self.folder / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def save_json(self, name: str, document: Mapping[str, object]) -> None:
        """Write a small file of the store."""
        write_text_whole(self.folder / name, json.dumps(document))


def open_store(run: Path | str) -> Store:
    """Return the store of a run to read from, with all that is finished folded if that can be done.

    Raises
    ------
    InputError
        If there is none, or a newer dvhkit wrote it.
    """
    store = Store(run)
    store.require()
    if store.pending() or (store.folder / COMMIT).exists():
        # A store that cannot be written, or is being folded, is read as it is.
        with suppress(DvhkitError, OSError):
            store.fold()
    return store
