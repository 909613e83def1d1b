"""Names written beside their curves, and limits beside their triangles, where there is room for them.

The legend has all names, and each triangle tells its rule to who points at it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.model.arrays import FloatArray

# Of the widest usual letters, at the 12 units of report.css.
_LETTER_WIDTH, _LINE_HEIGHT = 8.0, 14.0
# Limits stand in smaller letters.
_LIMIT_LETTER_WIDTH, _LIMIT_LINE_HEIGHT, _LIMIT_GAP = 6.4, 12.0, 12.0
_LONGEST_LIMIT = 26
# Farther away it would not be seen which triangle a text is for.
_MOST_LIMIT_ROWS = 3
_GAP = 7.0
_MARK = 9.0
_CLEARANCE = 3.0
_LONGEST = 18
_STEP = 6.0
_MOST_CANDIDATES = 40

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name at (`x`, `y`), the middle of its left edge, for the curve with index `curve`."""

    curve: int
    x: float
    y: float
    text: str


def place_labels(names: list[str], lines: list[FloatArray], *, frame: Box, avoid: list[Point]) -> list[Label]:
    """Return a label for each curve that has a free place beside it, right or else left, clear of curves and labels.

    Parameters
    ----------
    names, lines
        A name and a line (its points, shape (n, 2)) a curve, in the same order; names of more than
        18 characters get none.
    frame
        Left, top, right and bottom of the plot.
    avoid
        Points that have to stay free, such as those of markers.
    """
    dense = [_dense(line) for line in lines]
    drawn = _Drawn(dense)
    labels: list[Label] = []
    boxes: list[Box] = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in avoid]
    for index, name in enumerate(names):
        if not name or len(name) > _LONGEST:
            continue
        width = _LETTER_WIDTH * len(name)
        place = _free_place(index, dense[index], width=width, drawn=drawn, taken=boxes, frame=frame)
        if place is not None:
            boxes.append(place)
            labels.append(Label(curve=index, x=place[0], y=(place[1] + place[3]) / 2, text=name))
    return labels


def place_limits(
    limits: list[tuple[int, Point, str]], lines: list[FloatArray], *, frame: Box, labels: list[Label]
) -> list[Label]:
    """Return a text for each limit (curve, place, text) that has a free place beside, above or below it."""
    drawn = _Drawn([_dense(line) for line in lines])
    half = _LINE_HEIGHT / 2
    boxes: list[Box] = [(b.x, b.y - half, b.x + _LETTER_WIDTH * len(b.text), b.y + half) for b in labels]
    boxes += [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for _, (x, y), _ in limits]
    found: list[Label] = []
    for curve, (x, y), text in limits:
        width, high = _LIMIT_LETTER_WIDTH * len(text), _LIMIT_LINE_HEIGHT / 2
        right, left, middle = x + _LIMIT_GAP, x - _LIMIT_GAP - width, x - width / 2
        sides = [(right, y), (left, y)]
        for rows in range(1, _MOST_LIMIT_ROWS + 1):
            off = _LIMIT_GAP + high + (rows - 1) * 2 * high
            sides += [(edge, y + way * off) for edge in (middle, right, left) for way in (-1, 1)]
        places: list[Box] = [(edge, row - high, edge + width, row + high) for edge, row in sides]
        free = (b for b in places if _within(b, frame) and not any(_overlap(b, o) for o in boxes))
        box = next((b for b in free if not drawn.meets(b)), None)
        if box is not None and text and len(text) <= _LONGEST_LIMIT:
            boxes.append(box)
            found.append(Label(curve=curve, x=box[0], y=(box[1] + box[3]) / 2, text=text))
    return found


class _Drawn:
    """All points of all curves, quick to ask for those in a box."""

    def __init__(self, dense: list[FloatArray]) -> None:
        points = np.concatenate([*dense, np.empty((0, 2))])
        order = np.argsort(points[:, 0])
        self._x, self._y = points[order].T
        self._curve = np.repeat(np.arange(len(dense)), [len(line) for line in dense])[order]

    def meets(self, box: Box, *, besides: int | None = None) -> bool:
        """Whether a curve, other than the one with the index `besides`, has a point in `box`."""
        first = self._x.searchsorted(box[0] - _CLEARANCE)
        last = self._x.searchsorted(box[2] + _CLEARANCE, side="right")
        y = self._y[first:last]
        inside = (y >= box[1]) & (y <= box[3])
        if besides is not None:
            inside &= self._curve[first:last] != besides
        return bool(inside.any())


def _free_place(
    index: int, line: FloatArray, *, width: float, drawn: _Drawn, taken: list[Box], frame: Box
) -> Box | None:
    middle = 0.58 * frame[1] + 0.42 * frame[3]
    candidates = line[np.argsort(np.abs(line[:, 1] - middle), kind="stable")]
    places = candidates[:: max(1, len(candidates) // _MOST_CANDIDATES)].tolist()
    for side in (1, -1):
        for x, y in places:
            edge = x + _GAP if side == 1 else x - _GAP - width
            box = (edge, y - _LINE_HEIGHT / 2, edge + width, y + _LINE_HEIGHT / 2)
            # Nothing may come between a name and its curve, else it seems to be another's.
            gap = (min(x, edge + width), y - _GAP / 2, max(x, edge), y + _GAP / 2)
            if not _within(box, frame) or any(_overlap(box, other) for other in taken):
                continue
            if not drawn.meets(box) and not drawn.meets(gap, besides=index):
                return box
    return None


def _dense(line: FloatArray) -> FloatArray:
    """Return points on `line` at most one step apart."""
    start, away = line[:-1], np.diff(line, axis=0)
    counts = np.maximum(1, np.rint(np.abs(away).max(axis=1, initial=0.0) / _STEP)).astype(int)
    part = np.repeat(np.arange(len(counts)), counts)
    along = (np.arange(len(part)) - (np.cumsum(counts) - counts)[part]) / counts[part]
    return np.asarray(start[part] + away[part] * along[:, None])


def _within(box: Box, frame: Box) -> bool:
    return box[0] > frame[0] and box[2] < frame[2] - 2 and box[1] > frame[1] + 2 and box[3] < frame[3] - 2


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
