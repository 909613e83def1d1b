"""Lattices on which structures are filled: borders on voxel centres, layers that meet, sizes that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from dvhkit.engine.contours.frame import Frame
from dvhkit.engine.lattice import end_halves_mm, merge_near, rim_mm
from dvhkit.engine.trace import trace_zero
from dvhkit.model.grid import Grid


def grid(offsets: list[float], columns: int = 9, rows: int = 6) -> Grid:
    return Grid(
        origin_mm=np.array([-20.0, 11.0, 5.0]),
        axes=np.eye(3),
        spacing_mm=np.array([2.5, 4.0]),
        offsets_mm=np.array(offsets),
        n_rows=rows,
        n_columns=columns,
    )


def test_outermost_planes_reach_half_way_to_where_the_next_would_be():
    assert end_halves_mm(grid([0.0, 2.0, 7.0])).tolist() == [1.0, 2.5]
    assert end_halves_mm(grid([0.0])).tolist() == [1.625, 1.625]  # as thick as its pixels are wide


@pytest.mark.parametrize("to_centres", [False, True])
def test_the_rim_of_a_grid_lies_on_faces_or_centres_whichever_way_contours_face(to_centres):
    half = 0.0 if to_centres else 0.5
    along = {0: (-2.5 * half, 2.5 * (8 + half)), 1: (-4.0 * half, 4.0 * (5 + half)), 2: (-2.0 * half, 7.0 + 5.0 * half)}
    for order in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        frame = Frame(origin_mm=np.zeros(3), axes=np.eye(3)[list(order)], grid_axis=order)
        rim = rim_mm(frame, grid([0.0, 2.0, 7.0]), to_centres=to_centres)
        assert rim == pytest.approx([*along[order[0]], *along[order[1]]])


def test_a_frame_that_slants_has_no_rim():
    frame = Frame(origin_mm=np.zeros(3), axes=np.eye(3), grid_axis=(-1, -1, -1))
    assert rim_mm(frame, grid([0.0, 2.0])).tolist() == [-np.inf, np.inf, -np.inf, np.inf]


def test_heights_that_repeat_are_one_and_order_does_not_matter():
    assert merge_near(np.array([3.0, 1.0, 1.0 + 1e-10, 2.0, 3.0])).tolist() == [1.0, 2.0, 3.0]


def test_a_traced_circle_is_as_large_as_its_level_says():
    step, r = 0.5, 7.3
    v, u = np.mgrid[-10:10:step, -12:12:step]
    rings = trace_zero(np.hypot(u - 0.31, v + 0.47) - r, origin_uv=np.array([-12.0, -10.0]), step_mm=step)
    assert len(rings) == 1
    x, y = rings[0].T
    area = 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    # Linear between nodes: the sagitta of a step over a circle, a share of (step / r)^2 / 12 or so of the area.
    assert area == pytest.approx(np.pi * r * r, rel=(step / r) ** 2)
    assert np.hypot(x - 0.31, y + 0.47) == pytest.approx(np.full(len(x), r), abs=step**2 / (8 * r) + 1e-9)
