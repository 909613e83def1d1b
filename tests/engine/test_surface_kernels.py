"""Kernels of surfaces: rings made straight and joined, areas swept, what is inside, level faces, radii of stars."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from dvhkit.engine.kernels.solid.star import radii, toward_points
from dvhkit.engine.kernels.surface.stitch import corners, join_levels, straighten
from dvhkit.engine.kernels.surface.sweep import areas_at, holds_points, level_triangles
from dvhkit.targets.compare.flat import slices_as_strips, stacked


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


def test_points_are_told_inside_a_frustum_with_a_hole_by_winding():
    lower = np.array([(0, 0), (4, 0), (4, 4), (0, 4), (0, 0)], float)
    upper = lower * 0.5
    hole = np.array([(1, 1), (1, 1.5), (1.5, 1.5), (1.5, 1), (1, 1)], float)
    strips = (
        np.vstack([lower, hole]), np.vstack([upper, hole]), np.array([0, 5, 10]), np.array([[0.0, 2.0], [0.0, 2.0]])
    )  # fmt: skip
    points = np.random.default_rng(0).uniform((-1, -1, -1), (5, 5, 3), (4000, 3))
    inside = np.zeros(len(points), np.bool_)
    holds_points(points, strips, inside)
    u, v, w = points.T
    side = 4 - w
    within = (w >= 0) & (w < 2) & (np.minimum(u, v) > 0) & (np.maximum(u, v) < side)
    assert (inside == (within & ~((u > 1) & (u < 1.5) & (v > 1) & (v < 1.5)))).all()


def wavy(rng: np.random.Generator, centre: tuple[float, float]) -> NDArray[np.float64]:
    turn = np.arange(60) * 2 * np.pi / 60
    r = 10 + sum(rng.normal(0, 1) * np.cos(k * turn + rng.uniform(0, 6)) for k in range(1, 5))
    return np.column_stack([centre[0] + r * np.cos(turn), centre[1] + r * np.sin(turn)])


@pytest.mark.parametrize("seed", range(5))
def test_swept_areas_and_moments_are_those_of_shapely(seed):
    rng = np.random.default_rng(seed)
    groups, shapes = [], []
    for _ in range(2):
        rings = [wavy(rng, (0, 0)), wavy(rng, (6, 2)), wavy(rng, (40, 0)), 0.3 * wavy(rng, (0, 0))[::-1] + (40, 0)]
        groups.append(slices_as_strips(*stacked(rings), np.array([0, 4])))
        parts = [shapely.Polygon(ring) for ring in rings]
        assert all(part.is_valid for part in parts)
        shapes.append(shapely.union_all(parts[:3]).difference(parts[3]))
    out = np.empty((1, 7))
    areas_at(np.zeros(1), groups[0], groups[1], out)
    for shape, (area, u, v) in zip(shapes, (out[0, :3], out[0, 3:6]), strict=True):
        assert area == pytest.approx(shape.area, rel=1e-9)
        assert (u / area, v / area) == pytest.approx((shape.centroid.x, shape.centroid.y), rel=1e-9)
    assert out[0, 6] == pytest.approx(shapely.intersection(*shapes).area, rel=1e-9)


def test_level_faces_where_one_part_becomes_two_face_up_and_down():
    whole = np.array([(0, 0), (10, 0), (10, 4), (0, 4), (0, 0)], float)
    halves = [whole * (0.4, 1.0), whole * (0.4, 1.0) + (7, 0)]
    points = np.vstack([whole, *halves])
    strips = (points, points, np.array([0, 5, 10, 15]), np.array([[0.0, 1.0], [1.0, 2.0], [1.0, 2.0]]))
    out = np.empty((100, 3, 3))
    how = (strips, np.array([1, 2, 2]), np.zeros(3, np.int64), np.eye(3), np.zeros(3))
    count = level_triangles(*how, out)
    assert level_triangles(*how, np.empty((1, 3, 3))) == count
    normal = 0.5 * np.cross(out[:count, 1] - out[:count, 0], out[:count, 2] - out[:count, 0])
    assert np.allclose(out[:count, :, 2], 1.0)
    # Between the halves it is open upwards; what of the right one lies beyond the whole is open downwards.
    assert normal[normal[:, 2] > 0, 2].sum() == pytest.approx(3 * 4)
    assert normal[normal[:, 2] < 0, 2].sum() == pytest.approx(-1 * 4)


def test_rings_go_on_as_what_they_overlap_and_begin_and_end_else():
    square = np.array([(0, 0), (2, 0), (2, 2), (0, 2)], float)
    levels = [[square], [square + 0.5, square + 10], [square + 10.5]]
    points, ring_start = stacked([ring for rings in levels for ring in rings])
    lower, upper = np.empty((2, 40, 2))
    start, kind, layer = np.empty(9, np.int64), np.empty(8, np.int64), np.empty(8, np.int64)
    heights = np.array([0.0, 1.0, 2.0])
    n = join_levels(points, ring_start, np.array([0, 1, 3, 4]), heights, 0.003, lower, upper, start, kind, layer)
    assert list(zip(layer[:n].tolist(), kind[:n].tolist(), strict=True)) == [(0, 0), (0, 2), (1, 1), (1, 0)]
    out = np.empty((40, 3))
    spans = np.array([[0, 1], [0.5, 1], [1, 1.5], [1, 2]], float)
    used = start[: n + 1]
    count = corners(lower, upper, used, kind[:n], spans, np.eye(3), np.zeros(3), out)
    assert count == 4 * 5


@pytest.mark.parametrize("seed", range(3))
def test_radii_of_a_star_are_where_its_ring_is_crossed(seed):
    rng = np.random.default_rng(seed)
    ring, middle = wavy(rng, (3, 4)), np.array([3.2, 4.1])
    normals, angles = np.empty_like(ring), np.empty(len(ring))
    assert toward_points(ring, middle, 0.1, normals, angles) == len(ring)
    turn = np.sort(rng.uniform(-np.pi, np.pi, 200))
    ways, out = np.column_stack([np.cos(turn), np.sin(turn)]), np.empty(200)
    radii(ring, middle, ways, out)
    assert shapely.distance(shapely.points(middle + out[:, None] * ways), shapely.linearrings(ring)).max() < 1e-9
    assert toward_points(ring, np.array([30.0, 4.0]), 0.1, normals, angles) == 0
