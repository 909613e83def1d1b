"""A cube in water, seen by images that lie as patients do: what the viewer is held against."""

from __future__ import annotations

import math

import numpy as np

from dvhkit.model.dose import Dose, DoseType
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure
from dvhkit.results.scene import Scene

TURN = math.radians(25)
AXES = {
    "HFS": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "FFS": [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
    "prone": [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    "oblique": [[math.cos(TURN), math.sin(TURN), 0], [-math.sin(TURN), math.cos(TURN), 0], [0, 0, 1]],
    "gantry": [[1, 0, 0], [0, math.cos(TURN), math.sin(TURN)], [0, -math.sin(TURN), math.cos(TURN)]],
}
# Voxels of the cube, columns, rows and planes; its faces are half way to the next.
CUBE = ((20, 31), (12, 20), (6, 11))


def cube_scene(position: str, *, name: str = "Cube", offsets_mm: np.ndarray | None = None) -> Scene:
    """An image of 56 x 40 x 18 unequal voxels with a bright cube, its contours, and a dose on a grid of its own."""
    axes = np.array(AXES[position], dtype=float)
    offsets = np.arange(18) * 2.5 if offsets_mm is None else offsets_mm
    grid = Grid(
        origin_mm=np.array([-31.25, 17.5, 104.0]),
        axes=axes,
        spacing_mm=np.array([1.25, 1.5]),
        offsets_mm=offsets,
        n_rows=40,
        n_columns=56,
    )
    random = np.random.default_rng(7)
    values = random.integers(-1000, 400, grid.shape_zyx).astype(np.float32)
    (i0, i1), (j0, j1), (k0, k1) = CUBE
    values[k0:k1, j0:j1, i0:i1] = 1500.0
    u, v = (np.array([i0, i1]) - 0.5) * 1.25, (np.array([j0, j1]) - 0.5) * 1.5
    corners = [(u[0], v[0]), (u[1], v[0]), (u[1], v[1]), (u[0], v[1])]
    contours = tuple(
        Contour(points_mm=grid.origin_mm + np.array([[a, b, offsets[k]] for a, b in corners]) @ axes)
        for k in range(k0, k1)
    )
    cube = Structure(number=1, name=name, contours=contours, rt_roi_type="PTV", color_rgb=(255, 0, 255))
    return Scene(
        grid=grid,
        values=values,
        modality="CT",
        value_unit="HU",
        dose=_dose(grid, random),
        structures=(cube,),
        levels_gy=(50.0, 25.0),
        prescription_gy=50.0,
    )


def _dose(image: Grid, random: np.random.Generator) -> Dose:
    middle = image.origin_mm + np.array([34.0, 29.0, 20.0]) @ image.axes
    grid = Grid(
        origin_mm=middle - np.array([30.0, 30.0, 20.0]),
        axes=np.eye(3),
        spacing_mm=np.array([3.0, 2.5]),
        offsets_mm=np.arange(14) * 3.3,
        n_rows=25,
        n_columns=21,
    )
    counts = random.integers(0, 65536, grid.shape_zyx)
    quantum = 0.00093628
    return Dose(
        grid=grid,
        values_gy=counts * quantum,
        quantum_gy=quantum,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2.3",
        frame_of_reference_uid="1.2",
    )
