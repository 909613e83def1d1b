"""Two plans rule by rule in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvhkit.outputs.report.compared import compared_rules
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.outputs.report.numbers import NumberView
    from dvhkit.outputs.verdict_words import VerdictLook
    from dvhkit.results.audit import AuditRecord

_STYLES = {"bad": "bold red", "warn": "yellow", "open": "magenta", "good": "green", "mute": "dim"}


def compared_table(record_a: AuditRecord, record_b: AuditRecord) -> RenderableType:
    """Return the rules with what each plan came to, those whose verdicts differ first."""
    from rich.table import Table

    heads = f"A: {clean(record_a.case, longest=30)}", f"B: {clean(record_b.case, longest=30)}"
    table = Table(box=None, pad_edge=False, title=" · ".join(heads), title_justify="left")
    for heading in ("rule", "measure", "goal", "A", "B", "B − A", "better"):
        table.add_column(heading, justify="right" if heading in ("A", "B", "B − A") else "left")
    for row in compared_rules(record_a, record_b):
        cells = [_cell(row.look_a, row.value_a), _cell(row.look_b, row.value_b)]
        table.add_row(clean(row.title, longest=44), row.what, row.goal, *cells, row.change, row.better)
    return table


def _cell(look: VerdictLook | None, value: NumberView | None) -> RenderableType:
    from rich.text import Text

    shown = "–" if value is None else f"{value.whole}{value.decimals} {value.unit}".strip()
    return Text("–") if look is None else Text(f"{look.symbol} {shown}", style=_STYLES.get(look.tone, ""))
