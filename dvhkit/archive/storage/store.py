"""The store of a run: finished cases as they come, folded into Parquet parts, whole at every moment.

::

    RUN/store/store.json                     what this is, and of which version
    RUN/store/pending/<name>.json            a finished case, on disk before the next begins
    RUN/store/{cases,rules,…}/part-….parquet  what was folded; opens in DuckDB, pandas, polars
    RUN/store/journal.jsonl                  a line an event
    RUN/store/commit.json                    a fold under way: whoever comes next ends it

A fold writes new parts under names that no reader takes, then `commit.json`, then renames, then removes what was
replaced. Cut off before `commit.json` nothing has happened; cut off later the next fold does the rest.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.archive.storage.keys import digest
from dvhkit.archive.storage.tables import TABLES, Document, arrow_table, schema, table_of
from dvhkit.errors import DvhkitError, InputError, OutputError
from dvhkit.outputs.files import require_writable_folder, write_bytes_whole, write_text_whole

if TYPE_CHECKING:
    import pyarrow as pa

    from dvhkit.archive.work_list import ObjectRow

STORE_SCHEMA = "dvhkit/store/"
STORE_VERSION = 1
# Cases a part: few enough to be rewritten in a second, enough that 20,000 cases are 80 files a table.
_CASES_PER_PART = 256


class StoreBusyError(InputError):
    """Another run is writing into the store."""


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
        with _locked(self.folder / ".run.lock", shared=bool(shard)):
            if not shard:
                yield
                return
            with _locked(self.folder / f".shard-{shard}.lock"):
                yield

    # -- finished cases

    def pending_path(self, case_id: str) -> Path:
        """Return where a finished case lies until it is folded."""
        return self.folder / "pending" / f"{digest(case_id)}.json"

    def put(self, document: Document) -> None:
        """Write a finished case, whole or not at all."""
        case_id = document["case"]["case_id"]
        # The ID alone on the first line, and the record, by far the largest, on the last: who needs less reads less.
        head = {key: value for key, value in document.items() if key != "document"}
        parts = (case_id, head, document["document"])
        text = "\n".join(json.dumps(part, ensure_ascii=False, allow_nan=False) for part in parts)
        write_bytes_whole(self.pending_path(case_id), text.encode("utf-8", "replace"))

    def pending(self) -> list[Path]:
        """Return the finished cases that are not folded yet."""
        folder = self.folder / "pending"
        return sorted(p for p in folder.glob("*.json") if not p.name.startswith(".")) if folder.is_dir() else []

    def write_objects(self, objects: Iterable[ObjectRow], *, beside: Sequence[str] | None = None) -> None:
        """Write what was found in the folders; with `beside`, rows of all but these folders stay as they are."""
        if not has_arrow():
            return
        rows = [asdict(row) for row in objects]
        if beside is not None and self.parts("objects"):
            folders = tuple(f"{name}/" for name in beside)
            rows += [row for row in self.read("objects").to_pylist() if not str(row["path"]).startswith(folders)]
        write_bytes_whole(self.folder / "objects" / "part-all.parquet", _parquet(arrow_table(rows, "objects")))

    # -- reading

    def parts(self, table: str) -> list[Path]:
        """Return the parts of a table."""
        return sorted((self.folder / table).glob("part-*.parquet"))

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a whole table, or some of its columns."""
        return _read(self.parts(table), table, columns)

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield each case as ``audit.json`` holds it, a part of the store in memory at a time, in order within it."""
        new = {_case_id(path): path for path in self.pending()}
        for part in self.parts("records"):
            found = _read_part(part, ["case_id", "document"])
            for case_id, text in zip(
                *(found.column(name).to_pylist() for name in ("case_id", "document")), strict=True
            ):
                if case_id not in new:
                    yield json.loads(text)
        for path in dict(sorted(new.items())).values():
            yield _document(path)["document"]

    def pending_documents(self) -> Iterator[dict[str, Any]]:
        """Yield what is finished and not folded yet, whole: see `dvhkit.archive.storage.tables`."""
        yield from map(_document, self.pending())

    def cases(self) -> dict[str, dict[str, Any]]:
        """Return the row of each case in the table ``cases``, and of those that are finished but not folded."""
        found = {}
        if self.parts("cases"):
            found = {str(row["case_id"]): row for row in self.read("cases").to_pylist()}
        found |= {row["case_id"]: row for row in (_head(path)["case"] for path in self.pending())}
        return dict(sorted(found.items()))

    def summaries(self) -> Iterator[tuple[str, str | None]]:
        """Yield each case's lines of ``summary.csv``; None for one of a dvhkit that did not keep them."""
        new = {_case_id(path): path for path in self.pending()}
        if self.parts("records"):
            found = self.read("records", ["case_id", "summary"])
            for case_id, text in zip(*(column.to_pylist() for column in found.columns), strict=True):
                if case_id not in new:
                    yield case_id, text
        yield from ((case_id, _head(path).get("summary")) for case_id, path in new.items())

    def verdicts(self) -> Iterator[tuple[str, str, str]]:
        """Yield case ID, rule ID and verdict of each row of a rule."""
        if self.parts("rules"):
            found = self.read("rules", ["case_id", "rule_id", "verdict"])
            yield from zip(*(column.to_pylist() for column in found.columns), strict=True)
        for path in self.pending():
            document = _document(path)
            yield from (
                (document["case"]["case_id"], r["rule_id"], r["verdict"]) for r in document["document"]["rules"]
            )

    def drop_broken(self) -> None:
        """Take out parts that are not there, or not whole, in every table: their cases are computed anew."""
        names = [{part.name for part in self.parts(table)} for table in TABLES]
        for name in set().union(*names):
            if not all(
                name in of_table and _is_whole(self.folder / t / name)
                for t, of_table in zip(TABLES, names, strict=True)
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
        with _locked(self.folder / ".fold.lock", wait_s=600):
            self._end_commit()
            pending = self.pending()
            gone = set(gone)
            if not pending and not gone:
                return 0
            return self._fold(pending, gone)

    def _fold(self, pending: list[Path], gone: set[str]) -> int:
        new = {_case_id(path): path for path in pending}
        replaced, kept = self._touched({*new, *gone})  # which cases stay, and in which part each is now
        names = sorted({*kept, *new})
        added = []
        for start in range(0, len(names), _CASES_PER_PART):
            chunk = names[start : start + _CASES_PER_PART]
            documents = [_document(new[name]) for name in chunk if name in new]
            old = {name: kept[name] for name in chunk if name not in new}
            added.append(self._write_part(documents, old))
        self._commit(added, [name for name in replaced if name not in added], pending)
        return len(new)

    def _touched(self, changed: set[str]) -> tuple[list[str], dict[str, str]]:
        """Return the parts that must be written anew, and by case of theirs that stays its part.

        Small parts go along, so that many short runs do not leave many small files.
        """
        replaced: list[str] = []
        kept: dict[str, str] = {}
        for part in self.parts("cases"):
            ids = [str(v) for v in _read_part(part, ["case_id"]).column("case_id").to_pylist()]
            if len(ids) < _CASES_PER_PART // 2 or not changed.isdisjoint(ids):
                replaced.append(part.name)
                kept |= {name: part.name for name in ids if name not in changed}
        return replaced, kept

    def _write_part(self, documents: Sequence[Document], old: Mapping[str, str]) -> str:
        """Write one part of every table under a name that no reader takes; return the name that it will have."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names = sorted([*old, *(d["case"]["case_id"] + d["case"]["key"] for d in documents)])
        part = f"part-{digest(json.dumps(names))[:16]}.parquet"
        for table in TABLES:
            found = table_of(documents, table)
            if old:
                earlier = _read([self.folder / table / name for name in sorted(set(old.values()))], table)
                kept = arrow_table([{"case_id": name} for name in old], table)["case_id"].combine_chunks()
                earlier = earlier.filter(pc.is_in(earlier["case_id"], value_set=kept))
                found = pa.concat_tables([earlier, found])
            found = found.take(pc.sort_indices(found, sort_keys=[("case_id", "ascending")]))
            write_bytes_whole(self.folder / table / f".{part}.new", _parquet(found))
        return part

    def _commit(self, added: list[str], removed: list[str], pending: list[Path]) -> None:
        plan = {"add": added, "remove": removed, "pending": [path.name for path in pending]}
        write_text_whole(self.folder / "commit.json", json.dumps(plan))
        self._end_commit()

    def _end_commit(self) -> None:
        """Bring a fold to its end that was cut off after it was decided on, and clear what one left before that."""
        path = self.folder / "commit.json"
        if path.exists():
            plan = json.loads(path.read_text(encoding="utf-8"))
            for table in TABLES:
                for name in plan["add"]:
                    with suppress(FileNotFoundError):
                        (self.folder / table / f".{name}.new").replace(self.folder / table / name)
                for name in plan["remove"]:
                    (self.folder / table / name).unlink(missing_ok=True)
            for name in plan["pending"]:
                (self.folder / "pending" / name).unlink(missing_ok=True)
            path.unlink()
        for table in TABLES:
            for left in (self.folder / table).glob(".*"):
                left.unlink(missing_ok=True)

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
    if store.pending() or (store.folder / "commit.json").exists():
        # A store that cannot be written, or is being folded, is read as it is.
        with suppress(DvhkitError, OSError):
            store.fold()
    return store


def has_arrow() -> bool:
    """Return whether Parquet can be written and read here."""
    return find_spec("pyarrow") is not None


def _case_id(path: Path) -> str:
    with path.open("rb") as file:
        return str(json.loads(file.readline()))


def _head(path: Path) -> dict[str, Any]:
    """Return a finished case without its record."""
    with path.open("rb") as file:
        file.readline()
        found: dict[str, Any] = json.loads(file.readline())
    return found


def _document(path: Path) -> dict[str, Any]:
    """Return a finished case, and under ``text`` its record as it is written."""
    _, head, *record = path.read_bytes().split(b"\n")
    found: dict[str, Any] = json.loads(head)
    if record:  # an older dvhkit wrote everything on one line
        found |= {"document": json.loads(record[0]), "text": record[0].decode("utf-8")}
    return found


def _is_whole(path: Path) -> bool:
    """Return whether a Parquet file has its first and last mark."""
    try:
        with path.open("rb") as file:
            first = file.read(4)
            file.seek(-4, os.SEEK_END)
            return first == file.read(4) == b"PAR1"
    except OSError:
        return False


def _read(parts: Sequence[Path], table: str, columns: Sequence[str] | None = None) -> pa.Table:
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
    return pa.concat_tables(tables) if tables else wanted.empty_table()


def _read_part(part: Path, columns: list[str]) -> pa.Table:
    """Return some columns of one part; `pyarrow.parquet.read_table` would load much that is not needed here."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(part) as file:
        return file.read(columns=columns)


def _parquet(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


@contextmanager
def _locked(path: Path, *, shared: bool = False, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock that the system lets go of when this process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover -- Windows: one run at a time is the user's to see to
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as handle:
        _take(lambda: fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB), path, wait_s)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(
            f"nothing can be written into the store ({error.strerror}).",
            path=path.parent,
            remedy="Choose another --out.",
        ) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _take(lock: Callable[[], None], path: Path, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            return lock()
        except BlockingIOError:
            if time.monotonic() >= until:
                raise StoreBusyError(
                    "another run is writing into this store.", path=path.parent.parent, remedy="Wait for it, or end it."
                ) from None
            time.sleep(0.1)
        except OSError:
            return None  # a share without locks
