"""A margin as a picture: the inner surface unrolled, azimuth across and height up, shortfalls in red.

SVG with a tooltip in each cell, and PNG for places that take no SVG; both with axes and a key.
"""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from dvhkit.outputs.language import say
from dvhkit.outputs.pictures.letters import ADVANCE, LINE, draw_words
from dvhkit.outputs.pictures.png import png_bytes
from dvhkit.outputs.text import clean
from dvhkit.results.audit import MarginMap

_CELL_W, _ROW_H_MM = 9, 3.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 46, 18, 78
_MOST_HEIGHT = 900
# Letters of pixels are larger than those of the SVG.
_PNG_LEFT, _PNG_TOP, _PNG_RIGHT = 100, 58, 40
_INK = (60, 60, 60)
# From no margin to a wide one, and from a little short to far short; readable without telling red from green.
_NARROW, _WIDE = (247, 251, 255), (33, 113, 181)
_SHORT, _FAR_SHORT = (253, 190, 110), (179, 0, 0)
_OUTSIDE = (84, 0, 84)
_EMPTY = (255, 255, 255)
_HATCH = (170, 170, 170)
_HATCH_HEX = "#aaaaaa"
_HATCH_STEP = 6
_TICKS = ((0, "left"), (90, "posterior"), (180, "right"), (270, "anterior"), (360, "left"))
# Less than this is the breadth of the pen.
_LEAST_LACK_MM = 0.3
_FULL_LACK_MM = 4.0


class _Table:
    """A margin map as arrays, (rows, columns); NaN where there is no surface."""

    def __init__(self, one: MarginMap) -> None:
        self.title, self.limit, self.height_mm = one.title, one.limit, one.height_mm
        self.margin_mm, self.lacking_mm = (np.array(rows, np.float64) for rows in (one.margin_mm, one.lacking_mm))
        columns = self.margin_mm.shape[1]
        # 0 is the patient's left, 90 posterior, 180 right, 270 anterior.
        self.azimuth_deg = (np.arange(columns) + 0.5) * (360.0 / columns)


def margin_map_svg(one: MarginMap, *, tips: bool = True) -> str:
    """Return the map as a self-contained SVG; names out of DICOM are escaped.

    Without `tips`, only cells that fall short tell their numbers, which makes the text a fifth as long.
    """
    picture = _Table(one)
    rows, columns = picture.margin_mm.shape
    height = _row_height(picture)
    width = _LEFT + columns * _CELL_W + _RIGHT
    total = _TOP + rows * height + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}" '
        'font-family="sans-serif" font-size="11" role="img">',
        f"<title>{_text(picture.title)}</title>",
        f'<rect width="{width}" height="{total}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="18" font-size="14" font-weight="bold">{_text(picture.title)}</text>',
        f'<text x="{_LEFT}" y="35" fill="#444">{_text(picture.limit)}</text>',
        *_missing(picture, height),
        *_cells(picture, height, tips=tips),
        *_axes(picture, height),
        *_legend(picture, _TOP + rows * height + 42),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def margin_map_png(one: MarginMap) -> bytes:
    """Return the map as a PNG, superior up, from the patient's left over posterior, right and anterior."""
    picture = _Table(one)
    bare = _map_pixels(picture)
    high, wide = bare.shape[:2]
    key = _key(picture)
    width = max(_PNG_LEFT + wide + _PNG_RIGHT, _PNG_LEFT + max(len(word) for _, word in key) * ADVANCE + 40)
    below = _PNG_TOP + high + 2 * LINE
    sheet = np.full((below + (len(key) + 1) * LINE, width, 3), 255, np.uint8)
    draw_words(sheet, picture.title, x=_PNG_LEFT, y=8, colour=_INK)
    draw_words(sheet, picture.limit, x=_PNG_LEFT, y=8 + LINE, colour=_INK)
    sheet[_PNG_TOP - 1 : _PNG_TOP + high + 1, _PNG_LEFT - 1 : _PNG_LEFT + wide + 1] = _INK
    sheet[_PNG_TOP : _PNG_TOP + high, _PNG_LEFT : _PNG_LEFT + wide] = bare
    _png_axes(sheet, picture, high, wide)
    for n, (colour, word) in enumerate(key):
        y = below + n * LINE
        sheet[y : y + 14, _PNG_LEFT : _PNG_LEFT + 14] = _INK
        sheet[y + 1 : y + 13, _PNG_LEFT + 1 : _PNG_LEFT + 13] = colour
        draw_words(sheet, word, x=_PNG_LEFT + 24, y=y, colour=_INK)
    return png_bytes(sheet)


def _png_axes(sheet: NDArray[np.uint8], picture: _Table, high: int, wide: int) -> None:
    for degrees, name in _TICKS:
        x = _PNG_LEFT + wide * degrees // 360
        sheet[_PNG_TOP + high : _PNG_TOP + high + 6, min(x, sheet.shape[1] - 1)] = _INK
        draw_words(sheet, name, x=max(0, x - len(name) * ADVANCE // 2), y=_PNG_TOP + high + 8, colour=_INK)
    rows = len(picture.height_mm)
    for row in sorted({0, rows // 2, rows - 1}):
        text = f"z {picture.height_mm[row]:.0f}"
        y = _PNG_TOP + int((rows - 0.5 - row) * high / rows) - 7
        draw_words(sheet, text, x=_PNG_LEFT - 8 - len(text) * ADVANCE, y=y, colour=_INK)
    draw_words(sheet, "mm", x=_PNG_LEFT - 8 - 2 * ADVANCE, y=_PNG_TOP - LINE, colour=_INK)


def _map_pixels(picture: _Table) -> NDArray[np.uint8]:
    colours = _colours(picture)[::-1]
    pixels = np.repeat(np.repeat(colours, _row_height(picture), axis=0), _CELL_W, axis=1)
    missing = np.isnan(picture.margin_mm)[::-1]
    missing = np.repeat(np.repeat(missing, _row_height(picture), axis=0), _CELL_W, axis=1)
    stripes = np.add.outer(np.arange(pixels.shape[0]), np.arange(pixels.shape[1])) % _HATCH_STEP == 0
    pixels[missing & stripes] = _HATCH
    return pixels


def cells_of(one: MarginMap) -> tuple[int, int, int, int, int, int]:
    """Return where the SVG's cells are: left and top edge, width and height of a cell, rows and columns."""
    picture = _Table(one)
    rows, columns = picture.margin_mm.shape
    return _LEFT, _TOP, _CELL_W, _row_height(picture), rows, columns


def _row_height(picture: _Table) -> int:
    rows = len(picture.height_mm)
    step = float(picture.height_mm[1]) - float(picture.height_mm[0]) if rows > 1 else _ROW_H_MM
    return int(max(3, min(round(min(max(4 * step, 0.0), 24.0)), _MOST_HEIGHT // rows)))


def _colours(picture: _Table) -> NDArray[np.uint8]:
    """Return an RGB colour for each cell."""
    margin, lacking = np.nan_to_num(picture.margin_mm), np.nan_to_num(picture.lacking_mm)
    widest = max(_widest(picture), 1e-6)
    calm = _blend(_NARROW, _WIDE, np.clip(margin, 0.0, widest) / widest)
    short = _blend(_SHORT, _FAR_SHORT, lacking / _FULL_LACK_MM)
    out = np.where((lacking > _LEAST_LACK_MM)[..., None], short, calm)
    out = np.where((margin < 0)[..., None], _OUTSIDE, out)
    return np.where(np.isnan(picture.margin_mm)[..., None], _EMPTY, out).round().astype(np.uint8)


def _blend(a: tuple[int, int, int], b: tuple[int, int, int], t: NDArray[np.float64]) -> NDArray[np.float64]:
    share = np.clip(t, 0, 1)[..., None]
    return np.asarray((1 - share) * np.array(a) + share * np.array(b))


def _widest(picture: _Table) -> float:
    return float(np.nanmax(picture.margin_mm)) if np.isfinite(picture.margin_mm).any() else 1.0


def _missing(picture: _Table, height: int) -> list[str]:
    """Return the hatching of cells that hold no surface, so that they are not taken for a margin of nothing."""
    rows, columns = picture.margin_mm.shape
    holes = [
        f"M{_LEFT + column * _CELL_W} {_TOP + (rows - 1 - row) * height}h{_CELL_W}v{height}h-{_CELL_W}z"
        for row, column in np.argwhere(np.isnan(picture.margin_mm)).tolist()
    ]
    if not holes:
        return []
    return [
        # An identity of its own for each size of map: a page may hold several.
        f'<pattern id="hatch-{rows}-{columns}" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)">'
        f'<rect width="6" height="6" fill="#fff"/><line x1="0" y1="0" x2="0" y2="6" stroke="{_HATCH_HEX}"/></pattern>',
        f'<path fill="url(#hatch-{rows}-{columns})" d="{"".join(holes)}"/>',
    ]


def _cells(picture: _Table, height: int, *, tips: bool) -> list[str]:
    colours = _colours(picture)
    rows, columns = picture.margin_mm.shape
    out = []
    plain: dict[str, list[str]] = {}
    for row in range(rows):
        y = _TOP + (rows - 1 - row) * height
        for column in range(columns):
            margin, lack = picture.margin_mm[row, column], picture.lacking_mm[row, column]
            if np.isnan(margin):
                continue
            x = _LEFT + column * _CELL_W
            fill = "#{:02x}{:02x}{:02x}".format(*(int(c) for c in colours[row, column]))
            if not tips and margin >= 0 and not lack > _LEAST_LACK_MM:
                plain.setdefault(fill, []).append(f"M{x} {y}h{_CELL_W}v{height}h-{_CELL_W}z")
                continue
            key = "map.tip_short" if lack > _LEAST_LACK_MM else "map.tip"
            z, azimuth = f"{picture.height_mm[row]:.1f}", f"{picture.azimuth_deg[column]:.0f}"
            tip = say(key, margin=f"{margin:.1f}", lack=f"{lack:.1f}", z=z, azimuth=azimuth)
            out.append(
                f'<rect x="{x}" y="{y}" width="{_CELL_W}" height="{height}" fill="{fill}"><title>{tip}</title></rect>'
            )
    # Drawn a little over their edges, so that no light shines through between them on paper.
    drawn = (f'<path fill="{fill}" stroke="{fill}" stroke-width="0.5" d="{"".join(d)}"/>' for fill, d in plain.items())
    return [*drawn, *out]


def _axes(picture: _Table, height: int) -> list[str]:
    rows, columns = picture.margin_mm.shape
    bottom, wide = _TOP + rows * height, columns * _CELL_W
    out = [f'<rect x="{_LEFT}" y="{_TOP}" width="{wide}" height="{rows * height}" fill="none" stroke="#444"/>']
    for degrees, name in _TICKS:
        x = _LEFT + wide * degrees / 360
        out.append(f'<line x1="{x:g}" y1="{bottom}" x2="{x:g}" y2="{bottom + 5}" stroke="#444"/>')
        out.append(f'<text x="{x:g}" y="{bottom + 17}" text-anchor="middle">{say(f"side.{name}")}</text>')
    for row in sorted({0, rows // 2, rows - 1}):
        y = _TOP + (rows - 0.5 - row) * height
        out.append(f'<text x="{_LEFT - 6}" y="{y + 4:g}" text-anchor="end">z {picture.height_mm[row]:.0f}</text>')
    out.append(f'<text x="{_LEFT - 6}" y="{_TOP - 4}" text-anchor="end" fill="#444">mm</text>')
    return out


def _key(picture: _Table) -> list[tuple[tuple[int, int, int], str]]:
    """Return what colours mean: a colour and words each."""
    words = [
        (_NARROW, "0 mm"),
        (_WIDE, say("map.margin", mm=f"{_widest(picture):.1f}")),
        (_SHORT, say("map.short", mm=f"{_LEAST_LACK_MM:g}")),
        (_FAR_SHORT, say("map.far_short", mm=f"{_FULL_LACK_MM:g}")),
        (_OUTSIDE, say("map.outside")),
    ]
    if np.isnan(picture.margin_mm).any():
        words.append((_HATCH, say("map.hatched")))
    return words


def _legend(picture: _Table, y: float) -> list[str]:
    out, x = [], float(_LEFT)
    for (red, green, blue), word in _key(picture):
        fill = f"#{red:02x}{green:02x}{blue:02x}"
        out.append(f'<rect x="{x:g}" y="{y:g}" width="12" height="12" fill="{fill}" stroke="#888"/>')
        out.append(f'<text x="{x + 17:g}" y="{y + 10:g}">{word}</text>')
        x += 34 + 6.4 * len(word)
    return out


def _text(words: str) -> str:
    return escape(clean(words))
