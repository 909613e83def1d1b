"""Curves of another calculator, by plain sampling, on structures of which every voxel is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvhkit.model.case import Case
from dvhkit.model.dose import Dose, DoseType, StoredDvh
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure, StructureSet
from dvhkit.phantoms.ball_on_grid import trilinear

SLICE_MM = 3.0
CENTRE = np.array([4.3, -7.1])
HEIGHTS = np.arange(-18.0, 18.1, SLICE_MM)


def dose(scale: float = 1.0, shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Dose:
    """A dose that falls off a point beside the structure, in 2.5 x 2.2 x 2.6 mm voxels."""
    grid = Grid(
        origin_mm=np.array([-60.0, -66.0, -55.0]),
        axes=np.eye(3),
        spacing_mm=np.array([2.5, 2.2]),
        offsets_mm=np.arange(44) * 2.6,
        n_rows=62,
        n_columns=52,
    )
    x = (-60 + 2.5 * np.arange(52))[None, None, :] - shift_mm[0]
    y = (-66 + 2.2 * np.arange(62))[None, :, None] - shift_mm[1]
    z = (-55 + 2.6 * np.arange(44))[:, None, None] - shift_mm[2]
    r2 = (x / 34.0) ** 2 + ((y - 8) / 27.0) ** 2 + ((z + 6) / 30.0) ** 2
    return Dose(
        grid=grid,
        values_gy=60.0 * scale * np.exp(-r2),
        quantum_gy=1e-6,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2.3",
        frame_of_reference_uid="1.2.4",
    )


def radius_mm(z: float, extra: float = 0.0) -> float:
    """A barrel: blunt ends, so that caps count."""
    return 17.0 - 0.012 * z * z + extra


def structure(extra: float = 0.0) -> Structure:
    t = np.arange(120) * 2 * np.pi / 120
    rings = []
    for z in HEIGHTS:
        r = radius_mm(z, extra)
        rings.append(np.column_stack([CENTRE[0] + r * np.cos(t), CENTRE[1] + 0.8 * r * np.sin(t), np.full(120, z)]))
    return Structure(
        number=3, name="Target", contours=tuple(Contour(points_mm=r) for r in rings), frame_of_reference_uid="1.2.4"
    )


def case(given: Dose, curve: StoredDvh) -> Case:
    return Case(
        label="planted", structures=StructureSet(structures=(structure(),)), dose=replace(given, stored_dvhs=(curve,))
    )


def samples(
    *, cap: float = 0.5, extra: float = 0.0, edit=None, straight: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Points of upright slabs and the cc that each stands for; `edit(k, x, y)` replaces the shape on slice k.

    `straight`: radii run linearly from slice to slice.
    """
    step = 0.8
    g = np.arange(-40, 40, step) + step / 2
    x, y = (a.ravel() for a in np.meshgrid(g, g))
    points, part = [], []
    for k, z in enumerate(HEIGHTS):
        r = radius_mm(z, extra)
        inside = (x / r) ** 2 + (y / (0.8 * r)) ** 2 <= 1
        changed = edit(k, x, y, r) if edit else None
        inside = inside if changed is None else changed
        low = SLICE_MM * (cap if k == 0 else 0.5)
        high = SLICE_MM * (cap if k == len(HEIGHTS) - 1 else 0.5)
        n = 6
        levels = z - low + (np.arange(n) + 0.5) / n * (low + high)
        for level in levels:
            if straight:
                r = np.interp(level, HEIGHTS, radius_mm(HEIGHTS))
                inside = (x / r) ** 2 + (y / (0.8 * r)) ** 2 <= 1
            points.append(np.column_stack([x[inside] + CENTRE[0], y[inside] + CENTRE[1], np.full(inside.sum(), level)]))
            part.append(np.full(inside.sum(), step * step * (low + high) / n / 1000))
    return np.concatenate(points), np.concatenate(part)


def curve(gy: np.ndarray, part: np.ndarray, *, bin_gy: float = 0.05, factor: float = 1.0) -> StoredDvh:
    edges = np.arange(0.0, gy.max() + 2 * bin_gy, bin_gy)
    order = np.argsort(gy)
    beyond = np.concatenate([np.cumsum(part[order][::-1])[::-1], [0.0]])
    volume = beyond[np.searchsorted(gy[order], edges)] * factor
    return stored(edges, volume)


def stored(edges: np.ndarray, volume: np.ndarray) -> StoredDvh:
    return StoredDvh(
        roi_number=3,
        dose_gy=edges,
        volume_cc=volume,
        volume_pct=100 * volume / volume[0],
        min_gy=None,
        mean_gy=None,
        max_gy=None,
    )


def sampled(given: Dose, points: np.ndarray) -> np.ndarray:
    return trilinear(points, given.grid, given.values_gy)
