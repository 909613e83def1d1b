"""Distances from a surface of triangles, and points spread over it."""

from __future__ import annotations

import numpy as np
import pytest

from dvhkit.engine.kernels.surface.triangle_tree import farthest, farthest_within, fill_boxes, nearest, pack

IN_LEAF = 8


def tree(triangles):
    leaves = 1
    while leaves * IN_LEAF < len(triangles):
        leaves *= 2
    packed, boxes = np.empty((-(-len(triangles) // IN_LEAF), 17, IN_LEAF)), np.empty((2 * leaves, 6))
    pack(triangles, packed)
    fill_boxes(triangles, IN_LEAF, boxes)
    return packed, boxes


def sampled_distances(points, triangles, pieces):
    """Return distances from points strewn over all triangles: too great by at most half their spacing."""
    i, j = np.meshgrid(np.arange(pieces + 1), np.arange(pieces + 1))
    u, v = i[i + j <= pieces] / pieces, j[i + j <= pieces] / pieces
    on = triangles[:, 0, None] + u[:, None] * (triangles[:, 1] - triangles[:, 0])[:, None]
    on += v[:, None] * (triangles[:, 2] - triangles[:, 0])[:, None]
    cloud = on.reshape(-1, 3)
    return np.array([np.linalg.norm(cloud - p, axis=1).min() for p in points])


@pytest.mark.parametrize("kind", ["any", "slivers", "without area", "points"])
def test_distances_are_those_of_points_strewn_over_the_triangles(kind):
    rng = np.random.default_rng(5)
    triangles = rng.uniform(-10, 10, (37, 1, 3)) + rng.uniform(-2, 2, (37, 3, 3))
    if kind == "slivers":
        triangles[:, 2] = triangles[:, 1] + rng.normal(0, 1e-7, (37, 3))
    elif kind == "without area":
        triangles[:, 2] = 0.3 * triangles[:, 0] + 0.7 * triangles[:, 1]
    elif kind == "points":
        triangles[:] = triangles[:, :1]
    points = rng.uniform(-12, 12, (30, 3))
    found = np.empty(30)
    nearest(points, *tree(triangles), found)
    pieces = 40
    strewn = sampled_distances(points, triangles, pieces)
    longest = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=2).max()
    assert (found <= strewn + 1e-9).all()
    # The nearest point has one strewn within a spacing of it.
    assert (strewn <= found + longest / pieces + 1e-9).all()
    which, most = farthest(points, *tree(triangles), 0.0)
    assert (which, most) == (found.argmax(), found.max())
    assert farthest(points, *tree(triangles), found.max() + 1e-9)[0] == -1


def test_the_farthest_point_may_lie_in_the_middle_of_a_face():
    # Between two walls the middle of an edge from one nearly to the other is farthest from both.
    walls = np.array([[[s * 10.0, -50, -50], [s * 10, 50, -50], [s * 10, 0, 90]] for s in (-1, 1)])
    packed, boxes = tree(walls)
    low = np.array([[[-9.0, -1, 0], [9, -1, 0], [9, 2, 0]]])
    at_corners = farthest(low[0], packed, boxes, 0.0)[1]
    assert at_corners == pytest.approx(1.0)
    own = tree(low)[1]
    found = farthest_within(low, IN_LEAF, own, packed, boxes, at_corners, 0.01, 100_000)
    assert found == pytest.approx(10.0, abs=0.01)
    assert farthest_within(low, IN_LEAF, own, packed, boxes, 11.0, 0.01, 100_000) == 11.0
