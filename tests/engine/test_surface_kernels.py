"""Kernels of surfaces: rings made straight stay within the tolerance; what is inside a closed surface is told."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from dvhkit.engine.kernels.surface.stitch import straighten
from dvhkit.engine.kernels.surface.triangle_tree import fill_boxes, sides

LEAF = 2


@pytest.mark.parametrize("tolerance", [0.003, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_a_ring_made_straight_stays_within_the_tolerance(seed, tolerance):
    rng = np.random.default_rng(seed)
    turn = np.arange(300) * 2 * np.pi / 300
    ring = (
        np.column_stack([np.cos(turn), np.sin(turn)]) * (20 + 4 * np.sin(3 * turn) + rng.normal(0, 0.05, 300))[:, None]
    )
    kept = np.empty(len(ring), np.int64)
    count = straighten(ring, tolerance, kept)
    assert count < len(ring)
    less = shapely.linearrings(ring[kept[:count]])
    assert shapely.distance(shapely.points(ring), less).max() <= tolerance + 1e-9


def test_corners_between_straight_edges_are_all_that_is_kept():
    square = np.array([(0, 0), (5, 0), (10, 0), (10, 3), (10, 10), (4, 10), (0, 10), (0, 1)], float)
    kept = np.empty(len(square), np.int64)
    count = straighten(square, 0.003, kept)
    assert kept[:count].tolist() == [0, 2, 4, 6]


def boxes_over(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    leaves = 1
    while leaves * LEAF < len(triangles):
        leaves *= 2
    boxes = np.empty((2 * leaves, 6))
    fill_boxes(triangles, LEAF, boxes)
    return boxes


def test_points_are_told_inside_a_cube_also_where_edges_and_corners_are_nearest():
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    faces = []
    for axis in range(3):
        for sign in (-1, 1):
            a, b, c, d = corners[corners[:, axis] == sign]
            for face in (np.array([a, b, c]), np.array([b, d, c])):
                outward = np.cross(face[1] - face[0], face[2] - face[0])[axis] * sign > 0
                faces.append(face if outward else face[::-1])
    triangles = np.ascontiguousarray(faces)
    points = np.random.default_rng(0).uniform(-1.6, 1.6, (2000, 3))
    points[:500] = np.sign(points[:500]) * np.abs(points[:500, :1])  # along the diagonals: a corner is nearest
    inside = np.zeros(len(points), np.bool_)
    sides(points, triangles, LEAF, boxes_over(triangles), inside)
    clear = np.abs(np.abs(points).max(axis=1) - 1) > 1e-6
    assert (inside == (np.abs(points).max(axis=1) < 1))[clear].all()
