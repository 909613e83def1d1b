"""Cuts through a patient: coloured regions, outlines, and a table beside them; as SVG, or as PNG without words."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from dvhkit.outputs.text import clean

Rgb = tuple[int, int, int]

PIXELS_PER_MM = 4.0
_GAP, _TOP, _LINE = 16, 34, 17
_BACKGROUND: Rgb = (245, 245, 245)
_TABLE_WIDTH = 620


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """One plane: how much of each pixel each region fills, and the regions that are drawn as outlines.

    Attributes
    ----------
    fields, outlines
        (colour, array (n_rows, n_columns) of fractions); row 0 is drawn at the top.
    pixel_mm
        Size of a pixel: (along a row, down a column).
    """

    title: str
    pixel_mm: tuple[float, float]
    fields: tuple[tuple[Rgb, NDArray[np.float64]], ...]
    outlines: tuple[tuple[Rgb, NDArray[np.float64]], ...]


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
    """Return the cuts side by side, without words, for places that take no SVG."""
    panes = [_pixels(cut) for cut in picture.cuts]
    height = max(len(pane) for pane in panes)
    width = sum(pane.shape[1] for pane in panes) + _GAP * (len(panes) - 1)
    sheet = np.full((height, width, 3), 255, dtype=np.uint8)
    x = 0
    for pane in panes:
        sheet[: len(pane), x : x + pane.shape[1]] = pane
        x += pane.shape[1] + _GAP
    return _png(sheet)


def cuts_svg(picture: CutsPicture) -> str:
    """Return the cuts with titles, key, table and remarks as a self-contained SVG; names out of DICOM are escaped."""
    panes = [_pixels(cut) for cut in picture.cuts]
    x, body = _GAP, []
    for cut, pane in zip(picture.cuts, panes, strict=True):
        data = b64encode(_png(pane)).decode("ascii")
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


def _pixels(cut: Cut) -> NDArray[np.uint8]:
    shape = next(iter((*cut.fields, *cut.outlines)))[1].shape
    rows = _places(shape[0], cut.pixel_mm[1])
    columns = _places(shape[1], cut.pixel_mm[0])
    canvas = np.empty((len(rows), len(columns), 3), dtype=np.uint8)
    canvas[:] = _BACKGROUND
    for colour, filled in cut.fields:
        canvas[_enlarged(filled, rows, columns) >= 0.5] = colour
    for colour, filled in cut.outlines:
        canvas[_edge(_enlarged(filled, rows, columns) >= 0.5)] = colour
    return canvas


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


def _png(pixels: NDArray[np.uint8]) -> bytes:
    rows = np.concatenate([np.zeros((len(pixels), 1), np.uint8), pixels.reshape(len(pixels), -1)], axis=1)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


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
