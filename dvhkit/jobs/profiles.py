"""What each of the engine's conventions makes of the same plan, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dvhkit.engine.options import PROFILES
from dvhkit.jobs.numbers import CaseNumbers, Uncovered
from dvhkit.results.profiles import ProfileRows

if TYPE_CHECKING:
    from dvhkit.metrics.expression import Metric
    from dvhkit.model.case import Case


def compare_profiles(
    case: Case, roi: Sequence[str] | None, metrics: Sequence[Metric], *, uncovered: Uncovered
) -> list[ProfileRows]:
    """Return the metrics of every profile, the default one first; `roi` None takes all structures."""
    found = []
    for name in PROFILES:
        numbers = CaseNumbers(case, engine=name, uncovered=uncovered)
        regions = [numbers.region(text) for text in roi] if roi else numbers.every_roi()
        numbers.prepare(regions)
        rows = tuple(numbers.metric(region, metric) for region in regions for metric in metrics)
        found.append(ProfileRows(profile=name, rows=rows, findings=numbers.findings()))
    return found
