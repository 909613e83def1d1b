"""The verbs of contouring under `dvhkit`: by structure names, the same numbers as the library beneath."""

import numpy as np
import pytest

import dvhkit
from dvhkit.errors import InputError, UnknownStructureError


@pytest.fixture(scope="module")
def demo(demo_case_dir):
    return dvhkit.read_case(demo_case_dir)


def volume_cc(case, structure):
    from dvhkit.engine.dvh import compute_dvh

    return compute_dvh(structure, None, image=case.image.grid).volume_cc


def test_a_structure_grown_and_shrunk_by_the_same_margin_keeps_its_volume(demo):
    gtv = dvhkit.compute_dvh(demo, "GTV").volume_cc
    grown = dvhkit.grow(demo, "GTV", 5)
    assert grown.structure.number == -1
    radius = np.cbrt(3 * gtv * 1000 / 4 / np.pi)
    # By Steiner's formula no body of this volume grows to less than the ball does.
    assert volume_cc(demo, grown.structure) >= 0.99 * 4 / 3 * np.pi * (radius + 5) ** 3 / 1000
    assert volume_cc(demo, dvhkit.shrink(demo, "GTV + 5mm", "5").structure) == pytest.approx(gtv, rel=0.03)


def test_an_expression_says_what_the_sum_of_its_parts_does(demo):
    shell = dvhkit.derive(demo, "(GTV + 5mm) - GTV", name="Shell").structure
    assert shell.name == "Shell"
    whole = volume_cc(demo, dvhkit.grow(demo, "GTV", 5.0).structure)
    assert volume_cc(demo, shell) + dvhkit.compute_dvh(demo, "GTV").volume_cc == pytest.approx(whole, rel=0.01)


def test_a_margin_is_checked_by_name_and_the_planted_fault_is_found(demo):
    check = dvhkit.margin_check(demo, "CTV", "PTV", expect="2..5")
    assert check.verdict.value == "fail"
    assert check.recipe == "5 mm all round"


def test_names_and_margins_that_are_none_are_told(demo):
    with pytest.raises(UnknownStructureError):
        dvhkit.grow(demo, "CTV9", 5)
    with pytest.raises(InputError):
        dvhkit.grow(demo, "GTV", "L=5,L=6")
    with pytest.raises(InputError, match="vertebra"):
        dvhkit.ctv_vertebra(demo, "GTV")
