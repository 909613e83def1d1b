"""The site's own plans: no truth is known of them, but their numbers are kept, and held against stored DVHs."""

from __future__ import annotations

from pathlib import Path

from dvhkit.errors import DvhkitError
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.read import read_files
from dvhkit.metrics.expression import parse_metric
from dvhkit.readers.linking.choose import find_cases
from dvhkit.results.commission import CommissionNumber

_KEPT = ("Volume[cc]", "Min[Gy]", "D98%[Gy]", "D95%[Gy]", "Mean[Gy]", "D50%[Gy]", "D2%[Gy]", "Max[Gy]")


def plan_numbers(folder: Path) -> tuple[list[CommissionNumber], list[str]]:
    """Return the numbers of every plan in a folder, called plan 1, 2, ..., and what could not be read."""
    numbers: list[CommissionNumber] = []
    lacking: list[str] = []
    for n, found in enumerate(find_cases(folder), start=1):
        try:
            of_case = CaseNumbers(read_files(found))
            regions = of_case.every_roi()
            of_case.prepare(regions)
            for region in regions:
                for text in _KEPT:
                    row = of_case.metric(region, parse_metric(text))
                    numbers.append(
                        CommissionNumber(of=f"plan {n}", roi=row.roi, metric=row.metric, value=row.value, unit=row.unit)
                    )
        except DvhkitError as error:
            lacking.append(f"Plan {n} of the site's own: {error}")
    return numbers, lacking
