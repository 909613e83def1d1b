"""A solid on one to four slices: whatever of its ends the slices leave open is in the band."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_solids import dose, grid, polygon, structure

from dvhkit.engine.dvh import compute_dvh
from dvhkit.metrics.evaluate import evaluate_metric

GAP_MM = 3.0
ON = grid(spacing=(2.5, 2.0, 3.0), size=(18, 16, 20), origin=(-20.2, -16.1, -29.7))
ALONG = dose(lambda x, y, z: 30 + 0.8 * z + 0 * (x + y), ON)


def _stump(low_mm, high_mm, first_mm, narrows=0.0):
    """Return a round stump with flat ends on the slices that meet it, and its volume in cc."""
    z = np.arange(first_mm, high_mm, GAP_MM)
    radius = 6.0 - narrows * np.abs(z - 0.5 * (low_mm + high_mm))
    heights = np.linspace(low_mm, high_mm, 20_001)
    areas = np.pi * (6.0 - narrows * np.abs(heights - 0.5 * (low_mm + high_mm))) ** 2
    drawn = structure((float(h), polygon(float(r), 180, (1.0, -2.0))) for h, r in zip(z, radius, strict=True))
    return drawn, len(z), float(areas.mean()) * (high_mm - low_mm) / 1000


@pytest.mark.parametrize("narrows", [0.0, 0.4])
@pytest.mark.parametrize("planes", [2, 3, 4])
@pytest.mark.parametrize("ends", [(0.1, 0.1), (0.1, 0.9), (0.9, 0.9)])
def test_flat_ends_anywhere_before_the_next_slice_are_in_the_band(planes, ends, narrows):
    low, high = -ends[0] * GAP_MM, (planes - 1 + ends[1]) * GAP_MM
    drawn, met, volume_cc = _stump(low, high, 0.0, narrows)
    assert met == planes
    dvh = compute_dvh(drawn, ALONG, with_band=True, slice_spacing_mm=GAP_MM)
    true = {"Volume[cc]": volume_cc, "Min[Gy]": 30 + 0.8 * low, "Max[Gy]": 30 + 0.8 * high}
    if ends[0] == ends[1]:
        true["Mean[Gy]"] = true["D50%[Gy]"] = 30 + 0.4 * (low + high)
    for metric, value in true.items():
        row = evaluate_metric(metric, dvh, roi="S")
        assert row.low * (1 - 1e-6) <= value <= row.high * (1 + 1e-6), (metric, value, row.low, row.high)


@pytest.mark.parametrize("thick_frac", [0.15, 0.6, 1.0, 1.4, 1.85])
def test_a_lone_slice_is_any_solid_that_it_alone_is_likely_to_meet(thick_frac):
    drawn, met, volume_cc = _stump(-0.5 * thick_frac * GAP_MM, 0.5 * thick_frac * GAP_MM, 0.0)
    assert met == 1
    row = evaluate_metric("Volume[cc]", compute_dvh(drawn, ALONG, with_band=True, slice_spacing_mm=GAP_MM), roi="S")
    assert row.low <= volume_cc <= row.high
    assert row.value == pytest.approx(np.pi * 36 * GAP_MM / 1000, rel=2e-3)


def test_islands_on_few_and_on_many_slices_share_their_readings():
    few, _, few_cc = _stump(-0.9 * GAP_MM, 1.9 * GAP_MM, 0.0)
    many = structure((float(h), polygon(4.0, 180, (14.0, -2.0))) for h in GAP_MM * np.arange(-7, 6) + 1.0)
    both = replace(few, contours=(*few.contours, *many.contours))
    dvh = compute_dvh(both, None, with_band=True, slice_spacing_mm=GAP_MM)
    assert [v.reading for v in dvh.variants].count("straight") == 1
    row = evaluate_metric("Volume[cc]", dvh, roi="S")
    assert row.low <= few_cc + 13 * GAP_MM * np.pi * 16 / 1000 <= row.high
