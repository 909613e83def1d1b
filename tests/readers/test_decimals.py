"""Plain decimals at once: the same doubles as one by one, and nothing else taken for a number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.readers.files.decimals import plain_decimals

digits = st.text("0123456789", min_size=1, max_size=7)
written = st.builds(
    lambda sign, whole, part: f"{sign}{whole}{part}",
    st.sampled_from(["", "-"]),
    digits,
    st.one_of(st.just(""), st.just("."), digits.map(lambda part: f".{part}")),
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(written, st.sampled_from(["-0", "-0.0", ".5", "-.5", "9007199254740991"])), min_size=1))
def test_each_number_is_the_double_that_float_reads_sign_of_zero_included(parts: list[str]) -> None:
    made = plain_decimals("\\".join(parts).encode())
    assert made is not None
    np.testing.assert_array_equal(made.view(np.int64), np.array([float(p) for p in parts]).view(np.int64))


@pytest.mark.parametrize(
    "stored",
    [
        "", "\\", "1\\\\2", "\\1", "1\\", "1\\.\\2", "1\\-\\2", "1\\-.\\2", "1.2.3\\2", "1-2\\3", "--1\\2", "1\\2-",
        "1e5\\2", "+1\\2", " 1\\2", "1,5\\2", "nan\\2", "9007199254740992", "12345678901234567\\1",
    ],
)  # fmt: skip
def test_whatever_is_no_plain_number_is_left_to_another_parser(stored: str) -> None:
    assert plain_decimals(stored.encode()) is None
