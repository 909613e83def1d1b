"""The comparison of two structure sets as JSON, as CSV, and for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from dvhkit.errors import InputError
from dvhkit.outputs.csv_text import table_csv
from dvhkit.outputs.number_format import number
from dvhkit.outputs.records import plain_record
from dvhkit.outputs.text import clean, clean_name
from dvhkit.results.contours.comparison import COMPARE_SCHEMA, DIRECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType

    from dvhkit.results.contours.comparison import Comparison, DoseEffect, PairComparison

_COLUMNS = (
    "roi_a", "roi_b", "dice", "jaccard", "volume_a_cc", "volume_b_cc", "volume_ratio", "hausdorff_mm",
    "hd95_pooled_mm", "hd95_directed_mm", "mean_surface_distance_mm", "surface_dice", "tolerance_mm", "apl_mm",
    "apl_relative", "apl_voxel_3mm_mm", "surface_a_cm2", "surface_b_cm2",
)  # fmt: skip
_EFFECT_COLUMNS = (
    "metric", "unit", "value_a", "value_b", "difference", "verdict_a", "verdict_b", "flips", "rule_id", "goal",
    "region",
)  # fmt: skip
_LONGEST_NAME = 48
# Each a title, the headings of its columns, and its rows.
Tables = list[tuple[str, tuple[str, ...], list[list[str]]]]
_FLIPPED = "bold red"


def comparison_document(found: Comparison) -> dict[str, object]:
    """Return a comparison as a JSON object: ``{"schema": "dvhkit/compare/1", "pairs": [...], ...}``."""
    return {"schema": COMPARE_SCHEMA, **plain_record(found, "comparison")}


def comparison_csv(found: Comparison) -> str:
    """Return a comparison as CSV: one line a pair, and one more for each dose metric of it."""
    shift = ("centroid_shift_x_mm", "centroid_shift_y_mm", "centroid_shift_z_mm")
    larger = tuple(f"larger_{name}_mm" for name in DIRECTIONS)
    return table_csv((*_COLUMNS, *shift, *larger, *_EFFECT_COLUMNS, "reason"), _lines(found))


def _lines(found: Comparison) -> Iterator[list[object]]:
    for pair in found.pairs:
        own: list[object] = [getattr(pair, name) for name in _COLUMNS]
        own += pair.centroid_shift_mm or (None, None, None)
        own += [(pair.larger_mm or {}).get(name) for name in DIRECTIONS]
        yield [*own, *[None] * len(_EFFECT_COLUMNS), pair.reason]
        for effect in pair.dose_effect:
            cells = [getattr(effect, name) for name in _EFFECT_COLUMNS]
            yield [pair.roi_a, pair.roi_b, *[None] * (len(own) - 2), *cells, effect.reason]


def comparison_view(found: Comparison) -> list[RenderableType]:
    """Return tables for the terminal: the pairs, then the metrics whose verdict or value the contour changes."""
    views: list[RenderableType] = [_pairs_table(found)]
    views += [
        Text(f"{clean_name(p.roi_a, longest=_LONGEST_NAME)}: {clean(p.reason)}", style="yellow")
        for p in found.pairs
        if p.reason
    ]
    if any(pair.dose_effect for pair in found.pairs):
        views.append(_effects_table(found))
    for label, names in (("Only in A", found.only_in_a), ("Only in B", found.only_in_b)):
        if names:
            views.append(
                Text(f"{label}: {', '.join(clean_name(n, longest=_LONGEST_NAME) for n in names)}", style="dim")
            )
    return views


def _pairs_table(found: Comparison) -> Table:
    tolerance = found.pairs[0].tolerance_mm
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("A / B", overflow="fold")
    for heading in ("Dice", "A cc", "B cc", "HD mm", "HD95 mm", "MSD mm", f"sDice {tolerance:g} mm", "APL mm"):
        table.add_column(heading, justify="right")
    for pair in found.pairs:
        same = pair.roi_a == pair.roi_b
        name = (
            clean_name(pair.roi_a, longest=_LONGEST_NAME)
            if same
            else f"{clean_name(pair.roi_a, longest=_LONGEST_NAME)} / {clean_name(pair.roi_b, longest=_LONGEST_NAME)}"
        )
        table.add_row(Text(name), *(Text(cell) for cell in _cells(pair)))
    return table


def _cells(pair: PairComparison) -> list[str]:
    values = (
        (pair.dice, ""),
        (pair.volume_a_cc, "cc"),
        (pair.volume_b_cc, "cc"),
        (pair.hausdorff_mm, "mm"),
        (pair.hd95_pooled_mm, "mm"),
        (pair.mean_surface_distance_mm, "mm"),
        (pair.surface_dice, ""),
        (pair.apl_mm, "mm"),
    )
    return ["-" if value is None else _number(value, unit) for value, unit in values]


def _number(value: float, unit: str) -> str:
    # A share of just 1 is no count: it keeps its decimals.
    return f"{value:.3f}" if not unit else number(value, unit)


def _effects_table(found: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("Structure", "Metric", "Goal"):
        table.add_column(heading, overflow="fold")
    for heading in ("with A", "with B", "B - A"):
        table.add_column(heading, justify="right")
    table.add_column("Verdict", overflow="fold")
    for pair in found.pairs:
        for effect in pair.dose_effect:
            table.add_row(*_effect_cells(effect), style=_FLIPPED if effect.flips else "")
    return table


def _effect_cells(effect: DoseEffect) -> list[Text]:
    values = [effect.value_a, effect.value_b, effect.difference]
    shown = ["-" if v is None else number(v, effect.unit) for v in values]
    verdict = effect.verdict_a if not effect.flips else f"{effect.verdict_a} -> {effect.verdict_b}"
    return [Text(clean(cell)) for cell in (effect.region, effect.metric, effect.goal, *shown, verdict)]


def comparison_html(found: Comparison) -> str:
    """Return one page with the same tables, the slices of each pair besides; needs no other file."""
    from dvhkit.outputs.plain_page import plain_page, plain_table

    parts = [plain_table(*table) for table in comparison_tables(found)]
    for pair in found.pairs:
        rows = [
            [f"{s.slice_mm:.2f}", f"{s.dice:.3f}", "-" if s.hausdorff_mm is None else f"{s.hausdorff_mm:.2f}",
             f"{s.apl_mm:.1f}"]
            for s in pair.slices
        ]  # fmt: skip
        if rows:
            title = f"{pair.roi_a}: slice by slice"
            parts.append(plain_table(title, ("Slice mm", "Dice", "Hausdorff mm", "APL mm"), rows))
    return plain_page("Contours compared", parts)


def comparison_tables(found: Comparison) -> Tables:
    """Return a comparison as tables: the pairs, their grades, and the dose metrics that the contour changes."""
    tables: Tables = [("Pairs", _HEADINGS, [[*_names(p), *_cells(p), p.reason or ""] for p in found.pairs])]
    if found.grades:
        rows = [[g.roi, g.grade or "not graded", "; ".join(g.reasons)] for g in found.grades]
        tables.append((f"Grades by {found.criteria_id}", ("Structure", "Grade", "Reasons"), rows))
    effects = [[clean(str(c)) for c in _effect_cells(e)] for pair in found.pairs for e in pair.dose_effect]
    if effects:
        headings = ("Structure", "Metric", "Goal", "with A", "with B", "B - A", "Verdict")
        tables.append(("Dose metrics with A's and with B's contour", headings, effects))
    return tables


def read_comparison(text: bytes, *, path: Path | None = None) -> Comparison:
    """Return a comparison from its JSON.

    Raises
    ------
    InputError
        If it is no JSON, has another schema, or a field is missing or of another kind.
    """
    import json

    from pydantic import TypeAdapter, ValidationError

    from dvhkit.results.contours.comparison import Comparison as Record

    remedy = "Hand in the JSON of `dvhkit contours compare --json`."
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"This is no JSON ({error}).", path=path, remedy=remedy) from error
    schema = document.pop("schema", None) if isinstance(document, dict) else None
    if schema != COMPARE_SCHEMA:
        raise InputError(f"The schema is {schema!r}, not {COMPARE_SCHEMA!r}.", path=path, remedy=remedy)
    try:
        return TypeAdapter(Record).validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{first['msg']}.", path=path, where=where, remedy=remedy) from error


_HEADINGS = (
    "A", "B", "Dice", "A cc", "B cc", "HD mm", "HD95 mm", "MSD mm", "Surface Dice", "APL mm", "Remark",
)  # fmt: skip


def _names(pair: PairComparison) -> list[str]:
    return [pair.roi_a, pair.roi_b]
