"""A case of clinical size, made on the fly: 30 structures from a lens to the body, and a dose on 4.8 million voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomImage, PhantomSet, axial_grid

SLICE_MM = 2.0
# fmt: off
_RADII_MM = (
    3, 4, 5, 6, 8, 8, 10, 12, 12, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 32, 35, 38, 40, 45, 50, 55, 60, 70, 80,
)
# fmt: on
CT_SHAPE_ZYX = (200, 512, 512)


def dose_formula_gy(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the dose at points of the patient, mm: a hot spot on a broad background."""
    spot = 60 * np.exp(-((x - 30) ** 2 + (y - 10) ** 2 + (z - 200) ** 2) / (2 * 45.0**2))
    return spot + 5 * np.exp(-(x**2 + y**2) / (2 * 150.0**2))


def dose() -> Dose:
    """Return the dose as a planning system would hand it over: 200 x 150 x 160 voxels of 2.5 mm."""
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
    return Dose(
        grid=grid,
        values_gy=dose_formula_gy(x, y, z),
        quantum_gy=1e-4,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2.3",
        frame_of_reference_uid="",
    )


def structures() -> list[Structure]:
    """Return a body of 199 slices and 29 lumpy organs, 100 to 200 points a contour."""
    turn = 2 * np.pi * np.arange(200) / 200
    body = [
        (z, np.column_stack([(190 + 8 * np.sin(z / 60)) * np.cos(turn), (120 + 5 * np.cos(z / 50)) * np.sin(turn)]))
        for z in np.arange(SLICE_MM, 398.0, SLICE_MM)
    ]
    return [_structure(1, "Body", body), *(_structure(n, f"Organ{n}", o.rings()) for n, o in enumerate(organs(), 2))]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lump:
    """An ellipsoid with waves round its waist that turn as z grows."""

    centre_mm: np.ndarray
    axes_mm: np.ndarray
    n_points: int

    def edge(self, turn: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
        """Return how far the outline reaches, as a part of the half axes; 0 beyond the poles."""
        scale = np.maximum(0.0, 1 - ((z_mm - self.centre_mm[2]) / self.axes_mm[2]) ** 2)
        return np.sqrt(scale) * (1 + 0.06 * np.sin(3 * turn + z_mm / 20) + 0.03 * np.sin(7 * turn - z_mm / 11))

    def rings(self) -> list[tuple[float, np.ndarray]]:
        """Return the outlines on the slices; where the ellipsoid is thinner than a twentieth there are none."""
        turn = np.linspace(0, 2 * np.pi, self.n_points, endpoint=False)
        circle = np.column_stack([self.axes_mm[0] * np.cos(turn), self.axes_mm[1] * np.sin(turn)])
        heights = np.arange(0, 400, SLICE_MM)
        shown = heights[1 - ((heights - self.centre_mm[2]) / self.axes_mm[2]) ** 2 > 0.0025]
        return [(z, self.centre_mm[:2] + circle * self.edge(turn, z)[:, None]) for z in shown]

    def truth(self) -> dict[str, float]:
        """Return the metrics of the ideal shape in the ideal dose, by Gauss's quadrature in z and radius."""
        (at_z, weight_z), (at_r, weight_r) = (np.polynomial.legendre.leggauss(n) for n in (48, 24))
        turn = np.linspace(0, 2 * np.pi, 128, endpoint=False)
        z = (self.centre_mm[2] + self.axes_mm[2] * at_z)[:, None, None]
        radius = ((at_r + 1) / 2)[None, None, :]
        edge = self.edge(turn[None, :, None], z)
        x = self.centre_mm[0] + self.axes_mm[0] * edge * radius * np.cos(turn)[None, :, None]
        y = self.centre_mm[1] + self.axes_mm[1] * edge * radius * np.sin(turn)[None, :, None]
        weight = weight_z[:, None, None] * weight_r * radius * edge**2
        part_cc = weight * (np.prod(self.axes_mm) / 2 * 2 * np.pi / len(turn) / 1000)
        given = dose_formula_gy(x, y, z)
        order = np.argsort(-given, axis=None)
        above = np.cumsum(part_cc.ravel()[order])
        hottest = {f"D{p}%": float(np.interp(p / 100 * above[-1], above, given.ravel()[order])) for p in (95, 2)}
        return {"Volume": float(above[-1]), "Mean": float((given * part_cc).sum() / above[-1]), **hottest}


def organs() -> list[Lump]:
    """Return the 29 organs, from a lens to a liver."""
    rng = np.random.default_rng(0)
    found = []
    for radius in _RADII_MM:
        centre = np.array([rng.uniform(-80, 80), rng.uniform(-40, 40), rng.uniform(120, 280)])
        axes = radius * rng.uniform(0.8, 1.3, 3)
        found.append(Lump(centre_mm=centre, axes_mm=axes, n_points=int(rng.integers(100, 200))))
    return found


def _structure(number: int, name: str, rings: list[tuple[float, np.ndarray]]) -> Structure:
    contours = [Contour(points_mm=np.round(np.column_stack([ring, np.full(len(ring), z)]), 2)) for z, ring in rings]
    return Structure(number=number, name=name, contours=tuple(contours))


def phantom() -> PhantomSet:
    """Return the case: a CT of 512 x 512 x 200 voxels of 1 x 1 x 2 mm, structure set and dose."""
    image = axial_grid(shape_zyx=CT_SHAPE_ZYX, spacing_xyz_mm=(1.0, 1.0, SLICE_MM), first_xyz_mm=(-255.5, -255.5, 0.0))
    given = dose()
    body, *organs = structures()
    return PhantomSet(
        label="CLINICAL SIZE",
        structures=(replace(body, rt_roi_type="EXTERNAL"), *(replace(s, rt_roi_type="ORGAN") for s in organs)),
        image=PhantomImage(grid=image),
        doses=(PhantomDose(grid=given.grid, values_gy=given.values_gy, quantum_gy=given.quantum_gy),),
        contour_decimals=2,
    )


def write(folder: Path) -> tuple[Path, ...]:
    """Write the case as DICOM."""
    return write_set(folder, phantom())
