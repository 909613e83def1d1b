"""Kernels on drawn rings, each beside a slow twin: shapely, scikit-image, or the definition written out."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from skimage.measure import find_contours

from dvhkit.engine.kernels.drawn.coverage import coverage, plane_covers
from dvhkit.engine.kernels.drawn.repeats import mark_repeats
from dvhkit.engine.kernels.drawn.rings import orient
from dvhkit.engine.kernels.drawn.trace import link_crossings, touches_border, walk_rings

ROWS, COLUMNS = 17, 23
Ring = NDArray[np.float64]


def lobed(seed: int, x: float, y: float, size: float, n: int = 40) -> Ring:
    """Return a ring that is star-shaped about (x, y), anticlockwise."""
    rng = np.random.default_rng(seed)
    angle = np.arange(n) * 2 * np.pi / n
    r = size * (1 + sum(rng.uniform(0.02, 0.12) * np.cos((k + 2) * angle + rng.uniform(0, 6)) for k in range(3)))
    return np.column_stack([x + r * np.cos(angle), y + r * np.sin(angle)])


def flat(rings: list[Ring]) -> tuple[Ring, NDArray[np.int64]]:
    return np.vstack(rings), np.cumsum([0, *map(len, rings)]).astype(np.int64)


def scratch() -> tuple[Ring, NDArray[np.int64], NDArray[np.int64]]:
    return np.zeros((5, ROWS, COLUMNS)), np.zeros(ROWS, np.int64), np.zeros(ROWS, np.int64)


def cells_by_shapely(section: shapely.Polygon) -> Ring:
    """Return covered area and first moments (3, rows, columns) of each cell, in cell units from its corner."""
    out = np.zeros((3, ROWS, COLUMNS))
    for row in range(ROWS):
        for column in range(COLUMNS):
            part = section.intersection(shapely.box(column, row, column + 1, row + 1))
            if part.area > 0:
                centre = part.centroid
                out[:, row, column] = part.area * np.array([1, centre.x - column, centre.y - row])
    return out


@pytest.mark.parametrize("seed", range(3))
def test_coverage_of_a_ring_with_a_hole_is_that_of_shapely(seed):
    outer, hole = lobed(seed, 11.3, 8.1, 6.0), lobed(seed + 50, 10.9, 8.4, 2.4)
    points, starts = flat([outer, hole[::-1]])
    acc, first, last = scratch()
    area = np.zeros((3, ROWS, COLUMNS))
    excess = coverage(points, starts, 0, 2, acc, first, last, area)
    truth = cells_by_shapely(shapely.Polygon(outer, [hole]))
    assert area == pytest.approx(truth, abs=1e-11)
    assert excess < 1e-12
    assert not acc.any()  # handed back as it came
    assert (truth[0].sum(axis=1) > 0).tolist() == (last >= 0).tolist()


def test_coverage_leaves_its_range_where_rings_overlap():
    points, starts = flat([lobed(1, 9.0, 8.0, 4.0), lobed(2, 11.0, 8.0, 4.0)])
    area = np.zeros((3, ROWS, COLUMNS))
    assert coverage(points, starts, 0, 2, *scratch(), area) == pytest.approx(1.0)


def test_covers_tell_full_cut_and_empty_cells_of_each_plane():
    squares = [np.array([[x, 2.0], [x + 4.5, 2.0], [x + 4.5, 7.25], [x, 7.25]]) for x in (3.0, 5.5, 8.0)]
    points, starts = flat(squares)
    cover, area = np.zeros((2, ROWS, COLUMNS), np.int8), np.zeros((2, 3, ROWS, COLUMNS))
    excess = np.zeros(3)
    plane_covers(points, (starts, np.arange(4)), 0, 3, scratch(), cover, area, excess)
    for plane, left in ((2, 8.0), (1, 5.5)):  # plane 2 took the slot of plane 0
        truth = cells_by_shapely(shapely.box(left, 2.0, left + 4.5, 7.25))[0]
        told = cover[plane % 2]
        assert (told == 1).tolist() == (truth > 1 - 1e-12).tolist()
        assert (told == -1).tolist() == (truth < 1e-12).tolist()
    assert excess.max() < 1e-12


def test_rings_turn_by_their_depth_and_a_twin_is_told():
    island, hole, outer = lobed(1, 0, 0, 2.0), lobed(2, 0.3, 0, 5.0), lobed(3, 0, 0.4, 11.0)
    apart = lobed(4, 40.0, 0, 3.0)
    points, starts = flat([island[::-1], hole, outer[::-1], apart, apart.copy()])
    depth, area, box = np.zeros(5, np.int64), np.zeros(5), np.zeros((5, 4))
    orient(points, starts, np.array([0, 5]), np.array([True]), depth, area, box)
    assert depth.tolist() == [2, 1, 0, 0, -1]
    rings = [points[starts[r] : starts[r + 1]] for r in range(5)]
    assert [shapely.LinearRing(r).is_ccw for r in rings[:4]] == [True, False, True, True]
    assert area == pytest.approx([shapely.Polygon(r).area for r in rings])
    assert box[2] == pytest.approx(shapely.Polygon(outer).bounds)


@pytest.mark.parametrize("seed", range(4))
def test_rings_that_pass_one_point_twice_are_those_found_by_comparing_all_pairs(seed):
    rng = np.random.default_rng(seed)
    rings = [rng.integers(0, 12, size=(int(rng.integers(4, 14)), 2)) * 0.5 for _ in range(30)]
    points, starts = flat(rings)
    order = np.concatenate([starts[r] + np.argsort(ring[:, 0], kind="stable") for r, ring in enumerate(rings)])
    repeats = np.zeros(len(rings), np.bool_)
    mark_repeats(points, order, starts, 1e-3, repeats)

    def twice(ring: Ring) -> bool:
        n = len(ring)
        pairs = [(a, b) for a in range(n) for b in range(a + 2, n) if (a, b) != (0, n - 1)]
        return any(np.abs(ring[a] - ring[b]).max() <= 1e-3 for a, b in pairs)

    assert repeats.tolist() == [twice(ring) for ring in rings]
    assert 0 < repeats.sum() < len(rings)


def traced(field: Ring) -> list[Ring]:
    following, edges = np.full(2 * field.size, -1, np.int64), np.empty(2 * field.size, np.int64)
    count = link_crossings(field, following, edges)
    points, starts = np.empty((count, 2)), np.empty(count + 1, np.int64)
    n = walk_rings(field, following, edges, count, 1e-9, 1e-6, points, starts)
    assert (following == -1).all()
    return [points[starts[r] : starts[r + 1]] for r in range(n)]


@pytest.mark.parametrize("seed", range(3))
def test_traced_rings_bound_what_scikit_image_finds_inside_on_their_left(seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:40, :50].astype(float)
    waves = [
        rng.normal() * np.cos(rng.uniform(0.1, 0.5) * rows + rng.uniform(0.1, 0.5) * columns + k) for k in range(6)
    ]
    field = sum(waves) + 0.05
    field[[0, -1], :] = field[:, [0, -1]] = 5.0
    assert not touches_border(field)
    ours = traced(field)
    own = sum(float(np.sum(r[:, 0] * np.roll(r[:, 1], -1) - np.roll(r[:, 0], -1) * r[:, 1])) / 2 for r in ours)
    # In scikit-image high values lie on the left where `positive_orientation` says low: areas come out with a sign.
    theirs = [c[:-1, ::-1] for c in find_contours(field, 0.0, fully_connected="low", positive_orientation="low")]
    other = sum(float(np.sum(r[:, 0] * np.roll(r[:, 1], -1) - np.roll(r[:, 0], -1) * r[:, 1])) / 2 for r in theirs)
    below = (field < 0).sum()
    assert own > 0
    # A saddle is cut one way or the other: half a cell each at most, and they are few.
    assert abs(own - abs(other)) <= 0.01 * below
    assert own == pytest.approx(below, rel=0.05)


def test_a_field_that_is_negative_on_its_border_is_told():
    field = np.ones((5, 6))
    assert not touches_border(field)
    for place in ((0, 3), (4, 1), (2, 0), (3, 5)):
        marked = field.copy()
        marked[place] = -1e-9
        assert touches_border(marked)
    field[2, 2] = -1.0
    assert not touches_border(field)
