"""The cells on which a structure is rasterised: dose voxels, divided as finely as the structure needs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from dvhkit.engine.contours.frame import Frame
from dvhkit.engine.contours.planes import PlaneStack, box_mm
from dvhkit.engine.options import EngineOptions
from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid

# Cells in one layer of the window: bounds memory (a dozen float64 arrays of this size) for stray, far-flung contours.
_LAYER_CELLS_MAX = 4_000_000
# Heights nearer than this are one, rounded differently.
SAME_HEIGHT_MM = 1e-9
# Coarser than dose voxels cells cannot be: a structure on more of them than these is refused.
_LAYER_CELLS_REFUSED = 4 * _LAYER_CELLS_MAX
_WINDOW_CELLS_REFUSED = 1_000_000_000
# Cells of the whole window: bounds time for thin, slanting structures in a large window.
_WINDOW_CELLS_MAX = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """A window of equal rectangles in the (u, v) plane, and layers of any height along w.

    Attributes
    ----------
    origin_mm : (2,)
        (u, v) of the lower corner of cell ``[0, 0]``.
    step_mm : (2,)
        Size of a cell along u and v.
    n_rows, n_columns
        Cells along v and along u.
    layer_edges_mm : (n_layers + 1,)
        Where the layers begin and end along w, ascending.
    nodes_mm : (k,)
        Positions along w where the dose's slope may change.
    """

    origin_mm: FloatArray
    step_mm: FloatArray
    n_rows: int
    n_columns: int
    layer_edges_mm: FloatArray
    nodes_mm: FloatArray

    def to_cells(self, points_uv: FloatArray) -> FloatArray:
        """Return (n, 2) points in cell units: x along columns, y along rows."""
        return np.ascontiguousarray((points_uv - self.origin_mm) / self.step_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """Dose nodes along one direction: ``phase + n * pitch`` for n in 0..count-1."""

    phase: float
    pitch: float
    count: int


def dose_lattice(
    stack: PlaneStack,
    lo_mm: FloatArray,
    hi_mm: FloatArray,
    grid: Grid,
    options: EngineOptions,
    *,
    reach_mm: tuple[float, float],
    margin_mm: float = 0.0,
) -> Lattice:
    """Return a lattice whose cell borders run through the dose voxels' centres, where trilinear dose has its kinks.

    Where the frame is not that of the dose grid, cells of about the same size in the structure's own planes. `lo_mm`,
    `hi_mm` (planes,): where the slab of each plane begins and ends. `reach_mm`: between what any reading of the
    contours lies along w.
    """
    low, high = box_mm(stack)
    box_lo, box_hi = low - margin_mm, high + margin_mm
    bottom, top = reach_mm
    axes = [_axis(stack, grid, a) for a in range(3)]
    volume_mm3 = float(np.dot(stack.sizes_mm2(), hi_mm - lo_mm))
    parts = _parts(axes, np.append(box_lo, bottom), np.append(box_hi, top), max(volume_mm3, 1e-6), options)
    origin, step, size = np.zeros(2), np.zeros(2), [0, 0]
    for a in range(2):
        step[a] = axes[a].pitch / parts[a]
        first = floor((box_lo[a] - axes[a].phase) / step[a]) - 1
        origin[a] = axes[a].phase + first * step[a]
        size[a] = ceil((box_hi[a] - origin[a]) / step[a]) + 1
    _require_few_cells(stack, size, top - bottom, axes[2].pitch / parts[2])
    nodes = _nodes(axes[2], grid, bottom, top, follows_planes=stack.frame.grid_axis[2] == 2)
    return Lattice(
        origin_mm=origin,
        step_mm=step,
        n_rows=size[1],
        n_columns=size[0],
        layer_edges_mm=_layers(nodes, parts[2], _ends(lo_mm, hi_mm)),
        nodes_mm=nodes,
    )


def _require_few_cells(stack: PlaneStack, size: list[int], height_mm: float, layer_mm: float) -> None:
    """Raise `GeometryError` if a structure is that large, or dose voxels that small, that memory or time would end."""
    layer = size[0] * size[1]
    if layer <= _LAYER_CELLS_REFUSED and layer * (height_mm / layer_mm + 3) <= _WINDOW_CELLS_REFUSED:
        return
    low, high = box_mm(stack)
    extent = high - low
    raise GeometryError(
        f"{stack.name} spans {extent[0]:.4g} by {extent[1]:.4g} by {height_mm:.4g} mm, which are more dose voxels than "
        "are computed.",
        remedy="Look for a stray point in its contours, and at PixelSpacing of the dose.",
    )


def volume_lattice(
    stack: PlaneStack,
    lo_mm: FloatArray,
    hi_mm: FloatArray,
    options: EngineOptions,
    *,
    reach_mm: tuple[float, float],
    margin_mm: float = 0.0,
) -> Lattice:
    """Return a lattice for the volume alone, of cubes as many as `options` ask for; see `dose_lattice`."""
    heights = np.concatenate([lo_mm, hi_mm, reach_mm])
    low, high = box_mm(stack)
    box_lo, box_hi = low - margin_mm, high + margin_mm
    volume_mm3 = max(float(np.dot(stack.sizes_mm2(), hi_mm - lo_mm)), 1e-6)
    size = (volume_mm3 / options.cells_target) ** (1 / 3)
    size = max(size, float(np.sqrt(np.prod(box_hi - box_lo) / _LAYER_CELLS_MAX)), float((box_hi - box_lo).max()) / 4000)
    counts = np.maximum(np.ceil((box_hi - box_lo) / size), 1).astype(int) + 2
    edges = merge_near(heights)
    return Lattice(
        origin_mm=box_lo - size,
        step_mm=np.full(2, size),
        n_rows=int(counts[1]),
        n_columns=int(counts[0]),
        layer_edges_mm=_layers(edges, max(1, ceil(float(np.diff(edges).max()) / size)), edges),
        nodes_mm=edges[[0, -1]],
    )


def _axis(stack: PlaneStack, grid: Grid, a: int) -> _Axis:
    along = stack.frame.grid_axis[a]
    if along in (0, 1):
        return _Axis(phase=0.0, pitch=float(grid.spacing_mm[along]), count=(grid.n_columns, grid.n_rows)[along])
    if along == 2:
        pitch = grid.plane_spacing_mm or float(grid.spacing_mm.min())
        return _Axis(phase=float(grid.offsets_mm[0]), pitch=pitch, count=len(grid.offsets_mm))
    finest = min(float(grid.spacing_mm.min()), grid.plane_spacing_mm or np.inf)
    return _Axis(phase=0.0, pitch=finest, count=0)


def _parts(axes: list[_Axis], lo: FloatArray, hi: FloatArray, volume_mm3: float, options: EngineOptions) -> list[int]:
    """Return into how many cells each axis divides a dose voxel: the coarsest axis first, until there are enough."""
    parts = [1, 1, 1]
    while True:
        size = [axis.pitch / n for axis, n in zip(axes, parts, strict=True)]
        if volume_mm3 / (size[0] * size[1] * size[2]) >= options.cells_target:
            return parts
        finer = [n if n >= options.subdivision_max else n + 1 for n in parts]
        a = max(range(3), key=lambda k: size[k] if finer[k] > parts[k] else 0.0)
        tried = [finer[k] if k == a else parts[k] for k in range(3)]
        cells = [(hi[k] - lo[k]) / axes[k].pitch * tried[k] + 3 for k in range(3)]
        too_many = cells[0] * cells[1] > _LAYER_CELLS_MAX or cells[0] * cells[1] * cells[2] > _WINDOW_CELLS_MAX
        if tried == parts or too_many:
            return parts
        parts = tried


def _nodes(axis: _Axis, grid: Grid, bottom: float, top: float, *, follows_planes: bool) -> FloatArray:
    """Return the positions along w, within the structure, where the dose's slope may change."""
    if follows_planes:
        below, above = end_halves_mm(grid)
        nodes = np.concatenate([[grid.offsets_mm[0] - below], grid.offsets_mm, [grid.offsets_mm[-1] + above]])
    else:
        first, last = floor((bottom - axis.phase) / axis.pitch), ceil((top - axis.phase) / axis.pitch)
        nodes = axis.phase + axis.pitch * np.arange(first, last + 1)
        if axis.count:
            faces = axis.phase + axis.pitch * np.array([-0.5, axis.count - 0.5])
            nodes = np.union1d(nodes, faces)
    before = np.arange(nodes[0] - axis.pitch, bottom - axis.pitch, -axis.pitch)[::-1]
    after = np.arange(nodes[-1] + axis.pitch, top + axis.pitch, axis.pitch)
    nodes = np.concatenate([before, nodes, after])
    inside = (nodes > bottom) & (nodes < top)
    return np.concatenate([[bottom], nodes[inside], [top]])


def end_halves_mm(grid: Grid) -> FloatArray:
    """Return how far the outermost dose planes reach beyond their centres: half the distance to the next plane.

    A dose of a single plane is as thick as its pixels are wide.
    """
    if len(grid.offsets_mm) == 1:
        return np.full(2, 0.5 * float(grid.spacing_mm.mean()))
    gaps = np.diff(grid.offsets_mm)
    return 0.5 * gaps[[0, -1]]


def rim_mm(frame: Frame, grid: Grid, *, to_centres: bool = False) -> FloatArray:
    """Return least and greatest u and v of the outermost voxels' faces, or centres.

    Unbounded where the frame is not the grid's.
    """
    half = 0.0 if to_centres else 0.5
    if not frame.is_aligned:
        return np.array([-np.inf, np.inf, -np.inf, np.inf])
    rim = np.empty(4)
    for a in range(2):
        axis = frame.grid_axis[a]
        if axis == 2:
            below, above = (2.0 * half) * end_halves_mm(grid)
            rim[2 * a : 2 * a + 2] = grid.offsets_mm[0] - below, grid.offsets_mm[-1] + above
        else:
            count = (grid.n_columns, grid.n_rows)[axis]
            rim[2 * a : 2 * a + 2] = float(grid.spacing_mm[axis]) * np.array([-half, count - 1.0 + half])
    return rim


def _ends(lo_mm: FloatArray, hi_mm: FloatArray) -> FloatArray:
    """Return where the slabs begin or end without touching another one."""
    apart = lo_mm[1:] - hi_mm[:-1] > 1e-9
    return np.concatenate([lo_mm[:1], hi_mm[:-1][apart], lo_mm[1:][apart], hi_mm[-1:]])


def _layers(nodes: FloatArray, parts: int, ends: FloatArray) -> FloatArray:
    """Divide each stretch between nodes into `parts` (short ones into fewer), and add the caps' ends."""
    gaps = np.diff(nodes)
    counts = np.maximum(1, np.ceil(parts * gaps / gaps.max() - 1e-9)).astype(np.int64)
    own = np.repeat(np.arange(len(gaps)), counts)
    step = np.arange(len(own)) - np.repeat(np.cumsum(counts) - counts, counts)
    return merge_near(np.concatenate([nodes[own] + gaps[own] * step / counts[own], nodes[-1:], ends]))


def merge_near(values: FloatArray) -> FloatArray:
    """Sort, and drop values that repeat the one before to `SAME_HEIGHT_MM`."""
    values = np.sort(values)
    return np.ascontiguousarray(values[np.append(True, np.diff(values) > SAME_HEIGHT_MM)])
