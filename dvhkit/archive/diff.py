"""Two runs compared: each verdict and number that changed, with its cause."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvhkit.archive.storage.query import store_at
from dvhkit.archive.storage.store import Store
from dvhkit.errors import InputError
from dvhkit.results.run_diff import Change, RunDiff

# Less than this part of a number is the rounding of sums in another order.
_ROUNDING = 1e-9
_DRAWN = ("contours", "dose", "image", "links")
_ASKED = ("protocol rule", "context")
_RULE_COLUMNS = ("case_id", "rule_id", "roi", "metric", "goal", "variation", "value", "low", "high", "unit", "verdict")
_METRIC_COLUMNS = ("case_id", "roi", "metric", "value", "unit", "reason_code")

Row = dict[str, Any]
RowKey = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """One run, by case."""

    cases: dict[str, Row]
    rules: dict[str, dict[RowKey, Row]]
    metrics: dict[str, dict[RowKey, Row]]
    drawn: dict[tuple[str, str], str]


def diff_runs(run_a: Path | str, run_b: Path | str, *, tolerance: Mapping[str, float] | None = None) -> RunDiff:
    """Return what differs between two runs.

    Parameters
    ----------
    tolerance
        By unit (``Gy``, ``cc``, ``%``), and for all others under the empty text: numbers that differ by no more are
        the same. Verdicts are always compared.
    """
    with store_at(run_a) as a, store_at(run_b) as b:
        one, two = _side(a), _side(b)
    both = [case_id for case_id in one.cases if case_id in two.cases]
    changes = [c for case_id in both for c in _changes(case_id, one, two, tolerance or {})]
    changes.sort(key=lambda c: (c.rank, c.case_id, c.rule_id or "", c.roi, c.metric))
    return RunDiff(
        changed=tuple(changes),
        only_a=tuple(case_id for case_id in one.cases if case_id not in two.cases),
        only_b=tuple(case_id for case_id in two.cases if case_id not in one.cases),
        n_compared=len(both),
    )


def parse_tolerance(texts: Sequence[str]) -> dict[str, float]:
    """Return tolerances by unit out of ``0.01`` or ``Gy=0.05``; raises `InputError`."""
    found = {}
    for text in texts:
        unit, sign, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf") or bool(sign) != bool(unit):
            raise InputError(f"{text[:40]!r} is no tolerance.", remedy="Write --tolerance 0.01 or --tolerance Gy=0.05.")
        found[unit.strip()] = value
    return found


def _side(store: Store) -> _Side:
    drawn = store.read("structures", ["case_id", "roi", "contours"])
    names = (column.to_pylist() for column in drawn.columns)
    return _Side(
        cases=store.cases(),
        rules=_by_case(store, "rules", _RULE_COLUMNS, ("rule_id", "roi", "metric")),
        metrics=_by_case(store, "metrics", _METRIC_COLUMNS, ("roi", "metric")),
        drawn={(case_id, roi): contours for case_id, roi, contours in zip(*names, strict=True)},
    )


def _by_case(store: Store, table: str, columns: Sequence[str], key: Sequence[str]) -> dict[str, dict[RowKey, Row]]:
    """Return the rows of a table by case and key; where a case has one key more than once, they are numbered."""
    found: dict[str, dict[RowKey, Row]] = defaultdict(dict)
    for row in store.read(table, list(columns)).to_pylist():
        rows = found[row["case_id"]]
        name = tuple(str(row[k]) for k in key)
        count = 0
        while (*name, str(count)) in rows:
            count += 1
        rows[(*name, str(count))] = row
    return found


def _changes(case_id: str, a: _Side, b: _Side, tolerance: Mapping[str, float]) -> Iterator[Change]:
    causes = _case_causes(a.cases[case_id], b.cases[case_id])
    rules_a, rules_b = a.rules.get(case_id, {}), b.rules.get(case_id, {})
    told: set[RowKey] = set()
    for key in dict.fromkeys((*rules_a, *rules_b)):
        old, new = rules_a.get(key), rules_b.get(key)
        cause = _rule_causes(case_id, causes, (old, new), (a, b))
        before, after = _verdict(old, a.cases[case_id]), _verdict(new, b.cases[case_id])
        if before != after:
            yield _change(case_id, "verdict", old or new, (before, after), cause)
        if _differ(old, new, tolerance):
            told.add((str((old or new or {})["roi"]), str((old or new or {})["metric"])))
            yield _change(case_id, "metric", old or new, (_value(old), _value(new)), cause)
    metrics_a, metrics_b = a.metrics.get(case_id, {}), b.metrics.get(case_id, {})
    for key in dict.fromkeys((*metrics_a, *metrics_b)):
        old, new = metrics_a.get(key), metrics_b.get(key)
        if key[:2] not in told and _differ(old, new, tolerance):
            cause = _metric_causes(case_id, causes, str(key[0]), (a, b))
            yield _change(case_id, "metric", old or new, (_value(old), _value(new)), cause)


def _change(
    case_id: str,
    kind: str,
    row: Row | None,
    values: tuple[str | float | None, str | float | None],
    cause: Sequence[str],
) -> Change:
    assert row is not None
    return Change(
        case_id=case_id,
        kind=kind,
        rule_id=row.get("rule_id"),
        roi=row["roi"] or "",
        metric=row["metric"] or "",
        old=values[0],
        new=values[1],
        unit=row["unit"] or "",
        cause=tuple(cause),
    )


def _verdict(row: Row | None, case: Row) -> str | None:
    if row is not None:
        return str(row["verdict"])
    return "error" if case["error"] is not None else None


def _value(row: Row | None) -> float | None:
    return None if row is None else row["value"]


def _differ(old: Row | None, new: Row | None, tolerance: Mapping[str, float]) -> bool:
    """Return whether two rows have other values: one has none, or they are farther apart than the tolerance."""
    a, b = _value(old), _value(new)
    if a is None or b is None:
        return (a is None) != (b is None)
    unit = str((old or new or {}).get("unit") or "")
    allowed = tolerance.get(unit, tolerance.get("", 0.0))
    return abs(a - b) > max(allowed, _ROUNDING * max(abs(a), abs(b)))


# -- why


def _case_causes(a: Row, b: Row) -> tuple[str, ...]:
    """Return what differs between what two results of one case were made from."""
    one, two = json.loads(a["key_parts"]), json.loads(b["key_parts"])
    found = tuple(cause for cause in one if one[cause] != two.get(cause))
    # An export gives new UIDs and dates: what was read is the same all the same.
    read_a, read_b = (json.loads(row["content"] or "{}") for row in (a, b))
    same = [cause for cause in read_a if read_a[cause] == read_b.get(cause)]
    found = tuple(_without(list(found), same))
    if not found and a["status"] != b["status"]:
        return ("machine",)  # a crash or a time limit, which is no part of the data
    return found or (("version",) if a["dvhkit_version"] != b["dvhkit_version"] else ())


def _rule_causes(
    case_id: str, causes: tuple[str, ...], rows: tuple[Row | None, Row | None], sides: tuple[_Side, _Side]
) -> tuple[str, ...]:
    old, new = rows
    roi = str((old or new or {})["roi"] or "")
    found = list(_metric_causes(case_id, causes, roi, sides, asked=True))
    if old is not None and new is not None:
        same_value = all(old[k] == new[k] for k in ("value", "low", "high"))
        same_rule = all(old[k] == new[k] for k in ("goal", "variation", "metric"))
        if same_value:
            found = _without(found, _DRAWN)
        if same_rule:
            found = _without(found, ("protocol rule",))
        if not same_value:
            found = _without(found, ("context",)) if same_rule else found
    return tuple(found)


def _metric_causes(
    case_id: str, causes: tuple[str, ...], roi: str, sides: tuple[_Side, _Side], *, asked: bool = False
) -> tuple[str, ...]:
    """Return those causes that can have changed a number of one structure.

    A structure whose contours are the same to the last digit was not changed by the contours, if anything else can
    have done it.
    """
    found = list(causes)
    if not asked:
        found = _without(found, _ASKED)
    here, there = (side.drawn.get((case_id, roi)) for side in sides)
    if here is not None and here == there:
        found = _without(found, ("contours",))
    return tuple(found)


def _without(causes: list[str], unlikely: Sequence[str]) -> list[str]:
    """Return the causes less the unlikely ones, unless nothing would be left."""
    return [cause for cause in causes if cause not in unlikely] or causes
