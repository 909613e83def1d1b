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
    from dvhkit.results.targets.recipe import Recipe


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


def recipe_view(recipe: Recipe) -> Iterator[RenderableType]:
    """Yield what a recipe makes, by which margins, and where each number comes from."""
    yield Text(f"{recipe.id} version {recipe.version}: {recipe.title}", style="bold")
    if recipe.summary:
        yield Text(recipe.summary)
    for step in recipe.steps:
        names = dict.fromkeys(name for _, name in step.margins)
        kept = f", kept inside {step.inside}" if step.inside else ""
        yield Text(f"  {step.name} = {step.base} + {' / '.join(names)}{kept}")
    table = Table(box=None, pad_edge=False)
    for heading in ("Setting", "Default", "Range", "What", "Source", "Status"):
        table.add_column(heading, overflow="fold")
    for s in recipe.settings:
        low, high = ("" if v is None else f"{v:g}" for v in (s.low, s.high))
        bounds = f"{low} to {high} mm" if high else f"{low} mm or more"
        bounds += f" ({s.allowed_low:g} at discretion)" if s.allowed_low is not None else ""
        table.add_row(*(Text(c) for c in (s.name, f"{s.default:g} mm", bounds, s.title, s.source, s.status)))
    yield table
    yield from map(Text, recipe.sources)
