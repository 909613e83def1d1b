"""What goes on from slice to slice: parts of a solid, and how their sections run from plane to plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import plane_of_ring
from dvhkit.engine.kernels.buffers import Parts
from dvhkit.engine.solid.solid import Solid
from dvhkit.model.arrays import FloatArray

IntArray = NDArray[np.int64]

# Area over the root of the second moments' determinant (each divided by the area) of a triangle; a circle has 4 pi.
_TRIANGLE = 6.0 * 3.0**0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Depth:
    """What `Parts` holds, for one depth; instead of where parts start, their number on each plane."""

    up: IntArray
    down: IntArray
    counts: IntArray
    alone: NDArray[np.bool_]
    shape: FloatArray
    is_compact: NDArray[np.bool_]
    around: FloatArray
    is_wall: NDArray[np.bool_]


def find_parts(groups: list[Solid], cell_mm2: float) -> Parts:
    """Return the parts between each plane and the next, at each depth of nesting; rings are numbered through.

    A ring that goes on as one other is a part; all that branch between two planes are one together. A ring that ends
    is in none.
    """
    found = [_parts_of(group, cell_mm2) for group in groups]
    start = np.zeros((len(groups), groups[0].stack.n_planes + 1), np.int64)
    before = 0
    for depth, part in enumerate(found):
        start[depth] = before + np.concatenate([[0], np.cumsum(part.counts)])
        before = int(start[depth, -1])
    return Parts(
        up=np.concatenate([part.up for part in found]),
        down=np.concatenate([part.down for part in found]),
        start=start,
        alone=np.stack([part.alone for part in found]),
        shape=np.ascontiguousarray(np.concatenate([part.shape for part in found])),
        is_compact=np.concatenate([part.is_compact for part in found]),
        around=np.ascontiguousarray(np.concatenate([part.around for part in found])),
        is_wall=np.concatenate([part.is_wall for part in found]),
    )


def _parts_of(group: Solid, cell_mm2: float) -> _Depth:
    stack, links = group.stack, group.links
    assert links is not None
    size, grown = _sizes(group, cell_mm2)
    n_planes = stack.n_planes
    plane = plane_of_ring(stack)
    ring = np.flatnonzero(links.above >= 0)
    onward = links.above[ring]
    single = np.bincount(plane[ring], minlength=n_planes)
    splits, joins = (np.bincount(plane[way == -2], minlength=n_planes) for way in (links.above, links.below))
    branches = (splits > 0) & (np.append(joins[1:], 0) > 0)
    counts = single + branches
    start, total = np.cumsum(counts) - counts, int(counts.sum())
    place = np.arange(len(ring)) - (np.cumsum(single) - single)[plane[ring]]
    up, down = np.full((2, len(plane)), -1, np.int64)
    up[ring] = down[onward] = place
    shape, around, is_compact = np.full((total, 4, 4), -1.0), np.empty((total, 2)), np.zeros(total, np.bool_)
    row = start[plane[ring]] + place
    course = (links.below[ring], ring, onward, links.above[onward])
    for at, rings in enumerate(course):
        shape[row[rings >= 0], at] = size[rings[rings >= 0]]
    around[row] = np.stack([grown[ring], grown[onward]], axis=1)
    rounded = _is_compact(size)
    is_compact[row] = np.logical_and.reduce([(rings < 0) | rounded[rings] for rings in course])
    is_wall = np.zeros(total, np.bool_)
    is_wall[row] = (links.wall_mm[ring] != 0) & (links.wall_mm[onward] != 0)
    for below in np.flatnonzero(branches):
        lower = np.flatnonzero((plane == below) & (links.above == -2))
        upper = np.flatnonzero((plane == below + 1) & (links.below == -2))
        up[lower] = down[upper] = single[below]
        last = start[below] + single[below]
        for at, rings in enumerate((links.below[lower], lower, upper, links.above[upper])):
            # Where one of them ends or branches, what it goes on as is not known.
            shape[last, at, 0] = size[np.unique(rings), 0].sum() if (rings >= 0).all() else -1.0
        around[last] = grown[lower].sum(), grown[upper].sum()
    ends, begins = (np.bincount(plane[way == -1], minlength=n_planes) > 0 for way in (links.above, links.below))
    alone = (counts == 1) & ~ends & ~np.append(begins[1:], True)
    return _Depth(
        up=up,
        down=down,
        counts=counts,
        alone=alone,
        shape=shape,
        is_compact=is_compact,
        around=around,
        is_wall=is_wall,
    )


def _is_compact(size: FloatArray) -> NDArray[np.bool_]:
    """Whether outlines are rounder than a triangle."""
    spread = np.maximum(size[:, 1] * size[:, 2] - size[:, 3] ** 2, 0.0)
    return np.asarray((spread > 0) & (size[:, 0] >= _TRIANGLE * np.sqrt(spread)))


def _sizes(group: Solid, cell_mm2: float) -> tuple[FloatArray, FloatArray]:
    """Return area and second moments (xx, yy, xy) of each ring, and the cells that it gains for each mm that it grows.

    The area in cells; the moments about the centroid, divided by the area, in mm2 divided by that of a cell.
    """
    stack, links = group.stack, group.links
    assert links is not None
    starts = stack.ring_start[:-1]
    # About each ring's centroid, so that nothing is lost to cancelling.
    x, y = stack.points_mm[:, 0] - links.x_mm[links.point_ring], stack.points_mm[:, 1] - links.y_mm[links.point_ring]
    x2, y2 = x[links.following], y[links.following]
    cross = x * y2 - x2 * y
    area = 0.5 * np.add.reduceat(cross, starts)
    scale = 1.0 / (12.0 * cell_mm2 * np.where(area != 0.0, area, 1.0))
    xx, yy, xy = (
        scale * np.add.reduceat(values * cross, starts)
        for values in (x * x + x * x2 + x2 * x2, y * y + y * y2 + y2 * y2, x * y + x2 * y2 + 0.5 * (x * y2 + x2 * y))
    )
    gained = np.add.reduceat(np.hypot(x2 - x, y2 - y), starts) / cell_mm2
    return np.stack([area / cell_mm2, xx, yy, xy], axis=1), gained
