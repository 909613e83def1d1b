"""The metrics of the report: a table of structures by metrics where they fill one, else a list."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from dvhkit.outputs.language import say
from dvhkit.outputs.report.numbers import NumberView, metric_value
from dvhkit.outputs.text import clean, clean_name, sentence_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.results.audit import MetricResult

_LONGEST_NAME, _LONGEST_REMARK = 64, 600
# As many columns as a sheet of A4 holds.
_MOST_COLUMNS = 8
_LEAST_FILLED_FRAC = 0.6
# One remark on more values than these is told once.
_MOST_ALIKE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricView:
    """One metric of a structure; `remark` is the reason where there is no value."""

    metric: str
    value: NumberView | None
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsView:
    """All metrics of a case.

    Attributes
    ----------
    columns
        The metrics of the table's columns; empty where the metrics are shown as a list.
    structures
        A name and its metrics: in the order of `columns`, None where one was not asked for, or as they came.
    remarks
        What belongs to the cells of a table: structure, metric and remark.
    """

    columns: list[str]
    structures: list[tuple[str, list[MetricView | None]]]
    remarks: list[tuple[str, str, str]]


def metrics_view(rows: Iterable[MetricResult]) -> MetricsView | None:
    """Return the metrics in the form that reads best, or None where there are none."""
    groups = [(_name(roi), [_view(row) for row in group]) for roi, group in groupby(rows, key=lambda row: row.roi)]
    if not groups:
        return None
    columns = list(dict.fromkeys(view.metric for _, views in groups for view in views))
    if not _fills_a_table(groups, columns):
        return MetricsView(columns=[], structures=[(roi, [*views]) for roi, views in groups], remarks=[])
    table: list[tuple[str, list[MetricView | None]]] = []
    for roi, views in groups:
        by_metric = {view.metric: view for view in views}
        table.append((roi, [by_metric.get(metric) for metric in columns]))
    remarks = [(roi, view.metric, view.remark) for roi, views in groups for view in views if view.remark]
    return MetricsView(columns=columns, structures=table, remarks=_told_once(remarks))


def _told_once(remarks: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return remarks with one line for what is said of many values of the same metrics, or of one structure."""
    by_text: dict[str, list[tuple[str, str]]] = {}
    for roi, metric, text in remarks:
        by_text.setdefault(text, []).append((roi, metric))
    told: list[tuple[str, str, str]] = []
    for text, places in by_text.items():
        rois, metrics = (list(dict.fromkeys(part)) for part in zip(*places, strict=True))
        if len(places) > _MOST_ALIKE and len(places) == len(rois) * len(metrics):
            told.append((", ".join(rois), ", ".join(metrics), text))
        else:
            told += [(roi, metric, text) for roi, metric in places]
    return told


def _fills_a_table(groups: list[tuple[str, list[MetricView]]], columns: list[str]) -> bool:
    if not 2 <= len(columns) <= _MOST_COLUMNS:
        return False
    if any(len({view.metric for view in views}) < len(views) for _, views in groups):
        return False
    return sum(len(views) for _, views in groups) >= _LEAST_FILLED_FRAC * len(columns) * len(groups)


def _view(row: MetricResult) -> MetricView:
    is_plain = row.value is not None and not row.withheld
    remark = row.note if is_plain else sentence_case(row.reason or row.reason_code or say("report.no_value"))
    return MetricView(metric=_name(row.metric), value=metric_value(row), remark=clean(remark, longest=_LONGEST_REMARK))


def _name(text: str) -> str:
    return clean_name(text, _LONGEST_NAME)
