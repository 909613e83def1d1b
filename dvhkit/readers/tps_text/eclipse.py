"""Eclipse: DVH export as text, cumulative or differential, of plans and plan sums, in the languages of its users.

The shape is: a header of ``key: value`` lines, then a block a structure that begins with ``Structure:``, holds
``key [unit]: value`` lines, a line of column titles with units, and the table. Column order, language, units and
decimal sign vary; keys are known by the stems of their words and by their units.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dvhkit.model.tps_dvh import TpsDvh
from dvhkit.readers.tps_text.lines import (
    checked_curve,
    cumulative_of_density,
    damaged,
    half_digit,
    in_gy,
    number,
    unit_of,
    words_without_units,
)

_BLOCK = re.compile(
    r"^\s*(structure|struktur|struttura|estructura|estrutura|structuur|struktura|структура|構造)\s*[:：]\s*(.*)$", re.I
)
_KEY = re.compile(r"^\s*([^:：]{2,60}?)\s*[:：]\s*(.*)$")
_SCENARIO = re.compile(r"uncertaint|unsicherheit|incertitud|incertezz|incerteza|onzekerheid|osäkerhet|niepewno", re.I)
_PRESCRIBED = re.compile(
    r"prescri|verschr|verordn|rescrit|rescript|total dose|gesamtdosis|dos[ei]s? total|voorgeschr|totale dosis|"
    r"ordinera|total ?dos\b|przepisan|całkowita dawka|предписан|処方",
    re.I,
)
_ISODOSE = re.compile(r"^%|prozent|pourcent", re.I)
_MEDIAN = re.compile(r"median|mod[ae]|modal|std|dev|desv|abweich|écart|ecart|afwijk|avvik|odchyl|中央|標準", re.I)
_DOSE = re.compile(r"dos|dawk|доз|線量", re.I)
_PLAN = re.compile(
    r"^\s*(plan[oe]?|piano|план|プラン|plan ?sum\w*|plansom|プランサム|"
    r"(som\w+|sum\w+) (de |dei |di )?(plan|pian)\w*)\s*$",
    re.I,
)
_VOLUME = re.compile(r"vol|obj|объ|体積", re.I)
# Without accents, and of words or their stems: "moyenne", "Medeldos", "mittlere".
_STATED = (
    ("min", re.compile(r"min|мин|最小")),
    ("max", re.compile(r"ma[xks]s?|мак|最大")),
    ("mean", re.compile(r"mean|mitt|moy|medi|gemid|medel|sred|сред|平均")),
)
# A greatest dose in percent is printed with one decimal.
_MAX_ROUNDING = 1e-3
# Less than this is left for rounding.
_LEFT_FRAC = 1e-3


@dataclass
class _Header:
    """What is said before the structures, and what a block may say anew."""

    rx_gy: float | None = None
    isodose_pct: float = 100.0
    plan: str = ""
    differential: bool = False
    plans: dict[str, tuple[float | None, float]] = field(default_factory=dict)

    def keep(self) -> None:
        """Remember what the header says of its plan: an export of several plans lists them before the structures."""
        if self.plan:
            self.plans[self.plan] = (self.rx_gy, self.isodose_pct)

    def turn_to(self, plan: str) -> None:
        """Follow a structure that names its plan."""
        self.plan = plan
        self.rx_gy, self.isodose_pct = self.plans.get(plan, (self.rx_gy, self.isodose_pct))

    @property
    def full_gy(self) -> float | None:
        """Dose of 100 %."""
        return None if self.rx_gy is None or self.isodose_pct <= 0 else self.rx_gy * 100.0 / self.isodose_pct


@dataclass
class _Table:
    """One table of numbers and the block that it stands in."""

    title: str
    title_line: int
    scenario: str
    rows: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


@dataclass
class _Block:
    """One structure's lines, sorted."""

    roi: str
    line: int
    header: _Header
    stated: dict[str, tuple[float, str, str]] = field(default_factory=dict)
    tables: list[_Table] = field(default_factory=list)
    scenario: str = ""


def is_eclipse(lines: list[str]) -> bool:
    """Whether the lines are of this dialect: blocks of structures with units in square brackets."""
    return any(_BLOCK.match(line) for line in lines) and any("[" in line and "]" in line for line in lines)


def read_eclipse(path: Path, lines: list[str]) -> list[TpsDvh]:
    """Return the curves of an export; raises `InputError` with file, line and reason where it is damaged."""
    header, block = _Header(), None
    blocks: list[_Block] = []
    for at, line in enumerate(lines, start=1):
        begun = _BLOCK.match(line)
        if begun:
            block = _Block(roi=begun.group(2).strip(), line=at, header=replace(header))
            blocks.append(block)
        elif block is None:
            _read_header(header, line)
        else:
            _read_block_line(path, block, at, line)
    if not blocks:
        raise damaged(path, 0, "no structure is named in it.")
    return [curve for b in blocks for curve in _curves(path, b)]


def _read_header(header: _Header, line: str) -> None:
    key = _KEY.match(line)
    if key is None:
        return
    label, value = key.group(1), key.group(2)
    if _PRESCRIBED.search(label) and unit_of(label) in ("gy", "cgy"):
        found = number(value)
        # "not defined" of plan sums, in whatever language: no number.
        header.rx_gy = None if found is None else in_gy(found, unit_of(label))
    elif _ISODOSE.search(label):
        found = number(value)
        header.isodose_pct = found if found is not None and found > 0 else 100.0
    elif re.match(r"^\s*typ[eo]?\b", label, re.I):
        header.differential = bool(re.search(r"diff?[eé]r", value, re.I))
    elif _PLAN.match(label):
        header.plan, header.rx_gy, header.isodose_pct = value.strip(), None, 100.0
    header.keep()


def _read_block_line(path: Path, block: _Block, at: int, line: str) -> None:
    if not line.strip():
        return
    if block.tables and re.match(r"^\s*[-+\d.,]", line):
        block.tables[-1].rows.append(line)
        block.tables[-1].numbers.append(at)
        return
    key = _KEY.match(line)
    if key is None:
        if len(re.findall(r"\[[^\]]*\]", line)) >= 2:
            block.tables.append(_Table(title=line, title_line=at, scenario=block.scenario))
            return
        if re.match(r"^\s*[-+\d.,]", line):
            raise damaged(path, at, f"numbers of {block.roi!r} stand before any column titles.")
        if block.tables and not any(c.isalpha() for c in line):
            raise damaged(path, at, f"the table of {block.roi!r} holds {line.strip()[:30]!r}.")
        if block.tables and block.tables[-1].rows and not _SCENARIO.search(line):
            raise damaged(
                path, at, f"the table of {block.roi!r} holds {line.strip()[:30]!r}, which is no row of numbers."
            )
        return
    label, value = key.group(1), key.group(2)
    if _SCENARIO.search(label):
        nominal = re.search(r"nominal|n/?a|none|^\s*$|-$", value, re.I)
        block.scenario = "" if nominal else value.strip()
        return
    _read_statement(block, label, value)


def _read_statement(block: _Block, label: str, value: str) -> None:
    words, unit, found = _plain(words_without_units(label)), unit_of(label), number(value)
    if _PLAN.match(words) and not unit:
        block.header.turn_to(value.strip())
    if found is None:
        return
    name = ""
    if unit == "cc" and _VOLUME.search(words):
        name = "volume"
    elif unit in ("gy", "cgy", "%") and _DOSE.search(words) and not _MEDIAN.search(words) and "cover" not in words:
        name = next((short for short, stem in _STATED if stem.search(words)), "")
    if name:
        block.stated.setdefault(name, (found, unit, value))


def _plain(words: str) -> str:
    """Return words in lower case without accents: some exports have them and some not."""
    return "".join(c for c in unicodedata.normalize("NFD", words.lower()) if not unicodedata.combining(c))


def _curves(path: Path, block: _Block) -> list[TpsDvh]:
    if not block.tables:
        raise damaged(path, block.line, f"the structure {block.roi!r} has no table; the file may be cut off.")
    return [_curve(path, block, table) for table in block.tables]


def _curve(path: Path, block: _Block, table: _Table) -> TpsDvh:
    columns = _columns(path, table)
    stated_cc = block.stated.get("volume")
    rest = {
        "roi": block.roi,
        "plan": block.header.plan,
        "source": path.name,
        "line": table.title_line,
        "volume_cc": stated_cc[0] if stated_cc else None,
        "volume_step_cc": half_digit(stated_cc[2]) if stated_cc else 0.0,
        **{f"{name}_gy": _stated_gy(block, name) for name in ("min", "mean", "max")},
    }
    why = f"it is of the uncertainty scenario {table.scenario!r}" if table.scenario else ""
    if not table.rows:
        if not stated_cc or stated_cc[0] > 0:
            raise damaged(path, table.title_line, f"the table of {block.roi!r} is empty; the file may be cut off.")
        nothing = np.empty(0)
        return TpsDvh(dose_gy=nothing, volume=nothing, in_cc=True, unusable="its table is empty", **rest)  # type: ignore[arg-type]
    values = _values(path, block.roi, table, len(columns))
    dose_gy = _dose(block, columns, values)
    if dose_gy is None:
        nothing = np.empty(0)
        why = "its doses are in percent of a prescription that the file does not define"
        return TpsDvh(dose_gy=nothing, volume=nothing, in_cc=True, unusable=why, **rest)  # type: ignore[arg-type]
    at = _volume_column(columns)
    unit, volume = columns[at][1], values[:, at]
    if "/" in unit:
        volume = volume / _gy_of_one(block, unit.split("/")[1])
        dose_gy, volume = cumulative_of_density(dose_gy, volume)
        unit = unit.split("/")[0]
    elif block.header.differential:
        dose_gy, volume = cumulative_of_density(dose_gy, volume / np.gradient(dose_gy))
    dose_gy, volume = checked_curve(path, table.numbers[0], block.roi, dose_gy, volume, in_cc=unit != "%")
    if not table.scenario:
        _require_end(path, table, block, dose_gy, volume)
    return TpsDvh(dose_gy=dose_gy, volume=volume, in_cc=unit == "cc", unusable=why, **rest)  # type: ignore[arg-type]


def _require_end(path: Path, table: _Table, block: _Block, dose_gy: np.ndarray, volume: np.ndarray) -> None:
    """Refuse a table that ends with volume left, over two of its bins short of the greatest dose that is stated."""
    most_gy = _stated_gy(block, "max")
    if float(volume[-1]) <= _LEFT_FRAC * float(volume[0]):
        return
    allowed_gy = 2.0 * float(np.diff(dose_gy[-3:]).max()) + _MAX_ROUNDING * float(dose_gy[-1])
    if most_gy is not None and float(dose_gy[-1]) < most_gy - allowed_gy:
        raise damaged(
            path,
            table.numbers[-1],
            f"the table of {block.roi!r} ends at {dose_gy[-1]:.4g} Gy, but the greatest dose is stated as "
            f"{most_gy:.4g} Gy; the file may be cut off.",
        )


def _columns(path: Path, table: _Table) -> list[tuple[str, str]]:
    """Return (words, unit) of each column: a title ends with its unit."""
    found = []
    for words, unit in re.findall(r"([^\[\]]*)\[([^\]]*)\]", table.title):
        said = words.strip().lower()
        plain = unit_of(f"[{unit}]")
        found.append((said, plain))
    kinds = [("volume" if _is_volume(c) else "dose") for c in found]
    if kinds.count("volume") != 1 and not any(_is_volume(c) and c[1] == "cc" for c in found):
        raise damaged(path, table.title_line, f"no column of volumes is known in {table.title.strip()[:80]!r}.")
    if "dose" not in kinds:
        raise damaged(path, table.title_line, f"no column of doses is known in {table.title.strip()[:80]!r}.")
    return found


def _is_volume(column: tuple[str, str]) -> bool:
    words, unit = column
    return "/" in unit or unit == "cc" or bool(_VOLUME.search(words))


def _volume_column(columns: list[tuple[str, str]]) -> int:
    """Return which column holds the volume: one in cc before one in percent."""
    at = [n for n, column in enumerate(columns) if _is_volume(column)]
    return next((n for n in at if columns[n][1].startswith("cc")), at[0])


def _dose(block: _Block, columns: list[tuple[str, str]], values: np.ndarray) -> np.ndarray | None:
    for n, (_, unit) in enumerate(columns):
        if unit in ("gy", "cgy") and not _is_volume(columns[n]):
            return np.asarray(values[:, n] / (100.0 if unit == "cgy" else 1.0))
    full = block.header.full_gy
    relative = next((n for n, c in enumerate(columns) if c[1] == "%" and not _is_volume(c)), None)
    return None if full is None or relative is None else np.asarray(values[:, relative] * full / 100.0)


def _gy_of_one(block: _Block, unit: str) -> float:
    """Return how many Gy one unit of a density's denominator is."""
    if unit == "%":
        return (block.header.full_gy or 100.0) / 100.0
    return 0.01 if unit == "cgy" else 1.0


def _stated_gy(block: _Block, name: str) -> float | None:
    stated = block.stated.get(name)
    if stated is None:
        return None
    value, unit, _ = stated
    if unit == "%":
        full = block.header.full_gy
        return None if full is None else value * full / 100.0
    return in_gy(value, unit)


def _values(path: Path, roi: str, table: _Table, n_columns: int) -> np.ndarray:
    """Return the table; a row of another length, or with what is no number, is an error with its line."""
    found = np.empty((len(table.rows), n_columns))
    for row, (text, at) in enumerate(zip(table.rows, table.numbers, strict=True)):
        cells = re.split(r"[\t;]+|\s+", text.strip().strip(";"))
        if len(cells) != n_columns:
            raise damaged(path, at, f"a row of {roi!r} has {len(cells)} numbers, but there are {n_columns} columns.")
        for column, cell in enumerate(cells):
            value = number(cell) if re.fullmatch(r"[-+]?[\d.,'’]+(?:[eE][-+]?\d+)?", cell) else None
            if value is None:
                raise damaged(path, at, f"a row of {roi!r} holds {cell[:20]!r}, which is no number.")
            found[row, column] = value
    return found
