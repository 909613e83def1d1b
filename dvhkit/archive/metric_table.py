"""Metrics of many plans as one long table: a row a plan, structure and metric; and their curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.archive.each_case import Answer, PlanProgress, each_case, plans_under
from dvhkit.archive.work_list import WorkList
from dvhkit.errors import GeometryError, Reason, UnknownStructureError
from dvhkit.extras import needs_extra
from dvhkit.jobs.numbers import CaseNumbers, Uncovered
from dvhkit.jobs.prescription import with_user_prescription
from dvhkit.jobs.read import read_files
from dvhkit.metrics.expression import DEFAULT_METRICS, Metric, parse_metric
from dvhkit.readers.linking.case_files import CaseFiles
from dvhkit.results.audit import Curve, MetricResult
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    import pandas as pd

    from dvhkit.findings import Finding
    from dvhkit.protocols.naming.regions import Region

# How the reason of a plan that could not be read is told apart from those of a metric, as in summary.csv.
_ERROR = "error"
COLUMNS = ("case_id", "roi", "metric", "value", "unit", "low", "high", "reason_code", "reason", "note", "withheld")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsAsked:
    """What is measured on every plan, and how."""

    metrics: tuple[Metric, ...]
    rois: tuple[str, ...] | None = None
    rx_gy: float | None = None
    fractions: int | None = None
    engine: str | None = None
    uncovered: Uncovered = "refuse"
    accepted: tuple[str, ...] = ()
    with_curves: bool = False
    with_bands: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The numbers of one plan."""

    rows: tuple[MetricResult, ...]
    curves: tuple[Curve, ...] = ()
    findings: tuple[Finding, ...] = ()


def metric_table(
    paths: Path | str | Sequence[Path | str],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    rois: Sequence[str] | None = None,
    rx_gy: float | None = None,
    fractions: int | None = None,
    engine: str | None = None,
    uncovered: Uncovered = "refuse",
    jobs: int | None = 1,
    with_bands: bool = True,
) -> pd.DataFrame:
    """Measure metrics on every plan under a folder, or under several.

    Parameters
    ----------
    paths
        A folder with one plan or many, or a list of such folders.
    metrics
        Such as ``D95%[Gy]``; see docs/metrics.md.
    rois
        Names or expressions such as ``Liver - GTV``; None takes every structure of each plan.
    rx_gy, fractions
        The prescription of all the plans, in place of their own.
    engine, uncovered
        As for `dvhkit.evaluate_metric`.
    jobs
        Worker processes; None for as many as suit the machine. A script that asks for more than one needs the usual
        ``if __name__ == "__main__":``.
    with_bands
        Whether values have their band in `low` and `high`; without, a plan takes less than half the time.

    Returns
    -------
    pandas.DataFrame
        Long: a row a plan, structure and metric, with the columns ``case_id, roi, metric, value, unit, low, high,
        reason_code, reason, note, withheld``; `low` and `high` are the band. Where there is no value the reason says
        why; a plan without the structure has ``no-structure``. A plan that cannot be used has one row, with the reason
        code ``error``, so that none is missing. Codes in `withheld` name findings after which the value must decide
        nothing.

    Raises
    ------
    InputError
        If there is no plan at all, or no such engine profile.
    MetricSyntaxError
        If a metric is not one of the grammar.

    Examples
    --------
    >>> table = dvhkit.metric_table("plans", ["D95%[Gy]", "V20Gy[%]"], rois=["PTV"])  # doctest: +SKIP
    >>> table.pivot(index="case_id", columns="metric", values="value")  # doctest: +SKIP
    """
    with needs_extra("tables"):
        import pandas as pd

    asked = MetricsAsked(
        metrics=tuple(parse_metric(text) for text in metrics),
        rois=None if rois is None else tuple(rois),
        rx_gy=rx_gy,
        fractions=fractions,
        engine=engine,
        uncovered=uncovered,
        with_bands=with_bands,
    )
    rows = metric_rows(measure_plans(plans_under(paths), asked, jobs=jobs))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def metric_rows(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return the rows of all plans; one that could not be used has one row, with its reason."""
    rows = []
    for answer in answers:
        found = [_lost(answer.reason)] if answer.reason is not None else answer.result.rows
        rows += [{"case_id": answer.case_id, **asdict(row)} for row in found]
    return [{**row, "withheld": "; ".join(row["withheld"])} for row in rows]


def curves_of_plans(
    paths: Path | str | Sequence[Path | str], rois: Sequence[str] | None = None, *, jobs: int | None = 1
) -> Iterator[tuple[str, Curve]]:
    """Yield case ID and cumulative DVH of each structure of every plan; plans that cannot be used have none."""
    asked = MetricsAsked(metrics=(), rois=None if rois is None else tuple(rois), with_curves=True)
    for answer in measure_plans(plans_under(paths), asked, jobs=jobs):
        if answer.reason is None:
            yield from ((answer.case_id, curve) for curve in answer.result.curves)


def measure_plans(
    plans: WorkList, asked: MetricsAsked, *, jobs: int | None = 1, progress: PlanProgress | None = None
) -> list[Answer]:
    """Return, for each plan of a work list, its `Measured` or the reason why there is none.

    Raises
    ------
    InputError
        If there is no such engine profile.
    """
    if asked.engine is not None:
        from dvhkit.engine.options import profile

        profile(asked.engine)
    return each_case(_measure, asked, plans, jobs=jobs, progress=progress)


def _lost(reason: str) -> MetricResult:
    return MetricResult(roi="", metric="", unit="", value=None, reason_code=_ERROR, reason=reason)


def _measure(asked: MetricsAsked, files: CaseFiles) -> Measured:
    case = with_user_prescription(read_files(files, dose="if usable"), rx_gy=asked.rx_gy, fractions=asked.fractions)
    numbers = CaseNumbers(
        case,
        engine=asked.engine,
        uncovered=asked.uncovered,
        accepted=asked.accepted,
        with_bands=asked.with_bands,
    )
    regions = _regions(numbers, asked.rois)
    numbers.prepare([region for region in regions.values() if not isinstance(region, UnknownStructureError)])
    rows = tuple(
        _absent(name, metric, region)
        if isinstance(region, UnknownStructureError)
        # The table speaks of what was asked for: `ptv` and `PTV` of two plans are one structure.
        else replace(numbers.metric(region, metric), roi=name)
        for name, region in regions.items()
        for metric in asked.metrics
    )
    curves = tuple(_curves(numbers, regions)) if asked.with_curves and case.dose is not None else ()
    return Measured(rows=rows, curves=curves, findings=numbers.findings())


def _regions(numbers: CaseNumbers, rois: Sequence[str] | None) -> dict[str, Region | UnknownStructureError]:
    """Return what is measured by the name that it is told under; of two ROIs of one name each by its number, too."""
    if rois is not None:
        return {roi: _region(numbers, roi) for roi in rois}
    every = numbers.every_roi()
    names = Counter(str(region) for region in every)
    return {str(r) if names[str(r)] == 1 or not isinstance(r, RoiRef) else f"{r} (#{r.number})": r for r in every}


def _region(numbers: CaseNumbers, roi: str) -> Region | UnknownStructureError:
    try:
        return numbers.region(roi)
    except UnknownStructureError as unknown:
        return unknown


def _curves(numbers: CaseNumbers, regions: Mapping[str, Region | UnknownStructureError]) -> Iterator[Curve]:
    for name, region in regions.items():
        if not isinstance(region, UnknownStructureError):
            with suppress(GeometryError):  # the reason is with its metrics
                yield replace(numbers.curve(region), roi=name)


def _absent(roi: str, metric: Metric, unknown: UnknownStructureError) -> MetricResult:
    return MetricResult(
        roi=roi,
        metric=metric.canonical,
        unit=metric.unit.value,
        value=None,
        reason_code=Reason.NO_STRUCTURE,
        reason=unknown.message,
    )
