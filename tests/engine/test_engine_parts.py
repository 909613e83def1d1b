"""A structure of several parts is as exact as its parts: what ends beside another part ends as it would alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dvhkit.engine.dvh import compute_dvh
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure


def ball(centre_mm: tuple[float, float, float], radius_mm: float, planes_mm: np.ndarray) -> tuple[Contour, ...]:
    """Sections of a ball, as polygons of 200 corners with the circle's area."""
    x, y, z = centre_mm
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    swell = np.sqrt(2 * np.pi / (200 * np.sin(2 * np.pi / 200)))
    contours = []
    for plane in planes_mm[np.abs(planes_mm - z) < radius_mm]:
        r = swell * np.sqrt(radius_mm**2 - (plane - z) ** 2)
        ring = np.column_stack([x + r * np.cos(turn), y + r * np.sin(turn), np.full(200, plane)])
        contours.append(Contour(points_mm=ring))
    return tuple(contours)


def volume_cc(*parts: tuple[Contour, ...]) -> float:
    contours = tuple(contour for part in parts for contour in part)
    return compute_dvh(Structure(number=1, name="parts", contours=contours), None).volume_cc


@pytest.mark.parametrize("step_mm", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("phase", [0.0, 0.17, 0.33, 0.5, 0.67, 0.83])
def test_islands_of_unlike_height_add_up(step_mm, phase):
    planes = np.arange(-30, 30, step_mm) + phase * step_mm
    first, second = ball((-15, 0, 0.4), 4.0, planes), ball((15, 5, -1.0), 3.0, planes)
    together = volume_cc(first, second)
    # The rings share their planes but touch nowhere, so the law is exact but for the lattices: 0.3 % of 0.38 cc.
    assert together == pytest.approx(volume_cc(first) + volume_cc(second), rel=3e-3)


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_islands_far_apart_along_the_axis_add_up(phase):
    planes = np.arange(-60, 60, 2.0) + 2.0 * phase
    first, second = ball((0, 0, -30.0), 5.0, planes), ball((1, 2, 25.0), 8.0, planes)
    assert volume_cc(first, second) == pytest.approx(volume_cc(first) + volume_cc(second), rel=3e-3)


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_a_small_island_beside_a_large_organ_keeps_its_ends(phase):
    planes = np.arange(-60, 60, 3.0) + 3.0 * phase
    organ, island = ball((0, 0, 0), 40.0, planes), ball((60, 0, 5.0), 5.0, planes)
    beside = volume_cc(organ, island) - volume_cc(organ)
    # The organ's own lattice may differ by 0.05 % of 268 cc between the two runs.
    assert beside == pytest.approx(volume_cc(island), abs=0.15)


@pytest.mark.parametrize("planes_mm", [(0.0,), (0.0, 3.0, 6.0)])
def test_a_figure_of_eight_counts_both_its_lobes(planes_mm):
    # Its two triangles of 25 mm² each are wound in opposite senses, so its net area is nothing.
    corners = np.array([(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0)])
    contours = tuple(Contour(points_mm=np.column_stack([corners, np.full(4, z)])) for z in planes_mm)
    dvh = compute_dvh(Structure(number=1, name="bow tie", contours=contours), None, slice_spacing_mm=3.0)
    assert dvh.volume_cc == pytest.approx(50.0 * 3.0 * len(planes_mm) / 1000, rel=1e-6)
    assert "contours-cross" in {finding.code for finding in dvh.findings}


def test_a_ring_folded_onto_itself_bounds_nothing():
    corners = np.array([(0.0, 0.0), (10.0, 10.0), (5.0, 5.0)])
    contours = (Contour(points_mm=np.column_stack([corners, np.zeros(3)])),)
    dvh = compute_dvh(Structure(number=1, name="fold", contours=contours), None, slice_spacing_mm=3.0)
    assert dvh.volume_cc == 0.0


def uneven_ball(planes) -> Structure:
    return Structure(number=1, name="ball", contours=ball((0, 0, 0.0), 20.0, planes))


BALL_CC = 4 / 3 * np.pi * 20.0**3 / 1000
# Slices of 3 mm, then of 1.25 mm, then of 2.5 mm.
RUNS_MM = np.concatenate([np.arange(-30.0, -6, 3.0), np.arange(-6, 6.1, 1.25), 6.5 + np.arange(0.5, 30, 2.5)])


def codes(dvh):
    return {finding.code for finding in dvh.findings}


def test_a_slice_distance_that_changes_is_no_missing_slice():
    dvh = compute_dvh(uneven_ball(RUNS_MM), None)
    assert "slice-missing" not in codes(dvh)
    assert dvh.volume_cc == pytest.approx(BALL_CC, rel=2e-3)


def image_planes(planes) -> Grid:
    return Grid(
        origin_mm=np.array([-50.0, -50.0, planes[0]]),
        axes=np.eye(3),
        spacing_mm=np.ones(2),
        offsets_mm=planes - planes[0],
        n_rows=4,
        n_columns=5,
    )


def test_where_the_image_has_no_slice_none_is_missing_and_where_it_has_one_is():
    # One wide gap only: without the image nobody can tell.
    planes = np.concatenate([np.arange(-30.0, 0, 1.5), np.arange(3.0, 30, 1.5)])
    drawn = uneven_ball(planes)
    assert "slice-missing" in codes(compute_dvh(drawn, None))
    whole = compute_dvh(drawn, None, image=image_planes(planes))
    assert "slice-missing" not in codes(whole)
    assert whole.volume_cc == pytest.approx(BALL_CC, rel=2e-3)
    assert "slice-missing" in codes(compute_dvh(drawn, None, image=image_planes(np.arange(-30.0, 30, 1.5))))
    # An image across the contours says nothing about their planes.
    sagittal = replace(image_planes(planes), axes=np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0]]))
    assert "slice-missing" in codes(compute_dvh(drawn, None, image=sagittal))
