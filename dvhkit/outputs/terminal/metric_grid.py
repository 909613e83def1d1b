"""Metrics of many structures as a grid in the terminal: a row a structure, a column a metric, remarks below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from rich import box
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from dvhkit.outputs.number_format import number
from dvhkit.outputs.terminal.audit import metric_table
from dvhkit.outputs.text import clean, clean_name, sentence_case

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from dvhkit.results.audit import MetricResult

_LONGEST_NAME = 28
# Beyond this many columns a line no longer fits a terminal of 80 to 100 characters: rows are listed instead.
_MOST_COLUMNS = 8
# A remark about more structures than these gives their number.
_MOST_NAMES = 6


def metric_view(rows: Sequence[MetricResult]) -> Iterator[RenderableType]:
    """Yield `rows` as a grid where every structure has the same few metrics, else as a list; then the remarks."""
    metrics = tuple(dict.fromkeys(row.metric for row in rows))
    chunks = [rows[i : i + len(metrics)] for i in range(0, len(rows), len(metrics))] if metrics else []
    regular = all(tuple(row.metric for row in chunk) == metrics for chunk in chunks)
    if not regular or not 1 < len(metrics) <= _MOST_COLUMNS:
        yield metric_table(rows)
        return
    yield _MetricGrid(rows, metrics, chunks)


class _MetricGrid:
    """The grid with its remarks; on a terminal too narrow for it, the list, whose rows say everything themselves."""

    def __init__(
        self, rows: Sequence[MetricResult], metrics: Sequence[str], chunks: Sequence[Sequence[MetricResult]]
    ) -> None:
        self.rows = rows
        self.metrics = metrics
        self.chunks = chunks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        sign = "+-" if options.ascii_only else "±"
        grid = _grid(self.metrics, self.chunks, sign)
        # Measured without a limit: within one, a column that must not wrap says that it could be cut.
        if Measurement.get(console, options.update(width=1000), grid).minimum > options.max_width:
            yield metric_table(self.rows)
            return
        yield grid
        if any(row.low is not None for row in self.rows):
            yield Text(f"{sign} reaches to the farther end of the band: what else the drawn slices allow.", style="dim")
        yield from _remarks(self.chunks)


def _grid(metrics: Sequence[str], chunks: Sequence[Sequence[MetricResult]], sign: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Structure", overflow="fold")
    for metric in metrics:
        name, _, unit = metric.partition("[")
        table.add_column(Text(f"{name}\n{unit.rstrip(']')}"), justify="right", no_wrap=True)
    for chunk in chunks:
        table.add_row(Text(clean_name(chunk[0].roi, _LONGEST_NAME)), *(_cell(row, sign) for row in chunk))
    return table


def _cell(row: MetricResult, sign: str) -> Text:
    """Return the value and, below it, how far its band reaches to the farther side."""
    if row.value is None:
        return Text("-")
    if row.withheld:
        return Text.assemble((f"{number(row.value, row.unit)} !", "magenta"), "\n", ("withheld", "dim"))
    if row.low is None or row.high is None:
        return Text(number(row.value, row.unit))
    reach = max(row.high - row.value, row.value - row.low)
    return Text.assemble(number(row.value, row.unit), "\n", (f"{sign}{_reach_text(reach, row.unit)}", "dim"))


def _reach_text(reach: float, unit: str) -> str:
    """Return the reach of a band, rounded up so that it is never told narrower than it is."""
    if unit == "Gy":
        return f"{ceil(reach * 100) / 100:.2f}"
    digits = max(0, 1 - floor(log10(reach))) if reach > 0 else 0
    return f"{ceil(reach * 10**digits) / 10**digits:.{digits}f}"


def _remarks(chunks: Sequence[Sequence[MetricResult]]) -> Iterator[Text]:
    """Yield why values are missing and what the others rest on, each once, with the structures that it is about."""
    told: dict[str, dict[str, None]] = {}
    for chunk in chunks:
        for text in dict.fromkeys(text for row in chunk for text in (row.reason, row.note) if text):
            told.setdefault(text, {})[clean_name(chunk[0].roi, _LONGEST_NAME)] = None
    for text, names in told.items():
        yield Text.assemble((f"{_names_text(list(names), of=len(chunks))}: ", "bold"), sentence_case(clean(text)))


def _names_text(names: Sequence[str], *, of: int) -> str:
    if len(names) > _MOST_NAMES:
        return f"all {of} structures" if len(names) == of else f"{names[0]} and {len(names) - 1} more structures"
    return ", ".join(names)
