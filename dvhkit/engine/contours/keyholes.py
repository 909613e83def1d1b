"""Keyholes opened: an outline that enters a hole and leaves it by the same way becomes an outline and a hole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.kernels.drawn.repeats import mark_repeats
from dvhkit.model.arrays import FloatArray

# Both sides of a channel are drawn through the same points; texts of three decimals round them alike.
_SAME_MM = 1e-3
# A loop of less area is a channel, drawn forth and back.
_LEAST_MM2 = 1e-6


def with_keyholes(points_mm: FloatArray, ring_start: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rings pass through a point twice, one a ring; `points_mm` (n, 2)."""
    repeats = np.zeros(len(ring_start) - 1, np.bool_)
    order = np.lexsort((points_mm[:, 0], np.repeat(np.arange(len(repeats)), np.diff(ring_start))))
    mark_repeats(np.ascontiguousarray(points_mm), order, ring_start, _SAME_MM, repeats)
    return repeats


def open_rings(
    points_mm: FloatArray, starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return all rings with keyholes opened: points, first point and length of each ring, and which ring it was."""
    keyed = with_keyholes(points_mm, np.append(starts, len(points_mm)).astype(np.int64))
    if not keyed.any():
        return points_mm, starts, counts, np.arange(len(starts))
    rings: list[FloatArray] = []
    owner: list[int] = []
    for r, (start, count) in enumerate(zip(starts, counts, strict=True)):
        ring = points_mm[start : start + count]
        pieces = open_keyhole(ring) if keyed[r] else [ring]
        rings += pieces
        owner += [r] * len(pieces)
    lengths = np.array([len(ring) for ring in rings])
    return np.concatenate(rings), np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths, np.array(owner)


def open_keyhole(ring_mm: FloatArray) -> list[FloatArray]:
    """Return a closed (n, 2) ring as its outline and the holes that it enters by a channel.

    Only loops that turn the other way than the ring itself are holes; a ring that merely touches itself stays whole.
    """
    whole = ring_mm
    # The point furthest along x lies on the outline, never on a hole.
    ring_mm = np.roll(ring_mm, -int(ring_mm[:, 0].argmax()), axis=0)
    turn = np.sign(_area(ring_mm))
    keys = [tuple(key) for key in np.round(ring_mm / _SAME_MM).astype(np.int64).tolist()]
    holes: list[FloatArray] = []
    path: list[int] = []
    place: dict[tuple[int, ...], int] = {}
    # Once more to the first point at the end: the way back may be where the channel lies.
    for n in [*range(len(keys)), 0]:
        start = place.get(keys[n])
        if start is not None:
            loop = path[start:]
            area = _area(ring_mm[loop])
            if abs(area) <= _LEAST_MM2 or np.sign(area) == -turn:
                for m in loop[1:]:
                    place.pop(keys[m], None)
                del path[start + 1 :]
                if abs(area) > _LEAST_MM2:
                    holes.append(ring_mm[loop])
                continue
        place[keys[n]] = len(path)
        path.append(n)
    outline = ring_mm[path[:-1] if len(path) > 1 and keys[path[-1]] == keys[path[0]] else path]
    return [outline, *holes] if holes and len(outline) >= 3 and abs(_area(outline)) > _LEAST_MM2 else [whole]


def _area(ring: FloatArray) -> float:
    x, y = (ring - ring[0]).T
    return 0.5 * float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)
