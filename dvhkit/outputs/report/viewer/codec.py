"""Arrays packed for a page: predicted, deflated, written with 85 harmless letters.

A browser unpacks them without a request: the page's script has its own inflate, since the browser's answers only later
and a readout must not wait. 85 letters carry four bytes in five; none of them means anything to HTML.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# From '#' to 'z' without '&', '<' and the backslash: nothing that ends or begins anything in HTML or in a script.
LETTERS = bytes(c for c in range(35, 123) if c not in b"&<\\")
# Steps of pixel values that are tried one after the other until the image fits: 1 is exact.
STEPS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
# Between these values (HU) tissue lies; outside, steps may be four times as wide. Below the first is air.
_TISSUE = (-250, 250)
_AIR_BELOW = -800
_COARSER = 4
_MOST_LEVELS = 65536
_SAMPLED_SLICES = 6
_MOST_FINE = 256


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
    """

    chunks: tuple[bytes, ...]
    is_wide: bool
    first: float
    step: float
    values: tuple[float, ...]
    errors: tuple[float, ...]

    @property
    def size(self) -> int:
        """Bytes of all chunks."""
        return sum(map(len, self.chunks))


def pack_image(values: NDArray[Any], *, most_bytes: int) -> PackedImage:
    """Pack (n_planes, n_rows, n_columns) pixel values into about `most_bytes`, as exact as that allows.

    Whole numbers, such as HU, are exact where they fit; else steps grow, in tissue last. What the readout may be
    wrong by travels along.
    """
    low, high, is_whole = _extent(values)
    if not is_whole or high - low >= _MOST_LEVELS:
        return _even(values, low=low, high=high)
    step = _finest_that_fits(values, int(low), int(high), most_bytes)
    packed = _packed(values, _Table.of(int(low), int(high), step))
    while packed.size > most_bytes and step != STEPS[-1]:  # the slices that were tried were not like the rest
        step = STEPS[STEPS.index(step) + 1]
        packed = _packed(values, _Table.of(int(low), int(high), step))
    return packed


def _extent(values: NDArray[Any]) -> tuple[float, float, bool]:
    """Return the least and the greatest value, and whether all are whole numbers; by planes, that stay in the cache."""
    found = [
        (float(plane.min()), float(plane.max()), np.array_equal(np.rint(plane, out=np.empty_like(plane)), plane))
        for plane in np.asarray(values, dtype=np.result_type(values, np.float32))
    ]
    lows, highs, whole = zip(*found, strict=True)
    return min(lows), max(highs), all(whole)


def _finest_that_fits(values: NDArray[Any], low: int, high: int, most_bytes: int) -> int:
    """Return the smallest of `STEPS` whose size, told from a few slices, is within `most_bytes`; else the largest."""
    every = max(1, len(values) // _SAMPLED_SLICES)
    sample = values[every // 2 :: every]
    share = len(sample) / len(values)

    def fits(step: int) -> bool:
        return _packed(sample, _Table.of(low, high, step)).size <= most_bytes * share

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


def _packed(values: NDArray[Any], table: _Table) -> PackedImage:
    exact = len(table.edges) == table.high - table.low + 1
    middles, errors = ((), (0.0,)) if exact else table.middles()
    lookup = table.lookup()

    def chunk(plane: NDArray[Any]) -> bytes:
        return _plane(lookup.take(plane.astype(np.intp) - table.low, mode="clip"))

    return PackedImage(
        chunks=_each(chunk, values),
        is_wide=table.kind is np.uint16,
        first=float(table.low),
        step=1.0,
        values=middles,
        errors=errors,
    )


def _each(chunk: Callable[[NDArray[Any]], bytes], planes: NDArray[Any]) -> tuple[bytes, ...]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # numpy and deflate release Python's lock
        return tuple(pool.map(chunk, planes))


def _plane(levels: NDArray[Any]) -> bytes:
    """Return a plane as a raw deflate stream of what differs from the mean of the left and the upper neighbour."""
    left, up = np.zeros_like(levels), np.zeros_like(levels)
    left[:, 1:] = levels[:, :-1]
    up[1:] = levels[:-1]
    # The floor of the mean of two whole numbers without overflow.
    differs = levels - ((left & up) + ((left ^ up) >> 1))
    if levels.dtype == np.uint8:
        return deflate(differs.tobytes())
    signed = differs.astype(np.int16)
    folded = ((signed << 1) ^ (signed >> 15)).astype(np.uint16)  # small numbers of either sign become small ones
    return deflate((folded & 255).astype(np.uint8).tobytes() + (folded >> 8).astype(np.uint8).tobytes())


def deflate(data: bytes) -> bytes:
    """Return `data` as a raw deflate stream; runs only, which suits noise and is quick."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    return packer.compress(data) + packer.flush()


def pack_counts(counts: NDArray[Any]) -> bytes:
    """Return whole numbers below 2³¹ (n_planes, n_rows, n_columns) predicted along rows, as deflated byte planes."""
    flat = counts.astype(np.int64)
    before = np.zeros_like(flat)
    before[..., 1:] = flat[..., :-1]
    differs = flat - before
    folded = ((differs << 1) ^ (differs >> 63)).astype(np.uint32).ravel()
    return deflate(b"".join(((folded >> (8 * place)) & 255).astype(np.uint8).tobytes() for place in range(4)))
