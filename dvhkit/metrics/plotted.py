"""A DVH as a curve to draw: a few hundred points at round doses, with its band."""

from __future__ import annotations

import math

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.model.dvh import DOSE_EQUALITY_RTOL, Dvh
from dvhkit.model.structure import Structure
from dvhkit.results.audit import Curve

# A plotted curve: 400 points draw smoothly at any size of page.
_CURVE_POINTS = 400
_LEAST_CURVE_POINTS = 200


def curve_record(roi: str, structure: Structure, dvh: Dvh, *, top_gy: float | None) -> Curve:
    """Return a cumulative DVH for tables and plots; `top_gy` is the greatest dose of all that are drawn together."""
    doses, volumes_cc = dvh.curve(
        step_gy=_curve_step(dvh.max_gy or 0.0, top_gy if top_gy is not None else dvh.max_gy or 0.0)
    )
    percent = volumes_cc * (100.0 / dvh.volume_cc) if dvh.volume_cc > 0 else volumes_cc
    readings = np.stack([percent, *(_percent_at_least(v, doses) for v in dvh.variants if v.volume_cc > 0)])
    has_band = len(readings) > 1
    return Curve(
        roi=roi,
        roi_type=structure.rt_roi_type,
        color_rgb=structure.color_rgb,
        volume_cc=dvh.volume_cc,
        dose_gy=tuple(doses.tolist()),
        volume_pct=tuple(percent.tolist()),
        low_pct=_rounded(readings.min(axis=0)) if has_band else (),
        high_pct=_rounded(readings.max(axis=0)) if has_band else (),
    )


def _rounded(volumes: FloatArray) -> tuple[float, ...]:
    return tuple([round(volume, 4) for volume in volumes.tolist()])


def _curve_step(own_top_gy: float, top_gy: float) -> float:
    """Return the step of a curve's doses: a round one for the whole case, in even parts where a curve ends early."""
    raw = max(top_gy, 1e-3) / _CURVE_POINTS
    scale = 10.0 ** math.floor(math.log10(raw))
    shared = next(f * scale for f in (1, 2, 5, 10) if f * scale >= raw * (1 - 1e-9))
    return shared / max(1, math.ceil(shared * _LEAST_CURVE_POINTS / max(own_top_gy, shared)))


def _percent_at_least(dvh: Dvh, doses: FloatArray) -> FloatArray:
    below = np.concatenate([[0.0], np.cumsum(dvh.part_cc)])
    first = np.searchsorted(dvh.dose_gy, doses * (1 - DOSE_EQUALITY_RTOL), side="left")
    return np.asarray((below[-1] - below[first]) * (100.0 / dvh.volume_cc))
