"""What digitised contours say by themselves: a stack of polygons in a linear dose, by fine sums, without the engine.

Two readings of what lies between slices: upright walls half way to the next slice (`upright`), and
straight lines from slice to slice, point by point at equal angles about the centroids (`ruled`). Both end half a slice
beyond the first and last polygon. Only for sections that are star-shaped about their centroid.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_LAYERS = 12
_ANGLES = 240
_STRIP_MM = 0.04


def metrics(sections: list[tuple[float, np.ndarray]], axis: str, dose_at: np.ndarray, way: str) -> dict[str, float]:
    """Return the metrics of a stack in the dose ``dose_at[0] + dose_at[1] * (y or z)``; `axis` "AP" or "SI"."""
    where, volume, low, high = [], [], np.inf, -np.inf
    for z, thickness, polygon in _layers(sections, way):
        if axis == "SI":
            where.append(np.array([z]))
            volume.append(np.array([thickness * _area(polygon)]))
            low, high = min(low, z - thickness / 2), max(high, z + thickness / 2)
        else:
            strips, chords = _chords(polygon)
            where.append(strips)
            volume.append(chords * _STRIP_MM * thickness)
            low, high = min(low, polygon[:, 1].min()), max(high, polygon[:, 1].max())
    return _of_parts(np.concatenate(where), np.concatenate(volume) / 1000, (low, high), dose_at)


def _of_parts(
    where: np.ndarray, volume: np.ndarray, ends: tuple[float, float], dose_at: np.ndarray
) -> dict[str, float]:
    dose = dose_at[0] + dose_at[1] * where
    order = np.argsort(-dose)
    reached = np.cumsum(volume[order]) - 0.5 * volume[order]
    total = float(volume.sum())

    def hottest(part: float) -> float:
        return float(np.interp(part, reached, dose[order]))

    least, most = sorted(dose_at[0] + dose_at[1] * np.array(ends))
    return {
        "Volume": total,
        "Dmin": float(least),
        "Dmax": float(most),
        "Dmean": float(np.dot(dose, volume) / total),
        "D99": hottest(0.99 * total),
        "D95": hottest(0.95 * total),
        "D5": hottest(0.05 * total),
        "D1": hottest(0.01 * total),
        "D0.03cc": hottest(0.03),
    }


def _layers(sections: list[tuple[float, np.ndarray]], way: str) -> Iterable[tuple[float, float, np.ndarray]]:
    """Yield mid-height, thickness and polygon of thin layers."""
    heights = np.array([z for z, _ in sections])
    rings = [_by_angle(ring) for _, ring in sections]
    gap = float(np.median(np.diff(heights)))
    step = gap / _LAYERS
    for z in np.arange(heights[0] - gap / 2 + step / 2, heights[-1] + gap / 2, step):
        above = int(np.clip(np.searchsorted(heights, z), 1, len(heights) - 1))
        t = float(np.clip((z - heights[above - 1]) / (heights[above] - heights[above - 1]), 0.0, 1.0))
        t = round(t) if way == "upright" else t
        yield float(z), step, (1 - t) * rings[above - 1] + t * rings[above]


def _by_angle(ring: np.ndarray) -> np.ndarray:
    """Return the points where rays from the centroid, at equal angles, leave the ring."""
    closed = np.vstack([ring, ring[:1]])
    cross = closed[:-1, 0] * closed[1:, 1] - closed[1:, 0] * closed[:-1, 1]
    centre = ((closed[:-1] + closed[1:]) * cross[:, None]).sum(axis=0) / (3 * cross.sum())
    a, b = closed[:-1] - centre, closed[1:] - centre
    edge = b - a
    found = []
    for angle in 2 * np.pi * np.arange(_ANGLES) / _ANGLES:
        ray = np.array([np.cos(angle), np.sin(angle)])
        across = ray[0] * edge[:, 1] - ray[1] * edge[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            far = (a[:, 0] * edge[:, 1] - a[:, 1] * edge[:, 0]) / across
            share = (a[:, 0] * ray[1] - a[:, 1] * ray[0]) / across
        hits = (far > 0) & (share >= -1e-9) & (share <= 1 + 1e-9)
        found.append(centre + ray * far[hits].max())
    return np.array(found)


def _area(ring: np.ndarray) -> float:
    x, y = (ring - ring[0]).T
    return 0.5 * abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))


def _chords(ring: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return strips across y and how long each lies inside the ring."""
    y = np.arange(ring[:, 1].min() + _STRIP_MM / 2, ring[:, 1].max(), _STRIP_MM)
    after = np.roll(ring, -1, axis=0)
    length = np.zeros(len(y))
    for (x0, y0), (x1, y1) in zip(ring, after, strict=True):
        if y0 == y1:
            continue
        first, last = np.searchsorted(y, sorted((y0, y1)))
        # The integral of x dy around the ring, strip by strip.
        length[first:last] += np.sign(y1 - y0) * (x0 + (y[first:last] - y0) * (x1 - x0) / (y1 - y0))
    return y, np.abs(length)
