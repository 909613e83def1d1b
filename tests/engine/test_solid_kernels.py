"""Kernels on what lies between and beyond drawn planes, each beside a slow twin or a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from dvhkit.engine.kernels.solid.links import link, reach, ring_shapes
from dvhkit.engine.kernels.solid.support import edge_normals, is_convex, merge_normals, reaches, shared_polygon

Ring = NDArray[np.float64]


def circle(r: float, x: float = 0.0, y: float = 0.0, n: int = 360) -> Ring:
    angle = np.arange(n) * 2 * np.pi / n
    return np.column_stack([x + r * np.cos(angle), y + r * np.sin(angle)])


def box(width: float, height: float, x: float = 0.0, y: float = 0.0) -> Ring:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])


def flat(planes: list[list[Ring]]) -> tuple[Ring, NDArray[np.int64], NDArray[np.int64]]:
    rings = [ring for plane in planes for ring in plane]
    starts, of_plane = np.cumsum([0, *map(len, rings)]), np.cumsum([0, *map(len, planes)])
    return np.vstack(rings), starts, of_plane


def shapes(planes: list[list[Ring]]) -> dict[str, NDArray[np.float64]]:
    points, starts, of_plane = flat(planes)
    n = len(starts) - 1
    out = {name: np.empty(n) for name in ("x", "y", "size", "rho2", "full_rho2")}
    is_hole = np.empty(n, np.bool_)
    ring_shapes(points, starts, of_plane, out["x"], out["y"], out["size"], is_hole, out["rho2"], out["full_rho2"])
    return {**out, "is_hole": is_hole}


def test_ring_shapes_are_centroids_and_half_thicknesses():
    slab, square, wall, bore = box(30, 4, 5, 7), box(6, 6, 50), circle(20, 100), circle(16, 100)[::-1]
    found = shapes([[slab, square], [wall, bore]])
    assert found["is_hole"].tolist() == [False, False, False, True]
    assert found["x"] == pytest.approx([20.0, 53.0, 100.0, 100.0])
    assert found["y"] == pytest.approx([9.0, 3.0, 0.0, 0.0], abs=1e-9)
    assert found["size"][:2] == pytest.approx(np.sqrt([120 / np.pi, 36 / np.pi]))
    # Half the short side of the rectangle with the ring's area and perimeter; a wall counts as long as both its rims.
    assert found["rho2"][:2] == pytest.approx([4.0, 9.0])
    area, around = np.pi * (20**2 - 16**2), 2 * np.pi * (20 + 16)
    short_side = min(np.roots([1.0, -around / 2, area]))
    assert found["rho2"][2] == pytest.approx((short_side / 2) ** 2, rel=1e-3)
    assert found["full_rho2"][2] == pytest.approx(0.25 * np.pi * 400, rel=1e-3)


def links(planes: list[list[Ring]], runs: list[int]) -> tuple[list[int], list[int]]:
    points, starts, of_plane = flat(planes)
    n = len(starts) - 1
    is_hole = np.array([not shapely.LinearRing(points[starts[r] : starts[r + 1]]).is_ccw for r in range(n)])
    above, below = np.empty(n, np.int64), np.empty(n, np.int64)
    link(points, starts, of_plane, np.array(runs), is_hole, above, below)
    return above.tolist(), below.tolist()


def test_rings_link_to_what_they_overlap_of_their_kind_and_forks_are_told():
    ball, hole = circle(10), circle(5)[::-1]
    above, below = links([[ball, hole], [ball, hole]], [0, 0])
    assert (above, below) == ([2, 3, -1, -1], [-1, -1, 0, 1])
    fork = [[circle(10)], [circle(3, -5), circle(3, 5)]]
    assert links(fork, [0, 0]) == ([-2, -1, -1], [-1, -2, -2])
    apart = [[circle(3)], [circle(3, 30.0), circle(2, 60.0)]]
    assert links(apart, [0, 0]) == ([-1, -1, -1], [-1, -1, -1])
    assert links([[ball], [ball]], [0, 1]) == ([-1, -1], [-1, -1])


def reached(rho2: list[float], offsets: list[float], gap: float) -> tuple[float, int]:
    """Return height and order beyond the last of planes with one ring each."""
    n = len(rho2)
    up = np.array([*range(1, n), -1])
    down = np.array([-1, *range(n - 1)])
    height, order = np.empty(n), np.empty(n, np.int64)
    reach(np.array(rho2), np.array(offsets), np.arange(n), up, down, np.full(n, gap), height, order)
    assert not height[:-1].any()
    return float(height[-1]), int(order[-1])


@pytest.mark.parametrize("phase", [0.2, 0.5, 0.9])
def test_beyond_its_last_plane_a_ball_ends_where_its_parabola_does(phase):
    # Circles of a ball: 0.25 x their area goes quadratically with the height, and is nothing at the pole.
    radius, gap = 17.0, 3.0
    offsets = radius - gap * (phase + np.arange(4)[::-1])
    rho2 = 0.25 * np.pi * (radius**2 - offsets**2)
    height, order = reached(rho2.tolist(), offsets.tolist(), gap)
    assert (height, order) == (pytest.approx(phase * gap), 3)


def test_beyond_upright_walls_half_a_gap_and_beyond_one_plane_nothing_is_known():
    assert reached([36.0, 36.0, 36.0], [0, 3, 6], 3.0) == (pytest.approx(1.5), 4)
    assert reached([36.0], [0.0], 5.0) == (pytest.approx(2.5), 0)


def test_a_cone_ends_in_its_tip():
    # The half-thickness falls straight, its square as a parabola that touches nothing at the tip, 2 mm on.
    offsets = np.array([0.0, 3.0, 6.0])
    height, order = reached(((8.0 - offsets) ** 2).tolist(), offsets.tolist(), 3.0)
    assert (height, order) == (pytest.approx(2.0, abs=1e-6), 3)


def hull(seed: int, n: int = 25) -> Ring:
    points = np.random.default_rng(seed).normal(size=(n, 2)) * [12, 7]
    ring = shapely.get_coordinates(shapely.convex_hull(shapely.MultiPoint(points)))[:-1]
    return ring if shapely.LinearRing(ring).is_ccw else ring[::-1].copy()


def normals_of(ring: Ring) -> tuple[Ring, NDArray[np.float64]]:
    normals, angles = np.empty((len(ring), 2)), np.empty(len(ring))
    count = edge_normals(ring, normals, angles)
    return normals[:count], angles[:count]


@pytest.mark.parametrize("seed", range(4))
def test_half_planes_of_a_convex_ring_share_the_ring(seed):
    ring = hull(seed)
    assert is_convex(ring)
    normals, angles = normals_of(ring)
    assert np.all(np.diff(angles) > 0)
    middle = ring.mean(axis=0)
    out = np.empty(len(normals))
    reaches(ring, middle, normals, out)
    assert out == pytest.approx(((ring - middle) @ normals.T).max(axis=0))
    corners = np.empty((len(normals) + 1, 2))
    count = shared_polygon(normals, out, np.empty(len(normals), np.int64), corners)
    shared = shapely.Polygon(corners[:count] + middle)
    assert shared.symmetric_difference(shapely.Polygon(ring)).area == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_half_planes_of_two_rings_share_their_intersection(seed):
    a, b = hull(seed), hull(seed + 20) + np.array([4.0, 1.0])
    (na, aa), (nb, ab) = normals_of(a), normals_of(b)
    normals = np.empty((len(na) + len(nb), 2))
    count = merge_normals(na, aa, nb, ab, normals)
    normals = normals[:count]
    angle = np.arctan2(normals[:, 1], normals[:, 0])
    assert np.all(np.diff(angle) > 0)
    offsets = np.minimum((a @ normals.T).max(axis=0), (b @ normals.T).max(axis=0))
    corners = np.empty((count + 1, 2))
    n = shared_polygon(normals, offsets, np.empty(count, np.int64), corners)
    both = shapely.Polygon(a).intersection(shapely.Polygon(b))
    # Half planes that only touch the rest leave a corner twice, a rounding apart.
    shared = shapely.make_valid(shapely.Polygon(corners[:n]))
    assert shared.area == pytest.approx(both.area, rel=1e-9)
    assert shared.symmetric_difference(both).area == pytest.approx(0.0, abs=1e-6)


def test_half_planes_that_share_nothing_give_no_corners():
    normals = np.array([[-1.0, 0.0], [0.0, -1.0], [1.0, 0.0], [0.0, 1.0]])
    offsets = np.array([-5.0, 1.0, 3.0, 1.0])  # x >= 5 and x <= 3
    assert shared_polygon(normals, offsets, np.empty(4, np.int64), np.empty((5, 2))) == 0


def test_a_ring_with_a_dent_is_not_convex_and_one_with_points_on_straight_lines_is():
    ring = hull(3)
    dense = shapely.get_coordinates(shapely.LinearRing(ring).segmentize(1.0))[:-1]
    assert is_convex(dense)
    dent = dense.copy()
    dent[2] += 0.3 * (dense.mean(axis=0) - dense[2])
    assert not is_convex(dent)
