"""Expressions of structures: the grammar, and what they come to against shapely's own areas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.engine.dvh import compute_dvh
from dvhkit.errors import InputError, UnknownStructureError
from dvhkit.model.structure import StructureSet
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Box, sphere
from dvhkit.protocols.naming.regions import parse_region
from dvhkit.targets.derive.margin_sizes import Margins, parse_margins
from dvhkit.targets.regions.expression import Margin, Name, Operation, evaluate, is_expression, parse_expression

PLANES = np.arange(-30, 31) * 2.0 + 1.0


@pytest.fixture(scope="module")
def structures():
    a = structure("A", 1, Box(size_mm=(20, 20, 20)), PLANES)
    b = structure("B", 2, Box(centre_mm=(10, 0, 0), size_mm=(20, 20, 20)), PLANES)
    c = structure("Kidney (left)", 3, sphere((0, 0, 0), 8), PLANES, rt_roi_type="GTV")
    d = structure("A - B", 4, Box(size_mm=(4, 4, 4)), PLANES, rt_roi_type="GTV")
    return StructureSet(structures=(a, b, c, d))


def volume_cc(text, structures):
    return compute_dvh(evaluate(text, structures).structure, None).volume_cc


def test_names_keep_their_hyphens_pluses_and_blanks():
    for name in ("Liver-GTV", "PTV+5mm", "Opt PTV 5mm", "3mm", "#7"):
        assert parse_expression(name) == Name(name)
        assert not is_expression(name)
    assert parse_expression('"Kidney (left)"') == Name("Kidney (left)", quoted=True)


def test_operators_are_worked_off_from_left_to_right():
    a, b, c = Name("A"), Name("B"), Name("C")
    assert parse_expression("A - B | C") == Operation("|", Operation("-", a, b), c)
    assert parse_expression("A - (B | C)") == Operation("-", a, Operation("|", b, c))
    assert parse_expression("A|B&C") == Operation("&", Operation("|", a, b), c)


def test_a_margin_binds_to_the_operand_before_it():
    five = Margins.isotropic(5)
    assert parse_expression("A + 5mm") == Margin(Name("A"), "+", five)
    assert parse_expression("A - 0.5 cm") == Margin(Name("A"), "-", five)
    assert parse_expression("A - (B + 5mm)") == Operation("-", Name("A"), Margin(Name("B"), "+", five))
    assert parse_expression("A + 5mm - B") == Operation("-", Margin(Name("A"), "+", five), Name("B"))
    six = "L=5,R=7,A=6,P=8,S=9,I=10"
    assert parse_expression(f"A + [{six}]") == Margin(Name("A"), "+", parse_margins(six))


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("", 1, "name is missing"),
        ("A |", 4, "name is missing"),
        ("(A - B", 7, "closing parenthesis"),
        ("A - B)", 6, "too much"),
        ("A - B + 3mm", 7, "parentheses"),
        ("A + B", 3, "needs a length"),
        ("A + 3", 5, "unit"),
        ("| A", 1, "name is missing"),
    ],
)
def test_errors_name_the_position(text, position, why):
    with pytest.raises(InputError, match=why) as caught:
        parse_expression(text)
    assert caught.value.where == f"position {position}"


def test_an_endless_expression_is_refused_before_it_exhausts_the_stack():
    with pytest.raises(InputError, match="characters"):
        parse_expression("(" * 100_000)


names = st.sampled_from(["A", "B_2", "Liver-GTV", "PTV 60"]).map(Name)
margins = st.sampled_from(["3mm", "0.5mm", "L=5,R=7,A=6,P=8,S=9,I=10"]).map(parse_margins)


def branches(inner):
    grown = st.builds(Margin, inner, st.sampled_from(["+", "-"]), margins)
    return grown | st.builds(Operation, st.sampled_from(["-", "|", "&"]), inner, inner)


@given(st.recursive(names, branches, max_leaves=6))
@settings(max_examples=60, deadline=None)
def test_an_expression_survives_being_printed_and_read(expression):
    assert parse_expression(str(expression)) == expression


def test_booleans_of_boxes_have_the_volumes_of_boxes(structures):
    # Two 8 cc cubes that share half.
    assert volume_cc('"A" - B', structures) == pytest.approx(4.0, rel=1e-3)
    assert volume_cc("A | B", structures) == pytest.approx(12.0, rel=1e-3)
    assert volume_cc("A & B", structures) == pytest.approx(4.0, rel=1e-3)
    assert volume_cc("(A | B) - (A & B)", structures) == pytest.approx(8.0, rel=1e-3)


def test_a_shell_and_a_wall_are_booleans_of_margins(structures):
    # In the middle slices: squares of 26 and 22 with rounded corners, less squares with rounded corners.
    wall = evaluate("A - (A - 3mm)", structures).structure
    middle = [c for c in wall.contours if abs(c.points_mm[0, 2]) < 2]
    area = sum(np.sign(k) * abs(_area(c)) for c, k in zip(middle, _signs(middle), strict=True)) / 2
    assert area == pytest.approx(20**2 - 14**2, rel=1e-3)


def _area(contour):
    x, y, _ = contour.points_mm.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def _signs(contours):
    return [_area(c) for c in contours]


def test_an_exact_name_is_that_structure_even_if_it_reads_like_an_expression(structures):
    assert volume_cc("A - B", structures) == compute_dvh(structures[4], None).volume_cc


def test_a_bare_type_stands_for_all_structures_of_it_and_quotes_for_a_name(structures):
    sphere_cc = 4 / 3 * np.pi * 0.8**3
    assert volume_cc("GTV", structures) == pytest.approx(sphere_cc, rel=0.02)
    with pytest.raises(UnknownStructureError):
        evaluate('"GTV" - B', structures)
    with pytest.raises(UnknownStructureError, match="none of type PTV"):
        evaluate("PTV - B", structures)


def test_an_unknown_name_is_refused_even_where_the_result_would_not_need_it(structures):
    with pytest.raises(UnknownStructureError, match="Nowhere"):
        evaluate("(A - A) & (Nowhere + 3mm)", structures)


def test_an_empty_result_is_empty_with_a_finding(structures):
    made = evaluate("A - (A + 2mm)", structures)
    assert made.structure.is_empty
    assert [f.code for f in made.findings] == ["derived-empty"]


def test_a_type_word_alone_is_the_structure_of_that_name_and_in_an_expression_all_of_the_type():
    a = structure("GTV", 1, Box(size_mm=(10, 10, 20)), PLANES, rt_roi_type="GTV")
    b = structure("GTV_2", 2, Box(centre_mm=(30, 0, 0), size_mm=(10, 10, 20)), PLANES, rt_roi_type="GTV")
    body = structure("Body", 3, Box(size_mm=(100, 100, 40)), PLANES)
    both = StructureSet(structures=(a, b, body))
    assert volume_cc("GTV", both) == pytest.approx(2.0, rel=1e-3)
    made = evaluate("Body & GTV", both)
    assert compute_dvh(made.structure, None).volume_cc == pytest.approx(4.0, rel=1e-3)
    assert "type-united" in {f.code for f in made.findings}
    assert volume_cc('Body & "GTV"', both) == pytest.approx(2.0, rel=1e-3)
    # Rules mean the same.
    assert parse_region("GTV", known=both.names) == Name("GTV", quoted=True)
    assert parse_region("Body & GTV", known=both.names).right == Name("GTV")


def test_a_type_word_that_is_no_structures_type_is_a_name():
    named = structure("PTV", 1, Box(size_mm=(10, 10, 20)), PLANES)
    body = structure("Body", 3, Box(size_mm=(100, 100, 40)), PLANES)
    assert volume_cc("Body & PTV", StructureSet(structures=(named, body))) == pytest.approx(2.0, rel=1e-3)
