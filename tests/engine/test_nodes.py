"""Compiled looks at a grid's nodes, beside what numpy and scipy say of them; nearest points beside all distances."""

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from dvhkit.engine.kernels.solid.nodes import sign_changes, slopes_at, values_at
from dvhkit.targets.achieved.cloud import gauge_to, nearest_mm, sorted_cloud


@pytest.fixture(scope="module")
def grid():
    random = np.random.default_rng(3)
    axes = [np.cumsum(random.uniform(0.3, 2.0, n)) for n in (6, 9, 7)]
    values = random.normal(size=(6, 9, 7)).astype(np.float32)
    low, high = np.array([a[0] for a in axes]), np.array([a[-1] for a in axes])
    points = (low + random.uniform(0, 1, (400, 3)) * (high - low))[:, ::-1].copy()
    return axes, values, points


def test_values_between_nodes_are_linear_and_those_beyond_are_the_borders(grid):
    axes, values, points = grid
    out = np.empty(len(points))
    values_at(values, *axes, points, out)
    assert out == pytest.approx(RegularGridInterpolator(axes, values)(points[:, ::-1]), abs=1e-5)
    beyond = np.array([[-50.0, -50.0, -50.0], [500.0, 500.0, 500.0]])
    values_at(values, *axes, beyond, out)
    assert out[:2] == pytest.approx([values[0, 0, 0], values[-1, -1, -1]])


def test_slopes_are_those_of_numpy_linear_between_nodes(grid):
    axes, values, points = grid
    out = np.empty_like(points)
    slopes_at(values, *axes, points, out)
    gradient = np.gradient(values.astype(float), *axes)
    truth = np.column_stack([RegularGridInterpolator(axes, gradient[d])(points[:, ::-1]) for d in (2, 1, 0)])
    assert out == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sign_changes_are_found_in_order_in_a_box_and_counted_where_there_is_no_room(grid, axis):
    _, values, _ = grid
    n = values.shape[axis] - 1
    a, b = values.take(np.arange(n), axis=axis), values.take(np.arange(1, n + 1), axis=axis)
    truth = np.argwhere((a < 0) != (b < 0))
    found, whole = np.empty((1000, 3), np.int64), np.array(values.shape)
    assert sign_changes(values, axis, np.zeros(3, np.int64), whole, found) == len(truth)
    assert np.array_equal(found[: len(truth)], truth)
    low, high = np.array([1, 2, 1]), np.array([4, 6, 5])
    inside = truth[np.all((truth >= low) & (truth < high), axis=1)]
    assert sign_changes(values, axis, low, high, found) == len(inside)
    assert np.array_equal(found[: len(inside)], inside)
    assert sign_changes(values, axis, np.zeros(3, np.int64), whole, found[:2]) == len(truth)


@pytest.mark.parametrize("outward", [True, False])
@pytest.mark.parametrize("axes_mm", [(1, 1, 1, 1, 1, 1), (9, 2, 3, 8, 5, 4)])
def test_the_nearest_point_by_gauge_is_the_least_of_all(outward, axes_mm):
    random = np.random.default_rng(5)
    cloud = random.normal(size=(900, 3)) * [14, 9, 25]
    queries = random.normal(size=(120, 3)) * [20, 20, 40]
    made = sorted_cloud(cloud, cloud, np.ones(900), np.ones(900, bool), 0.7)
    gauge, vector, found = gauge_to(queries, made, np.array(axes_mm, float), outward=outward)
    ways = (made.points_mm[None] - queries[:, None]) * (1 if outward else -1)
    octant = np.where(ways >= 0, np.array(axes_mm[0::2]), np.array(axes_mm[1::2]))
    truth = np.linalg.norm(ways / octant, axis=2)
    assert gauge == pytest.approx(truth.min(axis=1), rel=1e-12)
    assert np.array_equal(found, truth.argmin(axis=1))
    assert vector == pytest.approx(ways[np.arange(120), found])
    near = nearest_mm(queries, made.points_mm, within_mm=3.0)
    plain = np.linalg.norm(ways, axis=2).min(axis=1)
    assert near[plain < 3.0] == pytest.approx(plain[plain < 3.0])
    assert (near[plain > 3.0] > 3.0).all()
