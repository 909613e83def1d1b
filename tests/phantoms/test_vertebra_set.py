"""The vertebra phantom as structures: outlines hold what its labels say, in any pose."""

import numpy as np
import pytest
from shapely import Polygon

from dvhkit.errors import InputError
from dvhkit.phantoms.sets.catalogue import make_phantom
from dvhkit.phantoms.sets.vertebra_set import compartment_name, middle_of, vertebra_set, vertebra_structures
from dvhkit.phantoms.vertebra import CANAL_NUMBER, PART_NUMBER, THORACIC, VertebraPhantom
from dvhkit.targets.vertebra.rules import Compartment


def area_mm2(contours):
    """Even-odd area of one plane: nested outlines are holes."""
    whole = Polygon()
    for contour in contours:
        whole = whole.symmetric_difference(Polygon(contour.points_mm[:, :2]).buffer(0))
    return whole.area


@pytest.mark.parametrize("tilt_deg", [(0.0, 0.0, 0.0), (12.0, -8.0, 20.0)])
def test_outlines_hold_the_area_that_labels_count(tilt_deg):
    vertebra = VertebraPhantom(centre_mm=(5.0, -3.0, 7.0), tilt_deg=tilt_deg, shape=THORACIC)
    drawn = {s.name: s for s in vertebra_structures(vertebra, [3.3, 9.1], level="T07")}
    axis = np.arange(-45.0, 45.0, 0.2) + 0.013
    x, y = np.meshgrid(axis + 5.0, axis - 3.0)
    for z in (3.3, 9.1):
        parts = vertebra.part_at(np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1))
        for part, number in {**PART_NUMBER, "canal": CANAL_NUMBER}.items():
            name = "SpinalCanal" if part == "canal" else compartment_name(part, "T07")
            here = [c for c in drawn[name].contours if c.points_mm[0, 2] == z]
            expected = np.count_nonzero(parts == number) * 0.04
            # Chords of 0.8 mm cut corners of up to 0.8²/4 mm² each, and specks below 1 mm² are left out.
            assert area_mm2(here) == pytest.approx(expected, rel=0.01, abs=1.5)


def test_compartments_together_are_the_whole_bone():
    vertebra = VertebraPhantom(tilt_deg=(5.0, 0.0, 3.0))
    drawn = vertebra_structures(vertebra, [1.0], level="L2")
    whole = next(s for s in drawn if s.name == "zVert_L2")
    parts = sum(area_mm2(s.contours) for s in drawn if s.name not in ("zVert_L2", "SpinalCanal"))
    assert parts == pytest.approx(area_mm2(whole.contours), rel=0.01)


def test_left_is_left_and_every_name_is_short_and_its_own():
    vertebra = VertebraPhantom()
    drawn = vertebra_structures(vertebra, np.arange(-15.0, 15.0, 3.0), level="L2", first_number=20)
    names = [s.name for s in drawn]
    assert len(set(names)) == len(names) == 10
    assert max(map(len, names)) <= 16
    assert [s.number for s in drawn] == list(range(20, 30))
    for s in drawn:
        # LPS: the patient's left is +x.
        if s.name.endswith("_L"):
            assert min(c.points_mm[:, 0].min() for c in s.contours) >= -1e-6
        if s.name.endswith("_R"):
            assert max(c.points_mm[:, 0].max() for c in s.contours) <= 1e-6


@pytest.mark.parametrize("part", Compartment)
def test_the_middle_of_a_compartment_lies_deep_inside_it(part):
    vertebra = VertebraPhantom(tilt_deg=(10.0, 5.0, -20.0), centre_mm=(40.0, -20.0, 300.0), scale=1.1)
    centre = np.array(middle_of(vertebra, part))
    around = centre + 1.2 * np.concatenate([np.eye(3), -np.eye(3), np.zeros((1, 3))])
    assert set(vertebra.part_at(around).tolist()) == {PART_NUMBER[part]}


def test_the_set_has_a_lesion_where_it_was_asked_for_and_true_volumes():
    phantom, rows = vertebra_set(kind="thoracic", lesion_in=Compartment.LAMINA_R, slice_mm=3.0)
    gtv = phantom.structures[-1]
    assert (gtv.name, gtv.rt_roi_type) == ("GTV", "GTV")
    centre = np.mean([c.points_mm.mean(axis=0) for c in gtv.contours], axis=0)
    assert centre[0] < 0
    assert {r.roi for r in rows} == {compartment_name(p, "T07") for p in Compartment}
    left, right = (next(r.value for r in rows if r.roi == f"zPed_T07_{side}") for side in "LR")
    assert left == pytest.approx(right, rel=0.02)


def test_true_volumes_agree_with_a_finer_count():
    _, rows = vertebra_set(kind="lumbar", slice_mm=6.0)
    vertebra = VertebraPhantom()
    step = 0.35
    spinous = next(r.value for r in rows if r.roi == "zSP_L2")
    x, y, z = np.meshgrid(
        np.arange(-4.0, 4.0, step) + 0.11, np.arange(8.0, 46.0, step), np.arange(-20.0, 8.0, step), indexing="ij"
    )
    points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    counted = np.count_nonzero(vertebra.part_at(points) == PART_NUMBER[Compartment.SPINOUS]) * step**3 / 1000
    # Aligned cells count the 7 mm plate as exactly 20 layers of 0.35 mm; its other ends to half a cell in 30 mm.
    assert spinous == pytest.approx(counted, rel=0.02)


def test_vertebrae_are_in_the_catalogue_and_others_are_refused():
    made = make_phantom("vertebra-thoracic-tilted")
    assert {r.metric for r in made.rows} == {"Volume[cc]"}
    with pytest.raises(InputError, match="no vertebra 'sacral'"):
        vertebra_set(kind="sacral")
