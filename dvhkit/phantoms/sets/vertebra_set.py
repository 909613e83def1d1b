"""A vertebra with known compartments as DICOM: CT, outlines of every compartment, canal, whole bone and a lesion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from dvhkit.errors import InputError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure
from dvhkit.phantoms.isoline import trace_rings
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomImage, PhantomSet, arc_plan, axial_grid
from dvhkit.phantoms.shapes import Ring, ring_area_mm2, ring_contours, structure
from dvhkit.phantoms.solids import Vector, rotation_about, sphere
from dvhkit.phantoms.truth_rows import TruthRow
from dvhkit.phantoms.vertebra import (
    CANAL_NUMBER,
    CERVICAL,
    LUMBAR,
    PART_NUMBER,
    THORACIC,
    VertebraPhantom,
    VertebraShape,
)
from dvhkit.targets.vertebra.rules import Compartment

SHAPES: dict[str, VertebraShape] = {"lumbar": LUMBAR, "thoracic": THORACIC, "cervical": CERVICAL}
_LEVELS = {"lumbar": "L2", "thoracic": "T07", "cervical": "C05"}
# TG-263 has names for body and canal; the leading z of the others marks what is no dose-volume structure.
_NAMES = {
    Compartment.BODY: "VB_{}",
    Compartment.PEDICLE_L: "zPed_{}_L",
    Compartment.PEDICLE_R: "zPed_{}_R",
    Compartment.TRANSVERSE_L: "zTP_{}_L",
    Compartment.TRANSVERSE_R: "zTP_{}_R",
    Compartment.LAMINA_L: "zLam_{}_L",
    Compartment.LAMINA_R: "zLam_{}_R",
    Compartment.SPINOUS: "zSP_{}",
}
_TRACE_STEP_MM = 0.8
_LEAST_AREA_MM2 = 1.0
_DECIMALS = 3
# Half of the image, wide enough for a lumbar vertebra of scale 1.2 at any tilt.
_HALF_MM = 66.0
_BONE_HU, _CANAL_HU, _TISSUE_HU = 350, 20, 50
_LESION_MM = {"lumbar": 6.0, "thoracic": 6.0, "cervical": 2.5}
_COUNT_STEP_MM = 0.6
# No bone of a vertebra of scale 1 lies farther from the middle of its canal along any axis, however it is tilted.
_REACH_MM = 52.0


def compartment_name(part: Compartment, level: str) -> str:
    """Return the structure name of a compartment, such as ``zPed_T07_L``."""
    return _NAMES[part].format(level)


def vertebra_structures(
    vertebra: VertebraPhantom, planes_mm: Iterable[float], *, level: str, first_number: int = 1
) -> tuple[Structure, ...]:
    """Return each compartment, the whole bone and the canal as structures, outlined in axial planes.

    Vertices lie on the surface; neighbouring compartments share theirs to within the tracing step of 0.8 mm.
    """
    wanted: list[tuple[str, tuple[int, ...]]] = [
        (compartment_name(part, level), (number,)) for part, number in PART_NUMBER.items()
    ]
    wanted += [(f"zVert_{level}", tuple(PART_NUMBER.values())), ("SpinalCanal", (CANAL_NUMBER,))]
    outlines: list[list[Contour]] = [[] for _ in wanted]
    for z in planes_mm:
        parts_at_nodes = _node_parts(vertebra, float(z))
        for found, (_, numbers) in zip(outlines, wanted, strict=True):
            found.extend(_outlines(vertebra, numbers, float(z), parts_at_nodes))
    return tuple(
        Structure(number=n, name=name, rt_roi_type="ORGAN", contours=tuple(found))
        for n, ((name, _), found) in enumerate(zip(wanted, outlines, strict=True), start=first_number)
    )


def middle_of(vertebra: VertebraPhantom, part: Compartment) -> Vector:
    """Return a point inside a compartment, as deep as it gets: where a lesion can be put."""
    grid = _count_grid(vertebra)
    depth = _counted(vertebra) == PART_NUMBER[part]
    while True:
        # Peel by one voxel until nothing is left; the last layer is the deepest.
        core = depth.copy()
        for axis in range(3):
            core &= np.roll(depth, 1, axis) & np.roll(depth, -1, axis)
        if not core.any():
            break
        depth = core
    deepest = np.argwhere(depth)
    k, j, i = deepest[len(deepest) // 2]
    point = grid.origin_mm + np.array([i, j, k]) * _COUNT_STEP_MM @ grid.axes
    return (float(point[0]), float(point[1]), float(point[2]))


def vertebra_set(
    *,
    kind: str = "lumbar",
    tilt_deg: Vector = (0.0, 0.0, 0.0),
    scale: float = 1.0,
    slice_mm: float = 2.0,
    lesion_in: Compartment = Compartment.PEDICLE_L,
) -> tuple[PhantomSet, tuple[TruthRow, ...]]:
    """Return one vertebra with a lesion in one compartment, and the true volumes of all.

    Parameters
    ----------
    kind
        ``lumbar``, ``thoracic`` or ``cervical``.
    tilt_deg
        Turns about the patient's left, posterior and upward axes.
    """
    if kind not in SHAPES:
        raise InputError(f"there is no vertebra {kind!r}.", remedy="There are: " + ", ".join(SHAPES) + ".")
    vertebra = VertebraPhantom(shape=SHAPES[kind], tilt_deg=tilt_deg, scale=scale)
    level = _LEVELS[kind]
    grid = _image_grid(slice_mm)
    planes = grid.origin_mm[2] + grid.offsets_mm
    drawn = vertebra_structures(vertebra, planes, level=level)
    lesion = sphere(middle_of(vertebra, lesion_in), _LESION_MM[kind])
    gtv = structure("GTV", len(drawn) + 1, lesion, planes, n_points=64, rt_roi_type="GTV", color_rgb=(255, 0, 0))
    phantom = PhantomSet(
        label=f"vertebra-{kind}",
        structures=(*drawn, gtv),
        image=PhantomImage(grid=grid, values_hu=_ct_numbers(vertebra, grid), rle=True),
        plan=arc_plan(dose_gy=24.0, fractions=2, roi_number=gtv.number, label="VERTEBRA"),
        doses=(PhantomDose(grid=_dose_grid(), values_gy=np.full(_dose_grid().shape_zyx, 24.0), bits=16),),
        contour_decimals=_DECIMALS,
    )
    return phantom, _volume_rows(vertebra, level)


def _nodes(vertebra: VertebraPhantom) -> tuple[FloatArray, FloatArray]:
    nodes = np.arange(-_REACH_MM, _REACH_MM, _TRACE_STEP_MM) * vertebra.scale
    return nodes + vertebra.centre_mm[0], nodes + vertebra.centre_mm[1]


def _node_parts(vertebra: VertebraPhantom, z_mm: float) -> np.ndarray:
    """Return the part at each node of the search grid of a plane: computed once, for all parts alike."""
    x_mm, y_mm = _nodes(vertebra)
    return _parts(vertebra, x_mm[None, :], y_mm[:, None], z_mm)


def _parts(vertebra: VertebraPhantom, x: FloatArray, y: FloatArray, z_mm: float) -> np.ndarray:
    x, y, z = np.broadcast_arrays(x, y, z_mm)
    return vertebra.part_at(np.stack([x, y, z], axis=-1).reshape(-1, 3)).reshape(x.shape)


def _outlines(
    vertebra: VertebraPhantom, numbers: Sequence[int], z_mm: float, parts_at_nodes: np.ndarray
) -> tuple[Contour, ...]:
    """Outline the parts of these numbers in one plane."""
    if not np.isin(parts_at_nodes, numbers).any():
        return ()

    def outside(x: FloatArray, y: FloatArray) -> FloatArray:
        on_nodes = np.broadcast_shapes(x.shape, y.shape) == parts_at_nodes.shape
        parts = parts_at_nodes if on_nodes else _parts(vertebra, x, y, z_mm)
        return np.where(np.isin(parts, numbers), -1.0, 1.0)

    x_mm, y_mm = _nodes(vertebra)
    rings = [r for r in trace_rings(outside, x_mm=x_mm, y_mm=y_mm) if abs(ring_area_mm2(r)) >= _LEAST_AREA_MM2]
    return ring_contours([Ring(points_mm=r, is_hole=ring_area_mm2(r) < 0) for r in rings], z_mm)


def _image_grid(slice_mm: float) -> Grid:
    pixels = int(2 * _HALF_MM)
    return axial_grid(
        shape_zyx=(int(np.ceil(1.5 * _HALF_MM / slice_mm)), pixels, pixels), spacing_xyz_mm=(1, 1, slice_mm)
    )


def _dose_grid() -> Grid:
    n = int(np.ceil(2 * _HALF_MM / 4.0)) + 1
    return axial_grid(shape_zyx=(n, n, n), spacing_xyz_mm=(4.0, 4.0, 4.0))


def _count_grid(vertebra: VertebraPhantom) -> Grid:
    """Return cells that lie askew to every plane of the vertebra, or flat parts would be counted a layer too thick."""
    n = int(2 * _REACH_MM * vertebra.scale / _COUNT_STEP_MM)
    askew = np.asarray(rotation_about((0.51, -0.73, 0.62), 33.0)) @ vertebra.axes
    centred = axial_grid(shape_zyx=(n, n, n), spacing_xyz_mm=(_COUNT_STEP_MM,) * 3, axes=askew)
    return replace(centred, origin_mm=centred.origin_mm + np.asarray(vertebra.centre_mm))


@lru_cache(maxsize=2)
def _counted(vertebra: VertebraPhantom) -> np.ndarray:
    return vertebra.labels_on(_count_grid(vertebra))


def _ct_numbers(vertebra: VertebraPhantom, grid: Grid) -> np.ndarray:
    labels = vertebra.labels_on(grid)
    hu = np.full(labels.shape, _TISSUE_HU, dtype=np.int16)
    hu[(labels > 0) & (labels < CANAL_NUMBER)] = _BONE_HU
    hu[labels == CANAL_NUMBER] = _CANAL_HU
    return hu


def _volume_rows(vertebra: VertebraPhantom, level: str) -> tuple[TruthRow, ...]:
    """Count cells of 0.6 mm: good to about half a percent for the smallest part."""
    counts = np.bincount(_counted(vertebra).ravel(), minlength=CANAL_NUMBER + 1)
    return tuple(
        TruthRow(
            compartment_name(part, level), "solid", "Volume[cc]", float(counts[n]) * _COUNT_STEP_MM**3 / 1000, "cc"
        )
        for part, n in PART_NUMBER.items()
    )
