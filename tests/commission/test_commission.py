"""Commissioning: the shipped phantoms pass, planted defects fail and are named, changed numbers are told."""

import json
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from dvhkit.errors import InputError
from dvhkit.jobs.commission import measured, other_numbers
from dvhkit.jobs.commission import run as commissioning
from dvhkit.jobs.commission.compare import changed_numbers, read_record
from dvhkit.jobs.commission.diagnosis import diagnose
from dvhkit.jobs.commission.known_answers import STACK_RULES, judged
from dvhkit.jobs.commission.measured import Answer
from dvhkit.outputs.commissioning.commission import commission_document, commission_page, write_record
from dvhkit.phantoms.sets.catalogue import make_phantom
from dvhkit.phantoms.sets.linear_sets import linear_dose
from dvhkit.readers import rtstruct
from dvhkit.results.commission import CommissionNumber

SHORT = ("linear-si-2mm", "prism")
LINEAR = ("linear-si-2mm", "linear-ap-2mm", "linear-oblique-2mm")


@pytest.fixture(scope="module")
def true_answers():
    """Answers of a perfect installation, in every reading of three linear phantoms."""
    made = {name: make_phantom(name).rows for name in LINEAR}
    return [
        Answer(phantom=name, engine=row.reading, truth=row, value=row.value, low=None, high=None)
        for name, rows in made.items()
        for row in rows
    ]


def failed_ids(answers):
    tests = [t for name in LINEAR[:2] for t in judged(name, "", STACK_RULES, of_stack(answers, name))]
    return {t.id for t in tests if not t.passed}


def of_stack(answers, name):
    return [a for a in answers if a.phantom == name and a.truth.reading == "stack"]


def test_a_perfect_installation_passes_and_nothing_is_diagnosed(true_answers):
    assert failed_ids(true_answers) == set()
    assert diagnose(true_answers, commissioning._gradients()) == ()


def test_volumes_half_a_percent_too_large_fail_and_are_named(true_answers):
    wrong = [replace(a, value=a.value * 1.005) if a.truth.unit == "cc" else a for a in true_answers]
    assert "linear-si-2mm/volume" in failed_ids(wrong)
    (said,) = diagnose(wrong, commissioning._gradients())
    assert "volumes" in said
    assert "1.0050" in said


@pytest.mark.parametrize("shift_voxels", [(0.5, 0.5, 0.5), (0.0, 0.0, 0.5), (-0.5, 0.0, 0.0), (0.2, 0.0, -0.3)])
def test_a_dose_beside_its_place_fails_and_the_shift_is_named(true_answers, shift_voxels):
    gradients = commissioning._gradients()

    def moved(answer):
        if answer.truth.unit != "Gy":
            return answer
        gradient, voxel_mm = gradients[answer.phantom]
        return replace(answer, value=answer.value - float(np.dot(gradient, voxel_mm * np.array(shift_voxels))))

    wrong = [moved(a) for a in true_answers]
    if shift_voxels != (-0.5, 0.0, 0.0):  # neither dose of the closed stacks changes along x
        assert failed_ids(wrong)
    (said,) = diagnose(wrong, gradients)
    for axis, voxels in zip("xyz", shift_voxels, strict=True):
        assert (f"{voxels:+.2f} voxels along {axis}" in said) == (voxels != 0.0)
    assert ("half a voxel" in said) == all(abs(v) in (0.0, 0.5) for v in shift_voxels)


def test_doses_of_another_scale_are_named_as_a_scale_and_not_as_a_shift(true_answers):
    wrong = [replace(a, value=a.value * 1.02) if a.truth.unit == "Gy" else a for a in true_answers]
    (said,) = diagnose(wrong, commissioning._gradients())
    assert "doses are wrong by the same factor: 1.0200" in said


def test_structures_that_changed_places_are_named(true_answers):
    values = {(a.phantom, a.engine, a.truth.roi, a.truth.metric): a.value for a in true_answers}
    other = {"Sphere": "Cone", "Cone": "Sphere"}

    def swapped(answer):
        roi = other.get(answer.truth.roi, answer.truth.roi)
        return replace(
            answer, value=values.get((answer.phantom, answer.engine, roi, answer.truth.metric), answer.value)
        )

    said = diagnose([swapped(a) for a in true_answers], commissioning._gradients())
    assert any("values of Sphere are those of Cone" in text for text in said)


def test_structures_of_one_volume_are_told_apart_by_their_doses(true_answers):
    of_one = [a for a in true_answers if (a.phantom, a.engine) == ("linear-ap-2mm", "solid")]
    values = {(a.truth.roi, a.truth.metric): a.value for a in of_one}
    other = {"Cone": "Cone_AP", "Cone_AP": "Cone"}  # the same cone, upright and lying
    wrong = [
        replace(a, value=values[other.get(a.truth.roi, a.truth.roi), a.truth.metric])
        for a in of_one
        if (other.get(a.truth.roi, a.truth.roi), a.truth.metric) in values
    ]
    said = diagnose(wrong, commissioning._gradients())
    assert sorted(said) == [
        "Structures swapped (ROI order): the values of Cone are those of Cone_AP (linear-ap-2mm).",
        "Structures swapped (ROI order): the values of Cone_AP are those of Cone (linear-ap-2mm).",
    ]


def test_phantoms_are_read_with_their_contours_in_another_order_than_their_structures(monkeypatch):
    from dvhkit.jobs.commission import measured

    written = []
    monkeypatch.setattr(measured, "through_dicom", written.append)
    monkeypatch.setattr(measured, "_answers", lambda *_: [])
    measured.measure("margin-2mm", [("prism", "stack")])
    assert written[0].contours_reversed


def test_contours_in_another_order_stay_with_their_number(tmp_path):
    from dvhkit.phantoms.dicom.dicom_set import write_set
    from dvhkit.readers.rtstruct import read_structures

    phantom = make_phantom("margin-2mm").phantom
    paths = write_set(tmp_path, replace(phantom, image=None, doses=(), contours_reversed=True))
    (path,) = [p for p in paths if pydicom.dcmread(p, stop_before_pixels=True).Modality == "RTSTRUCT"]
    numbers = [item.ReferencedROINumber for item in pydicom.dcmread(path).ROIContourSequence]
    assert numbers == [3, 2, 1]
    for drawn, found in zip(phantom.structures, read_structures(path)[0].structures, strict=True):
        assert (found.name, len(found.contours)) == (drawn.name, len(drawn.contours))


def test_biology_and_agreement_meet_their_closed_forms():
    tests = [*other_numbers.biology_tests(), *other_numbers.agreement_tests()]
    assert {t.id for t in tests if not t.passed} == set()
    assert len(tests) == 7


def test_a_missing_value_is_no_pass(true_answers):
    lacking = [replace(a, value=None, lack="no dose") if a.truth.roi == "Torus" else a for a in true_answers]
    assert "linear-si-2mm/mean" in failed_ids(lacking)


@pytest.mark.requirement("R10")
def test_changed_numbers_are_told_and_last_digits_are_not():
    def number(value, roi="PTV"):
        return CommissionNumber(of="plan 1", roi=roi, metric="Mean[Gy]", value=value, unit="Gy")

    assert changed_numbers([number(50.0)], [number(50.0 + 1e-9)]) == ()
    (change,) = changed_numbers([number(50.0)], [number(50.1)])
    assert (change.old, change.new) == (50.0, 50.1)
    gone, new = changed_numbers([number(1.0, "A")], [number(1.0, "B")])
    assert (gone.new, new.old) == (None, None)


@pytest.fixture(scope="module")
def record():
    """A record of one phantom and one reading: the rest takes a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commissioning, "_PLAN", tuple(e for e in commissioning._PLAN if e[:2] == SHORT))
        patch.setattr(commissioning, "_other_tests", lambda say: [commissioning.checks.repeat_test()])
        patch.setattr(commissioning, "band_test", lambda answers: commissioning.checks.repeat_test())
        return commissioning.commission(site="<b>Ward</b>")


@pytest.mark.slow
def test_the_shipped_phantoms_pass_on_this_build_with_at_least_twenty_tests():
    whole = commissioning.commission()
    assert whole.passed, [t for t in whole.tests if not t.passed]
    assert len(whole.tests) >= 20
    assert len({t.id for t in whole.tests}) == len(whole.tests)


def test_a_record_passes_and_comes_back_from_its_json(record, tmp_path):
    assert record.passed, [t for t in record.tests if not t.passed]
    page, document = write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    stored = json.loads(document.read_text())
    assert stored["passed"] is True
    for test in stored["tests"]:
        assert test["achieved"] <= test["tolerance"]
        assert {"id", "unit", "passed"} <= set(test)
    assert "<b>Ward" not in page.read_text()
    assert "&lt;b&gt;Ward" in page.read_text()


def larger_volumes(patch):
    from dvhkit.jobs.numbers import CaseNumbers

    compute = CaseNumbers._compute

    def larger(self, structure, **options):
        dvh = compute(self, structure, **options)
        return replace(dvh, volume_cc=dvh.volume_cc * 1.005, part_cc=dvh.part_cc * 1.005)

    patch.setattr(CaseNumbers, "_compute", larger)


def dose_half_a_voxel_up(patch):
    read = measured.read_case

    def moved(folder):
        case = read(folder)
        grid = case.dose.grid
        up = replace(grid, origin_mm=grid.origin_mm + np.array([0.0, 0.0, 1.0]))  # voxels of 2 mm
        return replace(case, dose=replace(case.dose, grid=up))

    patch.setattr(measured, "read_case", moved)


def contours_by_order(patch):
    numbered = rtstruct._contour_items

    def by_order(data, path):
        found = numbered(data, path)
        numbers = (
            rtstruct.require_integer(roi, "ROINumber", path=path)
            for roi in rtstruct.items(data, "StructureSetROISequence", path=path)
        )
        return dict(zip(numbers, found.values(), strict=True))

    patch.setattr(rtstruct, "_contour_items", by_order)


@pytest.mark.requirement("R12")
@pytest.mark.parametrize(
    ("perturb", "said", "phantoms"),
    [
        (larger_volumes, "volumes are wrong by the same factor: 1.0050", LINEAR[:1]),
        (contours_by_order, "Structures swapped (ROI order)", LINEAR[:1]),
        # Three gradients are needed to tell three directions.
        pytest.param(dose_half_a_voxel_up, "+0.50 voxels along z: half a voxel", LINEAR, marks=pytest.mark.slow),
    ],
)
def test_a_perturbed_engine_fails_and_says_what_is_wrong(monkeypatch, record, perturb, said, phantoms):
    assert record.passed
    perturb(monkeypatch)
    plan = {entry[0]: entry for entry in reversed(commissioning._PLAN) if entry[0] in phantoms}
    monkeypatch.setattr(commissioning, "_PLAN", tuple(plan.values()))
    monkeypatch.setattr(commissioning, "_other_tests", lambda say: [])
    wrong = commissioning.commission()
    assert not wrong.passed
    assert any(said in text for text in wrong.diagnosis), wrong.diagnosis
    assert "FAILED" in commission_page(wrong)
    assert commission_document(wrong)["passed"] is False


def test_what_is_no_record_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(InputError, match="no commissioning record"):
        read_record(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_record(tmp_path / "none.json")


def test_the_dose_of_the_linear_sets_is_the_one_that_they_are_filled_with():
    made = make_phantom("linear-oblique-3mm")
    (dose,) = made.phantom.doses
    grid = dose.grid
    centre = tuple(n // 2 for n in dose.values_gy.shape)
    point = (
        grid.origin_mm + centre[2] * grid.spacing_mm[0] * grid.axes[0] + centre[1] * grid.spacing_mm[1] * grid.axes[1]
    )
    point = point + grid.offsets_mm[centre[0]] * grid.normal
    assert dose.values_gy[centre] == pytest.approx(float(linear_dose("oblique")(*map(np.asarray, point))), abs=1e-6)
