"""Planted faults are each found with slice and place; clean sets give no finding; repaired sets check clean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_masks import made_image
from planted_faults import FAULTS, as_set, clean_set
from shapes_drawn import circle, prism
from varied_sets import varied_set

from dvhkit.engine.dvh import compute_dvh
from dvhkit.errors import InputError
from dvhkit.findings import Level
from dvhkit.jobs.contours.bands import LEAST_SETS, _bands, against_cohort, bands_text, features_of, read_bands
from dvhkit.jobs.contours.check import _findings, check_contours
from dvhkit.jobs.contours.structure_sets import DrawnSet
from dvhkit.model.structure import Contour, Structure, StructureSet
from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomSet
from dvhkit.readers.case import read_image
from dvhkit.readers.rtstruct import read_structures
from dvhkit.results.contours.checks import ContourBands
from dvhkit.targets.compare.checks.drawn import drawn_of
from dvhkit.targets.compare.checks.mend import mended

# What is about a name or a whole structure has no slice of its own.
BACKWARDS = '{"structures": {"Liver": {"volume_cc": [2, 1]}}}'
NOWHERE = {"empty-structure", "name-unknown", "name-repeated", "too-few-points"}


def found_in(structures: StructureSet):
    return list(_findings(DrawnSet(structures=structures)))


@pytest.mark.parametrize("seed", range(2))
def test_a_clean_set_gives_no_finding(seed):
    assert found_in(as_set(clean_set(seed))) == []


@pytest.mark.parametrize("seed", range(2))
def test_a_clean_set_as_clinics_have_them_gives_no_warning(seed):
    assert warnings_of(seed) == []


@pytest.mark.slow
def test_two_hundred_clean_sets_as_clinics_have_them_give_no_warning():
    assert [found for seed in range(200) for found in warnings_of(seed)] == []


def warnings_of(seed):
    # What is told of names nobody knows, of one slice, and of a PTV that reaches out of the skin, is no fault.
    found = found_in(varied_set(seed))
    assert {f.code for f in found if f.severity is Level.INFO} <= {"name-unknown", "single-slice", "outside-body"}
    return [(seed, f.code, f.roi, f.message) for f in found if f.severity is not Level.INFO]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_with_slice_and_place(fault):
    assert_found(fault, 1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_on_sets_of_other_sizes_and_places(fault):
    for seed in range(300, 306):
        assert_found(fault, seed)


def assert_found(fault, seed):
    code, plant = FAULTS[fault]
    sets = clean_set(seed)
    roi, z = plant(sets)
    if z is not None:
        # A fault of single contours needs no neighbours.
        sets = {roi: sets[roi]}
    hits = [f for f in found_in(as_set(sets)) if f.code == code]
    assert hits, [f.code for f in found_in(as_set(sets))]
    assert roi in {f.roi for f in hits} | {f.other for f in hits}
    if code not in NOWHERE:
        assert all(f.slice_mm is not None and f.place_mm is not None for f in hits)
        assert all(np.isclose(f.slice_mm, f.place_mm[2], atol=0.5) for f in hits)
    if z is not None and code != "planes-not-parallel":
        assert min(abs(f.slice_mm - z) for f in hits) <= 1.2


REPAIRED = [
    "two points", "line across itself", "drawn twice", "drawn twice, almost", "crumb", "line instead of area", "spike",
    "point off its plane", "slice left out", "two slices left out",
]  # fmt: skip


@pytest.mark.parametrize("fault", REPAIRED)
def test_a_repaired_structure_checks_clean_and_keeps_its_volume(fault):
    assert_mended(fault, 1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", REPAIRED)
def test_repairs_hold_on_sets_of_other_sizes_and_places(fault):
    for seed in range(300, 306):
        assert_mended(fault, seed)


def assert_mended(fault, seed):
    code, plant = FAULTS[fault]
    whole, sets = clean_set(seed), clean_set(seed)
    roi, _ = plant(sets)
    found = found_in(as_set({roi: sets[roi]}))
    again = {roi: mended(sets[roi], found)}
    assert not [f for f in found_in(as_set(again)) if f.code == code]
    before, after = (compute_dvh(s[roi], None).volume_cc for s in (whole, again))
    assert after == pytest.approx(before, rel=0.005)


def test_a_structure_without_fault_is_left_as_it_is():
    liver = clean_set()["Liver"]
    assert mended(liver, []) is liver
    assert replace(liver, name="x").contours is liver.contours


def test_what_is_unlike_its_cohort_is_told_with_slice_and_place(tmp_path):
    sets = [as_set(clean_set(seed)) for seed in range(LEAST_SETS)]
    liver = sets[0].structures[0]
    rows = [features_of(drawn_of(s[liver.name])) for s in sets]
    path = tmp_path / "bands.json"
    path.write_text(bands_text(ContourBands(structures={liver.name: _bands(rows)})))
    bands = read_bands(path)
    for structures in sets:
        assert list(against_cohort([(drawn_of(s), s.name) for s in structures], bands)) == []
    grown = tuple(replace(c, points_mm=c.points_mm * np.array([3.0, 3.0, 1.0])) for c in liver.contours)
    found = list(against_cohort([(drawn_of(replace(liver, contours=grown)), "")], bands))
    assert {f.message.split()[0] for f in found} == {"volume", "width", "depth"}
    assert all(f.code == "outside-cohort" and f.slice_mm is not None and f.place_mm is not None for f in found)


@pytest.mark.parametrize("text", ["", "[]", "{}", BACKWARDS, '{"structures": 1}'])
def test_what_holds_no_bands_is_refused(tmp_path, text):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(InputError):
        read_bands(tmp_path / "b.json")


def test_a_repaired_file_checks_clean_and_what_would_change_the_volume_is_left(tmp_path):
    image = read_image(made_image(tmp_path / "ct").folder)
    corners = np.array([(-9, -5), (9, -5), (9, 5), (-9, 5)])
    heights = 40 + 2.5 * np.arange(7)
    crossing = prism(corners, heights, name="GTV")
    spiked = np.insert(crossing.contours[3].points_mm, 2, [(9.0, 0.0, heights[3]), (9.4, 0.1, heights[3])], axis=0)
    twice = (*crossing.contours, crossing.contours[2], replace(crossing.contours[3], points_mm=spiked))
    # Two slices left out between a wide and a narrow part: whatever is drawn there is a guess.
    parts = (*prism(corners, heights[:2]).contours, *prism(corners * 0.3, heights[4:]).contours)
    drawn = [replace(crossing, contours=twice), replace(crossing, name="Node", contours=parts)]
    rois = [NewRoi(structure=replace(s, frame_of_reference_uid=image.frame_of_reference_uid)) for s in drawn]
    old, new = tmp_path / "rs.dcm", tmp_path / "new.dcm"
    write_rtstruct(old, rois, source=None, image=image)
    bytes_before = old.read_bytes()
    log = check_contours(old, repair=new).repairs
    assert old.read_bytes() == bytes_before
    assert any(line.startswith("GTV: contour-repeated") for line in log)
    assert not [f for f in check_contours(new).findings if f.is_safe and f.roi == "GTV"]
    before, after = (read_structures(p)[0] for p in (old, new))
    for name in ("GTV", "Node"):
        volumes = [compute_dvh(s[name], None).volume_cc for s in (before, after)]
        assert volumes[1] == pytest.approx(volumes[0], rel=0.005), name


def written(folder, structure):
    write_set(folder, PhantomSet(label="DRAWN", structures=(structure,), contour_decimals=2))
    return folder / "RTSTRUCT.dcm"


def _tube(radii_mm, gap_mm, across=lambda z: 0.0):
    ring = circle(1.0, 64)
    contours = []
    for n, (rx, ry) in enumerate(radii_mm):
        z = gap_mm * n
        points = np.round(ring * (rx, ry) + (across(z), 0.0), 2)
        contours.append(Contour(points_mm=np.column_stack([points, np.full(len(points), z)])))
    return contours


def _ball(radius_mm, gap_mm):
    heights = np.arange(-radius_mm + 0.3 * gap_mm, radius_mm, gap_mm)
    return _tube([(np.sqrt(radius_mm**2 - z * z),) * 2 for z in heights], gap_mm)


LEFT_OUT = {
    "ball of 10 mm on 2 mm": (_ball(10.0, 2.0), 1),
    "ball of 10 mm on 5 mm": (_ball(10.0, 5.0), 2),
    "ball of 30 mm on 3 mm": (_ball(30.0, 3.0), 9),
    "cord, which does not bulge between slices": (_tube([(6.0, 5.0)] * 20, 5.0, lambda z: 3 * np.sin(z / 30)), 1),
    "cone": (_tube([(5 + n, 6 + n) for n in range(12)], 2.5), 6),
}


@pytest.mark.parametrize("shape", LEFT_OUT)
def test_a_slice_left_out_is_drawn_so_that_the_volume_is_that_of_the_whole(tmp_path, shape):
    contours, lost = LEFT_OUT[shape]
    whole = Structure(number=1, name="Organ", contours=tuple(contours), rt_roi_type="ORGAN")
    broken = replace(whole, contours=(*contours[:lost], *contours[lost + 1 :]))
    old, new = written(tmp_path / "old", broken), tmp_path / "new.dcm"
    checked = check_contours(old, repair=new)
    (told,) = [f for f in checked.findings if f.code == "missing-slice"]
    assert told.slice_mm == pytest.approx(contours[lost].points_mm[0, 2], abs=0.01)
    assert len(checked.repairs) == 1
    assert not [f for f in check_contours(new).findings if f.severity is not Level.INFO]
    repaired = read_structures(new)[0]["Organ"]
    volumes = [compute_dvh(s, None).volume_cc for s in (whole, repaired)]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.001)


def test_a_slice_between_unlike_parts_is_left_to_a_person_who_reads_why(tmp_path):
    corners = np.array([(-9, -5), (9, -5), (9, 5), (-9, 5)])
    parts = (*prism(corners, [0.0, 2.5, 5.0]).contours, *prism(corners * 0.7, [10.0, 12.5, 15.0]).contours)
    old = written(tmp_path / "old", replace(prism(corners, [0.0]), contours=parts))
    checked = check_contours(old, repair=tmp_path / "new.dcm")
    (told,) = [f for f in checked.findings if f.code == "missing-slice"]
    assert not told.is_safe
    assert "by hand" in told.repair
    assert "do not tell its shape" in checked.repairs[0]


@pytest.mark.parametrize("gaps", [[3.0] * 10, [2.0] * 5 + [5.0] * 4, [5.0, 5.0, *[2.0] * 8, 3.0, 3.0]])
def test_volumes_that_are_held_against_a_cohort_follow_unlike_slices(gaps):
    heights = np.cumsum([0.0, *gaps])
    found = drawn_of(prism([(0, 0), (30, 0), (30, 20), (0, 20)], heights))
    ends = 0.5 * (gaps[0] + gaps[-1])
    assert found.volume_cc == pytest.approx(30 * 20 * (heights[-1] + ends) / 1000)


def test_what_lies_beside_a_missing_slice_is_as_thick_as_usual():
    found = drawn_of(prism([(0, 0), (30, 0), (30, 20), (0, 20)], [0, 2, 4, 8, 10, 12]))
    assert found.volume_cc == pytest.approx(30 * 20 * 6 * 2 / 1000)
