"""The second check as JSON and in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dvhkit.results.second_check import SECOND_CHECK_SCHEMA, Agreement, MetricPair, RoiCheck, SecondCheck

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dvhkit.findings import Finding

_LONGEST_NAME = 64
_STYLE = {
    Agreement.AGREES: "green",
    Agreement.EXPLAINED: "cyan",
    Agreement.NOT_EXPLAINED: "bold red",
    Agreement.NOT_COMPARED: "dim",
}


def check_document(found: SecondCheck, findings: Iterable[Finding] = ()) -> dict[str, Any]:
    """Return the check as a JSON object: ``{"schema": "dvhkit/second-check/1", "rois": [...]}``."""
    rois = [{**asdict(roi), "verdict": roi.verdict.value, "explained_by": list(roi.explained_by)} for roi in found.rois]
    return {
        "schema": SECOND_CHECK_SCHEMA,
        "case": found.case,
        "all_clear": found.all_clear,
        "rois": rois,
        "findings": [{**asdict(f), "level": f.level.value} for f in findings],
    }


def check_lines(rois: Sequence[RoiCheck]) -> list[RenderableType]:
    """Return what an audit prints of its second check: how many agree, and each that nothing explains."""
    from rich.text import Text

    from dvhkit.outputs.text import clean, clean_name

    given = [roi for roi in rois if roi.source]
    if not given:
        return []
    counts = ((kind, sum(roi.verdict is kind for roi in given)) for kind in Agreement)
    words = ", ".join(f"{n} {kind.value}" for kind, n in counts if n)
    lines: list[RenderableType] = [Text.assemble(("Second check", "bold"), f" of the planning system's DVHs: {words}")]
    for roi in given:
        if roi.verdict is Agreement.EXPLAINED:
            lines.append(Text(f"  {clean_name(roi.roi, longest=_LONGEST_NAME)}: {', '.join(roi.explained_by)}"))
        elif roi.verdict is Agreement.NOT_EXPLAINED:
            lines.append(
                Text(f"  {clean_name(roi.roi, longest=_LONGEST_NAME)}: {clean(roi.reason)}", style=_STYLE[roi.verdict])
            )
    return [*lines, Text("")]


def check_view(found: SecondCheck) -> Iterator[RenderableType]:
    """Yield what to print: a row a structure, and the numbers of those that differ."""
    from rich.table import Table
    from rich.text import Text

    from dvhkit.outputs.text import clean

    table = Table(title="Second check of the planning system's DVHs")
    for title in ("ROI", "verdict", "by", "worst %", "left %", "reason"):
        table.add_column(title, justify="right" if title.endswith("%") else "left", overflow="fold")
    for roi in found.rois:
        verdict = Text(roi.verdict.value, style=_STYLE[roi.verdict])
        by = ", ".join(roi.explained_by)
        table.add_row(
            Text(clean(roi.roi)), verdict, by, _number(roi.worst_pct), _number(roi.left_pct), Text(clean(roi.reason))
        )
    yield table
    differing = [roi for roi in found.rois if roi.verdict in (Agreement.EXPLAINED, Agreement.NOT_EXPLAINED)]
    if differing:
        yield _numbers(differing)


def _numbers(rois: Iterable[RoiCheck]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from dvhkit.outputs.text import clean

    table = Table(title="Why there are several numbers: theirs, ours, and ours read their way")
    for title in ("ROI", "metric", "theirs", "ours", "ours, their way"):
        table.add_column(title, justify="left" if title in ("ROI", "metric") else "right")
    for roi in rois:
        for n, pair in enumerate(roi.metrics):
            table.add_row(Text(clean(roi.roi)) if n == 0 else "", f"{pair.metric} {pair.unit}", *_triple(pair))
        table.add_section()
    return table


def _triple(pair: MetricPair) -> tuple[str, str, str]:
    return _number(pair.theirs), _number(pair.ours), _number(pair.under_reading)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
