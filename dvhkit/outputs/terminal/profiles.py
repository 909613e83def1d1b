"""What `dvhkit dvh --compare-profiles` shows and writes: each of the engine's conventions beside the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from dvhkit.outputs import records
from dvhkit.outputs.number_format import number
from dvhkit.outputs.text import clean, clean_name

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.results.audit import MetricResult
    from dvhkit.results.profiles import ProfileRows

_LONGEST_NAME = 20


def profiles_view(compared: Sequence[ProfileRows]) -> Iterator[RenderableType]:
    """Yield the table, and why values are missing."""
    yield _spread_table(compared)
    for line in _remarks(compared):
        yield Text(line)


def profiles_document(compared: Sequence[ProfileRows]) -> dict[str, object]:
    """Return the metric rows of all profiles as `dvhkit dvh --json` has them, each with the key ``profile``.

    ``spread`` says for every structure and metric where its value lies over all profiles; null where a profile has
    none.
    """
    rows: list[dict[str, object]] = []
    schema: object = None
    for each in compared:
        document = records.metrics_document(each.rows)
        schema = document["schema"]
        rows += [{**row, "profile": each.profile} for row in document["rows"]]  # type: ignore[attr-defined]
    return {"schema": schema, "rows": rows, "spread": _spreads(compared), "findings": _findings(compared)}


def _spreads(compared: Sequence[ProfileRows]) -> list[dict[str, object]]:
    spreads: list[dict[str, object]] = []
    for same in zip(*(each.rows for each in compared), strict=True):
        known = _known(same)
        low, high = (min(known), max(known)) if known else (None, None)
        first = same[0]
        spreads.append({"roi": first.roi, "metric": first.metric, "unit": first.unit, "low": low, "high": high})
    return spreads


def _known(same: Sequence[MetricResult]) -> list[float]:
    """Return the values of one metric over the profiles; nothing where one of them is missing."""
    values = [row.value for row in same if row.value is not None]
    return values if len(values) == len(same) else []


def _findings(compared: Sequence[ProfileRows]) -> list[dict[str, str]]:
    """Return what is odd about the data, once: profiles find the same."""
    return [asdict(finding) for finding in dict.fromkeys(f for each in compared for f in each.findings)]


def _spread_table(compared: Sequence[ProfileRows]) -> Table:
    """Return a row a structure and metric, a column a profile, and last how far apart they are."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Structure", overflow="fold", min_width=9)
    table.add_column("Metric", no_wrap=True)
    for each in compared:
        # A name that is too wide for its numbers is broken at its first hyphen.
        table.add_column(Text(each.profile.replace("-", "-\n", 1)), justify="right", no_wrap=True)
    table.add_column(Text("spread\n%"), justify="right", no_wrap=True)
    for same in zip(*(each.rows for each in compared), strict=True):
        name = Text(clean_name(same[0].roi, _LONGEST_NAME))
        table.add_row(name, Text(same[0].metric), *map(_value, same), _spread_pct(same))
    return table


def _value(row: MetricResult) -> str:
    return "-" if row.value is None else number(row.value, row.unit)


def _spread_pct(same: Sequence[MetricResult]) -> str:
    """Return greatest minus least value in percent of the default profile's; none where that is 0."""
    known = _known(same)
    if not known or not known[0]:
        return "-"
    return f"{100 * (max(known) - min(known)) / abs(known[0]):.2f}"


def _remarks(compared: Sequence[ProfileRows]) -> list[str]:
    """Return why values are missing, each once."""
    missing = (row for each in compared for row in each.rows if row.value is None)
    lines = [f"{clean_name(row.roi, _LONGEST_NAME)}: {clean(row.reason)}" for row in missing]
    return list(dict.fromkeys(lines))
