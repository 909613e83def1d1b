"""Metrics of many cases as one long table: a row a case, structure and metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.archive.pool import automatic_jobs, run_isolated
from dvhkit.errors import DvhkitError, Reason, UnknownStructureError
from dvhkit.extras import needs_extra
from dvhkit.jobs.batch import with_user_prescription
from dvhkit.jobs.numbers import CaseNumbers, Uncovered
from dvhkit.metrics.expression import parse_metric
from dvhkit.readers.case import CaseFiles, find_cases, read_files
from dvhkit.results.audit import MetricResult

if TYPE_CHECKING:
    import pandas as pd

    from dvhkit.metrics.expression import Metric

__all__ = ["metric_table"]

# How the reason of a case that could not be read is told apart from those of a metric, as in summary.csv.
_ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is measured on every case, and how."""

    metrics: tuple[Metric, ...]
    rois: tuple[str, ...] | None
    rx_gy: float | None
    fractions: int | None
    engine: str | None
    uncovered: Uncovered


def metric_table(
    path: Path | str,
    metrics: Sequence[str],
    *,
    rois: Sequence[str] | None = None,
    rx_gy: float | None = None,
    fractions: int | None = None,
    engine: str | None = None,
    uncovered: Uncovered = "refuse",
    jobs: int | None = 1,
) -> pd.DataFrame:
    """Measure metrics on every plan under a folder.

    Parameters
    ----------
    path
        A folder with one plan or many.
    metrics
        Such as ``D95%[Gy]``; see docs/metrics.md.
    rois
        Names or expressions such as ``Liver - GTV``; None takes every structure of each case.
    rx_gy, fractions
        The prescription of all the plans, in place of their own.
    engine, uncovered
        As for `dvhkit.evaluate_metric`.
    jobs
        Worker processes; None for as many as suit the machine. A script that asks for more than one needs the usual
        ``if __name__ == "__main__":``.

    Returns
    -------
    pandas.DataFrame
        Long: a row a case, structure and metric, with the columns ``case, roi, metric, value, unit, low, high,
        reason_code, reason, note``; `low` and `high` are the band. Where there is no value the reason says why; a case
        without the structure has ``no-structure``. A case that cannot be used has one row, with the reason code
        ``error``, so that none is missing.

    Raises
    ------
    InputError
        If there is no plan at all, or no such engine profile.
    MetricSyntaxError
        If a metric is not one of the grammar.

    Examples
    --------
    >>> table = dvhkit.metric_table("plans", ["D95%[Gy]", "V20Gy[%]"], rois=["PTV"])  # doctest: +SKIP
    >>> table.pivot(index="case", columns="metric", values="value")  # doctest: +SKIP
    """
    with needs_extra("tables"):
        import pandas as pd

    asked = _Asked(
        metrics=tuple(parse_metric(text) for text in metrics),
        rois=None if rois is None else tuple(rois),
        rx_gy=rx_gy,
        fractions=fractions,
        engine=engine,
        uncovered=uncovered,
    )
    columns = ["case", "roi", "metric", "value", "unit", "low", "high", "reason_code", "reason", "note"]
    work = find_cases(path)
    if jobs == 1 or len(work) == 1:
        found = {files.label: list(_rows(files, asked)) for files in work}
    else:
        found = _side_by_side(work, asked, jobs or automatic_jobs(len(work)))
    rows = [{"case": files.label, **asdict(row)} for files in work for row in found[files.label]]
    return pd.DataFrame(rows, columns=columns)


def _side_by_side(work: Sequence[CaseFiles], asked: _Asked, jobs: int) -> dict[str, list[MetricResult]]:
    """Return the rows of each case, computed in processes of their own; one that is lost costs its own case alone."""
    found = {}
    for outcome in run_isolated(_task, [(files, asked) for files in work], jobs=jobs):
        files, _ = outcome.task
        found[files.label] = outcome.result if outcome.failure is None else [_lost(outcome.reason)]
    return found


def _task(task: tuple[CaseFiles, _Asked]) -> list[MetricResult]:
    return list(_rows(*task))


def _lost(reason: str) -> MetricResult:
    return MetricResult(roi="", metric="", unit="", value=None, reason_code=_ERROR, reason=reason)


def _rows(files: CaseFiles, asked: _Asked) -> Iterator[MetricResult]:
    try:
        case = with_user_prescription(read_files(files), rx_gy=asked.rx_gy, fractions=asked.fractions)
        yield from list(_measured(CaseNumbers(case, engine=asked.engine, uncovered=asked.uncovered), asked))
    except DvhkitError as error:
        yield _lost(str(error))


def _measured(numbers: CaseNumbers, asked: _Asked) -> Iterator[MetricResult]:
    if asked.rois is None:
        regions = numbers.every_roi()
        numbers.prepare(regions)
        yield from (numbers.metric(region, metric) for region in regions for metric in asked.metrics)
        return
    for roi in asked.rois:
        try:
            region = numbers.region(roi)
        except UnknownStructureError as unknown:
            yield from (_absent(roi, metric, unknown) for metric in asked.metrics)
            continue
        # The table speaks of what was asked for: `ptv` and `PTV` of two cases are one structure.
        yield from (replace(numbers.metric(region, metric), roi=roi) for metric in asked.metrics)


def _absent(roi: str, metric: Metric, unknown: UnknownStructureError) -> MetricResult:
    return MetricResult(
        roi=roi,
        metric=metric.canonical,
        unit=metric.unit.value,
        value=None,
        reason_code=Reason.NO_STRUCTURE,
        reason=unknown.message,
    )
