"""Time masks and DVHs of a clinical-size case beside one bare pass over the same dose cells.

Run it with ``python benchmarks/bench_engine.py``; it prints JSON, for `run_all.py` runs it in a process of its own: the
first DVHs are those of a process that has just begun, with kernels in the cache, and the peak memory is its own.
"""

from __future__ import annotations

import json
import resource
import time

import clinical_case
import numpy as np
from numba import njit
from timing import best

from dvhkit.engine.dvh import compute_dvhs
from dvhkit.engine.options import profile
from dvhkit.engine.rasterise import volume_on_grid
from dvhkit.model.dose import Dose
from dvhkit.model.structure import Structure

HOTTEST_FRAC = (0.99, 0.98, 0.95, 0.5, 0.05, 0.02, 0.01)


@njit
def floor_loop(fraction, values, out):  # noqa: ANN001, ANN201 -- compiled
    """Do the least that a DVH can cost: read each occupied dose cell once and add it to a bin."""
    for k in range(fraction.shape[0]):
        for j in range(fraction.shape[1]):
            for i in range(fraction.shape[2]):
                if fraction[k, j, i] > 0:
                    out[int(values[k, j, i] * 100)] += fraction[k, j, i]


def all_dvhs(structures: list[Structure], dose: Dose, name: str, threads: int, *, band: bool = False) -> list[float]:
    """Compute every DVH, and of each volume, extremes, mean, seven D and two V."""
    dvhs = compute_dvhs(structures, dose, options=profile(name), slice_spacing_mm=2.0, with_band=band, threads=threads)
    found = []
    for dvh in dvhs:
        found += [dvh.volume_cc, dvh.min_gy, dvh.max_gy, dvh.mean_gy]
        found += [dvh.dose_to_hottest_gy(p * dvh.covered_cc) for p in HOTTEST_FRAC]
        found += [dvh.volume_at_least_cc(level) for level in (5.0, 20.0)]
    return found


def masks(structures: list[Structure], dose: Dose) -> list[np.ndarray]:
    """Return the exact share of every dose voxel, each structure by itself."""
    return [volume_on_grid(drawn, dose.grid, profile("prism"), slice_spacing_mm=2.0) for drawn in structures]


def floor_seconds(structures: list[Structure], dose: Dose) -> float:
    total = 0.0
    for field in masks(structures, dose):
        index = np.nonzero(field)
        box = tuple(slice(int(a.min()), int(a.max()) + 1) for a in index)
        part, values = np.ascontiguousarray(field[box]), np.ascontiguousarray(dose.values_gy[box])
        out = np.zeros(10_000)
        floor_loop(part, values, out)
        total += best(lambda p=part, v=values, o=out: floor_loop(p, v, o))
    return total


def against_truth(structures: list[Structure], dose: Dose, name: str) -> dict[str, dict[str, float]]:
    dvhs = compute_dvhs(structures, dose, options=profile(name), slice_spacing_mm=2.0)
    return {
        d.roi: {
            "Volume": d.volume_cc,
            "Mean": d.mean_gy,
            "D95%": d.dose_to_hottest_gy(0.95 * d.covered_cc),
            "D2%": d.dose_to_hottest_gy(0.02 * d.covered_cc),
        }
        for d in dvhs
    }


def main() -> None:
    structures, dose = clinical_case.structures(), clinical_case.dose()
    start = time.perf_counter()
    all_dvhs(structures, dose, "reference", 2)
    seconds = {"all DVHs and metrics, reference, 2 threads, cold (first in a process)": time.perf_counter() - start}
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    for name in ("reference", "prism"):
        all_dvhs(structures[1:2], dose, name, 1)
        for threads in (2, 1):
            span = best(lambda n=name, t=threads: all_dvhs(structures, dose, n, t))
            seconds[f"all DVHs and metrics, {name}, {threads} thread{'s' * (threads > 1)}, warm"] = span
    seconds["the same with bands, reference, 2 threads, warm"] = best(
        lambda: all_dvhs(structures, dose, "reference", 2, band=True), 1
    )
    seconds["exact masks (share of each dose voxel), 1 thread"] = best(lambda: masks(structures, dose), 1)
    same = {tuple(all_dvhs(structures, dose, "reference", threads)) for threads in (1, 2, 8)}
    found = {
        "seconds": seconds,
        "floor_s": floor_seconds(structures, dose),
        "memory_gb": memory_gb,
        "threads_agree": len(same) == 1,
        "metrics": {name: against_truth(structures, dose, name) for name in ("reference", "prism")},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
