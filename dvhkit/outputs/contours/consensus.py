"""What several observers agree upon, as JSON, as CSV, as a page, and for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from dvhkit.outputs.csv_text import table_csv
from dvhkit.outputs.records import plain_record
from dvhkit.outputs.text import clean, clean_name
from dvhkit.results.contours.consensus import CONSENSUS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from dvhkit.results.contours.consensus import Consensus, RoiConsensus

_ROI_HEADINGS = (
    "Structure", "By", "Majority cc", "STAPLE cc", "All cc", "Any cc", "kappa (95 %)", "CI gen",
)  # fmt: skip
_LEFT_HEADINGS = ("Structure", "Observer", "Own cc", "Others cc", "Dice", "HD95 mm", "MSD mm", "kappa without")
_LEFT_COLUMNS = (
    "observer", "volume_cc", "others_cc", "dice", "hd95_pooled_mm", "mean_surface_distance_mm", "surface_dice",
    "kappa_without", "reason",
)  # fmt: skip


def consensus_document(found: Consensus) -> dict[str, object]:
    """Return a consensus as a JSON object: ``{"schema": "dvhkit/consensus/1", "observers": [...], "rois": [...]}``."""
    return {"schema": CONSENSUS_SCHEMA, **plain_record(found, "consensus")}


def consensus_csv(found: Consensus) -> str:
    """Return the leave-one-out table as CSV: one line an observer and structure."""
    rows = (
        [roi.roi, *(getattr(left, name) for name in _LEFT_COLUMNS)] for roi in found.rois for left in roi.leave_one_out
    )
    return table_csv(("roi", *_LEFT_COLUMNS), rows)


def consensus_view(found: Consensus) -> list[RenderableType]:
    """Return tables for the terminal."""
    views: list[RenderableType] = [
        Text("   ".join(f"{o.observer} {clean_name(o.file, longest=40)}" for o in found.observers), style="dim"),
        _table(_ROI_HEADINGS, (_roi_cells(roi) for roi in found.rois), left=2),
    ]
    rows = [cells for roi in found.rois for cells in _left_cells(roi)]
    if rows:
        views += [
            Text("Each observer against the majority of the others", style="bold"),
            _table(_LEFT_HEADINGS, rows, left=2),
        ]
    for roi in found.rois:
        name = clean_name(roi.roi, longest=48)
        told = [*roi.remarks, *([roi.reason] if roi.reason else [])]
        told += [f"not drawn by {', '.join(roi.missing)}."] if roi.missing else []
        views += [Text(f"{name}: {clean(text)}", style="yellow") for text in told]
    if found.drawn_by_one:
        names = ", ".join(clean_name(n, longest=48) for n in found.drawn_by_one)
        views.append(Text(f"Drawn by one observer only: {names}", style="dim"))
    return views


def consensus_html(found: Consensus) -> str:
    """Return one page with all tables; needs no other file."""
    from dvhkit.outputs.plain_page import plain_page, plain_table

    parts = [
        plain_table("Observers", ("Observer", "File"), ([o.observer, o.file] for o in found.observers)),
        plain_table("Structures", (*_ROI_HEADINGS, "Remarks"), ([*_roi_cells(r), _told(r)] for r in found.rois)),
    ]
    for roi in found.rois:
        if roi.reason:
            continue
        rows = [[str(a.at_least), f"{a.volume_cc:.3f}"] for a in roi.agreement]
        parts.append(plain_table(f"{roi.roi}: drawn by at least", ("Observers", "Volume cc"), rows))
        rows = [[p.observer_a, p.observer_b, f"{p.dice:.3f}"] for p in roi.pairs]
        parts.append(plain_table(f"{roi.roi}: observer against observer", ("", "", "Dice"), rows))
        rows = [[f"{m.margin_mm:g}", _number(m.kappa), _number(m.staple_cc)] for m in roi.by_margin]
        parts.append(plain_table(f"{roi.roi}: with other empty space", ("Margin mm", "kappa", "STAPLE cc"), rows))
        parts.append(
            plain_table(f"{roi.roi}: each against the majority of the others", _LEFT_HEADINGS, _left_cells(roi))
        )
    return plain_page("Observers and their consensus", parts)


def _told(roi: RoiConsensus) -> str:
    return " ".join([*roi.remarks, *([roi.reason] if roi.reason else [])])


def _roi_cells(roi: RoiConsensus) -> list[str]:
    interval = "" if roi.kappa_low is None else f" ({roi.kappa_low:.2f} to {roi.kappa_high:.2f})"
    return [
        clean_name(roi.roi, longest=48),
        " ".join(roi.observers),
        _number(roi.majority_cc),
        _number(roi.staple.volume_cc if roi.staple else None),
        _number(roi.agreement[-1].volume_cc if roi.agreement else None),
        _number(roi.agreement[0].volume_cc if roi.agreement else None),
        _number(roi.kappa) + interval,
        _number(roi.conformity),
    ]


def _left_cells(roi: RoiConsensus) -> Iterator[list[str]]:
    for left in roi.leave_one_out:
        values = (
            left.volume_cc, left.others_cc, left.dice, left.hd95_pooled_mm, left.mean_surface_distance_mm,
            left.kappa_without,
        )  # fmt: skip
        yield [clean_name(roi.roi, longest=48), left.observer, *(_number(v) for v in values)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"


def _table(headings: Sequence[str], rows: Iterator[list[str]] | list[list[str]], *, left: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for n, heading in enumerate(headings):
        table.add_column(heading, justify="left" if n < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
