"""What `dvhkit names` shows in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.results.rules.names import NamesLearned, PlanNames


def names_view(found: PlanNames) -> Iterator[RenderableType]:
    """Yield a row a structure, and what speaks against their names."""
    table = Table(box=None, pad_edge=False)
    for heading in ("Structure", "Type", "TG-263", "FMA", "Recognised by"):
        table.add_column(heading, overflow="fold")
    for row in found.names:
        how = f"{row.how.value}; did you mean {row.suggestion}?" if row.suggestion else row.how.value
        cells = (row.roi, row.rt_roi_type, row.standard or "-", row.fma, how)
        table.add_row(*(Text(clean(cell)) for cell in cells))
    yield table
    for finding in found.findings:
        yield Text(clean(str(finding)))


def learned_view(found: NamesLearned) -> Iterator[RenderableType]:
    """Yield what was learned, and what is still unknown with what it resembles."""
    lines = [f"learned: {spelling} is {name}" for spelling, name in found.learned]
    lines += [str(finding) for finding in found.findings]
    lines += [f"note: {name} is no TG-263 name of ours; only rules that say {name} use it" for name in found.own_names]
    for row in found.unknown:
        hint = f"; did you mean '{row.suggestion}={row.roi}'?" if row.suggestion else ""
        lines.append(f"not known: {row.roi}{hint}")
    if not found.unknown:
        lines.append("Every structure is known.")
    yield from (Text(clean(line)) for line in lines)
