"""Finished cases folded into the Parquet parts of a store.

A fold writes new parts under names that no reader takes, then ``commit.json``, then renames, then removes what was
replaced. Cut off before ``commit.json`` nothing has happened; cut off later the next fold does the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dvhkit.archive.storage.keys import digest
from dvhkit.archive.storage.locks import locked
from dvhkit.archive.storage.parts import parquet_bytes, parts_of, read_columns, read_parts
from dvhkit.archive.storage.pending import Pending, pending_in
from dvhkit.archive.storage.tables import TABLES, arrow_table, table_of_lines
from dvhkit.outputs.files import write_bytes_whole, write_text_whole

COMMIT = "commit.json"
# Cases a part: few enough to be rewritten in a second, enough that 20,000 cases are 80 files a table.
_CASES_PER_PART = 256


def fold_into(folder: Path, gone: Iterable[str] = ()) -> int:
    """Fold what is finished in the folder of a store, take out the cases in `gone`, return how many were folded."""
    with locked(folder / ".fold.lock", wait_s=600):
        _end_commit(folder)
        finished = [Pending(path) for path in pending_in(folder)]
        without = set(gone)
        if finished or without:
            _fold(folder, {one.case_id: one for one in finished}, without)
        return len(finished)


def _fold(folder: Path, new: Mapping[str, Pending], gone: set[str]) -> None:
    replaced, kept = _touched(folder, {*new, *gone})  # which cases stay, and in which part each is now
    names = sorted({*kept, *new})
    added = []
    for start in range(0, len(names), _CASES_PER_PART):
        chunk = names[start : start + _CASES_PER_PART]
        finished = [new[name] for name in chunk if name in new]
        added.append(_write_part(folder, finished, {name: kept[name] for name in chunk if name not in new}))
    plan = {
        "add": added,
        "remove": [name for name in replaced if name not in added],
        "pending": [one.path.name for one in new.values()],
    }
    write_text_whole(folder / COMMIT, json.dumps(plan))
    _end_commit(folder)


def _touched(folder: Path, changed: set[str]) -> tuple[list[str], dict[str, str]]:
    """Return the parts that must be written anew, and by case of theirs that stays its part.

    Small parts go along, so that many short runs do not leave many small files.
    """
    replaced: list[str] = []
    kept: dict[str, str] = {}
    for part in parts_of(folder, "cases"):
        ids = [str(v) for v in read_columns(part, ["case_id"]).column("case_id").to_pylist()]
        if len(ids) < _CASES_PER_PART // 2 or not changed.isdisjoint(ids):
            replaced.append(part.name)
            kept |= {name: part.name for name in ids if name not in changed}
    return replaced, kept


def _write_part(folder: Path, finished: Sequence[Pending], old: Mapping[str, str]) -> str:
    """Write one part of every table under a name that no reader takes; return the name that it will have."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = sorted([*old, *(one.case_id + one.head()["case"]["key"] for one in finished)])
    part = f"part-{digest(json.dumps(names))[:16]}.parquet"
    for table in TABLES:
        found = table_of_lines(b"".join(one.rows(table) for one in finished), table)
        if old:
            earlier = read_parts([folder / table / name for name in sorted(set(old.values()))], table)
            kept = arrow_table([{"case_id": name} for name in old], table)["case_id"].combine_chunks()
            earlier = earlier.filter(pc.is_in(earlier["case_id"], value_set=kept))
            found = pa.concat_tables([earlier, found])
        found = found.take(pc.sort_indices(found, sort_keys=[("case_id", "ascending")]))
        write_bytes_whole(folder / table / f".{part}.new", parquet_bytes(found))
    return part


def _end_commit(folder: Path) -> None:
    """Bring a fold to its end that was cut off after it was decided on, and clear what one left before that."""
    path = folder / COMMIT
    if path.exists():
        plan = json.loads(path.read_text(encoding="utf-8"))
        for table in TABLES:
            for name in plan["add"]:
                with suppress(FileNotFoundError):
                    (folder / table / f".{name}.new").replace(folder / table / name)
            for name in plan["remove"]:
                (folder / table / name).unlink(missing_ok=True)
        for name in plan["pending"]:
            (folder / "pending" / name).unlink(missing_ok=True)
        path.unlink()
    for table in TABLES:
        for left in (folder / table).glob(".*"):
            left.unlink(missing_ok=True)
