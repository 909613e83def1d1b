"""Kernels of margins and of surfaces, each beside its definition written out over all points."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from dvhkit.engine.kernels.surface.envelope import across_planes
from dvhkit.engine.kernels.surface.gauge import gauge_field
from dvhkit.engine.kernels.surface.nearest import nearest_by_gauge

FAR = 1e30
Points = NDArray[np.float64]


def gauge_of(v: Points, semi_axes: Points) -> Points:
    """Return sqrt of the sum of (v / a)^2, with the semi-axis of the side to which each component points."""
    up, down = semi_axes[0::2], semi_axes[1::2]
    return np.sqrt(((v / np.where(v >= 0, up, down)) ** 2).sum(axis=-1))


def in_cells(cloud: Points, size: float) -> tuple[Points, NDArray[np.int64], Points, float, NDArray[np.int64]]:
    origin = cloud.min(axis=0)
    shape = np.floor((cloud.max(axis=0) - origin) / size).astype(np.int64) + 1
    at = np.minimum(((cloud - origin) / size).astype(np.int64), shape - 1)
    cell = (at[:, 2] * shape[1] + at[:, 1]) * shape[0] + at[:, 0]
    order = np.argsort(cell, kind="stable")
    first = np.searchsorted(cell[order], np.arange(shape.prod() + 1)).astype(np.int64)
    return cloud[order], first, origin, size, shape


@pytest.mark.parametrize("outward", [True, False])
@pytest.mark.parametrize("likely", [-1, 3])
def test_nearest_by_a_gauge_of_six_sides_is_that_of_all_pairs(outward, likely):
    rng = np.random.default_rng(5)
    cloud, queries = rng.normal(size=(400, 3)) * [9, 6, 12], rng.normal(size=(150, 3)) * [14, 9, 16]
    axes = np.array([4.0, 7.0, 3.0, 5.0, 9.0, 2.0])
    points = in_cells(cloud, 3.5)
    found, gauge = np.full(len(queries), likely, np.int64), np.empty(len(queries))
    nearest_by_gauge(queries, points, axes, outward, 0.0, 1e9, found, gauge)
    v = points[0][None] - queries[:, None]
    truth = gauge_of(v if outward else -v, axes)
    assert gauge == pytest.approx(truth.min(axis=1), rel=1e-9)
    assert found.tolist() == truth.argmin(axis=1).tolist()


def test_beyond_the_farthest_gauge_nothing_is_found():
    cloud = np.random.default_rng(1).uniform(0, 5, size=(50, 3))
    queries = np.array([[2.0, 2.0, 2.0], [40.0, 2.0, 2.0]])
    found, gauge = np.full(2, -1, np.int64), np.empty(2)
    nearest_by_gauge(queries, in_cells(cloud, 1.0), np.full(6, 2.0), True, 0.0, 3.0, found, gauge)
    assert found[0] >= 0
    assert (found[1], gauge[1]) == (-1, pytest.approx(1e15))


def ring(seed: int) -> Points:
    rng = np.random.default_rng(seed)
    angle = np.arange(24) * 2 * np.pi / 24
    r = 9 * (1 + sum(rng.uniform(0.03, 0.15) * np.cos((k + 2) * angle + rng.uniform(0, 6)) for k in range(3)))
    return np.column_stack([25 + r * np.cos(angle), 22 + r * np.sin(angle)])


@pytest.mark.parametrize("margins", [(4.0, 4.0, 4.0, 4.0), (3.0, 7.0, 5.0, 2.5)])
@pytest.mark.parametrize("seed", range(3))
def test_gauge_field_outside_is_the_least_over_a_dense_outline(seed, margins):
    outline = ring(seed)
    inside, field = np.zeros((45, 50), np.bool_), np.empty((45, 50))
    gauge_field(outline, np.array([0, len(outline)]), np.array(margins), 1.0, 3.0, False, inside, field)
    rows, columns = np.mgrid[:45, :50]
    nodes = np.column_stack([columns.ravel(), rows.ravel()]).astype(float)
    section = shapely.Polygon(outline)
    assert inside.ravel().tolist() == shapely.contains(section, shapely.points(nodes)).tolist()
    dense = shapely.get_coordinates(section.boundary.segmentize(0.02))
    axes = np.array(margins)
    truth = np.array([gauge_of(node - dense, axes).min() for node in nodes])
    near = (truth <= 1.0) & ~inside.ravel()
    assert near.sum() > 100
    # The outline in steps of 0.02 nodes misses the nearest point by 0.01 along it: to second order in the distance, and
    # at most by that over the smallest margin beside the outline itself.
    assert field.ravel()[near] == pytest.approx(truth[near], abs=0.01 / min(margins))
    assert np.all(field.ravel()[~inside.ravel()] >= truth[~inside.ravel()] - 0.01 / min(margins))


def test_planes_far_apart_bid_by_the_gauge_across_them():
    rng = np.random.default_rng(9)
    sources, targets = np.array([0.0, 5.0, 11.0, 20.0]), np.linspace(-8.0, 30.0, 39)
    rows, columns, up, down = 3, 7, 6.0, 4.0
    # Every other plane bids in each column, so that none is refined on a surface that runs to the next.
    fields = rng.uniform(0.05, 2.0, size=(rows, len(sources), columns))
    for i in range(columns):
        fields[:, (i % 2) :: 2, i] = FAR
    out = np.empty((len(targets), rows, columns))
    between = np.full((len(targets), 2), -1, np.int64)
    across_planes(fields, sources, targets, between, np.zeros(len(targets)), (up, down), 0.9, 1.0, (0, rows), out)
    rise = targets[:, None] - sources
    across = (np.where(rise > 0, rise / up, rise / down)) ** 2
    truth = np.sqrt((np.minimum(fields, 1e4)[None] ** 2 + across[:, None, :, None]).min(axis=2)) - 1.0
    near = np.abs(truth) < 0.9
    assert near.sum() > 300
    assert out[near] == pytest.approx(truth[near], abs=1e-9)
