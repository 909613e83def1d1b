"""Time the DVHs of a clinical-size case against a mask-based peer and against one bare pass over the same dose cells.

Run it with ``python benchmarks/bench_engine.py``; it prints a table. Kernels are compiled before anything is timed;
the first line says how long that took with the cache as it was.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import clinical_case
import numpy as np
from numba import njit
from skimage.draw import polygon2mask

from dvhkit.engine.dvh import compute_dvhs
from dvhkit.engine.options import profile
from dvhkit.engine.rasterise import volume_on_grid
from dvhkit.model.dose import Dose
from dvhkit.model.structure import Structure

METRICS = (0.99, 0.98, 0.95, 0.5, 0.05, 0.02, 0.01)


@njit
def floor_loop(fraction, values, out):  # noqa: ANN001, ANN201 -- compiled
    """Do the least that a DVH can cost: read each occupied dose cell once and add it to a bin."""
    for k in range(fraction.shape[0]):
        for j in range(fraction.shape[1]):
            for i in range(fraction.shape[2]):
                if fraction[k, j, i] > 0:
                    out[int(values[k, j, i] * 100)] += fraction[k, j, i]


def masks_peer(drawn: Structure, dose: Dose) -> np.ndarray:
    """Do as mask-based tools do: fill each contour on a 1 mm image slice, then look up the nearest dose."""
    x, y = np.arange(-256, 256) + 0.5, np.arange(-256, 256) + 0.5
    column = np.clip(np.round((x - dose.grid.origin_mm[0]) / 2.5).astype(int), 0, 199)
    row = np.clip(np.round((y - dose.grid.origin_mm[1]) / 2.5).astype(int), 0, 149)
    found = []
    for contour in drawn.contours:
        corners = contour.points_mm[:, 1::-1] + 256 - 0.5
        mask = polygon2mask((512, 512), corners)
        plane = min(round(contour.points_mm[0, 2] / 2.5), 159)
        j, i = np.nonzero(mask)
        found.append(dose.values_gy[plane, row[j], column[i]])
    return np.quantile(np.concatenate(found), METRICS)


def best(work: Callable[[], object], times: int = 3) -> float:
    spans = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spans.append(time.perf_counter() - start)
    return min(spans)


def all_dvhs(structures: list[Structure], dose: Dose, name: str, threads: int, *, band: bool = False) -> list[float]:
    dvhs = compute_dvhs(structures, dose, options=profile(name), slice_spacing_mm=2.0, with_band=band, threads=threads)
    return [d.dose_to_hottest_gy(p * d.covered_cc) for d in dvhs for p in METRICS] + [d.mean_gy for d in dvhs]


def floor_seconds(structures: list[Structure], dose: Dose) -> float:
    total = 0.0
    for drawn in structures:
        field = volume_on_grid(drawn, dose.grid, profile("prism"), slice_spacing_mm=2.0)
        index = np.nonzero(field)
        box = tuple(slice(int(a.min()), int(a.max()) + 1) for a in index)
        part, values, out = (
            np.ascontiguousarray(field[box]),
            np.ascontiguousarray(dose.values_gy[box]),
            np.zeros(10_000),
        )
        floor_loop(part, values, out)
        total += best(lambda p=part, v=values, o=out: floor_loop(p, v, o))
    return total


def main() -> None:
    structures, dose = clinical_case.structures(), clinical_case.dose()
    points = sum(len(c.points_mm) for s in structures for c in s.contours)
    print(f"{len(structures)} structures, {sum(len(s.contours) for s in structures)} contours, {points} points")
    start = time.perf_counter()
    all_dvhs(structures[1:2], dose, "reference", 1)
    all_dvhs(structures[1:2], dose, "prism", 1)
    print(f"kernels compiled or loaded in {time.perf_counter() - start:.1f} s")
    floor = floor_seconds(structures, dose)
    rows = [("bare pass over the occupied dose cells (floor)", floor)]
    for name in ("reference", "prism"):
        for threads in (1, 2):
            span = best(lambda n=name, t=threads: all_dvhs(structures, dose, n, t))
            rows.append((f"all DVHs and metrics, {name}, {threads} thread(s)", span))
    rows.append(
        (
            "the same with bands, reference, 2 threads",
            best(lambda: all_dvhs(structures, dose, "reference", 2, band=True), 1),
        )
    )
    rows.append(
        ("masks of 1 mm and nearest dose (scikit-image)", best(lambda: [masks_peer(s, dose) for s in structures], 1))
    )
    for label, span in rows:
        print(f"| {label} | {span:.3f} s | {span / floor:.1f} |")
    same = {tuple(all_dvhs(structures, dose, "reference", threads)) for threads in (1, 2, 8)}
    print("1, 2 and 8 threads agree to the last bit" if len(same) == 1 else "THREADS DISAGREE")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
