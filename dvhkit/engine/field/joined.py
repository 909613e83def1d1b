"""DVHs of parts that never touch, joined into that of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dvhkit.model.dvh import Dvh

# Only parts on two to four slices are read as going straight from slice to slice.
_LIKE = {"straight": "lean"}


def joined(parts: Sequence[Dvh]) -> Dvh:
    """Return the DVH of all parts together: volumes add up, reading by reading; a single part is returned as it is.

    A part that lacks a reading is taken as it is in the one most like it, or as it is.
    """
    if len(parts) == 1:
        return parts[0]
    doses = np.concatenate([part.dose_gy for part in parts])
    volumes = np.concatenate([part.part_cc for part in parts])
    dose, place = np.unique(doses, return_inverse=True)
    low = [part.min_gy for part in parts if part.min_gy is not None]
    high = [part.max_gy for part in parts if part.max_gy is not None]
    lows = [part.min_bounds_gy for part in parts if part.min_bounds_gy is not None]
    highs = [part.max_bounds_gy for part in parts if part.max_bounds_gy is not None]
    names = dict.fromkeys(variant.reading for part in parts for variant in part.variants)
    readings = {name: [_read(part, name) for part in parts] for name in names}
    return replace(
        parts[0],
        dose_gy=dose,
        part_cc=np.bincount(place, weights=volumes, minlength=len(dose)).astype(np.float64),
        volume_cc=sum(part.volume_cc for part in parts),
        min_gy=min(low, default=None),
        max_gy=max(high, default=None),
        findings=tuple(dict.fromkeys(finding for part in parts for finding in part.findings)),
        variants=tuple(replace(joined(one), reading=name) for name, one in readings.items()),
        volume_error_cc=sum(part.volume_error_cc for part in parts),
        ends_cc=(sum(part.ends_cc[0] for part in parts), sum(part.ends_cc[1] for part in parts)),
        dose_error_gy=max(part.dose_error_gy for part in parts),
        min_bounds_gy=(min(b[0] for b in lows), min(b[1] for b in lows)) if lows else None,
        max_bounds_gy=(max(b[0] for b in highs), max(b[1] for b in highs)) if highs else None,
    )


def _read(part: Dvh, name: str) -> Dvh:
    of = {variant.reading: variant for variant in part.variants}
    return of.get(name) or of.get(_LIKE.get(name, ""), part)
