"""The unrolled map shows the right place, and is safe to embed."""

import struct
import zlib
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn_pairs import ellipsoid_pair

from dvhkit.outputs.pictures.margin_picture import margin_map_png, margin_map_svg
from dvhkit.targets.achieved.check import measure_margin
from dvhkit.targets.achieved.margin_map import map_record


@pytest.fixture(scope="module")
def picture():
    inner, outer = ellipsoid_pair((18, 14, 16), (5, 5, 2, 5, 5, 5), spacing_mm=3.0)
    return map_record(measure_margin(inner, outer, expect="4..6"))


def test_the_short_side_lies_at_its_azimuth(picture):
    middle = len(picture.height_mm) // 2
    row = np.array(picture.margin_mm[middle], float)
    # 90 degrees is posterior, where 2 mm were drawn.
    assert (np.nanargmin(row) + 0.5) * 360 / len(row) == pytest.approx(90, abs=10)
    assert np.nanmin(row) == pytest.approx(2.0, abs=0.3)
    assert np.nanmax(np.array(picture.lacking_mm[middle], float)) == pytest.approx(2.0, abs=0.4)


def test_the_svg_is_well_formed_and_names_are_escaped(picture):
    text = margin_map_svg(replace(picture, title="<script>alert(1)</script>\x1b[31m & CTV"))
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert "<script" not in text
    assert "\x1b" not in text
    assert "posterior" in text


def test_the_png_holds_the_map_row_by_row_between_axes_and_a_key(picture):
    data = margin_map_png(picture)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    length = struct.unpack(">I", data[33:37])[0]
    pixels = np.frombuffer(zlib.decompress(data[41 : 41 + length]), np.uint8).reshape(height, 1 + 3 * width)
    assert (pixels[:, 0] == 0).all()
    # The short side is drawn in red, the opposite one in blue.
    sheet = pixels[:, 1:].reshape(height, width, 3).astype(int)
    frame = np.flatnonzero((sheet[:, 99] == 60).all(axis=1))  # the left side of the map's frame
    row = sheet[int(np.median(frame)), 100:]
    wide = 9 * len(picture.margin_mm[0])
    posterior, anterior = row[wide // 4], row[3 * wide // 4]
    assert posterior[0] > posterior[2]
    assert anterior[2] > anterior[0]
    outside = [sheet[:, :99], sheet[:50], sheet[-60:]]
    assert all((part < 200).any() for part in outside)  # heights, title, key
