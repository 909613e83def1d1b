"""Expected margins as people write them."""

import pytest

from dvhkit.errors import InputError
from dvhkit.targets.achieved.expect import parse_expectation

# Left, right, posterior, anterior, superior, inferior.


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2..5", [2] * 6, [5] * 6),
        ("5", [5] * 6, [5] * 6),
        (" 2 .. 5 mm ", [2] * 6, [5] * 6),
        (">=3", [3] * 6, [None] * 6),
        ("<= 5", [None] * 6, [5] * 6),
        ("AP=6..8,LR=5..7,CC=8..10", [5, 5, 6, 6, 8, 8], [7, 7, 8, 8, 10, 10]),
        ("ap=6..8", [None, None, 6, 6, None, None], [None, None, 8, 8, None, None]),
        ("all=5,inferior=8", [5, 5, 5, 5, 5, 8], [5, 5, 5, 5, 5, 8]),
        ("L=3;R=4;P=1;A=2;S=6;I=7", [3, 4, 1, 2, 6, 7], [3, 4, 1, 2, 6, 7]),
        ("0..100", [None] * 6, [None] * 6),  # how a protocol writes that a side is open
    ],
)
def test_ranges_reach_their_directions(text, low, high):
    expected = parse_expectation(text)
    assert list(expected.low_mm) == low
    assert list(expected.high_mm) == high


@pytest.mark.parametrize("text", ["", "five", "5..2", "up=3", "AP=", "2..5..7", "-3", "AP6..8", "500", "nan", "2..inf"])
def test_what_is_no_range_is_refused_with_an_example(text):
    with pytest.raises(InputError, match=r"2\.\.5|backwards|millimetres"):
        parse_expectation(text)
