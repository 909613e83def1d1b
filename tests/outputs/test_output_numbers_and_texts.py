"""Numbers keep the digits that matter; texts lose what steers or hides."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_up_records import HOSTILE_NAMES

from dvhkit.outputs.number_format import decimals_for, limit_text, number, signed
from dvhkit.outputs.text import clean, clean_name
from dvhkit.units import Unit


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (57.412, "Gy", "57.41"),
        (60.0, "Gy", "60.00"),
        (0.004, "Gy", "0.004"),
        (0.0, "Gy", "0.00"),
        (-1e-12, "Gy", "0.00"),
        (95.0312, "%", "95.03"),
        (1523.83, "cc", "1523.8"),
        (48.6612, "cc", "48.66"),
        (0.03214, "cc", "0.0321"),
        (0.5, "cc", "0.500"),
        (0.0, "cc", "0.00"),
        (2.5, "mm", "2.50"),
        (7.0, "count", "7"),
        (1.0423, "", "1.042"),
        (1.0, "", "1.000"),
        (12.0, "", "12"),
        (12.5, "", "12.500"),
        (3.0, "furlong", "3.000"),
    ],
)
def test_each_unit_has_its_digits(value: float, unit: str, shown: str) -> None:
    assert number(value, unit) == shown


def test_a_count_and_its_margin_have_no_decimals() -> None:
    assert (number(2.0, "", margin=-1.0), signed(-1.0, "", value=2.0)) == ("2", "-1")
    assert (number(2.0, "", margin=-0.5), signed(-0.5, "", value=2.0)) == ("2.0", "-0.5")


@settings(deadline=None)
@given(
    st.sampled_from([u.value for u in Unit if u is not Unit.COUNT]),
    st.integers(0, 10_000).map(lambda n: n / 100),
    st.floats(1e-8, 50) | st.floats(-50, -1e-8),
)
def test_a_value_never_looks_as_if_it_were_on_the_other_side_of_its_limit(unit: str, limit: float, off: float) -> None:
    # Rounding errs by half of the last digit at most, and the margin is at least one of the last digit.
    value = limit + off
    margin = value - limit
    assume(abs(margin) >= 1e-8)
    shown = float(number(value, unit, margin=margin))
    assert (shown > limit) == (value > limit)
    assert (shown < limit) == (value < limit)


def test_a_margin_has_its_sign_and_the_decimals_of_its_value() -> None:
    assert signed(-2.588, "Gy", value=57.412) == "-2.59"
    assert signed(13.08, "Gy", value=14.92) == "+13.08"
    assert signed(-0.003, "Gy", value=15.003) == "-0.003"
    assert signed(0.0, "Gy", value=15.0) == "0.00"
    assert number(15.003, "Gy", margin=-0.003) == "15.003"


def test_digits_end_somewhere() -> None:
    assert decimals_for(1e-300, "Gy") == decimals_for(1e-300, "cc") == decimals_for(1.0, "cc", margin=1e-300) == 2
    assert decimals_for(15.0, "Gy", margin=1e-9) == 9


def test_limits_are_printed_as_in_books() -> None:
    assert limit_text(">= 57 Gy, <= 64.2 Gy, < 3 mm, 2..5 mm") == "≥ 57 Gy, ≤ 64.2 Gy, < 3 mm, 2 to 5 mm"


@settings(deadline=None)
@given(st.text())
def test_a_clean_text_is_one_visible_line_and_cleaning_it_again_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    assert not any(unicodedata.category(c)[0] == "C" for c in cleaned.replace("\u200c", "").replace("\u200d", ""))
    assert not {"\n", "\r", "\t", "\u2028", "\u2029", "\x1b"} & set(cleaned)
    assert clean(cleaned) == cleaned
    cleaned.encode("utf-8")


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=40))
def test_visible_texts_stay_to_the_letter(text: str) -> None:
    assert clean(text) == text


@settings(deadline=None)
@given(st.text(), st.integers(2, 30))
def test_no_text_is_longer_than_allowed(text: str, longest: int) -> None:
    assert len(clean(text, longest=longest)) <= longest


def test_hidden_characters_leave_a_mark_so_that_look_alikes_differ() -> None:
    assert clean("PTV\u202e") == "PTV\ufffd"
    assert clean("PT\u200bV") != clean("PTV")
    assert clean("\x1b[31mPTV") == "\ufffd[31mPTV"


def test_a_pile_of_marks_is_cut_and_the_letter_stays() -> None:
    assert clean(HOSTILE_NAMES[7]) == "P" + 4 * "\u0301"


def test_two_long_names_that_differ_at_their_ends_stay_two() -> None:
    long = "Planning target volume of the left upper lobe lesion, phase 50 %"
    one, two = clean_name(long, 40), clean_name(f"{long} 2", 40)
    assert one != two
    assert max(len(one), len(two)) <= 40
    assert two.endswith("50 % 2")
    assert clean_name("PTV", 40) == "PTV"


@given(st.text(max_size=200), st.integers(4, 60))
def test_a_cut_name_is_no_longer_than_allowed_and_says_that_it_was_cut(name: str, longest: int) -> None:
    shown = clean_name(name, longest)
    assert len(shown) <= longest
    assert shown == clean(name) or "…" in shown
