"""What the commands that make structures show in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from dvhkit.outputs.number_format import number, with_unit
from dvhkit.outputs.terminal.audit import findings_panels
from dvhkit.outputs.text import clean
from dvhkit.units import Unit

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.results.derived import DerivedFile


def derived_view(made: DerivedFile) -> Iterator[RenderableType]:
    """Yield a row a structure, and what was odd."""
    table = Table(box=None, pad_edge=False)
    table.add_column("Structure", overflow="fold")
    table.add_column("Volume", justify="right")
    table.add_column("Slices", justify="right")
    table.add_column("Made as", overflow="fold")
    for row in made.structures:
        volume = with_unit(number(row.volume_cc, Unit.CC.value), Unit.CC.value)
        table.add_row(*map(Text, (clean(row.name), volume, str(row.slices), clean(row.how) or "drawn")))
    yield table
    yield from findings_panels(made.findings)
