"""Findings about contours as JSON, as CSV, and for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from dvhkit.findings import Level
from dvhkit.outputs.csv_text import table_csv
from dvhkit.outputs.records import plain_record
from dvhkit.outputs.text import clean, clean_name
from dvhkit.results.contours.checks import CHECK_SCHEMA

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.results.contours.checks import ContourChecks, ContourFinding

_STYLES = {Level.SERIOUS: "bold red", Level.WARNING: "yellow", Level.INFO: "cyan"}
_COLUMNS = ("code", "roi", "severity", "slice_mm", "x_mm", "y_mm", "z_mm", "other", "message", "repair", "is_safe")
_LONGEST_NAME = 48


def checks_document(found: ContourChecks) -> dict[str, object]:
    """Return findings as a JSON object: ``{"schema": "dvhkit/contour-check/1", "findings": [...], ...}``."""
    return {"schema": CHECK_SCHEMA, **plain_record(found, "contour checks")}


def checks_csv(found: ContourChecks) -> str:
    """Return findings as CSV, one line each."""
    return table_csv(_COLUMNS, (_line(f) for f in found.findings))


def _line(finding: ContourFinding) -> list[object]:
    place: list[object] = list(finding.place_mm or (None, None, None))
    return [
        finding.code, finding.roi, finding.severity.value, finding.slice_mm, *place, finding.other, finding.message,
        finding.repair, finding.is_safe,
    ]  # fmt: skip


def checks_view(found: ContourChecks) -> list[RenderableType]:
    """Return what to print: a table of the findings, then the log of repairs."""
    if not found.findings:
        return [Text(f"Nothing found in {found.structures} structures.", style="green")]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("", "Structure", "Slice mm", "Place (x, y, z)", "What", "Repair"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "Slice mm" else "left")
    for f in found.findings:
        place = "" if f.place_mm is None else ", ".join(f"{v:.0f}" for v in f.place_mm)
        cells = [
            Text(f.severity.value, style=_STYLES[f.severity]),
            Text(clean_name(f.roi, longest=_LONGEST_NAME)),
            Text("" if f.slice_mm is None else f"{f.slice_mm:.1f}"),
            Text(place),
            Text(f"{f.code}: {clean(f.message)}"),
            Text(clean(f.repair)),
        ]
        table.add_row(*cells)
    views: list[RenderableType] = [table]
    views += [Text(f"repaired  {clean(line)}", style="dim") for line in found.repairs]
    return views
