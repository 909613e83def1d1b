"""``plans.csv``: which protocol each case is held against, and what is known of it clinically.

::

    case,protocol,rx_gy,fractions,child_pugh_b7_worse,contour_approvers
    site-a/17,oligoprogressive-liver-2025,,,true,2

`case` is the case's name as the run tells it. The other columns are `protocol` (an ID or a file), `rx_gy`, `fractions`,
and context keys of the protocols. An empty cell states nothing. Columns called `lesions`, `delivered_fractions`, `note`
and `comment` are for people, unless a protocol asks for them.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dvhkit.errors import InputError
from dvhkit.jobs.batch import AuditOptions
from dvhkit.protocols.files.rules import Protocol
from dvhkit.protocols.naming.names import nearest

_OWN = ("case", "protocol", "rx_gy", "fractions")
_FOR_PEOPLE = ("lesions", "delivered_fractions", "note", "notes", "comment")
_MOST_GY, _MOST_FRACTIONS = 300.0, 100
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A row of the file; `number` counts lines from 1, the heading included."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlansTable:
    """The file as it was read."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[PlanRow, ...]


def read_plans(path: Path) -> PlansTable:
    """Return the rows of a plans file.

    Raises
    ------
    InputError
        With the line: no `case` column, a case without a name or named twice, more cells than columns.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error}).", path=path, remedy="Save it as CSV in UTF-8.") from error
    delimiter = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    columns = tuple(cell.strip() for cell in next(reader, []))
    if "case" not in columns:
        raise _bad(path, 1, "there is no column 'case'", "Name the cases as `dvhkit audit` does.")
    if len(set(columns)) != len(columns):
        raise _bad(path, 1, "a column is there twice", "Take one of them away.")
    rows: list[PlanRow] = []
    for cells in reader:
        if any(cell.strip() for cell in cells):
            if len(cells) > len(columns):
                raise _bad(path, reader.line_num, f"{len(cells)} cells in {len(columns)} columns", "Quote commas.")
            named = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
            rows.append(PlanRow(number=reader.line_num, cells={k: v for k, v in named.items() if v}))
    _require_names(path, rows)
    return PlansTable(path=path, columns=columns, rows=tuple(rows))


def _require_names(path: Path, rows: Sequence[PlanRow]) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        name = row.cells.get("case", "")
        if not name:
            raise _bad(path, row.number, "the case has no name", "Fill in the column 'case'.")
        if name in seen:
            raise _bad(path, row.number, f"case {name!r} is on line {seen[name]} already", "Take one of them away.")
        seen[name] = row.number


def options_for(
    table: PlansTable,
    base: AuditOptions,
    load: Callable[[str], Protocol],
    case_ids: Sequence[str],
    *,
    has_protocol: bool,
) -> tuple[dict[str, AuditOptions], dict[str, str]]:
    """Return options by name, and the name for each case.

    Parameters
    ----------
    base
        The options of cases that the table does not name, and of empty cells.
    load
        Returns a protocol by its ID or file.
    has_protocol
        Whether `base` has a protocol of the user's; without one, cases that the table does not name are left out.

    Raises
    ------
    InputError
        With file and line: a case that is not there, an unknown protocol or column, a value of the wrong kind.
    """
    protocols = _protocols(table, base, load, has_protocol=has_protocol)
    _require_columns(table, protocols)
    known = set(case_ids)
    options: dict[str, AuditOptions] = {"": base} if has_protocol else {}
    name_of = dict.fromkeys(case_ids, "") if has_protocol else {}
    for row in table.rows:
        case_id = row.cells["case"]
        if case_id not in known:
            near = nearest(case_id, case_ids)
            hint = f"Did you mean {near!r}?" if near else "`dvhkit inspect` lists the cases."
            raise _bad(table.path, row.number, f"there is no case {case_id!r}", hint)
        one = _options_of(table, row, base, protocols[row.number])
        context = json.dumps(dict(one.context), sort_keys=True, default=str)
        name = f"{one.protocol.path or one.protocol.id}|{one.rx_gy}|{one.fractions}|{context}"
        options[name], name_of[case_id] = one, name
    return options, name_of


def _protocols(
    table: PlansTable, base: AuditOptions, load: Callable[[str], Protocol], *, has_protocol: bool
) -> dict[int, Protocol]:
    loaded: dict[str, Protocol] = {}
    found = {}
    for row in table.rows:
        name = row.cells.get("protocol", "")
        if not name and not has_protocol:
            raise _bad(table.path, row.number, "no protocol is named", "Fill in the column, or give --protocol.")
        if name and name not in loaded:
            try:
                loaded[name] = load(name)
            except InputError as error:
                raise _bad(table.path, row.number, error.message.rstrip("."), error.remedy or "") from error
        found[row.number] = loaded[name] if name else base.protocol
    return found


def _require_columns(table: PlansTable, protocols: Mapping[int, Protocol]) -> None:
    keys = {key.name for protocol in protocols.values() for key in protocol.context}
    known = {*_OWN, *keys, *_FOR_PEOPLE}
    for column in table.columns:
        if column and column not in known:
            near = nearest(column, sorted(known))
            hint = f"Did you mean {near!r}?" if near else f"Columns are {', '.join(sorted({*_OWN, *keys}))}."
            raise _bad(table.path, 1, f"no protocol here asks for the column {column[:60]!r}", hint)


def _options_of(table: PlansTable, row: PlanRow, base: AuditOptions, protocol: Protocol) -> AuditOptions:
    context: dict[str, Any] = dict(base.context)
    for key in protocol.context:
        if key.name in row.cells:
            context[key.name] = _typed(table, row, key.name, key.type)
    rx, fractions = base.rx_gy, base.fractions
    if "rx_gy" in row.cells:
        rx = _number(table, row, "rx_gy")
        if not 0 < rx <= _MOST_GY:
            raise _bad(table.path, row.number, f"rx_gy is {rx:g}", f"Give more than 0 and at most {_MOST_GY:g} Gy.")
    if "fractions" in row.cells:
        count = _number(table, row, "fractions")
        if not count.is_integer() or not 1 <= count <= _MOST_FRACTIONS:
            raise _bad(table.path, row.number, f"fractions is {count:g}", f"Give 1 to {_MOST_FRACTIONS}.")
        fractions = int(count)
    return replace(base, protocol=protocol, context=context, rx_gy=rx, fractions=fractions)


def _typed(table: PlansTable, row: PlanRow, column: str, kind: str) -> bool | float | str:
    cell = row.cells[column]
    if kind == "number":
        return _number(table, row, column)
    if kind != "bool":
        return cell
    if cell.lower() not in _YES_NO:
        raise _bad(table.path, row.number, f"{column} is {cell[:40]!r}", "Write true or false.")
    return _YES_NO[cell.lower()]


def _number(table: PlansTable, row: PlanRow, column: str) -> float:
    cell = row.cells[column]
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _bad(table.path, row.number, f"{column} is {cell[:40]!r}, which is no number", "Write it like 12.5.")
    return value


def _bad(path: Path, line: int, message: str, remedy: str) -> InputError:
    return InputError(f"{message}.", path=path, where=f"line {line}", remedy=remedy)
