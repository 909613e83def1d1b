"""The groups of arrays that kernels hand to each other. Plane or layer n lies in slot n modulo the number of slots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Planes(NamedTuple):
    """What is known on drawn planes, for each depth of nesting: (depths, slots, rows, columns) of nodes or cells.

    Attributes
    ----------
    level, radius, ring
        At the nodes: the level function, the radius that it was made with, and the nearest ring.
    sign
        At the nodes: 1 where the level is so low that it stays negative up to the next planes, -1 where so high that
        it stays positive, 0 between.
    cover
        Of the cells: 1 where full, -1 where empty, 0 where cut.
    area : (depths, slots, 3, rows, columns)
        Exact coverage of cells that are cut, and its first moments.
    rest : (depths, slots, rows, columns, 4), known
        What the exact coverage and moments have more than their estimate from levels, and that estimate; valid where
        `known`.
    """

    level: FloatArray
    radius: FloatArray
    ring: NDArray[np.int32]
    sign: NDArray[np.int8]
    cover: NDArray[np.int8]
    area: FloatArray
    rest: FloatArray
    known: NDArray[np.bool_]


class Rings(NamedTuple):
    """How rings go on, one entry a ring, as kernels `link` and `reach` say; and whether any of a plane's rings ends.

    `up_stretch`, `down_stretch`: factors on the height of rounded caps. `round2`: squared radius in mm2 of a disc as
    thick as each ring. `ball`: half curvature along z that the principal second moments of a ball's sections have, in
    units of a cell.
    """

    above: NDArray[np.int64]
    below: NDArray[np.int64]
    up_height: FloatArray
    up_order: NDArray[np.int64]
    down_height: FloatArray
    down_order: NDArray[np.int64]
    up_stretch: FloatArray
    down_stretch: FloatArray
    ends_up: NDArray[np.bool_]
    ends_down: NDArray[np.bool_]
    round2: FloatArray
    ball: float


class Parts(NamedTuple):
    """What goes on from rings of a plane to rings of the next: a ring to a ring, or all that branch together.

    Attributes
    ----------
    up, down
        One a ring: its part in the interval above and below it, counted from the interval's first; -1 for none.
    start : (depths, planes + 1)
        First part of the interval above each plane.
    alone : (depths, planes)
        Whether the interval above a plane holds one part and no ring that ends.
    shape : (parts, 4, 4)
        On the plane before the interval, below it, above it and after it: area in cells (-1 where not known), and
        second moments about the centroid divided by the area.
    is_compact
        Whether the second moments tell the area: outlines rounder than a triangle.
    around : (parts, 2)
        Cells gained for each mm that the rings grow, on the plane below and above.
    is_wall
        Whether it bounds a wall that is round across itself, whose levels alone tell the section.
    """

    up: NDArray[np.int64]
    down: NDArray[np.int64]
    start: NDArray[np.int64]
    alone: NDArray[np.bool_]
    shape: FloatArray
    is_compact: NDArray[np.bool_]
    around: FloatArray
    is_wall: NDArray[np.bool_]


class Layers(NamedTuple):
    """Layers that are being filled: (slots, rows, columns).

    Attributes
    ----------
    part
        Filled volume of cut cells in units of a cell's area times mm.
    moment : (slots, rows, columns, 3)
        Its first moments: two in cell units, that along w in mm.
    run : (slots, rows, columns + 1, 2)
        Height of full cells, and its moment along w, as differences from the cell before.
    span : (slots, rows, 2)
        First and last column touched.
    """

    part: FloatArray
    moment: FloatArray
    run: FloatArray
    span: NDArray[np.int64]


class Scratch(NamedTuple):
    """Where `fill_intervals` works: nodes (rows + 1, columns + 1), or cells (rows, columns).

    Attributes
    ----------
    state : (depths, node rows, node columns), done
        Of nodes.
    kind : (depths, rows, columns), whole
        Of cells: 1 full, -1 empty, 0 cut; of each depth, and of all together.
    cells, nodes : (n, 2)
        Rows and columns of those that are cut.
    phi : (rows + 1, columns + 1, heights)
        Signed distances.
    """

    state: NDArray[np.int8]
    kind: NDArray[np.int8]
    whole: NDArray[np.int8]
    done: NDArray[np.bool_]
    cells: NDArray[np.int32]
    nodes: NDArray[np.int32]
    phi: FloatArray


class Intervals(NamedTuple):
    """The spaces between two planes of a run, or beyond its first or last.

    Attributes
    ----------
    places : (n, 4)
        The planes below and above (-1 for none), the first plane of the run, and one past its last.
    heights_mm : (n, 2)
        Where the two planes lie, or would.
    ranges : (n, 2)
        First slab or height, and one past the last.
    """

    places: NDArray[np.int64]
    heights_mm: FloatArray
    ranges: NDArray[np.int64]


class Slabs(NamedTuple):
    """Slabs in ascending order: where each begins and ends along w, and its layer (-1 for none)."""

    lo_mm: FloatArray
    hi_mm: FloatArray
    layer: NDArray[np.int64]


class Rules(NamedTuple):
    """How the solid goes on where nothing was drawn.

    Attributes
    ----------
    bend
        Bound on half the curvature of a level along z.
    far
        Level of a point far outside.
    all_step
        Whether each section reaches half way to the next: upright walls.
    """

    bend: float
    far: float
    all_step: bool


class Cells(NamedTuple):
    """A lattice as the booking kernels take it: where layers begin and end along w, its corner, and a cell's size."""

    edges_mm: FloatArray
    origin_mm: FloatArray
    step_mm: FloatArray


class Field(NamedTuple):
    """A dose as the kernels take it.

    Attributes
    ----------
    values, rounded
        In Gy, [k, j, i]; and with its peaks and valleys as round as they may be: a single value where not asked for.
    offsets, half_end
        Where its planes lie along their normal, and how far the outermost reach beyond their centres, in mm.
    to_dose : (3, 4)
        From (u, v, w, 1) to column, row, and place along the normal.
    rim
        Least and greatest u, least and greatest v: where the outermost voxels end; a cell across it has dose in its
        share within.
    low, high
        Bounds for any dose that is met, in Gy.
    """

    values: FloatArray
    rounded: FloatArray
    offsets: FloatArray
    half_end: FloatArray
    to_dose: FloatArray
    rim: FloatArray
    low: float
    high: float


class Sums(NamedTuple):
    """What booking writes, one of each for every share of a solid that is counted by itself.

    Attributes
    ----------
    slopes : (shares, bins, 3), points : (shares, bins, 6)
        As `_deposit` of kernel `book` says.
    totals : (shares, 3)
        Volume, volume with dose (mm3), and volume times dose gradient (Gy mm2).
    extremes : (shares, 2)
        Least and greatest dose met.
    shifts : (groups, 2)
        Of doses in equal steps from the least to the greatest: volume, and what the rounded dose has more, times it.
    rounded_extremes : (2,)
        Least and greatest rounded dose met.
    """

    slopes: FloatArray
    points: FloatArray
    totals: FloatArray
    extremes: FloatArray
    shifts: FloatArray
    rounded_extremes: FloatArray
