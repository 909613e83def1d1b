"""What voxel programs say of pairs of masks of 1 mm: run by an interpreter that holds them, it prints JSON.

Run: PYTHON scripts/contour_peers.py MASKS.npz, arrays `NAME/a` and `NAME/b`; tolerance 2 mm. Needs numpy alone of this
project's packages; a program that is not installed there is left out.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import numpy as np

TOLERANCE_MM = 2.0


def _image(mask: np.ndarray) -> Any:  # noqa: ANN401 -- an image of SimpleITK
    return import_module("SimpleITK").GetImageFromArray(mask.astype(np.uint8))


def by_simpleitk(one: np.ndarray, two: np.ndarray) -> dict[str, float]:
    itk = import_module("SimpleITK")
    images = [_image(m) for m in (one, two)]
    overlap, far = itk.LabelOverlapMeasuresImageFilter(), itk.HausdorffDistanceImageFilter()
    overlap.Execute(*images)
    far.Execute(*images)
    return {"dice": overlap.GetDiceCoefficient(), "hausdorff_mm": far.GetHausdorffDistance()}


def by_surface_distance(one: np.ndarray, two: np.ndarray) -> dict[str, float]:
    sd = import_module("surface_distance")
    found = sd.compute_surface_distances(one, two, (1.0, 1.0, 1.0))
    return {
        "dice": sd.compute_dice_coefficient(one, two),
        "hausdorff_mm": sd.compute_robust_hausdorff(found, 100),
        "hd95_directed_mm": sd.compute_robust_hausdorff(found, 95),
        "mean_surface_distance_mm": float(np.mean(sd.compute_average_surface_distance(found))),
        "surface_dice": sd.compute_surface_dice_at_tolerance(found, TOLERANCE_MM),
    }


def by_medpy(one: np.ndarray, two: np.ndarray) -> dict[str, float]:
    mp = import_module("medpy.metric.binary")
    return {
        "dice": mp.dc(one, two),
        "hausdorff_mm": mp.hd(one, two),
        "hd95_pooled_mm": mp.hd95(one, two),
        "mean_surface_distance_mm": mp.assd(one, two),
    }


def by_platipy(one: np.ndarray, two: np.ndarray) -> dict[str, float]:
    pp = import_module("platipy.imaging.label.comparison")
    images = [_image(m) for m in (one, two)]
    found = pp.compute_surface_metrics(*images)
    return {
        "dice": pp.compute_metric_dsc(*images),
        "hausdorff_mm": found["hausdorffDistance"],
        "hd95_directed_mm": found["hausdorffDistance95"],
        "mean_surface_distance_mm": found["meanSurfaceDistance"],
        "surface_dice": pp.compute_surface_dsc(*images, tau=TOLERANCE_MM),
        "apl_mm": pp.compute_metric_total_apl(*images, distance_threshold_mm=TOLERANCE_MM),
    }


def by_meshmetrics(one: np.ndarray, two: np.ndarray) -> dict[str, float]:
    asked = import_module("meshmetrics").compute_metrics
    found = asked(*(_image(m) for m in (one, two)), taus=(TOLERANCE_MM,), percentiles=(100, 95))
    return {
        "dice": found["DSC"],
        "hausdorff_mm": found["HD_100"],
        "hd95_directed_mm": found["HD_95"],
        "mean_surface_distance_mm": found["MASD"],
        "surface_dice": found[f"NSD_{TOLERANCE_MM}"],
    }


PEERS = {
    "SimpleITK": by_simpleitk,
    "surface-distance": by_surface_distance,
    "MedPy": by_medpy,
    "PlatiPy": by_platipy,
    "MeshMetrics": by_meshmetrics,
}


def main() -> None:
    pairs, found = np.load(sys.argv[1]), {}
    names = sorted({key.rsplit("/", 1)[0] for key in pairs.files})
    for peer, ask in PEERS.items():
        try:
            rows = {name: ask(pairs[f"{name}/a"], pairs[f"{name}/b"]) for name in names}
        except ModuleNotFoundError:
            continue
        found[peer] = {name: {k: float(v) for k, v in row.items()} for name, row in rows.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
