"""Random solids as people draw them: the truth lies in the printed bands, indices included, and bands stay in range."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import validation_drawn as drawn

SHARES = ("Coverage", "CI_Paddick", "Selectivity_Lomax")


def held(kinds, seeds):
    found = [row for kind in kinds for seed in seeds for row in drawn.rows(kind, seed)]
    for row in found:
        assert row.low <= row.value <= row.high
        assert row.metric != "Min[Gy]" or row.low >= 0
        assert row.metric not in SHARES or 0 <= row.low <= row.high <= 1
    return float(np.mean([row.is_inside for row in found]))


@pytest.mark.parametrize("kind", ["egg", "scribbled"])
def test_the_truth_lies_in_the_bands_of_a_drawn_solid(kind):
    assert held([kind], [41]) >= 0.95


@pytest.mark.slow
def test_the_truth_lies_in_the_bands_of_all_kinds_of_drawn_solids():
    assert held(drawn.KINDS, range(50, 56)) >= 0.97
