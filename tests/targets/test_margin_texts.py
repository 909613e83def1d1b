"""What users type as margins."""

import pytest

from dvhkit.errors import InputError
from dvhkit.targets.derive.margin_sizes import Margins, margins_text, parse_margins


@pytest.mark.parametrize(
    "text", ["5", "5mm", "5 mm", "0.5cm", "5.0", "L=5,R=5,A=5,P=5,S=5,I=5", "LR=5;AP=5;SI=5", "LRAPSI=5"]
)
def test_one_margin_can_be_spelt_in_many_ways(text):
    assert parse_margins(text) == Margins.isotropic(5.0)


def test_six_margins_reach_the_side_that_their_letter_names():
    m = parse_margins("L=5,R=7,A=6,P=8,S=9,I=10")
    assert (m.left_mm, m.right_mm, m.anterior_mm, m.posterior_mm, m.superior_mm, m.inferior_mm) == (5, 7, 6, 8, 9, 10)
    assert parse_margins("left=5, right=7, anterior=6, posterior=8, sup=9, inf=1cm") == m
    assert parse_margins("i=10,s=9,p=8,a=6,r=7,l=5") == m


def test_a_bare_number_stands_for_the_sides_not_named():
    m = parse_margins("5, P=3, SI=8")
    assert (m.left_mm, m.right_mm, m.anterior_mm, m.posterior_mm, m.superior_mm, m.inferior_mm) == (5, 5, 5, 3, 8, 8)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("five", "no length"),
        ("5,3", "two numbers"),
        ("L=5", "leaves open R, A, P, S, I"),
        ("L=5,L=6,R=1,A=1,P=1,S=1,I=1", "names L twice"),
        ("X=5", "no direction"),
        ("L=5,,R=5", "comma"),
        ("-3", "zero or more"),
        ("nan", "no length"),
        ("1e400", "no length"),
        ("150", "more than 100 mm"),
        ("5 furlongs", "no length"),
    ],
)
def test_what_is_no_margin_is_refused_with_the_reason_and_an_example(text, why):
    with pytest.raises(InputError, match=why) as caught:
        parse_margins(text)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["5mm", "[L=5,R=7,A=6,P=8,S=9,I=10]", "[L=0.5,R=0,A=6,P=8,S=9,I=10]"])
def test_margins_are_printed_as_expressions_spell_them(text):
    assert margins_text(parse_margins(text.strip("[]"))) == text
