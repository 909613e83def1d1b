"""Margins: time and truth beside SimpleITK's signed distance with a threshold, on spheres as large as a liver.

Run: python benchmarks/bench_margins.py [radius in mm, 60 by default]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import SimpleITK
from timing import table

from dvhkit.model.structure import Structure
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere
from dvhkit.targets.derive.margin import grow

SLICES_MM = 2.0
MARGIN_MM = 5.0
VOXEL_MM = 1.0
CT_SHAPE = (160, 512, 512)


def best_of(times: int, run: Callable[[], object]) -> tuple[float, object]:
    """Return the least time in seconds, and the result; the first run compiles and does not count."""
    result = run()
    least = np.inf
    for _ in range(times):
        start = time.perf_counter()
        result = run()
        least = min(least, time.perf_counter() - start)
    return float(least), result


def binary_ball(radius_mm: float, shape_zyx: tuple[int, int, int]) -> SimpleITK.Image:
    """Return a perfect binary mask of a ball in the middle of a grid of 1 mm voxels."""
    axes = [(np.arange(n) - (n - 1) / 2) * VOXEL_MM for n in shape_zyx]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    return SimpleITK.GetImageFromArray((x * x + y * y + z * z <= radius_mm**2).astype(np.uint8))


def distance_and_threshold(mask: SimpleITK.Image) -> SimpleITK.Image:
    """Grow a mask as is usual with SimpleITK."""
    distance = SimpleITK.SignedMaurerDistanceMap(mask, insideIsPositive=False, squaredDistance=False)
    return distance <= MARGIN_MM


def radial_errors_mm(made: Structure, truth_mm: float) -> np.ndarray:
    points = np.concatenate([c.points_mm for c in made.contours])
    return np.linalg.norm(points, axis=1) - truth_mm


def section_volume_error_pct(made: Structure, truth_mm: float) -> float:
    """Return the error of the drawn sections' areas, summed, against the ball's sections on the same slices."""
    areas, truth = 0.0, 0.0
    for contour in made.contours:
        x, y, z = contour.points_mm.T
        areas += 0.5 * float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)
        truth += np.pi * max(truth_mm**2 - float(z[0]) ** 2, 0.0)
    return 100 * (abs(areas) / truth - 1)


def report(radius_mm: float = 60.0) -> str:
    """Return the table of one run."""
    truth_mm = radius_mm + MARGIN_MM
    planes = np.arange(-200, 200) * SLICES_MM + 0.7
    drawn = structure("Ball", 1, sphere((0, 0, 0), radius_mm), planes)
    ours_s, made = best_of(5, lambda: grow(drawn, MARGIN_MM, step_mm=VOXEL_MM).structure)
    fine_s, fine = best_of(5, lambda: grow(drawn, MARGIN_MM).structure)
    size = int(2 * truth_mm / VOXEL_MM) + 5
    cropped = binary_ball(radius_mm, (size, size, size))
    cropped_s, _ = best_of(5, lambda: distance_and_threshold(cropped))
    full = binary_ball(radius_mm, CT_SHAPE)
    full_s, grown = best_of(1, lambda: distance_and_threshold(full))
    mask_cc = float(SimpleITK.GetArrayViewFromImage(grown).sum()) * VOXEL_MM**3 / 1000
    mask_pct = 100 * (mask_cc / (4 / 3 * np.pi * truth_mm**3 / 1000) - 1)
    rows = []
    for name, seconds, result in (("dvhkit at 1 mm", ours_s, made), ("dvhkit, its own step", fine_s, fine)):
        errors = radial_errors_mm(result, truth_mm)
        volume = f"{section_volume_error_pct(result, truth_mm):+.2f}"
        rows.append(
            [name, 1e3 * seconds, 1.0 * seconds / ours_s, f"{errors.min():+.3f} to {errors.max():+.3f}", volume]
        )
    rows.append(["SimpleITK on the cropped grid", 1e3 * cropped_s, cropped_s / ours_s, "", f"{mask_pct:+.2f}"])
    rows.append(["SimpleITK on a CT of 512 x 512 x 160", 1e3 * full_s, full_s / ours_s, "", f"{mask_pct:+.2f}"])
    title = (
        f"Ball of {radius_mm:g} mm grown by {MARGIN_MM:g} mm, slices of {SLICES_MM:g} mm, working grid {VOXEL_MM:g} mm."
    )
    return f"{title}\n\n" + table(["how", "ms", "times dvhkit", "radius off / mm", "volume off / %"], rows)


def main() -> None:
    print(report(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))


if __name__ == "__main__":
    main()
