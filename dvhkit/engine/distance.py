"""Grow and shrink a structure by a margin: Minkowski sum and difference with an ellipsoid of six semi-axes.

The margin starts from the contours, not from voxels. In each plane the gauge distance is exact from the polygon's
edges (`engine.kernels.surface.gauge`); across the planes the lower envelope of asymmetric parabolas takes the
least of all planes, refined on the surface that runs straight between neighbours; the planes are the drawn slices and
as many sections of the solid between and beyond them as the shape asks for (`engine.solid.sampled`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import PlaneStack, width_mm
from dvhkit.engine.kernels.surface.envelope import across_planes
from dvhkit.engine.kernels.surface.gauge import gauge_field
from dvhkit.engine.solid import Solid
from dvhkit.engine.solid.sampled import Section, all_sections
from dvhkit.engine.trace import Tracer
from dvhkit.errors import GeometryError
from dvhkit.model.arrays import FloatArray

# A straight line between two nodes leaves a circle of radius r by step^2 / (8 r): this much is allowed.
_SAG_MM = 0.0015
_SAG_FRAC = 3e-5
_STEP_MM = (0.3, 1.0)
# Less margin than this leaves corners as good as sharp.
_SHARP_MM = 0.5
_SMALL_MM = 30.0
# Two nodes beyond the margin's surface and as much as neighbouring sections may differ.
_BEYOND_MM = 1.0
# Stands for a margin of nothing, where a semi-axis of 0 would divide by it.
_NOTHING_MM = 1e-3
_CELLS_MAX = 60_000_000
# Work is handed to threads in pieces of as many rows, source planes or target planes.
_BAND_ROWS, _BAND_SOURCES, _BAND_PLANES = 16, 8, 16
# Gauges are refined as far from the margin's surface as a node beside it may lie.
_NEAR_NODES = 1.5
_DEEP_NODES = 3.0
_REPEAT_MM = 1e-9
# Sections of the solid itself are traced on finer squares: what they lack comes on top of what the result does.
_SOURCE_FRAC = 0.5
# The kernels let go of the interpreter; more threads than this only wait for memory.
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMargins:
    """Semi-axes in mm towards growing and falling u, v and w of a structure's plane system."""

    u_up: float
    u_down: float
    v_up: float
    v_down: float
    w_up: float
    w_down: float

    def mirrored(self) -> FrameMargins:
        """Return the margins seen from the other side."""
        return FrameMargins(
            u_up=self.u_down,
            u_down=self.u_up,
            v_up=self.v_down,
            v_down=self.v_up,
            w_up=self.w_down,
            w_down=self.w_up,
        )

    @property
    def in_plane(self) -> tuple[float, float, float, float]:
        """The four margins in the plane."""
        return (self.u_up, self.u_down, self.v_up, self.v_down)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Window:
    origin_uv: FloatArray
    step_mm: float
    n_rows: int
    n_columns: int


def grown_sections(
    solid: Solid, margins: FrameMargins, heights_mm: FloatArray, *, step_mm: float | None = None
) -> list[Section]:
    """Return the sections, at the given heights, of a solid grown by a margin.

    Parameters
    ----------
    margins
        Not negative.
    heights_mm
        Ascending; heights that the grown structure does not reach give sections without rings.
    step_mm
        Grid on which the result is traced; chosen from structure and margin where None.
    """
    step = step_mm or _choose_step(solid.stack, margins, grows=True)
    sources = all_sections(solid, _SOURCE_FRAC * step)
    window = _window(sources, margins, step)
    with ThreadPoolExecutor(_THREADS) as pool:
        return _traced(_across(sources, heights_mm, margins, window, pool), heights_mm, window, pool)


def shrunk_sections(
    solid: Solid, margins: FrameMargins, heights_mm: FloatArray, *, step_mm: float | None = None
) -> list[Section]:
    """Return the sections, at the given heights, of a solid shrunk by a margin.

    What is left are the points that keep the margin to every point outside: the complement is grown by the mirrored
    margin. Parameters as in `grown_sections`.
    """
    step = step_mm or _choose_step(solid.stack, margins, grows=False)
    sources = all_sections(solid, _SOURCE_FRAC * step)
    window = _window(sources, None, step)
    outside = [Section(w_mm=s.w_mm, rings=tuple(ring[::-1] for ring in s.rings)) for s in sources]
    with ThreadPoolExecutor(_THREADS) as pool:
        field = _across(outside, heights_mm, margins.mirrored(), window, pool, complement=True)
        return _traced(field, heights_mm, window, pool)


def _choose_step(stack: PlaneStack, margins: FrameMargins, *, grows: bool) -> float:
    """Return a grid step fine enough for the roundest part of the result."""
    size = width_mm(stack) / 2
    least = min((m for m in margins.in_plane if m > 0), default=0.0)
    radius = max(size + least if grows else size - least, 1.0)
    if min(margins.in_plane) < _SHARP_MM:
        # Where one side hardly moves the result keeps sharp corners, which tracing cuts by up to half a cell.
        return _STEP_MM[0] / 2 if radius < _SMALL_MM else _STEP_MM[0]
    # Large outlines may be a little coarser: what counts in a volume is the sag in parts of the radius.
    return float(np.clip(sqrt(8 * max(_SAG_MM, _SAG_FRAC * radius) * radius), *_STEP_MM))


def _window(sources: list[Section], margins: FrameMargins | None, step: float) -> _Window:
    # Between slices a surface may bulge further than any slice shows.
    ends = np.array([(ring.min(axis=0), ring.max(axis=0)) for s in sources for ring in s.rings])
    low, high = ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)
    if margins is not None:
        low = low - np.array([margins.u_down, margins.v_down])
        high = high + np.array([margins.u_up, margins.v_up])
    cells = float(np.prod((high - low) / step + 8)) * len(sources)
    if cells > _CELLS_MAX:
        # Memory is finite: a huge structure is traced on a coarser grid, whose outline is proportionally smoother.
        step *= sqrt(cells / _CELLS_MAX)
    # An odd start: nodes that fall on a box's faces would make every crossing a tie.
    origin = low - 3.37 * step
    size = np.ceil((high - origin) / step).astype(int) + 4
    return _Window(origin_uv=origin, step_mm=step, n_rows=int(size[1]), n_columns=int(size[0]))


def _across(
    sources: list[Section],
    heights_mm: FloatArray,
    margins: FrameMargins,
    window: _Window,
    pool: ThreadPoolExecutor,
    *,
    complement: bool = False,
) -> NDArray[np.float32]:
    """Return, at each height, the gauge less 1; with `complement` 1 less the gauge of what lies outside."""
    in_nodes = np.maximum(np.array(margins.in_plane), _NOTHING_MM) / window.step_mm
    fields = _gauges(sources, window, in_nodes, pool, complement=complement)
    heights = np.array([s.w_mm for s in sources])
    between, weight = _brackets(heights, heights_mm)
    if complement:
        # Beyond both ends everything is outside, as it is on the empty sections that stand there.
        between[heights_mm < sources[0].w_mm] = 0
        between[heights_mm > sources[-1].w_mm] = len(sources) - 1
    targets = np.ascontiguousarray(heights_mm)
    across = max(margins.w_up, _NOTHING_MM), max(margins.w_down, _NOTHING_MM)
    near, sign = _NEAR_NODES / float(in_nodes.min()), -1.0 if complement else 1.0
    out = np.empty((len(heights_mm), window.n_rows, window.n_columns), np.float32)

    def carry(first: int) -> None:
        stop = min(first + _BAND_ROWS, window.n_rows)
        across_planes(fields, heights, targets, between, weight, across, near, sign, (first, stop), out)

    # Each plane, and each band of rows, is its own: the result is the same for any number of threads.
    list(pool.map(carry, range(0, window.n_rows, _BAND_ROWS)))
    return out


def _gauges(
    sources: list[Section], window: _Window, in_nodes: FloatArray, pool: ThreadPoolExecutor, *, complement: bool
) -> NDArray[np.float32]:
    """Return the in-plane gauge of each source, (rows, sources, columns)."""
    fields = np.empty((window.n_rows, len(sources), window.n_columns), np.float32)
    beyond = 2.0 + _BEYOND_MM / window.step_mm
    # Where no margin is as small as a few nodes, what lies inside is never beside a node where the gauge is 1.
    depth = 2.0 if float(in_nodes.min()) < _DEEP_NODES else 0.0

    def fill(first: int) -> None:
        inside = np.empty((window.n_rows, window.n_columns), np.bool_)
        for index in range(first, min(first + _BAND_SOURCES, len(sources))):
            if sources[index].rings:
                points, starts = _flat_rings(sources[index].rings)
                points = (points - window.origin_uv) / window.step_mm
                gauge_field(points, starts, in_nodes, beyond, depth, complement, inside, fields[:, index])
            else:
                fields[:, index] = -1e30 if complement else 1e30

    list(pool.map(fill, range(0, len(sources), _BAND_SOURCES)))
    return fields


def _brackets(sources_mm: FloatArray, heights_mm: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the source planes below and above each height, (n, 2), and the share of the way to the upper.

    The same plane twice where the height lies on it; -1 beyond both ends.
    """
    below = np.searchsorted(sources_mm, heights_mm + 1e-9, side="right") - 1
    inside = (below >= 0) & (heights_mm <= sources_mm[-1] + 1e-9)
    below = np.clip(below, 0, len(sources_mm) - 1)
    above = np.minimum(below + 1, len(sources_mm) - 1)
    gap = sources_mm[above] - sources_mm[below]
    share = np.where(gap > 0, (heights_mm - sources_mm[below]) / np.where(gap > 0, gap, 1.0), 0.0)
    share = np.where(share < 1e-6, 0.0, np.minimum(share, 1.0))
    above = np.where(share == 0.0, below, above)
    below = np.where(share == 1.0, above, below)
    return np.where(inside[:, None], np.column_stack([below, above]), -1), share


def _flat_rings(rings: Iterable[FloatArray]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return rings as one array of points and the index of each ring's first point, as kernels take them.

    Points that repeat the one before are left out, and rings of which fewer than three are left.
    """
    kept = [clean for clean in map(_without_repeats, rings) if len(clean) >= 3]
    starts = np.zeros(len(kept) + 1, np.int64)
    np.cumsum([len(r) for r in kept], out=starts[1:])
    if len(kept) == 1:
        return np.ascontiguousarray(kept[0]), starts
    return (np.concatenate(kept) if kept else np.empty((0, 2))), starts


def _without_repeats(ring: FloatArray) -> FloatArray:
    change = np.empty_like(ring)
    change[0] = ring[0] - ring[-1]
    np.subtract(ring[1:], ring[:-1], out=change[1:])
    repeats = (np.abs(change) <= _REPEAT_MM).all(axis=1)
    return ring[~repeats] if repeats.any() else ring


def _traced(
    values: NDArray[np.float32], heights_mm: FloatArray, window: _Window, pool: ThreadPoolExecutor
) -> list[Section]:
    def trace(first: int) -> list[Section]:
        tracer = Tracer(values.shape[1:])
        planes = range(first, min(first + _BAND_PLANES, len(values)))
        origin, step = window.origin_uv, window.step_mm
        return [
            Section(w_mm=float(heights_mm[p]), rings=tuple(tracer.rings(values[p], origin_uv=origin, step_mm=step)))
            for p in planes
        ]

    try:
        return [s for found in pool.map(trace, range(0, len(values), _BAND_PLANES)) for s in found]
    except ValueError as error:
        raise GeometryError(
            "the margin left its working grid.", remedy="Report this with the structure's size."
        ) from error
