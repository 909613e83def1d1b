"""Lengths beyond a distance, and Hausdorff distances of lines, against shapely's buffers and densified lines."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from dvhkit.engine.kernels.drawn.line_distance import farther_length, line_hausdorff, rim_beyond
from dvhkit.targets.compare.flat import flat_rings


def wavy(seed: int, n: int = 60, centre: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angle = np.arange(n) * 2 * np.pi / n
    r = 20 + sum(rng.normal() * 2 * np.cos((k + 1) * angle + rng.uniform(0, 6)) for k in range(4))
    return np.column_stack([centre + r * np.cos(angle), r * np.sin(angle)])


@pytest.mark.parametrize("seed", range(4))
def test_line_distances_are_those_of_shapely(seed):
    own, others = [wavy(seed)], [wavy(seed + 10, centre=3.0), wavy(seed + 20, n=25, centre=60.0)]
    a, b = flat_rings(own), flat_rings(others)
    line = shapely.MultiLineString([np.vstack([r, r[:1]]) for r in own])
    other = shapely.MultiLineString([np.vstack([r, r[:1]]) for r in others])
    beyond, whole = farther_length(*a, *b, 2.0, 1e-3)
    assert whole == pytest.approx(line.length)
    # An arc of the buffer in 256 chords a quarter is short of 2 mm by less than 1e-5 mm.
    assert beyond == pytest.approx(line.difference(other.buffer(2.0, quad_segs=256)).length, abs=0.02)
    dense = shapely.points(shapely.get_coordinates(line.segmentize(0.01)))
    apart = shapely.distance(dense, other)
    # Steps of 0.1 mm miss the greatest distance by half of one at most.
    assert line_hausdorff(*a, *b, 0.1) == pytest.approx(apart.max(), abs=0.06)
    assert rim_beyond(*a, *b, 1.0, 2.0) == _rim_beyond(own[0], others, 1.0, 2.0)


def _rim_beyond(own: np.ndarray, others: list[np.ndarray], step: float, tolerance: float) -> int:
    low = np.floor(own.min(axis=0)) - 1.5 * step
    size = np.ceil((own.max(axis=0) + 2 * step - low) / step).astype(int)
    places = low + step * np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), axis=-1)
    inside = shapely.contains_xy(shapely.Polygon(own), places[..., 0], places[..., 1])
    rim = inside.copy()
    rim[1:-1, 1:-1] &= ~(inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:])
    area = shapely.union_all([shapely.Polygon(r).buffer(0) for r in others])
    return int((shapely.distance(shapely.points(places[rim]), area) > tolerance).sum())
