"""The axes of one vertebra, by geometry alone: along the canal, from body to arch, and across.

Seen along its canal a vertebra has a hole, however the spine is bent; the direction in which the hole is widest is
the canal's. The body lies in front of the hole, and the two halves mirror each other: that gives the other axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.grid import Grid
from dvhkit.targets.vertebra.anatomy.pieces import close_gaps, label_pieces

# Pixel of the silhouettes in which holes are sought.
_PIXEL_MM = 1.0
_COARSE_PIXEL_MM = 1.5
# How far a canal may lean from the patient's long axis; kyphosis, lordosis and couch together stay below.
_LEAN_MAX_DEG = 40
# The bony canal is 12-30 mm wide: a hole below this area is a foramen or a gap in the mask.
_HOLE_LEAST_MM2 = 60.0
# How far a vertebra may be turned about its canal; scoliosis turns it by up to 30 degrees.
_TURN_MAX_DEG = 42
_TURN_STEP_DEG = 3
_SIDEWARD_MOST_DEG = 8.0
# Where the hole is as wide as this fraction of its widest, and how far from there it is looked at.
_NEARLY_FRAC = 0.85
_CENTRED_DEG = 12.0
# The hole's middle and the drawn canal's middle agree to this; foramina lie further aside.
_STRAY_MM = 10.0
_LEAST_POINTS = 50
# Within the canal's width and so far before and behind it, the body takes up so many times the room of laminae and
# spinous process, or more.
_NEAR_MM = 14.0
_FRONT_LEAST = 1.0
# So many points of the bone tell its symmetry as well as all do.
_MIRROR_POINTS = 12_000
_SLIT_HALF_MM = 1.6
# A hole that shrinks below this fraction, or is gone, without filling slits was open.
_CLOSED_FRAC = 0.7

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VertebraFrame:
    """Local coordinates of one vertebra.

    Attributes
    ----------
    origin_mm : (3,)
        A point in the middle of the canal, in patient coordinates (LPS).
    axes : (3, 3)
        Rows are unit vectors: u to the patient's left, v backwards, w upwards along the canal.
    canal_uv : (n, 2)
        Centres of the 1 mm pixels of the canal, seen along w.
    canal_seen
        Whether the canal is a hole in the mask itself, or only known from what was drawn.
    arch_closed
        Whether that hole is there without bridging gaps of some millimetres in the arch.
    mirror_frac
        How much of the vertebra's silhouette its mirror image covers: 1 is perfect symmetry.
    """

    origin_mm: FloatArray
    axes: FloatArray
    canal_uv: FloatArray
    canal_seen: bool
    arch_closed: bool
    mirror_frac: float

    def __post_init__(self) -> None:
        for name in ("origin_mm", "axes", "canal_uv"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))

    def to_local(self, points_mm: FloatArray) -> FloatArray:
        """Return (n, 3) patient points as (u, v, w) in mm."""
        return np.asarray((points_mm - self.origin_mm) @ self.axes.T)


def mask_points_mm(mask: Mask, grid: Grid, *, step_mm: float | None = None) -> FloatArray:
    """Return (n, 3) patient points of a mask: voxel centres, or with `step_mm` points no further apart than that."""
    k, j, i = np.nonzero(mask)
    index = [i * grid.spacing_mm[0], j * grid.spacing_mm[1], grid.offsets_mm[k]]
    if step_mm is not None:
        sizes = (float(grid.spacing_mm[0]), float(grid.spacing_mm[1]), grid.plane_spacing_mm or step_mm)
        for axis, size in enumerate(sizes):
            n = max(1, int(np.ceil(size / step_mm - 1e-9)))
            shifts = (np.arange(n) + 0.5) / n - 0.5
            index = [np.repeat(part, n) for part in index]
            index[axis] = index[axis] + np.tile(shifts * size, len(index[axis]) // n)
    return np.asarray(np.column_stack(index) @ grid.axes + grid.origin_mm)


def find_frame(mask: Mask, grid: Grid, canal: Mask | None = None) -> VertebraFrame:
    """Return the local axes of the vertebra that `mask` fills.

    Parameters
    ----------
    mask, canal : (n_planes, n_rows, n_columns) bool
        One whole vertebra, and the spinal canal (or cord) if it was drawn; both on `grid`.

    Raises
    ------
    GeometryError
        Where no canal is given and the mask has no hole to see through, or body and arch lie the wrong way round.
    """
    points = mask_points_mm(mask, grid, step_mm=0.9 * _COARSE_PIXEL_MM)
    if len(points) < _LEAST_POINTS:
        raise GeometryError("the vertebra has too few voxels to find its axes.", remedy="Check the mask.")
    centre = points.mean(axis=0)
    points -= centre
    drawn = None if canal is None else _drawn_canal(canal, grid, centre, points)
    # What is seen of a solid is seen of its surface.
    whole = without_slits(mask, grid)
    shell = mask_points_mm(_surface(whole), grid, step_mm=0.9 * _COARSE_PIXEL_MM) - centre
    fine = [mask_points_mm(_surface(m), grid, step_mm=0.8 * _PIXEL_MM) - centre for m in (whole, mask)]
    points = points[:: max(1, len(points) // _MIRROR_POINTS)]
    along = _centred(shell, _canal_direction(shell, drawn))
    # The hole hardly changes in the first degrees of a sideward lean; the bone's symmetry tells that better.
    for _ in range(2):
        hole, bare = (_hole_seen(part, along) for part in fine)
        canal_mm, seen = _canal_points(hole, drawn, along)
        middle = canal_mm.mean(axis=0)
        axes, shift, likeness = _mirror(points - middle, along)
        along = _upright(points - middle - shift * axes[0], axes)
    middle = middle + shift * axes[0]
    canal_uv = ((canal_mm - middle) @ axes.T)[:, :2]
    _require_body_in_front(points - middle, axes, canal_uv)
    return VertebraFrame(
        origin_mm=centre + middle,
        axes=axes,
        canal_uv=canal_uv,
        canal_seen=seen,
        arch_closed=hole is None or (bare is not None and bare.area_mm2 > _CLOSED_FRAC * hole.area_mm2),
        mirror_frac=likeness,
    )


def without_slits(mask: Mask, grid: Grid) -> Mask:
    """Return the mask with gaps of some 3 mm across its planes filled: a slit must not hide the canal."""
    sizes = [max(1, round(_SLIT_HALF_MM / float(step))) for step in grid.spacing_mm]
    return close_gaps(mask, (0, sizes[1], sizes[0]))


def _surface(mask: Mask) -> Mask:
    inner = mask.copy()
    for axis in range(mask.ndim):
        for shift in (1, -1):
            inner &= np.roll(mask, shift, axis=axis)
    # A roll wraps round: the outermost planes are surface whatever lies on the other side.
    for axis in range(mask.ndim):
        np.moveaxis(inner, axis, 0)[[0, -1]] = False
    return np.asarray(mask & ~inner)


@dataclass(frozen=True, slots=True)
class _DrawnCanal:
    """The canal (or cord) as drawn, at the height of the vertebra: its points, and its axis where it is long."""

    points_mm: FloatArray
    along: FloatArray | None


def _drawn_canal(canal: Mask, grid: Grid, centre: FloatArray, points: FloatArray) -> _DrawnCanal | None:
    heights = (points + centre - grid.origin_mm) @ grid.normal
    at_height = (grid.offsets_mm >= heights.min() - 5.0) & (grid.offsets_mm <= heights.max() + 5.0)
    planes = np.flatnonzero(at_height & canal.any(axis=(1, 2)))
    if len(planes) == 0:
        return None
    near = canal.copy()
    near[~at_height] = False
    inside = mask_points_mm(near, grid, step_mm=0.8 * _PIXEL_MM) - centre
    if len(planes) < 3 or np.ptp(grid.offsets_mm[planes]) < 10.0:
        return _DrawnCanal(inside, None)
    centres = np.array([_plane_centre(canal[k], grid, int(k)) for k in planes])
    _, _, axes = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)
    return _DrawnCanal(inside, np.asarray(axes[0] if axes[0][2] > 0 else -axes[0]))


def _plane_centre(plane: Mask, grid: Grid, k: int) -> FloatArray:
    rows, columns = np.nonzero(plane)
    local = np.array([columns.mean() * grid.spacing_mm[0], rows.mean() * grid.spacing_mm[1], grid.offsets_mm[k]])
    return np.asarray(local @ grid.axes + grid.origin_mm)


def _canal_direction(points: FloatArray, drawn: _DrawnCanal | None) -> FloatArray:
    """Return the direction, upwards, in which the largest hole is seen.

    Where a canal was drawn the search stays near its direction; where nothing is seen, that direction stands.
    """
    start, reach, step = np.zeros(2), float(_LEAN_MAX_DEG), 8.0
    if drawn is not None and drawn.along is not None:
        x, y, z = drawn.along
        start, reach, step = np.degrees(np.arctan([y / z, x / z])), 6.0, 3.0
    found = _search(points, start, reach=reach, step=step)
    if found is not None:
        return found
    if drawn is None:
        raise _no_canal()
    return np.array([0.0, 0.0, 1.0]) if drawn.along is None else drawn.along


def _no_canal() -> GeometryError:
    return GeometryError(
        "the canal was not found: the vertebra has no hole to see through.",
        remedy="Name the spinal canal, or check that the mask holds the whole arch of one vertebra.",
    )


def _search(points: FloatArray, start_deg: FloatArray, *, reach: float, step: float) -> FloatArray | None:
    """Search leans round `start_deg` (sagittal, coronal), ever finer; None where no hole is as wide as a canal."""
    best, best_area, middle = None, _HOLE_LEAST_MM2, start_deg
    while step >= 1.0:
        offsets = np.arange(-reach, reach + 1e-9, step)
        leans = [(middle[0] + a, middle[1] + b) for a in offsets for b in offsets]
        for lean in leans:
            direction = _leaning(*lean)
            hole = _hole_seen(points, direction, pixel_mm=_COARSE_PIXEL_MM)
            if hole is not None and hole.area_mm2 > best_area:
                best, best_area, middle = direction, hole.area_mm2, np.array(lean)
        if best is None:
            return None
        reach, step = step, step / 2.5
    return best


def _leaning(sagittal_deg: float, coronal_deg: float) -> FloatArray:
    direction = np.array([np.tan(np.radians(coronal_deg)), np.tan(np.radians(sagittal_deg)), 1.0])
    return np.asarray(direction / np.linalg.norm(direction))


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole in a silhouette: its pixels' centres on two axes across the view, and its area."""

    points_mm: FloatArray
    across: FloatArray
    area_mm2: float


def _hole_seen(points: FloatArray, along: FloatArray, *, pixel_mm: float = _PIXEL_MM) -> Hole | None:
    """Return the largest hole that is seen along a direction, or None."""
    across = across_axes(along)
    flat = points @ across.T
    low = flat.min(axis=0) - 2 * pixel_mm
    index = ((flat - low) / pixel_mm).astype(np.intp)
    size = index.max(axis=0) + 3
    picture = np.zeros((int(size[1]), int(size[0])), dtype=np.bool_)
    picture[index[:, 1], index[:, 0]] = True
    holes = label_pieces(~picture)
    counts = np.bincount(holes.ravel())
    counts[[0, holes[0, 0]]] = 0  # bone, and all that lies round it
    if counts.max() == 0:
        return None
    rows, columns = np.nonzero(holes == counts.argmax())
    centres = np.column_stack([columns, rows]) * pixel_mm + low + 0.5 * pixel_mm
    return Hole(centres, across, len(rows) * pixel_mm**2)


def across_axes(along: FloatArray) -> FloatArray:
    """Return two unit vectors (rows) square to `along`: as near as may be to left and back."""
    back = np.array([0.0, 1.0, 0.0]) - along[1] * along
    back /= np.linalg.norm(back)
    return np.array([np.cross(back, along), back])


def _canal_points(hole: Hole | None, drawn: _DrawnCanal | None, along: FloatArray) -> tuple[FloatArray, bool]:
    """Return the canal seen along its axis as points of a plane, and whether the mask itself shows it."""
    view = across_axes(along)
    flat = None if drawn is None else drawn.points_mm @ view.T
    if hole is not None and hole.area_mm2 >= _HOLE_LEAST_MM2:
        stray = 0.0 if flat is None else float(np.linalg.norm(hole.points_mm.mean(axis=0) - flat.mean(axis=0)))
        # A hole far from the drawn canal is a foramen or a gap in the mask.
        if stray < _STRAY_MM:
            return np.asarray(hole.points_mm @ view), True
    if flat is None:
        raise _no_canal()
    pixels = np.unique(np.round(flat / _PIXEL_MM), axis=0) * _PIXEL_MM
    return np.asarray(pixels @ view), False


def _require_body_in_front(points: FloatArray, axes: FloatArray, canal_uv: FloatArray) -> None:
    """Raise if the bone is not taller and deeper in front of the canal, where the body is, than behind it.

    What counts is from the lowest to the highest bone of each column: a body that tumour has hollowed out is a body.
    """
    half = 0.35 * float(np.ptp(canal_uv[:, 0]))
    low, high = float(canal_uv[:, 1].min()) - _NEAR_MM, float(canal_uv[:, 1].max()) + _NEAR_MM
    u, v, w = (points @ axes.T).T
    near = (np.abs(u) < half) & (v > low) & (v < high)
    front, behind = (_filled_columns(u[at], v[at], w[at]) for at in (near & (v < 0), near & (v > 0)))
    if front <= _FRONT_LEAST * behind:
        raise GeometryError(
            "the vertebra's bulk does not lie in front of its canal.",
            remedy="Check that the mask holds a whole vertebra and that the image's orientation is right.",
        )


def _filled_columns(u: FloatArray, v: FloatArray, w: FloatArray) -> float:
    """Return the volume from the lowest to the highest point of each column of 2 mm, in its own measure."""
    if len(u) == 0:
        return 0.0
    _, column = np.unique(np.column_stack([u // 2.0, v // 2.0]), axis=0, return_inverse=True)
    low, high = np.full(column.max() + 1, np.inf), np.full(column.max() + 1, -np.inf)
    np.minimum.at(low, column.ravel(), w)
    np.maximum.at(high, column.ravel(), w)
    return float(np.sum(high - low))


def _mirror(points: FloatArray, along: FloatArray) -> tuple[FloatArray, float, float]:
    """Return the axes, the shift to the left and the likeness of the plane that best mirrors the vertebra.

    The search goes from the patient's own sagittal plane to either side, first in strides, then in degrees.
    """
    left, back = across_axes(along)
    u, v = points @ left, points @ back
    best, best_of_pass, shift, likeness = 0.0, 0.0, 0.0, -1.0
    strides = np.arange(-_TURN_MAX_DEG, _TURN_MAX_DEG + 1.0, _TURN_STEP_DEG)
    for turns in (strides, np.arange(1.0 - _TURN_STEP_DEG, _TURN_STEP_DEG, 1.0)):
        for turn in best + np.radians(turns):
            c, s = np.cos(turn), np.sin(turn)
            moved, found = _likeness(c * u - s * v, c * v + s * u)
            if found > likeness:
                best_of_pass, shift, likeness = float(turn), moved, found
        best = best_of_pass
    c, s = np.cos(best), np.sin(best)
    return np.array([c * left - s * back, c * back + s * left, along]), shift, likeness


def _centred(points: FloatArray, along: FloatArray) -> FloatArray:
    """Return the axis leant forwards or backwards to the middle of the range in which the hole is nearly as wide."""
    back = across_axes(along)[1]
    leans = np.radians(np.arange(-_CENTRED_DEG, _CENTRED_DEG + 0.5, 2.0))
    views = [np.cos(lean) * along + np.sin(lean) * back for lean in leans]
    holes = [_hole_seen(points, view, pixel_mm=_COARSE_PIXEL_MM) for view in views]
    areas = np.array([0.0 if hole is None else hole.area_mm2 for hole in holes])
    weights = np.clip(areas - _NEARLY_FRAC * areas.max(), 0, None)
    lean = float(weights @ leans / weights.sum()) if weights.any() else 0.0
    return np.asarray(np.cos(lean) * along + np.sin(lean) * back)


def _upright(points: FloatArray, axes: FloatArray) -> FloatArray:
    """Return the axis along the canal, leant to the side until the bone seen from behind best mirrors itself."""
    u, w = points @ axes[0], points @ axes[2]
    best, best_likeness = 0.0, -1.0
    for lean in np.radians(np.arange(-_SIDEWARD_MOST_DEG, _SIDEWARD_MOST_DEG + 0.5, 1.0)):
        c, s = np.cos(lean), np.sin(lean)
        _, likeness = _likeness(c * u - s * w, c * w + s * u)
        if likeness > best_likeness:
            best, best_likeness = float(lean), likeness
    return np.asarray(np.cos(best) * axes[2] + np.sin(best) * axes[0])


def _likeness(u: FloatArray, v: FloatArray) -> tuple[float, float]:
    """Return the shift (up to 6 mm) at which the silhouette, weighed by its depth, best covers its mirror image."""
    pixel, half = _COARSE_PIXEL_MM, 64
    column = np.floor(u / pixel).astype(np.intp) + half
    row = np.floor((v - v.min()) / pixel).astype(np.intp)
    keep = (column >= 0) & (column < 2 * half)
    rows = int(row.max()) + 1
    depth = np.bincount(row[keep] * 2 * half + column[keep], minlength=rows * 2 * half).reshape(rows, 2 * half) * 1.0
    # Voxels in line with the pixels make stripes; a blur takes them out.
    for axis in (0, 1):
        depth = 0.25 * np.roll(depth, 1, axis) + 0.5 * depth + 0.25 * np.roll(depth, -1, axis)
    scores = [float(np.minimum(depth, np.roll(depth[:, ::-1], twice, axis=1)).sum()) for twice in range(-8, 9)]
    best = int(np.argmax(scores))
    return (best - 8) * 0.5 * pixel, scores[best] / max(1.0, float(depth.sum()))
