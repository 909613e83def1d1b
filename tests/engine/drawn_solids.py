"""Structures drawn from formulas and doses given by formulas: the raw material of the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, ContourKind, Structure

CLOSED = ContourKind.CLOSED_PLANAR
XOR = ContourKind.CLOSEDPLANAR_XOR


def rectangle(x0, y0, x1, y1):
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)


def polygon(radius, n, centre=(0.0, 0.0), turn=0.0):
    """Regular polygon whose area is that of a circle of `radius`."""
    corner = radius * np.sqrt(2 * np.pi / n / np.sin(2 * np.pi / n))
    angle = turn + 2 * np.pi * np.arange(n) / n
    return np.column_stack([centre[0] + corner * np.cos(angle), centre[1] + corner * np.sin(angle)])


def structure(rings: Iterable[tuple], *, name="S", kind=CLOSED, to_patient=None) -> Structure:
    """A structure from (z, (n, 2) ring) or (z, ring, kind); `to_patient` maps (n, 3) points on their way out."""
    contours = []
    for z, ring, *own in rings:
        points = np.column_stack([ring, np.full(len(ring), z)])
        contours.append(Contour(points_mm=to_patient(points) if to_patient else points, kind=own[0] if own else kind))
    return Structure(number=1, name=name, contours=tuple(contours))


def sphere(radius, spacing, *, centre=(0.0, 0.0, 0.0), phase=0.0, n=360, **more) -> Structure:
    """A sphere drawn on every slice that cuts it; `phase` shifts the slices by that share of their distance."""
    z = (np.arange(-400, 401) + phase) * spacing
    z = z[np.abs(z - centre[2]) < radius - 1e-9]
    return structure(((h, polygon(np.sqrt(radius**2 - (h - centre[2]) ** 2), n, centre[:2])) for h in z), **more)


def grid(*, spacing=(2.0, 3.0, 2.5), size=(40, 36, 44), origin=(-37.3, -50.1, -55.7), axes=None, offsets=None) -> Grid:
    """Unequal spacings, a shifted origin, a non-square array."""
    return Grid(
        origin_mm=np.array(origin),
        axes=np.eye(3) if axes is None else axes,
        spacing_mm=np.array(spacing[:2]),
        offsets_mm=np.arange(size[2]) * spacing[2] if offsets is None else np.asarray(offsets, dtype=float),
        n_rows=size[1],
        n_columns=size[0],
    )


def dose(formula: Callable, on: Grid | None = None) -> Dose:
    """Dose ``formula(x, y, z)`` at the voxel centres of a grid."""
    on = on or grid()
    k, j, i = np.meshgrid(*(np.arange(n) for n in on.shape_zyx), indexing="ij")
    steps = np.stack([i * on.spacing_mm[0], j * on.spacing_mm[1], on.offsets_mm[k]], axis=-1)
    x, y, z = np.moveaxis(steps @ on.axes + on.origin_mm, -1, 0)
    return Dose(
        grid=on,
        values_gy=np.broadcast_to(formula(x, y, z), x.shape).astype(float),
        quantum_gy=1e-4,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2.3",
        frame_of_reference_uid="",
    )
