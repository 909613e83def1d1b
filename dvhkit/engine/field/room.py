"""Room for layers that was handed back empty, and need not be emptied anew for the next structure."""

from __future__ import annotations

import threading

import numpy as np

from dvhkit.engine.kernels.buffers import Layers
from dvhkit.model.arrays import FloatArray

# Kept for each thread: layers of most structures, of all readings of a band. Larger ones are rare, and cost little
# beside what fills them.
_MOST_FLOATS = 1 << 19
_MOST_KEPT = 12


class _Kept(threading.local):
    """What was handed back in this thread, the smallest first."""

    def __init__(self) -> None:
        self.free: list[FloatArray] = []


_kept = _Kept()


def take(size: int) -> FloatArray:
    """Return at least so many zeros."""
    for n, room in enumerate(_kept.free):
        if room.size >= size:
            return _kept.free.pop(n)
    return np.zeros(1 << (size - 1).bit_length() if size <= _MOST_FLOATS else size)


def hand_back(room: FloatArray) -> None:
    """Take back what is all zeros again."""
    if room.size > _MOST_FLOATS:
        return
    _kept.free.append(room)
    _kept.free.sort(key=len)
    # A large room serves for all that a small one does.
    del _kept.free[:-_MOST_KEPT]


def empty_layers(n_rows: int, n_columns: int, slots: int, room: FloatArray | None = None) -> Layers:
    """Return layers that hold nothing, in `room` where it is given: zeros, `floats_of` as many."""
    shapes = _shapes(n_rows, n_columns, slots)
    found, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        found.append(np.zeros(shape) if room is None else room[at : at + size].reshape(shape))
        at += size
    span = np.empty((slots, n_rows, 2), np.int64)
    span[..., 0], span[..., 1] = n_columns, -1
    part, moment, run = found
    return Layers(part=part, moment=moment, run=run, span=span)


def floats_of(n_rows: int, n_columns: int, slots: int) -> int:
    """Return how many floats layers take."""
    return sum(int(np.prod(shape)) for shape in _shapes(n_rows, n_columns, slots))


def _shapes(n_rows: int, n_columns: int, slots: int) -> tuple[tuple[int, ...], ...]:
    cells = (slots, n_rows, n_columns)
    return cells, (*cells, 3), (slots, n_rows, n_columns + 1, 2)
