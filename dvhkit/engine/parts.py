"""What goes on from slice to slice: parts of a solid, and how their areas run from plane to plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.kernels.buffers import Parts
from dvhkit.engine.solid import Solid
from dvhkit.model.arrays import FloatArray


def find_parts(groups: list[Solid], cell_mm2: float) -> Parts:
    """Return the parts between each plane and the next, at each depth of nesting; rings are numbered through.

    A ring that goes on as one other is a part; all that branch between two planes are one together. A ring that ends
    is in none.
    """
    n_planes = groups[0].stack.n_planes
    found = [_parts_of(group, cell_mm2) for group in groups]
    counts = np.stack([f[2] for f in found])
    start = np.zeros((len(groups), n_planes + 1), np.int64)
    before = 0
    for depth, count in enumerate(counts):
        start[depth] = before + np.concatenate([[0], np.cumsum(count)])
        before = int(start[depth, -1])
    return Parts(
        up=np.concatenate([f[0] for f in found]),
        down=np.concatenate([f[1] for f in found]),
        start=start,
        alone=np.stack([f[3] for f in found]),
        area=np.ascontiguousarray(np.concatenate([f[4] for f in found])),
        around=np.ascontiguousarray(np.concatenate([f[5] for f in found])),
    )


def _parts_of(
    group: Solid, cell_mm2: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], FloatArray, FloatArray]:
    """Return what `Parts` holds, for one depth; instead of where parts start, their number on each plane."""
    stack, links = group.stack, group.links
    assert links is not None
    area, around = _sizes(group, cell_mm2)
    plane = np.repeat(np.arange(stack.n_planes), np.diff(stack.plane_ring))
    ring = np.flatnonzero(links.above >= 0)
    onward = links.above[ring]
    single = np.bincount(plane[ring], minlength=stack.n_planes)
    splits, joins = (np.bincount(plane[way == -2], minlength=stack.n_planes) for way in (links.above, links.below))
    branches = (splits > 0) & (np.append(joins[1:], 0) > 0)
    counts = single + branches
    start = np.cumsum(counts) - counts
    place = np.arange(len(ring)) - (np.cumsum(single) - single)[plane[ring]]
    up, down = np.full((2, len(area)), -1, np.int64)
    up[ring] = down[onward] = place
    areas, arounds = np.empty((int(counts.sum()), 4)), np.empty((int(counts.sum()), 2))
    row = start[plane[ring]] + place
    known = np.append(area, -1.0)
    areas[row] = np.stack(
        [
            known[np.maximum(links.below[ring], -1)],
            area[ring],
            area[onward],
            known[np.maximum(links.above[onward], -1)],
        ],
        axis=1,
    )
    arounds[row] = np.stack([around[ring], around[onward]], axis=1)
    for at in np.flatnonzero(branches):
        lower, upper = (
            np.flatnonzero((plane == p) & (way == -2)) for p, way in ((at, links.above), (at + 1, links.below))
        )
        up[lower] = down[upper] = single[at]
        last = start[at] + single[at]
        areas[last] = (
            _known(area, links.below[lower]),
            area[lower].sum(),
            area[upper].sum(),
            _known(area, links.above[upper]),
        )
        arounds[last] = around[lower].sum(), around[upper].sum()
    ends, begins = (np.bincount(plane[way == -1], minlength=stack.n_planes) > 0 for way in (links.above, links.below))
    alone = (counts == 1) & ~ends & ~np.append(begins[1:], True)
    return up, down, counts, alone, areas, arounds


def _known(area: FloatArray, onward: NDArray[np.int64]) -> float:
    """Return the area of what rings go on as; -1 where one of them ends or branches."""
    return float(area[np.unique(onward)].sum()) if (onward >= 0).all() else -1.0


def _sizes(group: Solid, cell_mm2: float) -> tuple[FloatArray, FloatArray]:
    """Return the area of each ring in cells, and the cells that it gains for each mm that it grows."""
    stack, links = group.stack, group.links
    assert links is not None
    points = stack.points_mm - stack.points_mm[0]
    following = points[links.following]
    twice = points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]
    edges = np.hypot(*(following - points).T)
    starts = stack.ring_start[:-1]
    return 0.5 * np.add.reduceat(twice, starts) / cell_mm2, np.add.reduceat(edges, starts) / cell_mm2
