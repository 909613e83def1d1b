"""Where one part of a vertebra ends and the next begins, read off its own shape in its own axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray
from dvhkit.targets.vertebra.anatomy.local import LocalVolume

# The lamina begins where the canal, behind its widest place, has narrowed to this fraction of its width.
_NARROWED_FRAC = 0.9
# It begins, too, where the bone beside the canal is taller than the pedicle at its narrowest, by this factor.
_TALLER_FACTOR = 1.5
# The outer wall of pedicle and pillar: sought this far beyond the canal, where the area has fallen to this fraction of
# the way from its largest to that of the process; a process has at least so many slices of 1 mm.
_PILLAR_REACH_MM = 14.0
_FALLEN_FRAC = 0.2
_LEAST_TAIL = 2
# Broad bone in the midline that begins farther behind the canal is the fork of a spinous process, not the laminae.
_FORK_FROM_MM = 6
# Of the bone between canal and the laminae's outer surface in the midline, the front part counts as lamina.
ROOT_FRAC = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Cut positions in mm in the vertebra's own axes (u left, v back, w up); sides are (left, right).

    Attributes
    ----------
    wall_v
        Back wall of the body.
    lamina_v
        End of the pedicles and beginning of the laminae.
    pedicle_u
        Outer wall of the pedicle of each side, as a distance from the midline: beyond it is transverse process.
    pedicle_w
        Lower and upper end of the pedicles where they are narrowest.
    root_v : (n_w,)
        Beginning of the spinous process on each level of the local volume.
    outer_v : (n_w,)
        Where the laminae have run out into the spinous process.
    spinous_half
        Half the width of the spinous process.
    body_height
        Height of the body, end plate to end plate.
    """

    wall_v: float
    lamina_v: float
    pedicle_u: tuple[float, float]
    pedicle_w: tuple[float, float]
    root_v: FloatArray
    outer_v: FloatArray
    spinous_half: float
    body_height: float


def find_cuts(volume: LocalVolume) -> Cuts:
    """Return where the parts of the vertebra in `volume` end."""
    wall_v, closing_v, back_v = _canal_marks(volume.frame.canal_uv)
    pedicle_u = (_arch_wall(volume, 1, wall_v), _arch_wall(volume, -1, wall_v))
    lamina_v, pedicle_w = _pedicle_end(volume, pedicle_u, wall_v, closing_v)
    half = _spinous_half(volume, back_v)
    root_v, outer_v = _spinous_root(volume, half, back_v)
    in_body = volume.mask[:, volume.v_mm < wall_v - 4.0]
    columns = in_body.sum(axis=0)
    height = float(np.percentile(columns[columns > 0], 75)) if np.any(columns) else 0.0
    return Cuts(
        wall_v=wall_v,
        lamina_v=lamina_v,
        pedicle_u=pedicle_u,
        pedicle_w=pedicle_w,
        root_v=root_v,
        outer_v=outer_v,
        spinous_half=half,
        body_height=height,
    )


def _canal_marks(canal_uv: FloatArray) -> tuple[float, float, float]:
    """Return the canal's front in the midline, where it begins to close behind, and its back in the midline."""
    u, v = canal_uv[:, 0], canal_uv[:, 1]
    levels = np.round(v).astype(int)
    rows = np.arange(levels.min(), levels.max() + 1)
    widths = np.array([np.ptp(u[levels == row]) + 1.0 if np.any(levels == row) else 0.0 for row in rows])
    smooth = np.convolve(np.pad(widths, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    widest = int(np.argmax(smooth))
    behind = np.flatnonzero(smooth[widest:] < _NARROWED_FRAC * smooth[widest])
    closing = float(rows[widest + behind[0]]) if len(behind) else float(rows[-1])
    middle = np.abs(u) <= 0.25 * smooth[widest]
    columns = np.round(u[middle]).astype(int)
    fronts = [v[middle][columns == c].min() for c in np.unique(columns)]
    backs = [v[middle][columns == c].max() for c in np.unique(columns)]
    return float(np.median(fronts)) - 0.5, closing - 0.5, float(np.median(backs)) + 0.5


def _arch_wall(volume: LocalVolume, side: int, wall_v: float) -> float:
    """Return how far from the midline the outer wall of pedicle and articular pillar lies.

    Seen in sagittal slices from the pillar outwards the bone's area falls to that of the transverse process: the wall
    is where it has fallen by four fifths of that. A pedicle that runs askew, or an articular process that bulges,
    leaves the place of that fall where it is.
    """
    canal = float(np.abs(volume.frame.canal_uv[:, 0]).max())
    columns = np.flatnonzero(volume.u_mm * side > canal - 1.0)
    columns = columns[np.argsort(np.abs(volume.u_mm[columns]))]
    u = np.abs(volume.u_mm[columns])
    areas = volume.mask[:, volume.v_mm > wall_v + 0.5][:, :, columns].sum(axis=(0, 1)).astype(float)
    near = np.flatnonzero(u < canal + _PILLAR_REACH_MM)
    if len(near) == 0 or areas[near].max() == 0:
        return canal + 8.0
    pillar = int(near[np.argmax(areas[near])])
    tip = int(np.flatnonzero(areas > 0)[-1])
    tail = areas[pillar + int(np.ceil(0.4 * (tip - pillar))) : tip]
    process = float(np.median(tail)) if len(tail) > _LEAST_TAIL else 0.0
    low = process + _FALLEN_FRAC * (areas[pillar] - process)
    fallen = np.flatnonzero(areas[pillar:] < low)
    return float(u[pillar + fallen[0]]) - 0.5 if len(fallen) else float(u[-1]) + 0.5


def _pedicle_end(
    volume: LocalVolume, outer_u: tuple[float, float], wall_v: float, closing_v: float
) -> tuple[float, tuple[float, float]]:
    """Return where the pedicles end behind, and their lower and upper end where they are narrowest.

    The two sides are looked at together, in each coronal slice the larger: where tumour has eaten bone away, the
    other side tells.
    """
    rows = np.flatnonzero((volume.v_mm > wall_v + 0.5) & (volume.v_mm < max(closing_v, wall_v + 3.5)))
    beside = [(volume.u_mm * s > 0) & (volume.u_mm * s < u) for s, u in zip((1, -1), outer_u, strict=True)]
    profiles = [volume.mask[:, rows][:, :, one].sum(axis=2) for one in beside]
    areas = np.max([p.sum(axis=0) for p in profiles], axis=0).astype(float)
    if len(rows) == 0 or areas.max() == 0:
        return closing_v, (-np.inf, np.inf)
    narrow = int(np.argmin(np.where(areas > 0, areas, np.inf)))
    taller = np.flatnonzero(areas[narrow:] > _TALLER_FACTOR * areas[narrow])
    end = float(volume.v_mm[rows[narrow + taller[0]]]) - 0.5 if len(taller) else closing_v
    runs = [_main_run(p[:, narrow]) for p in profiles if p[:, narrow].any()]
    low, high = min(r[0] for r in runs), max(r[1] for r in runs)
    return min(end, closing_v), (float(volume.w_mm[low]) - 0.5, float(volume.w_mm[high]) + 0.5)


def _main_run(counts: NDArray[np.intp]) -> tuple[int, int]:
    """Return the first and last place of the run round the largest count; the body's lips are runs of their own."""
    filled = counts >= max(1.0, 0.25 * float(counts.max()))
    first = last = int(np.argmax(counts))
    while first > 0 and filled[first - 1]:
        first -= 1
    while last + 1 < len(filled) and filled[last + 1]:
        last += 1
    return first, last


def _midline_runs(volume: LocalVolume) -> tuple[FloatArray, FloatArray]:
    """Return how far bone reaches without a gap to the left and to the right of the midline, [w, v]; 0 where none."""
    middle = int(np.argmin(np.abs(volume.u_mm)))
    # The mid-plane may lie a millimetre beside the crest: begin at the nearest filled cube.
    start = volume.mask[:, :, middle - 1 : middle + 2].any(axis=2)
    left = np.cumprod(volume.mask[:, :, middle + 2 :], axis=2).sum(axis=2)
    right = np.cumprod(volume.mask[:, :, middle - 2 :: -1], axis=2).sum(axis=2)
    return np.where(start, left + 1.5, 0.0), np.where(start, right + 1.5, 0.0)


def _spinous_half(volume: LocalVolume, back_v: float) -> float:
    """Return half the usual width of the spinous process behind the laminae."""
    left, right = _midline_runs(volume)
    behind = volume.v_mm > back_v + 6.0
    runs = (0.5 * (left + right))[:, behind]
    runs = runs[runs > 0]
    return float(np.percentile(runs, 40)) if len(runs) else 4.0


def _spinous_root(volume: LocalVolume, half: float, back_v: float) -> tuple[FloatArray, FloatArray]:
    """Return per level where the spinous process begins in the midline, and where no lamina is left beside it."""
    left, right = _midline_runs(volume)
    width = 0.5 * (left + right)
    wide = 1.35 * half + 1.0
    begins, outer = np.full(len(volume.w_mm), np.nan), np.full(len(volume.w_mm), np.nan)
    for n in range(len(volume.w_mm)):
        bone = np.flatnonzero((width[n] > 0) & (volume.v_mm > 0))
        if len(bone) == 0:
            continue
        inner = volume.v_mm[bone[0]] - 0.5
        end = volume.v_mm[bone[0] + _broad_for(width[n, bone[0] :] > wide)] - 0.5
        begins[n], outer[n] = inner + ROOT_FRAC * (end - inner), end
    fallback = back_v + 4.0
    return _smooth(begins, fallback), _smooth(outer, fallback)


def _broad_for(broad: NDArray[np.bool_]) -> int:
    """Return for how many cubes from the canal backwards the midline bone is broad; a forked end does not count."""
    first = int(np.argmax(broad)) if broad.any() else len(broad)
    if first > _FORK_FROM_MM:
        return 0
    narrow = np.flatnonzero(~broad[first:])
    return first + int(narrow[0]) if len(narrow) else len(broad) - 1


def _smooth(values: FloatArray, fallback: float) -> FloatArray:
    """Return a running median of five levels, gaps filled from the nearest level."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        return np.full(len(values), fallback)
    filled = np.interp(np.arange(len(values)), known, values[known])
    padded = np.pad(filled, 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1))
