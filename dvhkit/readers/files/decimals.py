"""Many plain decimal numbers at once, such as the points of a contour."""

from __future__ import annotations

import numpy as np

from dvhkit.model.arrays import FloatArray

_DIGITS_ONLY = b"0123456789.-\\"
_MINUS, _DOT, _BACKSLASH, _ZERO = b"-.\\0"
# The longest decimal string that DICOM allows (PS3.5, DS), and what a double holds as an integer.
_LONGEST = 16
_EXACT = 2**53
_POWERS = 10.0 ** np.arange(_LONGEST + 1)


def plain_decimals(stored: bytes) -> FloatArray | None:
    r"""Return the numbers of a backslash-separated text without exponents; None if another parser must look at it.

    Each is the double nearest to what is written, as `float` returns it: digits below 2^53 and a power of ten up to
    10^22 are doubles without rounding, so that their quotient is rounded once. numpy's own parser takes five times as
    long.
    """
    if not stored or stored.translate(None, _DIGITS_ONLY):
        return None
    letters = np.frombuffer(stored, dtype=np.uint8)
    breaks = np.flatnonzero(letters == _BACKSLASH)
    begins, ends = np.append(0, breaks + 1), np.append(breaks, len(letters))
    is_negative = letters[np.minimum(begins, len(letters) - 1)] == _MINUS
    dots = np.flatnonzero(letters == _DOT)
    of = np.searchsorted(breaks, dots)
    if (
        int((ends - begins).max()) > _LONGEST
        or int((ends - begins - is_negative).min()) < 1
        or int(np.count_nonzero(letters == _MINUS)) != int(np.count_nonzero(is_negative & (ends > begins)))
        or bool((of[1:] == of[:-1]).any())
    ):
        return None
    n_after_dot = np.zeros(len(begins), dtype=np.int64)
    n_after_dot[of] = ends[of] - dots - 1
    has_digit = ends - begins - is_negative
    has_digit[of] -= 1
    digits = _digits(letters, begins, ends)
    if int(has_digit.min()) < 1 or int(digits.max()) >= _EXACT:
        return None
    values = digits / _POWERS[n_after_dot]
    return np.asarray(np.where(is_negative, -values, values))


def _digits(letters: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the digits of each number as an integer; signs and dots are passed over."""
    found = np.zeros(len(begins), dtype=np.int64)
    padded = np.append(letters, np.zeros(_LONGEST, dtype=np.uint8))
    lengths = ends - begins
    for place in range(int(lengths.max())):
        digit = padded[begins + place] - np.uint8(_ZERO)  # what is no digit wraps round to more than nine
        is_digit = digit < 10
        if place >= int(lengths.min()):
            is_digit &= lengths > place
        found = np.where(is_digit, found * 10 + digit, found)
    return found
