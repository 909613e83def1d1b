"""Structures that came in as masks, as JSON and in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dvhkit.results.contours.imported import IMPORT_SCHEMA, Imported

if TYPE_CHECKING:
    from rich.console import RenderableType


def import_document(found: Imported) -> dict[str, Any]:
    """Return what was imported as a JSON object: ``{"schema": "dvhkit/import/1", "structures": [...]}``."""
    return {
        "schema": IMPORT_SCHEMA,
        "out": found.path,
        "sop_instance_uid": found.sop_instance_uid,
        "structures": [asdict(row) for row in found.structures],
        "findings": [{**asdict(f), "level": f.level.value} for f in found.findings],
    }


def import_view(found: Imported) -> Iterator[RenderableType]:
    """Yield what to print."""
    from rich.table import Table
    from rich.text import Text

    from dvhkit.outputs.text import clean

    table = Table(title="Structures from masks")
    for title in ("ROI", "volume cc", "mask cc", "slices", "from"):
        table.add_column(title, justify="left" if title in ("ROI", "from") else "right")
    for row in found.structures:
        table.add_row(
            Text(clean(row.roi)),
            f"{row.volume_cc:.4g}",
            f"{row.mask_volume_cc:.4g}",
            str(row.slices),
            Text(clean(row.source)),
        )
    yield table
    for finding in found.findings:
        yield Text(clean(str(finding)))
