"""Words in PNG pictures: every letter its own shape, and no name that breaks the canvas."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from dvhkit.outputs.ctv.cuts_picture import Cut, CutsPicture, cuts_png
from dvhkit.outputs.pictures.letters import ADVANCE, draw_words, words_mask


def test_letters_differ_and_only_the_blank_is_blank():
    shapes = {chr(n): words_mask(f"a{chr(n)}a")[:, ADVANCE : 2 * ADVANCE].tobytes() for n in range(33, 127)}
    assert len(set(shapes.values())) == len(shapes)
    assert not words_mask("a a")[:, ADVANCE : 2 * ADVANCE].any()
    assert all(any(shape) for shape in shapes.values())


@pytest.mark.parametrize(("words", "plain"), [("Läsion é", "Lasion e"), ("10²", "102"), ("a\u202eb", "a\u65e5b")])
def test_other_letters_become_plain_ones_or_a_frame(words, plain):
    assert np.array_equal(words_mask(words), words_mask(plain))


def test_words_are_cut_at_the_edge_of_the_sheet():
    sheet = np.zeros((9, 30, 3), dtype=np.uint8)
    draw_words(sheet, "WWWW", x=20, y=3, colour=(1, 2, 3))
    draw_words(sheet, "WWWW", x=40, y=30, colour=(9, 9, 9))
    assert not sheet[:, :20].any()
    assert sheet[3:, 20:].any()
    assert sheet.max() == 3


def test_a_name_without_end_makes_no_picture_without_end():
    field = np.zeros((30, 40))
    field[10:20, 10:20] = 1
    cut = Cut(title="x" * 70_000, pixel_mm=(1.0, 1.0), fields=(((1, 2, 3), field),), outlines=())
    long = "GTV" * 30_000
    png = cuts_png(
        CutsPicture(title=long, cuts=(cut,), key=(((1, 2, 3), long),), head=("a",), rows=((long,),), remarks=(long,))
    )
    width, height = struct.unpack(">II", png[16:24])
    assert width < 2000
    assert height < 2000
