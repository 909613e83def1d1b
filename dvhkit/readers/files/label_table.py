"""Names of the labels of a label map, as programs write them: JSON, CSV, tables of ITK-SNAP, Slicer, FreeSurfer."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvhkit.errors import InputError

# ITK-SNAP: number, red, green, blue, opacity, two switches, and the name in quotes.
_ITK_SNAP = re.compile(r'\s*(\d+)(?:\s+[\d.]+){4,6}\s+"(.*)"\s*$')
# Slicer and FreeSurfer: number, name, red, green, blue and opacity; and plain lines of number and name.
_SPACED = re.compile(r'\s*(\d+)(?:\s*[:=]\s*|\s+)"?(.*?)"?(?:\s+\d+\s+\d+\s+\d+(?:\s+\d+)?)?\s*$')
_HEADINGS = {
    "number": ("label", "value", "index", "id", "number", "idx", "no", "labelvalue", "label_value", "label_id"),
    "name": ("name", "structure", "roi", "label_name", "labelname", "segment", "region", "organ"),
}
_DELIMITERS = (";", "\t", ",")


def read_label_table(path: Path) -> dict[int, str]:
    """Return label numbers and names.

    JSON (numbers to names or names to numbers, or such under ``labels``), CSV with headings or without, and lines of
    number and name as ITK-SNAP, Slicer and FreeSurfer write them. Label 0 is the background and left out.

    Raises
    ------
    InputError
        If a line is no number with a name, or a number has two names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the label table cannot be read as text.", path=path) from error
    pairs = _of_json(text, path) if text.lstrip().startswith(("{", "[")) else _of_lines(text, path)
    found: dict[int, str] = {}
    for number, name, place in pairs:
        if found.setdefault(number, name) != name:
            raise InputError(f"label {number} is both {found[number]!r} and {name!r}.", path=path, where=place)
    if not found:
        raise InputError("it holds no line of a number and a name.", path=path)
    return {number: name for number, name in found.items() if number > 0}


def _of_json(text: str, path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        pairs: Any = json.loads(text)
    except ValueError as error:
        raise InputError(f"it is no JSON: {error}.", path=path) from error
    if isinstance(pairs, dict) and isinstance(pairs.get("labels"), dict):
        pairs = pairs["labels"]
    if not isinstance(pairs, dict):
        raise InputError("it holds no object of numbers and names.", path=path)
    for key, value in pairs.items():
        number, name = (key, value) if str(key).isdigit() else (value, key)
        if not str(number).isdigit() or not isinstance(name, str) or not name.strip():
            raise InputError(f"{key!r}: {value!r} is no number with a name.", path=path)
        yield int(number), name.strip(), str(key)


def _of_lines(text: str, path: Path) -> Iterator[tuple[int, str, str]]:
    lines = [(at, line) for at, line in enumerate(text.splitlines(), start=1) if _says_something(line)]
    delimiter = next((d for d in _DELIMITERS if sum(_splits(line, d) for _, line in lines) * 2 >= len(lines)), None)
    rows = _delimited(lines, delimiter) if delimiter else _spaced(lines)
    began = False
    for at, line, row in rows:
        if row is not None:
            began = True
            yield row[0], row[1], f"line {at}"
        elif began:
            raise InputError(f"{line.strip()[:40]!r} is no number with a name.", path=path, where=f"line {at}")


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _splits(line: str, delimiter: str) -> bool:
    cells = next(csv.reader([line], delimiter=delimiter))
    return len(cells) > 1 and any(cell.strip().isdigit() for cell in cells)


def _delimited(lines: list[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, str, tuple[int, str] | None]]:
    """Yield the rows of a table; which column is the number and which the name the headings say, or the first row."""
    columns: tuple[int, int] | None = None
    for at, line in lines:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
        if columns is None:
            columns = _headed(cells) or _guessed(cells)
        yield at, line, _cells(cells, columns) if columns else None


def _headed(cells: list[str]) -> tuple[int, int] | None:
    """Return the columns of number and name, if a row is one of headings."""
    if any(cell.isdigit() for cell in cells):
        return None
    words = [cell.casefold().replace(" ", "_") for cell in cells]
    names = [n for n, word in enumerate(words) if word in _HEADINGS["name"]]
    numbers = [n for n, word in enumerate(words) if word in _HEADINGS["number"]]
    # "value,label": where no heading says name, a label with a number beside it is one.
    if not names and len(numbers) > 1 and "label" in words:
        names = [words.index("label")]
        numbers.remove(names[0])
    return (numbers[0], names[0]) if names and numbers else None


def _guessed(cells: list[str]) -> tuple[int, int] | None:
    if len(cells) > 1 and cells[0].isdigit():
        return 0, 1
    return (1, 0) if len(cells) > 1 and cells[1].isdigit() and cells[0] else None


def _cells(cells: list[str], columns: tuple[int, int]) -> tuple[int, str] | None:
    if max(columns) >= len(cells):
        return None
    number, name = (cells[n] for n in columns)
    return (int(number), name) if number.isdigit() and name else None


def _spaced(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str, tuple[int, str] | None]]:
    for at, line in lines:
        row = _ITK_SNAP.match(line) or _SPACED.match(line)
        name = row.group(2).strip() if row else ""
        yield at, line, (int(row.group(1)), name) if row and name else None
