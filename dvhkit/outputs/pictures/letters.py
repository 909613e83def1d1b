"""Letters made of pixels, for words in PNG pictures: no font file, the same on every machine."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dvhkit.outputs.text import clean

# Five pixels wide, eight high; the last row is for descenders. Each row is one digit to base 32, left pixel highest.
_WIDTH, _HEIGHT = 5, 8
_ROWS = (
    "0000000 4444404 AAA0000 AAVAVAA 4FKE5U4 OP248J3 8KK8LID 4400000 2488842 8422248 04LEL40 044V440 00000448 "
    "000V000 00000CC 01248G0 EHJLPHE 4C4444E EH1248V V2421HE 26AIV22 VGU11HE 68GUHHE V124888 EHHEHHE EHHF12C "
    "0CC0CC0 0CC0C48 1248421 00V0V00 8421248 EH12404 EH1DLLE EHHVHHH UHHUHHU EHGGGHE SIHHHIS VGGUGGV VGGUGGG "
    "EHGNHHF HHHVHHH E44444E 72222IC HIKOKIH GGGGGGV HRLLHHH HHPLJHH EHHHHHE UHHUGGG EHHHLID UHHUKIH FGGE11U "
    "V444444 HHHHHHE HHHHHA4 HHHLLLA HHA4AHH HHHA444 V1248GV E88888E 0G84210 E22222E 4AH0000 000000V 8420000 "
    "00E1FHF GGMPHHU 00EGGHE 11DJHHF 00EHVGE 698S888 00FHHF1E GGMPHHH 40C444E 206222IC GGIKOKI C44444E 00QLLHH "
    "00MPHHH 00EHHHE 00UHHUGG 00FHHF11 00MPGGG 00FGE1U 88S8896 00HHHJD 00HHHA4 00HHLLA 00HA4AH 00HHHF1E "
    "00V248V 2448442 4444444 8442448 008L200"
)
_GLYPHS = dict(zip(map(chr, range(32, 127)), _ROWS.split(), strict=True))
# A frame for what has no letter here.
_UNKNOWN = "VHHHHHV"
SCALE = 2
ADVANCE = (_WIDTH + 1) * SCALE
LINE = (_HEIGHT + 2) * SCALE


def words_mask(words: str) -> NDArray[np.bool_]:
    """Return which pixels a text covers, (8 * SCALE, ADVANCE * number of letters).

    Accents are left out, and what is no Latin letter, digit or sign becomes a frame.
    """
    letters = [_letter(c) for c in _folded(words)] or [_letter(" ")]
    row = np.concatenate([np.pad(letter, ((0, 0), (0, 1))) for letter in letters], axis=1)
    return row.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def draw_words(sheet: NDArray[np.uint8], words: str, *, x: int, y: int, colour: tuple[int, int, int]) -> None:
    """Write a text into an image (n_rows, n_columns, 3), its upper left corner at column x, row y; the rest is cut."""
    mask = words_mask(words)[: max(0, sheet.shape[0] - y), : max(0, sheet.shape[1] - x)]
    sheet[y : y + mask.shape[0], x : x + mask.shape[1]][mask] = colour


def _folded(words: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", clean(words)) if not unicodedata.combining(c))


@cache
def _letter(character: str) -> NDArray[np.bool_]:
    rows = [int(digit, 32) for digit in _GLYPHS.get(character, _UNKNOWN).ljust(_HEIGHT, "0")]
    return np.array([[row >> bit & 1 for bit in range(_WIDTH - 1, -1, -1)] for row in rows], dtype=np.bool_)
