"""A finished case on disk, until it is folded into the tables.

::

    "<case ID>"
    {"case": {…}, "summary": "…"}
    {"rows": {"cases": 812, …}}     how many bytes the rows of each table take
    {"case_id": …}                  the rows, a line each, one table after the other
    …
    {                               the case as audit.json holds it, letter for letter
    …

Who needs less reads less. The worker that made a case writes its rows too, side by side with others, so that a fold
has to understand none of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvhkit.archive.storage.tables import TABLES, Document, json_lines, rows_of
from dvhkit.outputs.records import case_text

# What the text of the case itself fills.
_RECORDS = "records"
_LINED = tuple(table for table in TABLES if table != _RECORDS)
_MARK = b'{"rows": '


def pending_bytes(document: Document) -> bytes:
    """Return what is written of a finished case; under ``text`` may be the `case_text` of its ``document``."""
    rows = {table: json_lines(rows_of(document, table)) for table in _LINED}
    head = (
        document["case"]["case_id"],
        {"case": document["case"], "summary": document.get("summary")},
        {"rows": {table: len(lines) for table, lines in rows.items()}},
    )
    text = document.get("text") or case_text(document["document"])
    lines = [json.dumps(part, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") for part in head]
    return b"\n".join([*lines, b"".join(rows.values()) + text.encode("utf-8", "replace")])


def pending_in(folder: Path) -> list[Path]:
    """Return the finished cases in the folder of a store that are not folded yet."""
    found = folder / "pending"
    return sorted(p for p in found.glob("*.json") if not p.name.startswith(".")) if found.is_dir() else []


class Pending:
    """A finished case that lies at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.case_id = str(json.loads(file.readline()))

    def head(self) -> dict[str, Any]:
        """Return its row in the table ``cases`` under ``case``, and its lines of ``summary.csv`` under ``summary``."""
        with self.path.open("rb") as file:
            file.readline()
            found: dict[str, Any] = json.loads(file.readline())
        return found

    def rows(self, table: str) -> bytes:
        """Return its rows in a table, a line of JSON each."""
        sizes, at = self._sizes()
        if table == _RECORDS or sizes is None:
            return json_lines(rows_of(self._whole(), table))
        for name, size in sizes.items():
            if name == table:
                with self.path.open("rb") as file:
                    file.seek(at)
                    return file.read(size)
            at += size
        return b""

    def text(self) -> str:
        """Return the case as ``audit.json`` holds it."""
        sizes, at = self._sizes()
        if sizes is None:
            return str(self._whole().get("text") or case_text(self._whole()["document"]))
        with self.path.open("rb") as file:
            file.seek(at + sum(sizes.values()))
            return file.read().decode("utf-8")

    def document(self) -> dict[str, Any]:
        """Return the case as ``audit.json`` holds it, read."""
        found: dict[str, Any] = json.loads(self.text())
        return found

    def _sizes(self) -> tuple[Mapping[str, int] | None, int]:
        """Return how many bytes the rows of each table take, and where they begin; None where rows were not written."""
        with self.path.open("rb") as file:
            file.readline()
            file.readline()
            line = file.readline()
            return (json.loads(line)["rows"], file.tell()) if line.startswith(_MARK) else (None, 0)

    def _whole(self) -> dict[str, Any]:
        """Return the finished case, and under ``text`` its record as it is written."""
        found = self.head()
        if self._sizes()[0] is not None:
            return found | {"text": self.text()}
        # An older dvhkit wrote the record on one line, and before that everything.
        _, _, *record = self.path.read_bytes().split(b"\n", 2)
        return found | {"text": record[0].decode("utf-8"), "document": json.loads(record[0])} if record else found
