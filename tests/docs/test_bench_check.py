"""`make bench-check` reads the committed results, and names what has become slower."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("bench_check", BENCHMARKS / "check.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["bench_check"] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_the_guarded_ratios_are_in_the_committed_results(check):
    found = check.ratios((BENCHMARKS / "results.md").read_text(encoding="utf-8"))
    assert len(found) >= 10
    assert all(value > 0 for value in found.values())


def test_a_ratio_that_is_worse_by_over_a_tenth_is_named_whichever_way_is_worse(check):
    before = check.ratios((BENCHMARKS / "results.md").read_text(encoding="utf-8"))
    assert check.slower(before, before) == []
    bands = next(name for name in before if name.startswith("the same with bands"))
    peer = next(name for name in before if name.startswith("plastimatch"))
    now = {**before, bands: 1.2 * before[bands], peer: before[peer] / 1.3}
    lines = check.slower(before, now)
    assert len(lines) == 2
    assert "worse by 20 %" in lines[0]
    assert "worse by 30 %" in lines[1]
    # Better by as much is nothing to tell; what could not be measured is.
    assert check.slower(before, {**before, bands: 0.8 * before[bands], peer: 1.3 * before[peer]}) == []
    assert check.slower(before, {k: v for k, v in before.items() if k != peer}) == [f"not measured this time: {peer}"]
