"""From voxels to contours: marching squares through a mask on the planes of an image, with the mask's own area.

A contour that runs half way between the voxel centres inside and outside cuts every corner of the mask and is half a
voxel too small a ring. The level at which it runs is therefore chosen so that the area is that of the voxels: of a mask
on the image's own lattice no voxel centre changes sides, whatever the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.trace import Tracer
from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid

# Voxel indices nearer to whole numbers than this are those of one lattice, rounded differently.
_SAME_VOXEL = 0.02
# A mask of as many voxels as the image is of its voxels: farther from them than this share of one it is misplaced;
# nearer, the image's slices are a little uneven, which mask formats cannot say.
_MISPLACED_VOXEL = 0.25
# Of another lattice the field is looked at this many times a voxel along each axis.
_FINER = 2
# Levels between which the area is sought; at 0 and 1 contours touch the centres.
_LEVELS = (0.02, 0.98)
_HALVINGS = 22
# A turn of less than this, as area of the triangle in square voxels, is a straight line.
_STRAIGHT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """The rings of one plane of an image, each (n, 3) in patient coordinates; rings inside rings are holes."""

    plane: int
    rings: tuple[FloatArray, ...]
    area_mm2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """All outlines of a mask; `outside_frac`: the part of it that lies beyond the image."""

    outlines: tuple[Outline, ...]
    outside_frac: float
    on_lattice: bool


def outlines_of(values: NDArray[Any], to_lps: FloatArray, grid: Grid) -> Traced:
    """Return the contours of a mask on the planes of an image.

    Parameters
    ----------
    values : (k, j, i)
        Bool, or shares of voxels in 0..1; contours run where half is reached.
    to_lps : (3, 4)
        From (i, j, k, 1) to patient coordinates.
    grid
        The image's.

    Raises
    ------
    GeometryError
        If the mask lies beside the image, or has as many voxels as the image, but elsewhere.
    """
    if not values.any():
        return Traced(outlines=(), outside_frac=0.0, on_lattice=True)
    into = _into_mask(to_lps, grid)
    atol = _SAME_VOXEL
    if sorted(values.shape) == sorted(grid.shape_zyx):
        _require_in_place(values.shape, to_lps, grid)
        atol = _MISPLACED_VOXEL
    placed = _same_lattice(values, into, grid, atol)
    if placed is not None:
        field, outside = placed
        return Traced(outlines=_of_lattice(field, grid), outside_frac=outside, on_lattice=True)
    return _of_other_lattice(values, to_lps, into, grid)


def _into_mask(to_lps: FloatArray, grid: Grid) -> FloatArray:
    """Return the (3, 4) matrix from (column, row, offset in mm, 1) of the image to (i, j, k) of the mask."""
    inverse = np.linalg.inv(to_lps[:, :3])
    axes = grid.axes.T * np.array([grid.spacing_mm[0], grid.spacing_mm[1], 1.0])
    return np.column_stack([inverse @ axes, inverse @ (grid.origin_mm - to_lps[:, 3])])


def _require_in_place(shape: tuple[int, ...], to_lps: FloatArray, grid: Grid) -> None:
    """Raise `GeometryError` where a mask of as many voxels as the image does not lie on the image's voxels."""
    last = np.array(shape[::-1]) - 1.0
    corners = np.array(list(np.ndindex(2, 2, 2)))
    theirs = grid.to_grid_mm((corners * last) @ to_lps[:, :3].T + to_lps[:, 3])
    end = [(grid.n_columns - 1) * grid.spacing_mm[0], (grid.n_rows - 1) * grid.spacing_mm[1]]
    own = np.column_stack([corners[:, :2] * end, np.where(corners[:, 2], grid.offsets_mm[-1], grid.offsets_mm[0])])
    size = np.array([*grid.spacing_mm, grid.plane_spacing_mm or np.linalg.norm(to_lps[:, 2])])
    apart = np.abs((theirs[:, None] - own[None]) / size).max(axis=2)
    if max(apart.min(axis=0).max(), apart.min(axis=1).max()) <= _MISPLACED_VOXEL:
        return
    voxels, first = np.linalg.norm(to_lps[:, :3], axis=0), own[0] @ grid.axes + grid.origin_mm
    raise GeometryError(
        f"the mask has as many voxels as the image ({_numbers(np.array(grid.shape_zyx[::-1]), ' x ')}), but not its "
        f"place: its first voxel is at ({_numbers(to_lps[:, 3])}), the image's at ({_numbers(first)}), "
        f"and its voxels are {_numbers(voxels, ' x ')} mm, the image's {_numbers(size, ' x ')} mm.",
        remedy="Save it with the image's own geometry; axes (RAS or LPS) and offsets are lost by some programs.",
    )


def _numbers(values: FloatArray, between: str = ", ") -> str:
    return between.join(f"{v:.4g}" for v in values)


def _same_lattice(values: NDArray[Any], into: FloatArray, grid: Grid, atol: float) -> tuple[NDArray[Any], float] | None:
    """Return the mask on the image's voxels, and the part of it beyond them; None where the lattices differ."""
    whole = np.rint(into[:, :2])
    planes = into[:, 2:3] * grid.offsets_mm[None, :] + into[:, 3:]
    counts = np.array([grid.n_columns, grid.n_rows])
    if np.abs((into[:, :2] - whole) * counts).max() > atol or np.abs(planes - np.rint(planes)).max() > atol:
        return None
    i, j, k = np.arange(grid.n_columns), np.arange(grid.n_rows), np.rint(planes).astype(np.int64)
    field = np.zeros(grid.shape_zyx, dtype=values.dtype)
    steps = whole.astype(np.int64)
    for n in range(len(grid.offsets_mm)):
        at = [steps[a, 0] * i[None, :] + steps[a, 1] * j[:, None] + k[a, n] for a in range(3)]
        inside = np.ones((grid.n_rows, grid.n_columns), dtype=bool)
        for a in range(3):
            inside &= (at[a] >= 0) & (at[a] < values.shape[2 - a])
        if inside.any():
            field[n][inside] = values[at[2][inside], at[1][inside], at[0][inside]]
    total = float(values.sum(dtype=np.float64))
    if not field.any():
        raise _beside()
    return field, max(0.0, 1.0 - float(field.sum(dtype=np.float64)) / total)


def _of_lattice(field: NDArray[Any], grid: Grid) -> tuple[Outline, ...]:
    found = []
    used = np.count_nonzero(field, axis=0) > 0
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    r0, r1, c0, c1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    tracer = Tracer((r1 - r0 + 2, c1 - c0 + 2))
    for plane in range(field.shape[0]):
        part = field[plane, r0:r1, c0:c1]
        if not part.any():
            continue
        share = np.zeros((part.shape[0] + 2, part.shape[1] + 2))
        share[1:-1, 1:-1] = part
        wanted = float(np.count_nonzero(part)) if part.dtype.kind == "b" else _wanted(share)
        rings, area = _at_area(tracer, share, wanted)
        if rings:
            origin = np.array([c0 - 1.0, r0 - 1.0])
            found.append(_outline(rings, origin, np.ones(2), area=area, plane=plane, grid=grid))
    return tuple(found)


def _wanted(share: FloatArray) -> float:
    """Return the area of a plane of shares: that of what is at least half full."""
    return float(np.count_nonzero(share >= 0.5))


def _of_other_lattice(values: NDArray[Any], to_lps: FloatArray, into: FloatArray, grid: Grid) -> Traced:
    """Trace a mask between its voxels, on planes that are not its own; one level serves all, for the volume."""
    filled = np.argwhere(values > 0)
    low, high = filled.min(axis=0)[::-1] - 1.0, filled.max(axis=0)[::-1] + 1.0
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    around = grid.to_grid_mm(corners @ to_lps[:, :3].T + to_lps[:, 3])
    voxel = np.linalg.norm(to_lps[:, :3], axis=0)
    fineness = [max(1, int(np.ceil(_FINER * float(s) / float(voxel.min()) * 0.5))) for s in grid.spacing_mm]
    step = np.array([1.0 / max(fineness), 1.0 / max(fineness)])
    first = np.maximum(np.floor(around[:, :2].min(axis=0) / grid.spacing_mm) - 1, -1.0)
    last = np.minimum(np.ceil(around[:, :2].max(axis=0) / grid.spacing_mm) + 1, [grid.n_columns, grid.n_rows])
    tops = (around[:, 2].min(), around[:, 2].max())
    planes = np.flatnonzero((grid.offsets_mm >= tops[0]) & (grid.offsets_mm <= tops[1]))
    if np.any(last <= first) or not len(planes):
        raise _beside()
    u, v = (np.arange(first[a], last[a] + step[a] / 2, step[a]) for a in (0, 1))
    fields = [_sampled(values, into, u, v, float(grid.offsets_mm[k])) for k in planes]
    fields = [_closed(field) for field in fields]
    cell_cc = abs(float(np.linalg.det(to_lps[:, :3])))
    shares = values.astype(np.float32) if values.dtype.kind != "b" else values
    total = float(np.count_nonzero(shares >= 0.5)) * cell_cc
    inside = _inside_part(values, to_lps, grid)
    if inside <= 0:
        raise _beside()
    tracer = Tracer((len(v), len(u)))
    heights = _heights(grid)[planes]
    scale = float(np.prod(grid.spacing_mm * step))
    level = _level_of_volume(tracer, fields, heights * scale, total * inside)
    found = []
    for k, field in zip(planes, fields, strict=True):
        rings, area = _rings(tracer, field, level)
        if rings:
            found.append(_outline(rings, np.array([u[0], v[0]]), step, area=area, plane=int(k), grid=grid))
    return Traced(outlines=tuple(found), outside_frac=1.0 - inside, on_lattice=False)


def _heights(grid: Grid) -> FloatArray:
    """Return the height that each plane stands for: half way to its neighbours, the same beyond the ends."""
    if len(grid.offsets_mm) < 2:
        return np.ones(1)
    gaps = np.asarray(np.diff(grid.offsets_mm))
    return np.asarray(0.5 * (np.concatenate([gaps[:1], gaps]) + np.concatenate([gaps, gaps[-1:]])))


def _inside_part(values: NDArray[Any], to_lps: FloatArray, grid: Grid) -> float:
    """Return the part of the mask's voxels whose centres lie inside the image."""
    k, j, i = np.nonzero(values >= 0.5) if values.dtype.kind != "b" else np.nonzero(values)
    if not len(k):
        return 0.0
    along = grid.to_grid_mm(np.column_stack([i, j, k]) @ to_lps[:, :3].T + to_lps[:, 3])
    half = 0.5 * grid.spacing_mm
    size = np.array([grid.n_columns, grid.n_rows]) * grid.spacing_mm
    end = 0.5 * (grid.plane_spacing_mm or 1.0)
    inside = np.all((along[:, :2] >= -half) & (along[:, :2] < size - half), axis=1)
    inside &= (along[:, 2] >= grid.offsets_mm[0] - end) & (along[:, 2] < grid.offsets_mm[-1] + end)
    return float(inside.mean())


def _sampled(values: NDArray[Any], into: FloatArray, u: FloatArray, v: FloatArray, offset_mm: float) -> FloatArray:
    """Return the mask between its voxels at (v, u) image indices of a plane; nothing beyond the outermost centres."""
    uu, vv = np.meshgrid(u, v)
    at = into[:, :1] * uu.ravel() + into[:, 1:2] * vv.ravel() + (into[:, 2] * offset_mm + into[:, 3])[:, None]
    base = np.floor(at).astype(np.int64)
    share = at - base
    total = np.zeros(at.shape[1])
    for corner in np.ndindex(2, 2, 2):
        index = base + np.array(corner)[:, None]
        known = np.all([(index[a] >= 0) & (index[a] < values.shape[2 - a]) for a in range(3)], axis=0)
        weight = np.prod([share[a] if corner[a] else 1.0 - share[a] for a in range(3)], axis=0)
        known &= weight > 0
        total[known] += weight[known] * values[index[2][known], index[1][known], index[0][known]]
    return total.reshape(uu.shape)


def _closed(field: FloatArray) -> FloatArray:
    """Return the field with nothing along its border: a structure at the image's edge ends there."""
    field[[0, -1]] = 0.0
    field[:, [0, -1]] = 0.0
    return field


def _rings(tracer: Tracer, share: FloatArray, level: float) -> tuple[list[FloatArray], float]:
    """Return the rings at a level, in steps of the lattice, and the area inside them."""
    rings = tracer.rings(level - share, origin_uv=np.zeros(2), step_mm=1.0)
    return rings, abs(sum(_area(ring) for ring in rings))


def _area(ring: FloatArray) -> float:
    x, y = (ring - ring[0]).T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y))


def _at_area(tracer: Tracer, share: FloatArray, wanted: float) -> tuple[list[FloatArray], float]:
    """Return the rings at the level where their area is `wanted`, in square steps."""
    low, high = _LEVELS
    level = 0.5
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        _, area = _rings(tracer, share, level)
        if abs(area - wanted) <= 1e-6 * max(wanted, 1.0):
            break
        # A higher level lies further inside.
        low, high = (level, high) if area > wanted else (low, level)
    return _rings(tracer, share, level)


def _level_of_volume(tracer: Tracer, fields: list[FloatArray], weights: FloatArray, wanted: float) -> float:
    low, high = _LEVELS
    for _ in range(_HALVINGS):
        level = (low + high) / 2
        volume = sum(w * _rings(tracer, field, level)[1] for w, field in zip(weights, fields, strict=True))
        if abs(volume - wanted) <= 1e-5 * wanted:
            return level
        low, high = (level, high) if volume > wanted else (low, level)
    return (low + high) / 2


def _outline(
    rings: list[FloatArray], origin: FloatArray, step: FloatArray, *, area: float, plane: int, grid: Grid
) -> Outline:
    placed = []
    for ring in rings:
        at = (_without_straights(ring) * step + origin) * grid.spacing_mm
        placed.append(grid.origin_mm + at @ grid.axes[:2] + float(grid.offsets_mm[plane]) * grid.normal)
    size = float(np.prod(grid.spacing_mm * step))
    return Outline(plane=plane, rings=tuple(placed), area_mm2=area * size)


def _without_straights(ring: FloatArray) -> FloatArray:
    """Return a ring without the points on its straight stretches."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > _STRAIGHT
    return ring[turns] if turns.sum() >= 3 else ring


def _beside() -> GeometryError:
    return GeometryError(
        "the mask lies beside the image.",
        remedy="Check that it is of this image, and that its axes (RAS or LPS) were kept when it was saved.",
    )
