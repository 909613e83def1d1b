"""Two observers' 40 structures of clinical size: dvhkit from polygons beside surface-distance on masks of 1 mm.

Run: python benchmarks/bench_contours.py [structures, 40 by default]

`surface-distance` (pip install surface-distance) is left out, with the reason, where it is not at hand. Its masks are
made beforehand and not timed, and hold no more than the pair's own box, as it crops them by itself.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import clinical_case
import numpy as np
from skimage.draw import polygon2mask
from timing import table

from dvhkit.jobs.contours.compare import compare_structures
from dvhkit.model.structure import Contour, Structure
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomImage, PhantomSet, axial_grid

TOLERANCE_MM = 2.0
# How far a second observer's outlines lie off the first's, in mm and as a part of the radius.
_SHIFT_MM, _WAVES_FRAC = 1.5, (0.02, 0.05)
_ROOM_MM = 5


def first_observer(count: int) -> list[Structure]:
    """Return the structures of the clinical case, and as many again beside them as are wanted."""
    own = clinical_case.structures()
    beside = [_moved(s, np.array([20.0, -15.0, 0.0])) for s in own[1:]]
    return [replace(s, number=n, name=f"{s.name}_{n}") for n, s in enumerate((own + beside)[:count], 1)]


def second_observer(first: list[Structure]) -> list[Structure]:
    """Return the same, shifted and with waves round each outline that turn from slice to slice."""
    rng = np.random.default_rng(7)
    found = []
    for s in first:
        middle = np.concatenate([c.points_mm for c in s.contours]).mean(axis=0)
        phase, height, shift = rng.uniform(0, 6, 2), rng.uniform(*_WAVES_FRAC), rng.normal(0, _SHIFT_MM, 2)
        contours = []
        for c in s.contours:
            out = c.points_mm[:, :2] - middle[:2]
            turn, z = np.arctan2(out[:, 1], out[:, 0]), c.points_mm[:, 2]
            waves = height * (np.sin(2 * turn + phase[0] + z / 25) + 0.5 * np.sin(5 * turn + phase[1] - z / 15))
            ring = middle[:2] + shift + out * (1 + waves)[:, None]
            contours.append(Contour(points_mm=np.round(np.column_stack([ring, z]), 2)))
        found.append(replace(s, contours=tuple(contours)))
    return found


def _moved(structure: Structure, by_mm: np.ndarray) -> Structure:
    contours = tuple(replace(c, points_mm=c.points_mm + by_mm) for c in structure.contours)
    return replace(structure, contours=contours)


def write_observer(folder: Path, structures: list[Structure]) -> Path:
    """Write a set with image and dose; the image is coarse in its plane, which takes no part."""
    dose = clinical_case.dose()
    image = axial_grid(
        shape_zyx=(200, 64, 64), spacing_xyz_mm=(8.0, 8.0, clinical_case.SLICE_MM), first_xyz_mm=(-252.0, -252.0, 0.0)
    )
    write_set(
        folder,
        PhantomSet(
            label="OBSERVER",
            structures=tuple(replace(s, rt_roi_type="ORGAN") for s in structures),
            image=PhantomImage(grid=image),
            doses=(PhantomDose(grid=dose.grid, values_gy=dose.values_gy, quantum_gy=dose.quantum_gy),),
            contour_decimals=2,
        ),
    )
    return folder


def masks(a: Structure, b: Structure) -> list[np.ndarray]:
    """Return both on voxels of 1 mm, each slice filling what is nearest to it."""
    points = np.concatenate([c.points_mm for s in (a, b) for c in s.contours])
    low, high = np.floor(points.min(axis=0)) - _ROOM_MM, np.ceil(points.max(axis=0)) + _ROOM_MM
    columns, rows, planes = (high - low).astype(int)
    found = []
    for s in (a, b):
        mask = np.zeros((planes, rows, columns), bool)
        for c in s.contours:
            filled = polygon2mask((rows, columns), c.points_mm[:, 1::-1] - low[1::-1] - 0.5)
            k = round(c.points_mm[0, 2] - low[2])
            mask[k : k + round(clinical_case.SLICE_MM)] ^= filled
        found.append(mask)
    return found


def peer_seconds(pairs: list[list[np.ndarray]]) -> tuple[float | str, float | str]:
    """Return processor time and time of surface-distance for the same numbers, or why there is no figure."""
    try:
        sd = import_module("surface_distance")
    except ModuleNotFoundError as missing:
        return f"left out: {missing}", ""
    wall, start = time.perf_counter(), time.process_time()
    for one, two in pairs:
        found = sd.compute_surface_distances(one, two, (1.0, 1.0, 1.0))
        sd.compute_dice_coefficient(one, two)
        sd.compute_robust_hausdorff(found, 100)
        sd.compute_robust_hausdorff(found, 95)
        sd.compute_average_surface_distance(found)
        sd.compute_surface_dice_at_tolerance(found, TOLERANCE_MM)
    return time.process_time() - start, time.perf_counter() - wall


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    first = first_observer(count)
    second = second_observer(first)
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as place:
        a, b = (write_observer(Path(place) / n, s) for n, s in (("a", first), ("b", second)))
        compare_structures(a, b, roi=[first[5].name], dose=a / "RTDOSE.dcm")  # compiles
        for name, dose in (("geometry alone", None), ("with dose effect", a / "RTDOSE.dcm")):
            wall, start = time.perf_counter(), time.process_time()
            compare_structures(a, b, tolerance_mm=TOLERANCE_MM, dose=dose)
            rows.append([f"dvhkit, {name}", time.process_time() - start, time.perf_counter() - wall])
    begun = time.process_time()
    pairs = [masks(*pair) for pair in zip(first, second, strict=True)]
    making = time.process_time() - begun
    rows.append(["surface-distance, masks of 1 mm at hand", *peer_seconds(pairs)])
    rows.append(["making its masks, scikit-image", making, ""])
    print(table([f"{count} pairs, reading included", "processor time / s", "time / s"], rows))


if __name__ == "__main__":
    main()
