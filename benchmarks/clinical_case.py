"""A case of clinical size, made on the fly: 30 structures from a lens to the body, and a dose on 4.8 million voxels."""

from __future__ import annotations

import numpy as np

from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure

SLICE_MM = 2.0
_RADII_MM = (
    3,
    4,
    5,
    6,
    8,
    8,
    10,
    12,
    12,
    14,
    15,
    16,
    18,
    20,
    22,
    24,
    26,
    28,
    30,
    32,
    35,
    38,
    40,
    45,
    50,
    55,
    60,
    70,
    80,
)


def dose() -> Dose:
    """Return a hot spot on a broad background: 200 x 150 x 160 voxels of 2.5 mm."""
    grid = Grid(
        origin_mm=np.array([-248.0, -186.0, 0.0]),
        axes=np.eye(3),
        spacing_mm=np.full(2, 2.5),
        offsets_mm=2.5 * np.arange(160),
        n_rows=150,
        n_columns=200,
    )
    z, y, x = np.meshgrid(
        2.5 * np.arange(160), -186 + 2.5 * np.arange(150), -248 + 2.5 * np.arange(200), indexing="ij", sparse=True
    )
    spot = 60 * np.exp(-((x - 30) ** 2 + (y - 10) ** 2 + (z - 200) ** 2) / (2 * 45.0**2))
    return Dose(
        grid=grid,
        values_gy=spot + 5 * np.exp(-(x**2 + y**2) / (2 * 150.0**2)),
        quantum_gy=1e-4,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2.3",
        frame_of_reference_uid="",
    )


def structures() -> list[Structure]:
    """Return a body of 199 slices and 29 lumpy organs, 100 to 200 points a contour."""
    rng = np.random.default_rng(0)
    turn = 2 * np.pi * np.arange(200) / 200
    body = [
        (z, np.column_stack([(190 + 8 * np.sin(z / 60)) * np.cos(turn), (120 + 5 * np.cos(z / 50)) * np.sin(turn)]))
        for z in np.arange(SLICE_MM, 398.0, SLICE_MM)
    ]
    out = [_structure(1, "Body", body)]
    for number, radius in enumerate(_RADII_MM, start=2):
        centre = np.array([rng.uniform(-80, 80), rng.uniform(-40, 40), rng.uniform(120, 280)])
        out.append(_structure(number, f"Organ{number}", _lump(centre, radius * rng.uniform(0.8, 1.3, 3), rng)))
    return out


def _lump(centre: np.ndarray, axes: np.ndarray, rng: np.random.Generator) -> list[tuple[float, np.ndarray]]:
    turn = np.linspace(0, 2 * np.pi, int(rng.integers(100, 200)), endpoint=False)
    rings = []
    for z in np.arange(0, 400, SLICE_MM):
        scale = 1 - ((z - centre[2]) / axes[2]) ** 2
        if scale > 0.0025:
            wobble = 1 + 0.06 * np.sin(3 * turn + z / 20) + 0.03 * np.sin(7 * turn - z / 11)
            ring = (
                np.column_stack([axes[0] * np.cos(turn), axes[1] * np.sin(turn)]) * (np.sqrt(scale) * wobble)[:, None]
            )
            rings.append((z, centre[:2] + ring))
    return rings


def _structure(number: int, name: str, rings: list[tuple[float, np.ndarray]]) -> Structure:
    contours = [Contour(points_mm=np.round(np.column_stack([ring, np.full(len(ring), z)]), 2)) for z, ring in rings]
    return Structure(number=number, name=name, contours=tuple(contours))
