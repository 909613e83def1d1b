"""Cuts through a patient: coloured regions, outlines, and a table beside them; as SVG or PNG."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

from dvhkit.outputs.pictures.letters import ADVANCE, LINE, draw_words
from dvhkit.outputs.pictures.png import png_bytes
from dvhkit.outputs.text import clean

Rgb = tuple[int, int, int]

PIXELS_PER_MM = 4.0
_GAP, _TOP, _LINE = 16, 34, 17
_BACKGROUND: Rgb = (245, 245, 245)
_TABLE_WIDTH = 620
_INK: Rgb = (0, 0, 0)
_GREY: Rgb = (96, 96, 96)
_RED: Rgb = (170, 0, 0)
_PAPER: Rgb = (255, 255, 255)
_SQUARE = 14
_BAR_MM = 20
# Names out of DICOM have no end of their own; the canvas needs one.
_LONGEST = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """One plane: how much of each pixel each region fills, and the regions that are drawn as outlines.

    Attributes
    ----------
    fields, outlines
        (colour, array (n_rows, n_columns) of fractions); row 0 is drawn at the top.
    pixel_mm
        Size of a pixel: (along a row, down a column).
    marks
        Which side of the patient lies at the top, right, bottom and left edge, in a letter each; empty for none.
    """

    title: str
    pixel_mm: tuple[float, float]
    fields: tuple[tuple[Rgb, NDArray[np.float64]], ...]
    outlines: tuple[tuple[Rgb, NDArray[np.float64]], ...]
    marks: tuple[str, str, str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutsPicture:
    """Cuts side by side; `key` names the colours, `rows` stand beside them as a table with its `head`."""

    title: str
    cuts: tuple[Cut, ...]
    key: tuple[tuple[Rgb, str], ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...] = ()


def cuts_png(picture: CutsPicture) -> bytes:
    """Return the cuts with titles, key, table and remarks as a PNG, for places that take no SVG.

    The cuts stand where they stand in the SVG. Letters are Latin without accents.
    """
    panes = [cut_pixels(cut) for cut in picture.cuts]
    x = _GAP + sum(pane.shape[1] + _GAP for pane in panes)
    lines = _words(picture)
    lowest = max(_TOP + 22 + max(len(pane) for pane in panes), _TOP + 22 + len(lines) * LINE)
    title = clean(picture.title, longest=_LONGEST)
    widest = max(x + max(line.width for line in lines), _GAP + ADVANCE * len(title))
    sheet = np.full((lowest + _GAP, widest + _GAP, 3), 255, dtype=np.uint8)
    draw_words(sheet, title, x=_GAP, y=_GAP // 2, colour=_INK)
    left = _GAP
    for cut, pane in zip(picture.cuts, panes, strict=True):
        # A narrow cut has no room for the whole of its title; a cut is marked by three dots.
        shown = clean(cut.title, longest=max(1, pane.shape[1] // ADVANCE - 2))
        draw_words(sheet[:, : left + pane.shape[1]], shown, x=left, y=_TOP, colour=_GREY)
        sheet[_TOP + 22 : _TOP + 22 + len(pane), left : left + pane.shape[1]] = pane
        left += pane.shape[1] + _GAP
    for n, line in enumerate(lines):
        line.draw(sheet, x, _TOP + 22 + n * LINE)
    return png_bytes(sheet)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line beside the cuts: cells at their places in pixels, with a coloured square before them or not."""

    cells: tuple[tuple[int, str], ...] = ()
    colour: Rgb = _INK
    square: Rgb | None = None

    @property
    def width(self) -> int:
        return max((left + ADVANCE * len(cell) for left, cell in self.cells), default=0)

    def draw(self, sheet: NDArray[np.uint8], x: int, y: int) -> None:
        if self.square is not None:
            sheet[y : y + _SQUARE, x : x + _SQUARE] = self.square
        for left, cell in self.cells:
            draw_words(sheet, cell, x=x + left, y=y, colour=self.colour)


def _words(picture: CutsPicture) -> list[_Line]:
    """Return key, table and remarks line by line."""
    table = [tuple(clean(cell, longest=_LONGEST) for cell in row) for row in (picture.head, *picture.rows)]
    widths = [max(len(row[c]) for row in table) + 2 for c in range(len(picture.head))]
    lefts = [ADVANCE * sum(widths[:c]) for c in range(len(widths))]
    remarks = [
        part for words in picture.remarks for part in wrap(clean(words, longest=10 * _LONGEST), max(40, sum(widths)))
    ]
    return [
        *(_Line(cells=((_SQUARE + 8, clean(name, longest=_LONGEST)),), square=colour) for colour, name in picture.key),
        _Line(),
        *(_Line(cells=tuple(zip(lefts, row, strict=True)), colour=_INK if n else _GREY) for n, row in enumerate(table)),
        _Line(),
        *(_Line(cells=((0, words),), colour=_RED) for words in remarks),
    ]


def cuts_svg(picture: CutsPicture) -> str:
    """Return the cuts with titles, key, table and remarks as a self-contained SVG; names out of DICOM are escaped."""
    panes = [cut_pixels(cut) for cut in picture.cuts]
    x, body = _GAP, []
    for cut, pane in zip(picture.cuts, panes, strict=True):
        data = b64encode(png_bytes(pane)).decode("ascii")
        size = f'width="{pane.shape[1]}" height="{pane.shape[0]}"'
        body.append(f'<text x="{x}" y="{_TOP + 14}" fill="#444">{_text(cut.title)}</text>')
        body.append(f'<image x="{x}" y="{_TOP + 22}" {size} href="data:image/png;base64,{data}"/>')
        x += pane.shape[1] + _GAP
    words = [*_key(picture, x), *_table(picture, x)]
    lines = len(picture.key) + len(picture.rows) + len(picture.remarks) + 4
    height = max(_TOP + 40 + max(len(pane) for pane in panes), _TOP + 20 + lines * _LINE)
    width = x + _TABLE_WIDTH
    frame = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {frame} font-family="sans-serif" font-size="12" role="img">',
            f"<title>{_text(picture.title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            f'<text x="{_GAP}" y="22" font-size="15" font-weight="bold">{_text(picture.title)}</text>',
            *body,
            *words,
            "</svg>\n",
        ]
    )


def _key(picture: CutsPicture, x: int) -> list[str]:
    out = []
    for n, ((red, green, blue), name) in enumerate(picture.key):
        y = _TOP + 22 + n * _LINE
        out.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="#{red:02x}{green:02x}{blue:02x}"/>')
        out.append(f'<text x="{x + 18}" y="{y + 10}">{_text(name)}</text>')
    return out


def _table(picture: CutsPicture, x: int) -> list[str]:
    top = _TOP + 22 + (len(picture.key) + 1) * _LINE
    widths = [max(len(clean(row[c])) for row in (picture.head, *picture.rows)) for c in range(len(picture.head))]
    lefts = [x + int(7.2 * sum(w + 2 for w in widths[:c])) for c in range(len(widths))]
    out = []
    for n, row in enumerate((picture.head, *picture.rows)):
        weight = ' font-weight="bold"' if n == 0 else ""
        y = top + n * _LINE + 10
        out += [f'<text x="{left}" y="{y}"{weight}>{_text(cell)}</text>' for left, cell in zip(lefts, row, strict=True)]
    for n, remark in enumerate(picture.remarks):
        y = top + (len(picture.rows) + 2 + n) * _LINE + 4
        out.append(f'<text x="{x}" y="{y}" fill="#a00">{_text(clean(remark, longest=110))}</text>')
    return out


def cut_pixels(cut: Cut) -> NDArray[np.uint8]:
    """Return a cut as pixels (n_rows, n_columns, 3) of PIXELS_PER_MM, with orientation marks and a bar of 2 cm."""
    shape = next(iter((*cut.fields, *cut.outlines)))[1].shape
    rows = _places(shape[0], cut.pixel_mm[1])
    columns = _places(shape[1], cut.pixel_mm[0])
    canvas = np.empty((len(rows), len(columns), 3), dtype=np.uint8)
    canvas[:] = _BACKGROUND
    for colour, filled in cut.fields:
        canvas[_enlarged(filled, rows, columns) >= 0.5] = colour
    for colour, filled in cut.outlines:
        inside = _enlarged(filled, rows, columns) >= 0.5
        # A rim of paper outside keeps a line legible on any colour, and two lines apart.
        canvas[_grown(inside) & ~inside] = _PAPER
        canvas[_edge(inside)] = colour
    if cut.marks is not None:
        _mark(canvas, cut.marks)
        _bar(canvas)
    return canvas


def _mark(canvas: NDArray[np.uint8], marks: tuple[str, str, str, str]) -> None:
    height, width = canvas.shape[:2]
    middle_x, middle_y = (width - ADVANCE) // 2, (height - LINE) // 2
    places = ((middle_x, 4), (width - ADVANCE - 2, middle_y), (middle_x, height - LINE), (4, middle_y))
    for letter, (x, y) in zip(marks, places, strict=True):
        draw_words(canvas, letter, x=max(0, x), y=max(0, y), colour=_GREY)


def _bar(canvas: NDArray[np.uint8]) -> None:
    """Draw a bar of 20 mm into the lower right corner, where there is room."""
    length, height, width = round(_BAR_MM * PIXELS_PER_MM), *canvas.shape[:2]
    if length + 2 * _GAP > width or height < 3 * LINE:
        return
    canvas[height - 10 : height - 7, width - length - 8 : width - 8] = _GREY
    draw_words(canvas, f"{_BAR_MM} mm", x=width - length - 8, y=height - 12 - LINE, colour=_GREY)


def _grown(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    grown = inside.copy()
    grown[1:] |= inside[:-1]
    grown[:-1] |= inside[1:]
    grown[:, 1:] |= inside[:, :-1]
    grown[:, :-1] |= inside[:, 1:]
    return grown


def _places(count: int, size_mm: float) -> NDArray[np.float64]:
    """Return where each pixel of the picture lies, in pixels of the cut."""
    n = max(1, round(count * size_mm * PIXELS_PER_MM))
    return np.asarray((np.arange(n) + 0.5) / n * count - 0.5)


def _enlarged(
    filled: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    down = np.array([np.interp(rows, np.arange(filled.shape[0]), column) for column in filled.T]).T
    return np.array([np.interp(columns, np.arange(filled.shape[1]), row) for row in down])


def _edge(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the rim of a region, two pixels wide."""
    core = np.pad(inside, 2, mode="edge")
    kept = inside.copy()
    for shift in (1, 2):
        kept &= core[2 + shift : len(core) - 2 + shift, 2:-2] & core[2 - shift : len(core) - 2 - shift, 2:-2]
        width = core.shape[1]
        kept &= core[2:-2, 2 + shift : width - 2 + shift] & core[2:-2, 2 - shift : width - 2 - shift]
    return np.asarray(inside & ~kept)


def _text(words: str) -> str:
    return escape(clean(words))


def file_bytes(picture: CutsPicture, suffix: str) -> bytes | None:
    """Return the picture in the form that a file ending such as ``.svg`` asks for, or None for another ending."""
    match suffix.casefold():
        case ".svg":
            return cuts_svg(picture).encode("utf-8")
        case ".png":
            return cuts_png(picture)
    return None
