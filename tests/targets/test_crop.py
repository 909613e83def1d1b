"""Crops and barriers."""

import numpy as np
import pytest
from minkowski_truth import all_points

from dvhkit.errors import InputError
from dvhkit.model.structure import Structure
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Box, sphere
from dvhkit.targets.derive.crop import away_from, barrier, crop, inside
from dvhkit.targets.derive.margin import grow

PLANES = np.arange(-30, 31) * 2.0 + 1.0


def box(name, centre, size):
    return structure(name, 9, Box(centre_mm=centre, size_mm=size), PLANES)


LESION = structure("GTV", 1, sphere((0, 0, 0), 8), PLANES)


def test_a_target_stays_inside_the_body_less_three_millimetres():
    body = box("BODY", (0, 0, 0), (22, 60, 60))
    made = crop(grow(LESION, 10.0), [inside(body, less_mm=3.0)], source=LESION)
    points = all_points(made.structure)
    assert np.abs(points[:, 0]).max() == pytest.approx(8.0, abs=0.02)
    assert points[:, 1].max() == pytest.approx(np.sqrt(18**2 - 1), abs=0.05)
    assert "3mm" in made.how
    assert "BODY" in made.how
    assert made.findings == ()


def test_a_target_keeps_its_distance_from_the_cord():
    cord = box("Cord", (0, 20, 0), (10, 10, 60))
    made = crop(grow(LESION, 10.0), [away_from(cord, by_mm=4.0)], source=LESION)
    ahead = all_points(made.structure)
    ahead = ahead[np.abs(ahead[:, 0]) < 4.9]
    assert ahead[:, 1].max() == pytest.approx(15 - 4, abs=0.02)


def test_a_limit_that_cuts_the_lesion_itself_says_so():
    wall = box("Wall", (0, 14, 0), (60, 20, 60))
    made = crop(grow(LESION, 5.0), [away_from(wall)], source=LESION)
    assert [f.code for f in made.findings] == ["crop-cuts-source"]


def test_nothing_grows_behind_a_barrier():
    wall = box("Wall", (14, 0, 0), (4, 80, 80))
    cut = crop(grow(LESION, 14.0), [away_from(wall)], source=LESION)
    stopped = crop(grow(LESION, 14.0), [barrier(wall)], source=LESION)
    assert all_points(cut.structure)[:, 0].max() == pytest.approx(22, abs=0.1)
    assert all_points(stopped.structure)[:, 0].max() == pytest.approx(12, abs=0.01)


def test_around_the_edge_of_a_barrier_growth_goes_on():
    wall = box("Wall", (11, 10, 0), (2, 24, 80))
    made = crop(grow(LESION, 10.0), [barrier(wall)], source=LESION)
    points = all_points(made.structure)
    assert (points[:, 0] > 12.5).any()


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        (inside(box("Elsewhere", (60, 0, 0), (10, 10, 30))), "kept inside Elsewhere"),
        (away_from(box("Everything", (0, 0, 0), (90, 90, 90))), "kept outside Everything"),
        (barrier(box("Everything", (0, 0, 0), (90, 90, 90))), "inside the barrier Everything"),
        (inside(Structure(number=5, name="Empty", contours=())), "no contours"),
    ],
)
def test_contradictory_limits_are_refused_in_one_line(limit, why):
    with pytest.raises(InputError, match=why) as caught:
        crop(grow(LESION, 5.0), [limit], source=LESION)
    assert "\n" not in str(caught.value)
