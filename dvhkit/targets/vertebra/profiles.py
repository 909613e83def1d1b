"""Decision tables for vertebral CTVs: found by ID or path, checked strictly, turned into plain records."""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from dvhkit.errors import InputError
from dvhkit.targets.vertebra.rules import (
    Atom,
    Compartment,
    Condition,
    Extent,
    Flag,
    FlagLevel,
    Row,
    RuleProfile,
    in_order,
)
from dvhkit.yaml_strict import StrictReader
from dvhkit.yaml_text import Place, Plain, read_yaml

DEFAULT_PROFILE = "wang2025-lamina"

Side = Literal["L", "R"]
_OTHER: dict[str, Side] = {"L": "R", "R": "L"}
_SIDED = ("pedicle", "transverse", "lamina")
_STATUS = ("P", "T", "S2", "S1", "C", "X", "B")
_PROFILE_KEYS = {"id", "version", "title", "summary", "sources", "sectors", "rows"}
_ROW_KEYS = {"id", "rule", "title", "each_side", "when", "require", "offer", "flag", "source", "status", "note"}
_ROW_MUST = ("id", "rule", "title", "when", "source", "status")
_MAX_ROWS = 200


class RuleTableError(InputError):
    """A decision table that cannot be used: file, line, reason."""


def load_profile(id_or_path: str | Path = DEFAULT_PROFILE) -> RuleProfile:
    """Return the shipped decision table of that ID, or the one in that file.

    Raises
    ------
    RuleTableError
        With file and line of the fault; or with the nearest ID.
    """
    shipped = profile_paths()
    if isinstance(id_or_path, str) and id_or_path in shipped:
        return _shipped(id_or_path)
    path = Path(id_or_path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        near = get_close_matches(str(id_or_path), shipped, n=1, cutoff=0.4)
        asked = f"Did you mean {near[0]!r}? " if near else ""
        raise RuleTableError(
            f"there is no rule profile {str(id_or_path)[:60]!r}.", remedy=f"{asked}There are: {', '.join(shipped)}."
        )
    return _Table(read_yaml(path, error=RuleTableError)).profile()


@lru_cache(maxsize=1)
def profile_paths() -> dict[str, Path]:
    """Return the shipped decision tables by ID, the default first."""
    folder = Path(str(files("dvhkit.targets"))) / "data" / "vertebra"
    found = {path.stem: path for path in sorted(folder.glob("*.yaml")) if not path.stem.startswith("_")}
    return {DEFAULT_PROFILE: found.pop(DEFAULT_PROFILE), **found}


@lru_cache(maxsize=16)
def _shipped(profile_id: str) -> RuleProfile:
    return _Table(read_yaml(profile_paths()[profile_id], error=RuleTableError)).profile()


class _Table(StrictReader):
    """Reads one document; every refusal names its line."""

    error = RuleTableError

    def profile(self) -> RuleProfile:
        data = self.document.data
        self._keys(data, (), _PROFILE_KEYS, ("id", "version", "title", "rows"))
        rows = data["rows"]
        if not isinstance(rows, list) or not 0 < len(rows) <= _MAX_ROWS:
            self._refuse(("rows",), f"'rows' must be a list of 1 to {_MAX_ROWS} rows")
        made = [row for i, item in enumerate(rows) for row in self._row(item, ("rows", i))]
        self._unique(made, rows)
        return RuleProfile(
            id=self._text(data, (), "id"),
            version=self._text(data, (), "version"),
            title=self._text(data, (), "title"),
            summary=self._text(data, (), "summary") if "summary" in data else "",
            rows=tuple(made),
            sectors=self._sectors(data["sectors"]) if "sectors" in data else (),
            path=self.document.path,
            sha256=hashlib.sha256(self.document.text).hexdigest(),
        )

    def _sectors(self, node: Plain) -> tuple[tuple[str, tuple[Compartment, ...]], ...]:
        if not isinstance(node, dict) or not node:
            self._refuse(("sectors",), "'sectors' must give a list of compartments for each name")
        seen: set[Compartment] = set()
        made = []
        for name in node:
            members = self._compartments(node, ("sectors",), name, None)
            if members & seen:
                self._refuse(("sectors", name), f"{min(members & seen)} is in two sectors")
            seen |= members
            made.append((name, in_order(members)))
        return tuple(made)

    def _unique(self, made: list[Row], rows: list[Plain]) -> None:
        seen: set[str] = set()
        for i, item in enumerate(rows):
            name = str(item["id"]) if isinstance(item, dict) else ""
            if name in seen:
                self._refuse(("rows", i, "id"), f"the row {name!r} stands here a second time")
            seen.add(name)
        if len({row.id for row in made}) != len(made):
            self._refuse(("rows",), "two rows have the same id once their sides are added")

    def _row(self, item: Plain, place: Place) -> list[Row]:
        if not isinstance(item, dict):
            self._refuse(place, "a row must hold `key: value` lines")
        self._keys(item, place, _ROW_KEYS, _ROW_MUST)
        each = item.get("each_side", False)
        if not isinstance(each, bool):
            self._refuse((*place, "each_side"), "'each_side' must be true or false")
        if not {"require", "offer", "flag"} & set(item):
            self._refuse(place, "a row must require, offer or flag something")
        status = self._text(item, place, "status")
        if status not in _STATUS:
            self._refuse((*place, "status"), f"'status' must be one of {', '.join(_STATUS)}, not {status[:20]!r}")
        sides: tuple[Side | None, ...] = ("L", "R") if each else (None,)
        return [self._one_side(item, place, side) for side in sides]

    def _one_side(self, item: dict[str, Plain], place: Place, side: Side | None) -> Row:
        name = self._text(item, place, "id")
        return Row(
            id=f"{name}({side})" if side else name,
            rule=self._text(item, place, "rule"),
            title=self._text(item, place, "title"),
            when=self._condition(item["when"], (*place, "when"), side),
            require=self._compartments(item, place, "require", side),
            offer=self._compartments(item, place, "offer", side),
            flag=self._flag(item.get("flag"), (*place, "flag")) if "flag" in item else None,
            source=self._text(item, place, "source"),
            status=self._text(item, place, "status"),
        )

    def _condition(self, node: Plain, place: Place, side: Side | None) -> Condition:
        if not isinstance(node, dict) or len(node) != 1 or next(iter(node)) not in ("any", "all", "none"):
            self._refuse(place, "a condition is one of any, all or none with a list")
        kind, items = next(iter(node.items()))
        if not isinstance(items, list) or not items:
            self._refuse((*place, kind), f"{kind!r} must hold a list that is not empty")
        made = tuple(self._term(item, (*place, kind, i), side) for i, item in enumerate(items))
        return Condition(kind, made)  # type: ignore[arg-type]  # checked above

    def _term(self, item: Plain, place: Place, side: Side | None) -> Condition | Atom:
        if isinstance(item, dict):
            return self._condition(item, place, side)
        return self._atom(item, place, side, extents=True)

    def _atom(self, item: Plain, place: Place, side: Side | None, *, extents: bool) -> Atom:
        known = _words(side, extents=extents)
        if not isinstance(item, str) or item not in known:
            near = get_close_matches(str(item), known, n=1, cutoff=0.5)
            asked = f"; did you mean {near[0]!r}?" if near else ""
            self._refuse(place, f"{str(item)[:40]!r} is no compartment here{asked}")
        return known[item]

    def _compartments(
        self, item: dict[str, Plain], place: Place, key: str, side: Side | None
    ) -> frozenset[Compartment]:
        if key not in item:
            return frozenset()
        listed = item[key]
        if not isinstance(listed, list) or not listed:
            self._refuse((*place, key), f"{key!r} must hold a list of compartments")
        atoms = [self._atom(word, (*place, key, i), side, extents=False) for i, word in enumerate(listed)]
        return frozenset(atom for atom in atoms if isinstance(atom, Compartment))

    def _flag(self, node: Plain, place: Place) -> Flag:
        if not isinstance(node, dict):
            self._refuse(place, "'flag' must hold level, code and text")
        self._keys(node, place, {"level", "code", "text"}, ("level", "code", "text"))
        level = self._text(node, place, "level")
        if level not in tuple(FlagLevel):
            self._refuse((*place, "level"), f"'level' must be one of {', '.join(FlagLevel)}, not {level[:20]!r}")
        return Flag(level=FlagLevel(level), code=self._text(node, place, "code"), text=self._text(node, place, "text"))


def _words(side: Side | None, *, extents: bool) -> dict[str, Atom]:
    """Return what a row may name; a row for either side names parts without a side, or those of the other side."""
    words: dict[str, Atom] = {c.value: c for c in Compartment}
    if extents:
        words |= {e.value: e for e in Extent}
    if side is not None:
        words |= {part: Compartment(f"{part}_{side}") for part in _SIDED}
        words |= {f"other_{part}": Compartment(f"{part}_{_OTHER[side]}") for part in _SIDED}
    return words
