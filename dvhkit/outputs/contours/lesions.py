"""Lesions as JSON, as CSV, and for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from dvhkit.outputs.csv_text import table_csv
from dvhkit.outputs.records import plain_record
from dvhkit.outputs.text import clean, clean_name
from dvhkit.results.contours.lesions import LESIONS_SCHEMA

if TYPE_CHECKING:
    from dvhkit.results.contours.lesions import Lesion, LesionTable

_COLUMNS = (
    "roi", "longest_mm", "short_axis_mm", "slice_mm", "longest_unconstrained_mm", "min_feret_mm", "longest_3d_mm",
    "volume_cc", "slice_spacing_mm", "is_node", "measurable",
)  # fmt: skip
_ENDS = ("end_a_x_mm", "end_a_y_mm", "end_a_z_mm", "end_b_x_mm", "end_b_y_mm", "end_b_z_mm")
_DOSES = ("irradiated", "mean_gy", "d95_gy", "d50_gy", "max_gy")
_LONGEST_NAME = 48
_WORDS = {True: "yes", False: "no", None: "-"}


def lesions_document(found: LesionTable) -> dict[str, object]:
    """Return lesions as a JSON object: ``{"schema": "dvhkit/lesions/1", "lesions": [...], "findings": [...]}``."""
    return {"schema": LESIONS_SCHEMA, **plain_record(found, "lesions")}


def lesions_csv(found: LesionTable) -> str:
    """Return lesions as CSV, one line each."""
    return table_csv((*_COLUMNS, *_ENDS, *_DOSES, "islands", "reason"), (_line(row) for row in found.lesions))


def _line(row: Lesion) -> list[object]:
    ends: list[object] = [v for point in row.end_points_mm or () for v in point] or [None] * len(_ENDS)
    doses: list[object] = [getattr(row.irradiation, name, None) for name in _DOSES]
    return [*(getattr(row, name) for name in _COLUMNS), *ends, *doses, len(row.islands), row.reason]


def lesions_view(found: LesionTable) -> Table:
    """Return a table for the terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Lesion", overflow="fold")
    for heading in ("Longest mm", "Short mm", "Slice mm", "D50% Gy", "Measurable"):
        table.add_column(heading, justify="right")
    table.add_column("Why", overflow="fold")
    for row in found.lesions:
        sizes = ["-" if v is None else f"{v:.1f}" for v in (row.longest_mm, row.short_axis_mm, row.slice_mm)]
        dose = row.irradiation.d50_gy if row.irradiation else None
        name = clean_name(row.roi, longest=_LONGEST_NAME)
        cells = [name, *sizes, "-" if dose is None else f"{dose:.1f}", _WORDS[row.measurable], clean(row.reason)]
        table.add_row(*(Text(cell) for cell in cells))
    return table
