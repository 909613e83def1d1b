"""Metrics in a grid: the band is told beside each value, never narrower than it is, and fits 80 columns."""

from __future__ import annotations

import io

from rich.console import Console

from dvhkit.outputs.terminal.metric_grid import metric_view
from dvhkit.results.audit import MetricResult


def shown(rows: list[MetricResult], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for renderable in metric_view(rows):
        console.print(renderable)
    return console.file.getvalue()


def row(metric: str, value: float | None, low: float | None = None, high: float | None = None, **more) -> MetricResult:
    unit = metric[metric.index("[") + 1 : -1]
    return MetricResult(roi="PTV", metric=metric, unit=unit, value=value, low=low, high=high, **more)


def test_the_band_is_rounded_up():
    text = shown([row("D95%[Gy]", 48.809, 48.5797, 49.0101), row("Volume[cc]", 66.0, 65.423, 66.3)])
    assert "±0.23" in text
    assert "±0.58" in text


def test_a_value_without_band_stands_alone_and_a_missing_one_says_why():
    rows = [row("D95%[Gy]", 48.8), row("Mean[Gy]", None, reason="there is no dose.", reason_code="no-dose")]
    text = shown(rows)
    assert "±" not in text
    assert "PTV: There is no dose." in text


def test_eight_metrics_with_bands_fit_eighty_columns():
    names = ["Min[Gy]", "D98%[Gy]", "D95%[Gy]", "Mean[Gy]", "D50%[Gy]", "D2%[Gy]", "Max[Gy]"]
    doses = [row(name, 64.21, 63.1, 65.3) for name in names]
    text = shown([row("Volume[cc]", 12415.8, 12410.0, 12420.0), *doses])
    assert "…" not in text
    assert "PTV" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_terminal_too_narrow_for_the_grid_gets_the_list():
    rows = [row(name, 64.21, 63.1, 65.3) for name in ("Min[Gy]", "D98%[Gy]", "D95%[Gy]", "Mean[Gy]", "Max[Gy]")]
    text = shown(rows, width=34)
    assert "…" not in text
    assert text.count("64.21") == len(rows)
    assert max(map(len, text.splitlines())) <= 34


def test_no_rows_make_no_grid_and_no_fault():
    assert "±" not in shown([])
