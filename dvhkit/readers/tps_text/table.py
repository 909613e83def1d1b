"""Tables of DVHs as CSV: ProKnow, Pinnacle scripts, and others of the same shape.

Two shapes are known. Long: columns of ROI name, dose and volume, a row a point (dose and volume in either order).
Wide: a column of doses and one of volumes for each ROI, or a pair of columns for each ROI. Units stand in the titles
or in lines of ``key, value`` before them.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dvhkit.model.tps_dvh import TpsDvh
from dvhkit.readers.tps_text.lines import (
    checked_curve,
    cumulative_of_parts,
    damaged,
    half_digit,
    in_gy,
    number,
    plain_unit,
    words_without_units,
)

_UNITS = re.compile(r"[\[( _]\s*(c?gy|%|cc|cm\^?3|cm³|ccm|ml|percent)\s*[\])]?\s*$", re.I)
_ROI = re.compile(r"^(roi|structure|struct|region|organ)([ _]?(name|id))?$", re.I)
_DOSE = re.compile(r"dose|^d$|^bin", re.I)
_VOLUME = re.compile(r"vol|^v$", re.I)


@dataclass
class _Columns:
    """What the titles say: which column is what, and in which unit."""

    dose: list[int] = field(default_factory=list)
    volume: list[int] = field(default_factory=list)
    roi: int | None = None
    units: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    size: int | None = None


def is_table(lines: list[str]) -> bool:
    """Whether some line reads like titles of a table of doses and volumes."""
    return _title_line(lines, _delimiter(lines)) is not None


def read_table(path: Path, lines: list[str]) -> list[TpsDvh]:
    """Return the curves of a table; raises `InputError` with file, line and reason where it is damaged."""
    delimiter = _delimiter(lines)
    at = _title_line(lines, delimiter)
    if at is None:
        raise damaged(path, 0, "no line of column titles names a dose and a volume.")
    facts = _facts(lines[:at], delimiter)
    columns = _columns(path, at + 1, _cells(lines[at], delimiter))
    rows = [(n, _cells(line, delimiter)) for n, line in enumerate(lines[at + 1 :], start=at + 2) if line.strip(" ,;\t")]
    columns.roi = _texts(rows, columns) if columns.roi is None else columns.roi
    curves = _long(path, rows, columns) if columns.roi is not None else _wide(path, rows, columns, _named(facts))
    if not curves:
        raise damaged(path, at + 1, "no row follows the column titles; the file may be cut off.")
    return [_curve(path, columns, facts, *curve) for curve in curves]


def _delimiter(lines: list[str]) -> str:
    sample = [line for line in lines[:40] if line.strip()]
    counts = {mark: sum(line.count(mark) for line in sample) for mark in ";\t,"}
    # A comma may be a decimal sign; where another mark parts cells it is.
    return next((mark for mark in ";\t" if counts[mark] >= len(sample) / 2 and counts[mark] > 0), ",")


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _title_line(lines: list[str], delimiter: str) -> int | None:
    for n, line in enumerate(lines[:60]):
        cells = _cells(line, delimiter)
        if len(cells) < 2 or any(number(cell) is not None and not _unit(cell) for cell in cells[:1]):
            continue
        words = [words_without_units(cell) for cell in cells]
        has_dose = any(_DOSE.search(word) for word in words)
        later = [_cells(line, delimiter) for line in lines[n + 1 : n + 3] if line.strip()]
        if has_dose and len(later) == 2 and all(number(c) is not None for row in later for c in row[: len(cells)] if c):
            return n
        if has_dose and (any(_ROI.match(w) or _VOLUME.search(w) for w in words) or all(map(_unit, cells))):
            follows = [_cells(later, delimiter) for later in lines[n + 1 : n + 3] if later.strip()]
            if not follows or sum(number(c) is not None for c in follows[0]) >= 2:
                return n
    return None


def _unit(title: str) -> str:
    found = _UNITS.search(title)
    unit = plain_unit(found.group(1)) if found else ""
    return {"percent": "%"}.get(unit, unit)


def _facts(lines: list[str], delimiter: str) -> dict[str, str]:
    found = {}
    for line in lines:
        cells = _cells(line.lstrip("#"), delimiter)
        if len(cells) == 1:
            cells = [part.strip() for part in cells[0].partition(":")[::2]]
        if len(cells) >= 2 and cells[0]:
            found[re.sub(r"[\s_:]+", "", cells[0]).lower()] = cells[1]
    return found


def _columns(path: Path, at: int, titles: list[str]) -> _Columns:
    found = _Columns()
    for n, title in enumerate(titles):
        words, unit = words_without_units(title), _unit(title)
        words = re.sub(_UNITS, "", words).strip() if _UNITS.search(words) else words
        found.units[n], found.names[n] = unit, title
        if _ROI.match(words):
            found.roi = n
        elif unit in ("gy", "cgy") or (_DOSE.search(words) and unit in ("", "%")):
            if re.search(r"min|max|mean", words, re.I):
                continue
            found.dose.append(n)
        elif re.search(r"(roi|structure|total)[ _]?vol", words, re.I) and unit == "cc":
            found.size = n
        elif _VOLUME.search(words) or unit in ("cc", "%"):
            found.volume.append(n)
    if not found.dose:
        raise damaged(path, at, "no column of doses is known by its title.")
    if found.size is not None and not found.volume:
        found.volume, found.size = [found.size], None
    if found.roi is None and not found.volume:
        found.volume = [n for n in range(len(titles)) if n not in found.dose and titles[n]]
    if not found.volume:
        raise damaged(path, at, "no column of volumes is known by its title.")
    return found


def _texts(rows: list[tuple[int, list[str]]], columns: _Columns) -> int | None:
    """Return the column that holds a text in each row, whatever its title: the names of structures."""
    taken = {*columns.dose, *columns.volume, columns.size}
    for n in sorted(set(columns.names) - taken):
        cells = [cells[n] if len(cells) > n else "" for _, cells in rows]
        if cells and all(cell and number(cell) is None for cell in cells):
            return n
    return None


Points = tuple[str, list[tuple[int, float, float]], int, int, float | None]


def _long(path: Path, rows: list[tuple[int, list[str]]], columns: _Columns) -> list[Points]:
    assert columns.roi is not None
    dose = next((n for n in columns.dose if columns.units[n] in ("gy", "cgy")), columns.dose[0])
    volume = _long_volume(rows, columns)
    found: dict[str, list[tuple[int, float, float]]] = {}
    sizes: dict[str, float] = {}
    for at, cells in rows:
        if len(cells) <= max(dose, volume, columns.roi):
            raise damaged(
                path, at, f"the row has {len(cells)} cells, fewer than there are columns; the file may be cut off."
            )
        roi = cells[columns.roi]
        found.setdefault(roi, []).append((at, _value(path, at, cells[dose]), _value(path, at, cells[volume])))
        size = number(cells[columns.size]) if columns.size is not None and len(cells) > columns.size else None
        if size is not None:
            sizes[roi] = size
    return [(roi, points, dose, volume, sizes.get(roi)) for roi, points in found.items()]


def _long_volume(rows: list[tuple[int, list[str]]], columns: _Columns) -> int:
    """Return which column holds the curve; one of cc that never changes beside one of percent is the ROI's size."""
    volume = next((n for n in columns.volume if columns.units[n] == "cc"), columns.volume[0])
    percent = next((n for n in columns.volume if columns.units[n] == "%"), None)
    if percent is None or columns.units[volume] != "cc":
        return volume
    seen = {(cells[columns.roi or 0], cells[volume]) for _, cells in rows if len(cells) > volume}
    if len(seen) == len({roi for roi, _ in seen}):
        columns.size = volume
        return percent
    return volume


def _named(facts: dict[str, str]) -> str:
    """Return the structure that the lines before the titles name, for a table of one."""
    keys = ("roi", "roiname", "regionofinterest", "structure", "structurename", "organ")
    return next((facts[key] for key in keys if facts.get(key)), "")


def _wide(path: Path, rows: list[tuple[int, list[str]]], columns: _Columns, facts_roi: str) -> list[Points]:
    found: list[Points] = []
    for volume in columns.volume:
        # The dose of a pair stands just before its volume; one dose serves all otherwise.
        dose = max((n for n in columns.dose if n < volume), default=columns.dose[0])
        title = columns.names[volume]
        roi = re.sub(_UNITS, "", title).strip(" -_:,[(")
        roi = re.sub(r"[\s_-]*volume$", "", roi, flags=re.I).strip() or facts_roi or title
        points = []
        for at, cells in rows:
            if len(cells) <= max(dose, volume):
                raise damaged(
                    path, at, f"the row has {len(cells)} cells, fewer than there are columns; the file may be cut off."
                )
            if not cells[dose] or not cells[volume]:  # a shorter curve beside a longer one
                continue
            points.append((at, _value(path, at, cells[dose]), _value(path, at, cells[volume])))
        if points:
            found.append((roi, points, dose, volume, None))
    return found


def _value(path: Path, at: int, cell: str) -> float:
    value = number(cell) if re.fullmatch(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?\s*%?", cell) else None
    if value is None:
        raise damaged(path, at, f"the cell {cell[:20]!r} is no number.")
    return value


def _curve(  # noqa: PLR0917 -- the parts of one curve, unpacked from a tuple
    path: Path,
    columns: _Columns,
    facts: dict[str, str],
    roi: str,
    points: list[tuple[int, float, float]],
    dose_column: int,
    volume_column: int,
    size_cc: float | None,
) -> TpsDvh:
    line = points[0][0]
    unit = columns.units[dose_column] or plain_unit(facts.get("doseunit", facts.get("doseunits", "")))
    one_gy = in_gy(1.0, unit)
    nothing = np.empty(0)
    if one_gy is None:
        why = f"the unit of its doses is {unit!r}" if unit else "the unit of its doses is not stated"
        return TpsDvh(roi=roi, dose_gy=nothing, volume=nothing, in_cc=False, source=path.name, line=line, unusable=why)
    volume_unit = columns.units[volume_column] or plain_unit(facts.get("volumeunit", facts.get("volumeunits", "")))
    values = np.array([(dose, volume) for _, dose, volume in points])
    dose_gy, volume = values[:, 0] * one_gy, values[:, 1]
    if not volume_unit:
        volume_unit = "%" if 0 < volume.max() <= 100.0001 and abs(volume[0] - 100.0) < 0.01 else "cc"
        if abs(volume.max() - 1.0) < 1e-6:
            volume_unit, volume = "%", volume * 100.0
    if volume_unit == "%" and volume.max() <= 1.0001 and abs(volume.max() - 1.0) < 1e-4:
        volume = volume * 100.0
    kind = " ".join(facts.get(key, "") for key in ("type", "dvhtype", "kind"))
    if re.search(r"differen", kind + columns.names[volume_column], re.I):
        dose_gy, volume = np.append(dose_gy, 2 * dose_gy[-1] - dose_gy[-2]), cumulative_of_parts(volume)
    dose_gy, volume = checked_curve(path, line, roi, dose_gy, volume, in_cc=volume_unit == "cc")
    stated = facts.get("roivolume", facts.get("volume", ""))
    if size_cc is None and columns.roi is None and len(columns.volume) == 1:
        size_cc = number(stated)
    return TpsDvh(
        roi=roi,
        dose_gy=dose_gy,
        volume=volume,
        in_cc=volume_unit == "cc",
        volume_cc=size_cc,
        volume_step_cc=half_digit(stated) if size_cc is not None and stated else 0.0,
        source=path.name,
        line=line,
    )
