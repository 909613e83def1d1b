"""`engine/joined_slices`: what lies between slices that straight lines join, beside closed forms."""

import numpy as np
import pytest

from dvhkit.engine.joined_slices import join_slices
from dvhkit.engine.options import EndCap
from dvhkit.engine.sampled import slabs_of, values_between_slices
from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure

HEIGHTS = np.array([0.0, 4.0, 8.0, 12.0])
RADII = 18.0 - HEIGHTS  # a cone, cut off


@pytest.fixture(scope="module")
def cone():
    t = np.arange(180) * 2 * np.pi / 180
    rings = [
        np.column_stack([r * np.cos(t) + 3, r * np.sin(t), np.full(180, z)])
        for z, r in zip(HEIGHTS, RADII, strict=True)
    ]
    contours = tuple(Contour(points_mm=ring) for ring in rings)
    return Structure(number=1, name="Cone", contours=contours, frame_of_reference_uid="1.2")


@pytest.fixture(scope="module")
def dose():
    """5 Gy plus 0.3 Gy/mm along x and 0.2 Gy/mm along z."""
    grid = Grid(
        origin_mm=np.array([-31.3, -30.1, -9.0]),
        axes=np.eye(3),
        spacing_mm=np.array([1.5, 1.1]),
        offsets_mm=np.arange(40) * 0.8,
        n_rows=56,
        n_columns=46,
    )
    x, z = -31.3 + 1.5 * np.arange(46), -9.0 + 0.8 * np.arange(40)
    values = 20.0 + 0.3 * x[None, None, :] + 0.2 * z[:, None, None] + np.zeros((40, 56, 46))
    return Dose(
        grid=grid,
        values_gy=values,
        quantum_gy=1e-6,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.3",
        frame_of_reference_uid="1.2",
    )


def frustum_cc(straight: bool) -> tuple[float, float]:
    """Volume between the first slice and the last, and the mean height, mm."""
    if straight:
        z = (np.arange(40_000) + 0.5) * 12.0 / 40_000
        area = np.pi * (18.0 - z) ** 2
    else:
        z = HEIGHTS + np.array([1.0, 0.0, 0.0, -1.0])
        area = np.pi * RADII**2 * np.array([0.5, 1.0, 1.0, 0.5])
    return float(area.mean() * 12.0 / 1000 * (1 if straight else 4 / 3)), float(np.average(z, weights=area))


@pytest.mark.parametrize("straight", [True, False])
def test_a_cone_has_its_volume_and_mean_dose(cone, dose, straight):
    slabs = slabs_of(cone, dose, cap=EndCap.NONE, slice_spacing_mm=4.0)
    joined = join_slices(slabs, dose, columns=900, reach_mm=5.0)
    part = joined.weights_cc(straight=straight)
    volume_cc, height_mm = frustum_cc(straight)
    assert part.sum() == pytest.approx(volume_cc, rel=4e-3)
    # Along x the cone is even about its axis.
    assert np.average(joined.gy, weights=part) == pytest.approx(20.0 + 0.3 * 3 + 0.2 * height_mm, abs=0.02)


def test_voxel_centres_of_a_cone_are_counted_between_straight_lines(cone, dose):
    slabs = slabs_of(cone, dose, cap=EndCap.NONE, slice_spacing_mm=4.0)
    grid = dose.grid
    x, y, z = (grid.origin_mm[a] + s * np.arange(n) for a, s, n in ((0, 1.5, 46), (1, 1.1, 56), (2, 0.8, 40)))
    away = np.hypot(x[None, None, :] - 3, y[None, :, None])
    inside = (away <= 18.0 - z[:, None, None]) & (z[:, None, None] >= 0) & (z[:, None, None] < 12.0)
    found = values_between_slices(slabs, dose)
    assert len(found) == pytest.approx(inside.sum(), rel=2e-3)  # 180 corners are no circle
    assert found.mean() == pytest.approx(dose.values_gy[inside].mean(), abs=0.01)
