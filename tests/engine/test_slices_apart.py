"""Slices that nothing links to their neighbours: each is a slice of something, in every reading."""

import numpy as np
import pytest
from drawn_solids import grid, polygon, structure

from dvhkit.engine.dvh import compute_dvh


@pytest.mark.parametrize("heights", [(0.0,), (0.0, 6.0), (0.0, 6.0, 15.0), (0.0, 9.0, 12.0, 24.0)])
def test_slices_apart_have_a_volume_whose_band_holds_what_one_slice_alone_may_show(heights):
    radius, spacing = 8.0, 3.0
    planes = grid(spacing=(1.0, 1.0, spacing), size=(100, 90, 30), origin=(-40.0, -45.0, -30.0))
    dvh = compute_dvh(structure((h, polygon(radius, 90)) for h in heights), None, image=planes, with_band=True)
    apart = [h for h in heights if min([abs(h - o) for o in heights if o != h], default=np.inf) > spacing]
    alone_cc = np.pi * radius**2 * spacing * len(apart) / 1000
    volumes = [variant.volume_cc for variant in dvh.variants]
    assert min(volumes) > 0
    if len(apart) == len(heights):
        assert dvh.volume_cc == pytest.approx(alone_cc, rel=0.01)
        assert min(volumes) == pytest.approx(0.15 * alone_cc, rel=0.05)
        assert max(volumes) == pytest.approx(1.85 * alone_cc, rel=0.05)
