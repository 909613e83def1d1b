"""The inner surface unrolled: azimuth by height, each cell with the margin that is left there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dvhkit.model.arrays import FloatArray
from dvhkit.results.audit import MarginMap

if TYPE_CHECKING:
    from dvhkit.targets.achieved.check import MarginMeasure

# Degrees between columns; 5 gives cells of a few mm on a target of a few cm.
_STEP_DEG = 5.0
# A record keeps hundredths of a mm, a tenth of what contours resolve.
_DIGITS = 2


def map_record(measure: MarginMeasure, caption: str = "") -> MarginMap:
    """Return the unrolled map of a check; `caption`: what was found, in words."""
    reach = measure.reach
    points = reach.points_mm
    # Each height has its own middle, so that a bent target unrolls as a straight one does.
    step = measure.inner.spacing_mm
    low = points[:, 2].min()
    row = np.floor((points[:, 2] - low) / step + 1e-9).astype(int)
    n_rows, n_columns = int(row.max()) + 1, round(360 / _STEP_DEG)
    weight = np.bincount(row, reach.share, n_rows).clip(1e-12)
    middle = [np.bincount(row, reach.share * points[:, a], n_rows) / weight for a in range(2)]
    angle = np.degrees(np.arctan2(points[:, 1] - middle[1][row], points[:, 0] - middle[0][row])) % 360
    column = np.floor(angle / _STEP_DEG).astype(int) % n_columns
    cell = row * n_columns + column
    check = measure.check
    asked = (
        f"{str(check.expected).removesuffix('mm').rstrip()} mm asked for"
        if check.expected
        else f"recovered: {check.recipe}"
    )
    shape = (n_rows, n_columns)
    return MarginMap(
        title=f"Margin from {check.inner} to {check.outer}",
        limit=asked,
        caption=caption,
        height_mm=tuple(round(float(low + (n + 0.5) * step), _DIGITS) for n in range(n_rows)),
        margin_mm=_rows(_extreme(reach.distance_mm, cell, shape, least=True)),
        lacking_mm=_rows(_extreme(measure.lacking_mm, cell, shape, least=False)),
        inner=str(check.inner),
    )


def _extreme(values: FloatArray, cell: NDArray[np.int64], shape: tuple[int, int], *, least: bool) -> FloatArray:
    out = np.full(shape[0] * shape[1], np.inf if least else -np.inf)
    (np.minimum if least else np.maximum).at(out, cell, values)
    out[~np.isfinite(out)] = np.nan
    return out.reshape(shape)


def joined(first: MarginMap, second: MarginMap) -> MarginMap:
    """Return one map of two checks of the same structures: what is lacking to either limit.

    So a margin that is asked for axis by axis makes one picture.
    """
    if second.limit == first.limit:
        return first
    pairs = zip(first.lacking_mm, second.lacking_mm, strict=True)
    return replace(
        first,
        limit=f"{first.limit}; {second.limit}",
        lacking_mm=tuple(tuple(_larger(a, b) for a, b in zip(one, other, strict=True)) for one, other in pairs),
    )


def _larger(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else max(a, b)


def _rows(values: FloatArray) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if np.isnan(v) else round(float(v), _DIGITS) for v in row) for row in values)
