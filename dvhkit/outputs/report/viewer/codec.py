"""Arrays packed for a page: predicted, deflated, written with 85 harmless letters.

A browser unpacks them without a request: the page's script has its own inflate, since the browser's answers only later
and a readout must not wait. 85 letters carry four bytes in five; none of them means anything to HTML.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
# From '#' to 'z' without '&', '<' and the backslash: nothing that ends or begins anything in HTML or in a script.
LETTERS = bytes(c for c in range(35, 123) if c not in b"&<\\")
# Steps of pixel values that are tried one after the other until the image fits: 1 is exact.
STEPS = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 48, 64, 96, 128)
# Between these values (HU) tissue lies; outside, steps may be four times as wide. Below the first is air.
_TISSUE = (-250, 250)
_AIR_BELOW = -800
_COARSER = 4
_MOST_LEVELS = 65536
_SAMPLED_SLICES = 6
_MOST_FINE = 256
# What is kept exactly is kept in squares of so many pixels, by what lies above the least value of the pixel's level.
BLOCK = 8
_MOST_ABOVE = 256
# Never more of the room than this goes into exact squares: the rest of the image is looked at, too.
_MOST_EXACT_FRAC = 0.4
# What a pixel's exact value costs beyond the logarithm of the step, which would do were all values alike.
_EXACT_COST = 1.1


def letters(data: bytes) -> str:
    """Return `data` in base 85, four bytes big-endian as five letters; the length is padded with zeros."""
    words = np.frombuffer(data + bytes(-len(data) % 4), dtype=">u4").astype(np.uint32)
    digits = np.empty((len(words), 5), dtype=np.uint8)
    for place in range(4, -1, -1):
        words, digits[:, place] = np.divmod(words, np.uint32(85))
    return np.frombuffer(LETTERS, dtype=np.uint8)[digits].tobytes().decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedImage:
    """An image as it travels.

    Attributes
    ----------
    chunks
        One raw deflate stream a plane: the low bytes of all predicted levels, then, with over 256 levels, the high.
    is_wide
        Whether there are high bytes.
    values, first, step
        The value of level n is ``values[n]``, or, where `values` is empty, ``first + n * step``.
    errors
        No value of level n is farther from that of the file than ``errors[n]``; one for all, 0 where exact.
    lows, exact
        Of an image that is not exact as a whole: the least value of each level, and for each plane how many of its
        squares of `BLOCK` pixels are exact, with a raw deflate stream: one bit a square, row by row and the highest bit
        first, then, of those that are set, the pixels row by row, each less the least value of its level.
    """

    chunks: tuple[bytes, ...]
    is_wide: bool
    first: float
    step: float
    values: tuple[float, ...]
    errors: tuple[float, ...]
    lows: tuple[float, ...] = ()
    exact: tuple[tuple[int, bytes], ...] = ()

    @property
    def tissue_error(self) -> float:
        """How far a value in tissue can be from that of the file where it is not exact."""
        tissue = [e for v, e in zip(self.values, self.errors, strict=False) if _TISSUE[0] <= v < _TISSUE[1]]
        return max(tissue or self.errors)

    @property
    def size(self) -> int:
        """Bytes of all chunks."""
        return sum(map(len, self.chunks)) + sum(len(chunk) for _, chunk in self.exact)


def pack_image(
    values: NDArray[Any], *, most_bytes: int, exactly: Sequence[NDArray[np.bool_]] = ()
) -> tuple[PackedImage, int]:
    """Pack (n_planes, n_rows, n_columns) pixel values into about `most_bytes`, as exact as that allows.

    Whole numbers, such as HU, are exact where they fit; else steps grow, in tissue last. What the readout may be
    wrong by travels along.

    Parameters
    ----------
    exactly
        Squares of `BLOCK` pixels, (n_planes, n_block_rows, n_block_columns), that are to be exact nevertheless, what
        matters most first; as many of these as two fifths of the room hold.

    Returns
    -------
        The image, and how many of `exactly` it holds.
    """
    low, high, is_whole = _extent(values)
    if not is_whole or high - low >= _MOST_LEVELS:
        return _even(values, low=low, high=high), 0
    wanted = _Wanted(exactly, most_bytes)
    step = _finest_that_fits(values, int(low), int(high), most_bytes, wanted)
    while True:
        table = _Table.of(int(low), int(high), step)
        blocks, held = wanted.at(step)
        packed = _packed(values, table, blocks if table.most_alike <= _MOST_ABOVE else None)
        if packed.size <= most_bytes or step == STEPS[-1]:
            return packed, len(exactly) if step == 1 else held if packed.exact else 0
        step = STEPS[STEPS.index(step) + 1]  # the slices that were tried were not like the rest


class _Wanted:
    """What is to be exact: as many squares, the most wanted first, as their share of the room holds."""

    def __init__(self, exactly: Sequence[NDArray[np.bool_]], most_bytes: int) -> None:
        self._exactly, self._room = exactly, _MOST_EXACT_FRAC * most_bytes
        self._counts: list[int] = []
        union = np.zeros_like(exactly[0]) if exactly else np.zeros(0, dtype=np.bool_)
        for one in exactly:
            union |= one
            self._counts.append(int(np.count_nonzero(union)))

    def at(self, step: int) -> tuple[NDArray[np.bool_] | None, int]:
        """Return the squares that are exact where steps are `step` wide, None for none, and how many were held."""
        held = sum(self._cost(count, step) <= self._room for count in self._counts) if step > 1 else 0
        return (np.any(self._exactly[:held], axis=0) if held else None), held

    def bytes_at(self, step: int) -> float:
        """Return about how many bytes those squares take."""
        costs = [self._cost(count, step) for count in self._counts] if step > 1 else []
        return max((cost for cost in costs if cost <= self._room), default=0.0)

    @staticmethod
    def _cost(count: int, step: int) -> float:
        return _EXACT_COST * count * BLOCK * BLOCK * math.log2(step) / 8


def _extent(values: NDArray[Any]) -> tuple[float, float, bool]:
    """Return the least and the greatest value, and whether all are whole numbers; by planes, that stay in the cache."""
    is_integer = values.dtype.kind in "iub"
    found = [
        (float(plane.min()), float(plane.max()), is_integer or np.array_equal(np.rint(plane), plane))
        for plane in values
    ]
    lows, highs, whole = zip(*found, strict=True)
    return min(lows), max(highs), all(whole)


def _finest_that_fits(values: NDArray[Any], low: int, high: int, most_bytes: int, wanted: _Wanted) -> int:
    """Return the smallest of `STEPS` whose size, told from a few slices, is within `most_bytes`; else the largest."""
    every = max(1, len(values) // _SAMPLED_SLICES)
    sample = values[every // 2 :: every]
    share = len(sample) / len(values)

    def fits(step: int) -> bool:
        room = most_bytes - wanted.bytes_at(step)
        return _packed(sample, _Table.of(low, high, step)).size <= room * share

    below, above = 0, len(STEPS) - 1
    while below < above:
        middle = (below + above) // 2
        if fits(STEPS[middle]):
            above = middle
        else:
            below = middle + 1
    return STEPS[below]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Which values share a level: `edges` are the first values of the levels, ascending."""

    low: int
    high: int
    edges: NDArray[np.int64]

    @classmethod
    def of(cls, low: int, high: int, step: int) -> _Table:
        if step == 1:
            return cls(low=low, high=high, edges=np.arange(low, high + 1))
        edges, at = [low], max(low + 1, _AIR_BELOW)
        while at <= high:
            edges.append(at)
            at += step if _TISSUE[0] <= at < _TISSUE[1] else _COARSER * step
        return cls(low=low, high=high, edges=np.array(edges))

    @property
    def kind(self) -> type[np.uint8 | np.uint16]:
        """What a level is stored in."""
        return np.uint8 if len(self.edges) <= _MOST_FINE else np.uint16

    @property
    def most_alike(self) -> int:
        """How many values share a level at most."""
        return int(np.diff(np.append(self.edges, self.high + 1)).max())

    def lookup(self) -> NDArray[Any]:
        """Return the level of each value from the lowest to the highest."""
        return (np.searchsorted(self.edges, np.arange(self.low, self.high + 1), side="right") - 1).astype(self.kind)

    def middles(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the value that stands for each level, and how far one in it can be from that."""
        ends = np.append(self.edges[1:], self.high + 1) - 1
        middle = np.floor((self.edges + ends) / 2)
        if self.low < _AIR_BELOW and len(self.edges) > 1 and ends[0] > self.edges[0]:
            middle[0] = min(-1000.0, float(ends[0]))  # the level of air is shown as air
        error = np.maximum(middle - self.edges, ends - middle)
        return tuple(middle.tolist()), tuple(error.tolist())


def _even(values: NDArray[Any], *, low: float, high: float) -> PackedImage:
    """Return values that are no whole numbers, such as those of PET, in 65,536 even steps."""
    step = (high - low) / (_MOST_LEVELS - 1) or 1.0
    levels = np.rint((values.astype(np.float64) - low) / step).astype(np.uint16)
    return PackedImage(
        chunks=_each(_plane, levels), is_wide=True, first=low, step=step, values=(), errors=(float(step / 2),)
    )


def _packed(values: NDArray[Any], table: _Table, blocks: NDArray[np.bool_] | None = None) -> PackedImage:
    exact = len(table.edges) == table.high - table.low + 1
    middles, errors = ((), (0.0,)) if exact else table.middles()
    lookup = table.lookup()

    def chunk(plane: NDArray[Any]) -> bytes:
        if exact:
            return _plane((plane - np.int32(table.low)).astype(table.kind))  # each value is its own level
        return _plane(lookup.take(plane.astype(np.intp) - table.low, mode="clip"))

    def above(index: int) -> tuple[int, bytes]:
        assert blocks is not None
        if not blocks[index].any():
            return 0, b""
        plane = values[index].astype(np.intp)
        return _exact(plane - table.edges[lookup.take(plane - table.low, mode="clip")], blocks[index])

    is_mended = blocks is not None and not exact
    return PackedImage(
        chunks=_each(chunk, values),
        is_wide=table.kind is np.uint16,
        first=float(table.low),
        step=1.0,
        values=middles,
        errors=errors,
        lows=tuple(table.edges.astype(float).tolist()) if is_mended else (),
        exact=_each(above, range(len(values))) if is_mended else (),
    )


def _exact(above: NDArray[Any], blocks: NDArray[np.bool_]) -> tuple[int, bytes]:
    """Return how many squares of a plane are exact, and what lies above their levels, deflated."""
    rows, columns = (BLOCK * n for n in blocks.shape)
    padded = np.zeros((rows, columns), dtype=np.uint8)
    padded[: above.shape[0], : above.shape[1]] = above
    squares = padded.reshape(blocks.shape[0], BLOCK, blocks.shape[1], BLOCK).swapaxes(1, 2)[blocks]
    return len(squares), deflate(np.packbits(blocks).tobytes() + squares.tobytes())


def _each(chunk: Callable[[_Given], _Made], planes: Iterable[_Given]) -> tuple[_Made, ...]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # numpy and deflate release Python's lock
        return tuple(pool.map(chunk, planes))


def _plane(levels: NDArray[Any]) -> bytes:
    """Return a plane as a raw deflate stream of what differs from what its neighbours foretell.

    Foretold is the left neighbour plus the upper one less the one between them, kept between the first two: the
    predictor of JPEG-LS (ITU-T T.87), which follows edges.
    """
    left, up, both = (np.zeros_like(levels) for _ in range(3))
    left[:, 1:], up[1:], both[1:, 1:] = levels[:, :-1], levels[:-1], levels[:-1, :-1]
    least, most = np.minimum(left, up), np.maximum(left, up)
    # Between the two, least + most - both neither overflows nor wraps.
    foretold = least + (most - np.clip(both, least, most))
    differs = levels - foretold
    if levels.dtype == np.uint8:
        return deflate(differs.tobytes())
    signed = differs.astype(np.int16)
    folded = ((signed << 1) ^ (signed >> 15)).astype(np.uint16)  # small numbers of either sign become small ones
    return deflate((folded & 255).astype(np.uint8).tobytes() + (folded >> 8).astype(np.uint8).tobytes())


def deflate(data: bytes) -> bytes:
    """Return `data` as a raw deflate stream; runs only, which suits noise and is quick."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    return packer.compress(data) + packer.flush()


def pack_counts(planes: Iterable[NDArray[Any]]) -> bytes:
    """Return planes of whole numbers below 2³¹, predicted along rows, as deflated byte planes; shape (rows, columns).

    By planes, that stay in the cache and take no memory beside the numbers themselves.
    """
    places = [_folded(plane).view(np.uint8).reshape(-1, 4).T for plane in planes]
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    parts = [packer.compress(plane[place].tobytes()) for place in range(4) for plane in places]
    return b"".join([*parts, packer.flush()])


def _folded(plane: NDArray[Any]) -> NDArray[np.uint32]:
    """Return what differs from the left neighbour, small numbers of either sign as small ones."""
    flat = plane.astype(np.int64)
    differs = np.diff(flat, axis=-1, prepend=0)
    return ((differs << 1) ^ (differs >> 63)).astype("<u4").ravel()
