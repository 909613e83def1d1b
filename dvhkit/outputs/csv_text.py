"""Results as CSV (RFC 4180): for a spreadsheet, and safe to open in one.

Numbers keep all their digits, and a missing value is an empty cell. A text that a spreadsheet would run as a formula
(it begins with ``= + - @``) gets an apostrophe in front; control characters and line ends never get in. Whoever needs
texts to the letter reads the JSON.
"""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from dvhkit.errors import EngineError
from dvhkit.findings import Level
from dvhkit.model.dvh import Dvh
from dvhkit.outputs.text import clean
from dvhkit.results.audit import PlanIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dvhkit.results.audit import AuditRecord, Curve, MetricResult

# The wide forms are formulas, too, in spreadsheets set to Chinese, Japanese or Korean.
_FORMULA_STARTS = tuple("=+-@＝＋－＠")

_METRIC_COLUMNS = ("roi", "metric", "value", "unit", "low", "high", "reason_code", "reason", "note", "withheld")
_RULE_COLUMNS = (
    "rule_id", "title", "roi", "quantity", "value", "unit", "low", "high", "goal", "variation", "margin",
    "verdict", "reason_code", "reason", "priority", "note", "source", "status",
    "score", "score_max", "group", "margin_pct", "withheld", "way_out",
)  # fmt: skip
_CASE_COLUMNS = ("case", "protocol_id", "protocol_version")
# Which plan it is and what is odd about its data: after the rule, so that the columns before keep their places.
_ABOUT_COLUMNS = (
    "findings", "accepted", "plan_label", "plan_uid", "dose_uid", "structure_set_uid", "approval_status",
    "approval_date", "planning_system", "planning_system_version", "machine", "fractions", "dose_type", "dose_comment",
    "patient_name", "patient_id",
)  # fmt: skip
_LIST_SEPARATOR = "; "
# What is worth a look in a table; infos stand in report and JSON.
_LEVELS = (Level.SERIOUS, Level.WARNING)
_CURVE_COLUMNS = ("roi", "dose_gy", "volume_cc", "volume_pct")

# A record that could not be judged has this in place of a verdict, and its error as the reason.
ERROR_VERDICT = "error"


def metrics_csv(rows: Iterable[MetricResult]) -> str:
    """Return metric rows as CSV text, one line each under a header line."""
    return _csv(_METRIC_COLUMNS, ([getattr(row, name) for name in _METRIC_COLUMNS] for row in rows))


def summary_csv(records: Iterable[AuditRecord]) -> str:
    """Return verdicts as CSV text: one line a case and rule.

    A case that could not be audited has one line with the verdict ``error`` and its error as the reason; a case
    without rules has one line with an empty verdict: no case is ever missing.
    """
    return _csv(
        (*_CASE_COLUMNS, *_RULE_COLUMNS, *_ABOUT_COLUMNS), (line for record in records for line in _case_lines(record))
    )


def curves_csv(curves: Iterable[Curve | Dvh], *, step_gy: float = 0.1) -> str:
    """Return cumulative DVHs as CSV text in long form: ``roi, dose_gy, volume_cc, volume_pct``.

    Parameters
    ----------
    curves
        Curves as they are, or DVHs, drawn every `step_gy`.
    """
    return _csv(_CURVE_COLUMNS, (line for curve in curves for line in _curve_lines(curve, step_gy)))


def case_curves_csv(curves: Iterable[tuple[str, Curve]]) -> str:
    """Return cumulative DVHs of several plans as CSV text: ``case_id, roi, dose_gy, volume_cc, volume_pct``."""
    return _csv(
        ("case_id", *_CURVE_COLUMNS), ([case_id, *line] for case_id, curve in curves for line in _curve_lines(curve, 0))
    )


def table_csv(columns: Iterable[str], lines: Iterable[Iterable[object]]) -> str:
    """Return any table as CSV text: a header line, then one line a row; None is an empty cell."""
    return _csv(columns, lines)


def _case_lines(record: AuditRecord) -> Iterator[list[object]]:
    case: list[object] = [getattr(record, name) for name in _CASE_COLUMNS]
    about = _about(record)
    if record.error is not None or not record.rules:
        cells = dict.fromkeys(_RULE_COLUMNS)
        if record.error is not None:
            cells |= {"verdict": ERROR_VERDICT, "reason": record.error}
        yield [*case, *cells.values(), *about]
        return
    for rule in record.rules:
        yield [*case, *(getattr(rule, name) for name in _RULE_COLUMNS), *about]


def _about(record: AuditRecord) -> list[object]:
    """Return the cells of a case that are the same for each of its rules; `findings` the most serious first."""
    identity = record.identity or PlanIdentity()
    cells: dict[str, object] = {
        "findings": tuple(dict.fromkeys(f.code for level in _LEVELS for f in record.findings if f.level is level)),
        "accepted": tuple(a.code for a in record.accepted),
        "dose_uid": identity.dose_uids,
        "machine": identity.machines,
    }
    return [cells[name] if name in cells else getattr(identity, name) for name in _ABOUT_COLUMNS]


def _curve_lines(curve: Curve | Dvh, step_gy: float) -> Iterator[list[object]]:
    if isinstance(curve, Dvh):
        table = curve.to_frame(step_gy=step_gy)
        points = zip(table["dose_gy"].tolist(), table["volume_pct"].tolist(), strict=True)
    else:
        points = zip(curve.dose_gy, curve.volume_pct, strict=True)
    for dose_gy, volume_pct in points:
        # Ten digits: the steps 0.1, 0.2, 0.3 of a curve are not exact in binary, and 0.30000000000000004 reads badly.
        numbers = (dose_gy, volume_pct / 100 * curve.volume_cc, volume_pct)
        yield [curve.roi, *(float(f"{value:.10g}") for value in numbers)]


def _csv(columns: Iterable[str], lines: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in line] for line in lines)
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        value = _LIST_SEPARATOR.join(map(str, value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise EngineError("A result is not a finite number.", remedy="Please report this with the case.")
        return repr(float(value))
    if isinstance(value, int):
        return str(int(value))
    text = clean(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
