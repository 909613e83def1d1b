"""Read-only arrays: a frozen record whose array can be written to is not frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

FloatArray = NDArray[np.float64]


def median(values: FloatArray) -> float:
    """Return the median of some numbers: `numpy.median` takes ten times as long for a few."""
    rising = np.sort(values)
    return float(0.5 * (rising[(len(rising) - 1) // 2] + rising[len(rising) // 2]))


def frozen_array(values: Any, *, dtype: DTypeLike = np.float64) -> NDArray[Any]:  # noqa: ANN401 -- any array-like
    """Return `values` as a C-contiguous read-only array; copies only if it must."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.flags.writeable:
        # A view, so that the caller's own array stays as writeable as it was.
        array = array.view()
        array.setflags(write=False)
    return array
