"""What a `list` command shows: IDs to choose from."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from dvhkit.results.rules.listing import Listed


def listing_table(rows: Iterable[Listed]) -> Table:
    """Return a table of IDs with version and title."""
    table = Table(box=None, pad_edge=False)
    for heading in ("ID", "Version", "Title"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(row.id, row.version, row.title)
    return table
