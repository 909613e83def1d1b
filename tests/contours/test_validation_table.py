"""The table of docs/validation.md on compared contours, made anew: each metric holds its closed form."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import validation_contours as table

from dvhkit.targets.compare.agreement import compare

# What is promised of each metric: as a part of it, or in mm.
MOST_FRAC, MOST_MM = 0.003, 0.05


@pytest.mark.slow
def test_each_metric_of_each_pair_of_shapes_holds_its_closed_form():
    for name, (a, b, truth) in table.cases().items():
        found = compare(a[0], b[0], tolerance_mm=table.TOLERANCE_MM)
        for metric, right in truth.items():
            most = max(MOST_FRAC * abs(right), MOST_MM if metric.endswith("_mm") else 0.0)
            assert getattr(found, metric) == pytest.approx(right, abs=max(most, 1e-9)), (name, metric)
