"""Where pixel values are asked for: the squares of an image that structures and places of rules lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dvhkit.model.roi_kinds import is_body
from dvhkit.outputs.report.viewer.codec import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.grid import Grid
    from dvhkit.model.structure import Structure
    from dvhkit.results.scene import Scene

# A contour whose points leave the planes by more reaches several of them.
_FLAT_MM = 0.5
# A contour stands for the planes to half way to its neighbours, and a little more.
_REACH = 0.55
_TARGETS = frozenset({"PTV", "CTV", "GTV", "ITV"})


def wanted_squares(scene: Scene) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return names and squares, (n_planes, n_block_rows, n_block_columns), what is asked for most first.

    First come the places that decide rules, under no name, then targets, then the other structures, small ones first;
    the outline of the body is left out. A row of squares is taken from one end of a contour to the other.
    """
    inner = [s for s in scene.structures if not is_body(s.name, s.rt_roi_type)]
    squares = [(s.rt_roi_type not in _TARGETS, s.name, _squares(_outlines(s, scene.grid), scene.grid)) for s in inner]
    ranked = sorted(squares, key=lambda one: (one[0], int(np.count_nonzero(one[2]))))
    places = [scene.grid.to_grid_mm(np.array([s.point_mm])) for s in scene.spots]
    spots = [("", _squares(places, scene.grid))] if places else []
    return spots + [(name, one) for _, name, one in ranked if one.any()]


def _outlines(structure: Structure, grid: Grid) -> list[FloatArray]:
    finite = [c.points_mm for c in structure.contours if len(c.points_mm) and np.all(np.isfinite(c.points_mm))]
    return [grid.to_grid_mm(points) for points in finite]


def _squares(outlines: list[FloatArray], grid: Grid) -> NDArray[np.bool_]:
    n_rows, n_columns = (-(-n // BLOCK) for n in (grid.n_rows, grid.n_columns))
    found = np.zeros((len(grid.offsets_mm), n_rows, n_columns), dtype=np.bool_)
    reach_mm = _REACH * max(_spacing_mm(outlines), grid.plane_spacing_mm, 2 * _FLAT_MM)
    for outline in outlines:
        planes = _planes(outline[:, 2], grid, reach_mm)
        if not len(planes):
            continue
        for row, first, last in _spans(outline, grid, flat=bool(np.ptp(outline[:, 2]) <= _FLAT_MM)):
            if 0 <= row < n_rows and last >= 0:
                found[planes, row, max(first, 0) : last + 1] = True
    return found


def _spacing_mm(outlines: list[FloatArray]) -> float:
    heights = np.unique([round(float(outline[:, 2].mean()), 2) for outline in outlines])
    return float(np.median(np.diff(heights))) if len(heights) > 1 else 0.0


def _planes(heights: NDArray[np.float64], grid: Grid, reach_mm: float) -> NDArray[np.intp]:
    offsets = grid.offsets_mm
    return np.flatnonzero((offsets >= heights.min() - reach_mm) & (offsets <= heights.max() + reach_mm))


def _spans(outline: FloatArray, grid: Grid, *, flat: bool) -> Iterable[tuple[int, int, int]]:
    """Return the first and the last square of each row of squares that an outline crosses."""
    pixels = outline[:, :2] / grid.spacing_mm[:2]
    # As densely that no square is passed over; the pixel that holds a point is the nearest.
    ends = np.roll(pixels, -1, axis=0)
    steps = max(1, int(np.ceil(np.abs(ends - pixels).max(initial=0.0))))
    shares = np.arange(steps)[:, None, None] / steps
    points = np.floor((pixels + shares * (ends - pixels) + 0.5).reshape(-1, 2) / BLOCK).astype(np.intp)
    rows = points[:, 1]
    if not flat:
        yield from (
            (row, int(points[:, 0].min()), int(points[:, 0].max())) for row in range(rows.min(), rows.max() + 1)
        )
        return
    least, most = np.full(np.ptp(rows) + 1, np.iinfo(np.intp).max), np.full(np.ptp(rows) + 1, -1)
    np.minimum.at(least, rows - rows.min(), points[:, 0])
    np.maximum.at(most, rows - rows.min(), points[:, 0])
    yield from zip(range(rows.min(), rows.max() + 1), least.tolist(), most.tolist(), strict=True)
