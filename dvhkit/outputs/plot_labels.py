"""Names written beside their curves, where there is room for them; the legend has them all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from dvhkit.outputs.polyline import Point

# Of the widest usual letters, at the 12 units of report.css.
_LETTER_WIDTH, _LINE_HEIGHT = 8.0, 14.0
_GAP = 7.0
_MARK = 9.0
_LONGEST = 18
_STEP = 6.0
_MOST_CANDIDATES = 40

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name at (`x`, `y`), the middle of its left edge, for the curve with index `curve`."""

    curve: int
    x: float
    y: float
    text: str


def place_labels(names: list[str], lines: list[list[Point]], *, frame: Box, avoid: list[Point]) -> list[Label]:
    """Return a label for each curve that has a free place beside it, right or else left, clear of curves and labels.

    Parameters
    ----------
    names, lines
        A name and a line a curve, in the same order; names of more than 18 characters get none.
    frame
        Left, top, right and bottom of the plot.
    avoid
        Points that have to stay free, such as those of markers.
    """
    dense = [_dense(line) for line in lines]
    labels: list[Label] = []
    boxes: list[Box] = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in avoid]
    for index, name in enumerate(names):
        if not name or len(name) > _LONGEST:
            continue
        place = _free_place(index, name, dense, boxes, frame)
        if place is not None:
            boxes.append(place)
            labels.append(Label(curve=index, x=place[0], y=(place[1] + place[3]) / 2, text=name))
    return labels


def _free_place(index: int, name: str, dense: list[list[Point]], taken: list[Box], frame: Box) -> Box | None:
    width = _LETTER_WIDTH * len(name)
    candidates = sorted(dense[index], key=lambda point: abs(point[1] - (0.42 * frame[3] + 0.58 * frame[1])))
    places = candidates[:: max(1, len(candidates) // _MOST_CANDIDATES)]
    others = [point for i, line in enumerate(dense) if i != index for point in line]
    for side in (1, -1):
        for x, y in places:
            edge = x + _GAP if side == 1 else x - _GAP - width
            box = (edge, y - _LINE_HEIGHT / 2, edge + width, y + _LINE_HEIGHT / 2)
            # Nothing may come between a name and its curve, else it seems to be another's.
            gap = (min(x, edge + width), y - _GAP / 2, max(x, edge), y + _GAP / 2)
            if not _within(box, frame) or any(_overlap(box, other) for other in taken):
                continue
            if not any(_holds(box, point) for line in dense for point in line) and not any(
                _holds(gap, p) for p in others
            ):
                return box
    return None


def _dense(line: list[Point]) -> list[Point]:
    """Return points on `line` at most one step apart."""
    out: list[Point] = []
    for (x0, y0), (x1, y1) in pairwise(line):
        count = max(1, round(max(abs(x1 - x0), abs(y1 - y0)) / _STEP))
        out += [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count)]
    return out


def _within(box: Box, frame: Box) -> bool:
    return box[0] > frame[0] and box[2] < frame[2] - 2 and box[1] > frame[1] + 2 and box[3] < frame[3] - 2


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _holds(box: Box, point: Point) -> bool:
    return box[0] - 3 <= point[0] <= box[2] + 3 and box[1] <= point[1] <= box[3]
