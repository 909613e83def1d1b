"""What a report says of the planning system's DVHs beside ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dvhkit.outputs.language import say
from dvhkit.outputs.number_format import number
from dvhkit.outputs.text import clean, clean_name, sentence_case
from dvhkit.outputs.verdict_words import VerdictLook
from dvhkit.results.second_check import Agreement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.results.second_check import MetricPair, RoiCheck

_LONGEST = 600
_LONGEST_NAME = 64
_LOOKS = {
    Agreement.NOT_EXPLAINED: VerdictLook(word="not_explained", symbol="✗", ascii_symbol="x", tone="bad", urgency=0),
    Agreement.EXPLAINED: VerdictLook(word="explained", symbol="≈", ascii_symbol="~", tone="warn", urgency=1),
    Agreement.AGREES: VerdictLook(word="agrees", symbol="✓", ascii_symbol="+", tone="good", urgency=2),
    Agreement.NOT_COMPARED: VerdictLook(word="not_compared", symbol="–", ascii_symbol="-", tone="mute", urgency=3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiCheckView:
    """One structure: `numbers` are rows of metric, theirs, ours and ours read their way."""

    look: VerdictLook
    roi: str
    explained_by: str
    apart: str
    left: str
    reason: str
    source: str
    numbers: list[tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondCheckView:
    """All structures with a curve, most urgent first, and the names of those without one."""

    rows: list[RoiCheckView]
    without: list[str]


def second_check_view(rois: Sequence[RoiCheck]) -> SecondCheckView | None:
    """Return what to show; None where no planning system gave a curve."""
    given = [roi for roi in rois if roi.source]
    if not given:
        return None
    rows = sorted((_row(roi) for roi in given), key=lambda row: row.look.urgency)
    return SecondCheckView(
        rows=rows, without=[clean_name(roi.roi, longest=_LONGEST_NAME) for roi in rois if not roi.source]
    )


def _row(roi: RoiCheck) -> RoiCheckView:
    look = _LOOKS[roi.verdict]  # its word is the last part of a key
    told = roi.verdict in (Agreement.EXPLAINED, Agreement.NOT_EXPLAINED)
    return RoiCheckView(
        look=replace(look, word=say(f"second.{look.word}")),
        roi=clean_name(roi.roi, longest=_LONGEST_NAME),
        explained_by=", ".join(roi.explained_by),
        apart=_pct(roi.worst_pct),
        left=_pct(roi.left_pct) if told else "",
        reason=sentence_case(clean(roi.reason, longest=_LONGEST)),
        source=clean(roi.source, longest=_LONGEST),
        numbers=[_numbers(pair) for pair in roi.metrics] if told else [],
    )


def _pct(value: float | None) -> str:
    return "" if value is None else f"{value:.2g} %"


def _numbers(pair: MetricPair) -> tuple[str, str, str, str]:
    values = (pair.theirs, pair.ours, pair.under_reading)
    theirs, ours, under = ("" if v is None else number(v, pair.unit) for v in values)
    return f"{pair.metric} ({pair.unit})", theirs, ours, under
