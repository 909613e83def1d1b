"""Comparisons of contours against closed forms, and beside them what voxel programs say of the same shapes at 1 mm.

Run by itself it prints the section; programs that are not installed are named as missing. Those with other needs than
the project's (MedPy, surface-distance) are best run from an environment of their own that also holds this project.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np

from dvhkit.model.structure import Contour, Structure
from dvhkit.targets.compare.agreement import compare

Shape = tuple[Structure, Callable[[np.ndarray], np.ndarray]]
HALF_MM = 40
TOLERANCE_MM = 2.0


def sphere(r: float, x: float = 0.0, y: float = 0.0, z: float = 0.0, n: int = 128, dz: float = 2.0) -> Shape:
    angle = np.arange(n) * 2 * np.pi / n
    stretch = np.sqrt(2 * np.pi / n / np.sin(2 * np.pi / n))
    contours = []
    for w in dz * np.arange(np.ceil((z - r) / dz), np.floor((z + r) / dz) + 1):
        if (square := r * r - (w - z) ** 2) > 1e-6:
            rho = np.sqrt(square) * stretch
            ring = np.column_stack([x + rho * np.cos(angle), y + rho * np.sin(angle), np.full(n, w)])
            contours.append(Contour(points_mm=ring))
    centre = np.array([x, y, z])
    return Structure(number=1, name="S", contours=tuple(contours)), lambda p: np.linalg.norm(p - centre, axis=-1) < r


def box(x: float, half: float = 12.0) -> Shape:
    corners = np.array([(x - half, -half), (x + half, -half), (x + half, half), (x - half, half)])
    contours = tuple(
        Contour(points_mm=np.column_stack([corners, np.full(4, w)])) for w in np.arange(-half + 1, half, 2.0)
    )
    middle = np.array([x, 0.0, 0.0])
    return Structure(number=1, name="B", contours=contours), lambda p: (np.abs(p - middle) < half).all(axis=-1)


def shifted_dice(r: float, d: float) -> float:
    """Dice of two spheres of one radius, their centres d apart."""
    return 1 - 3 * d / (4 * r) + d**3 / (16 * r**3)


CASES: dict[str, tuple[Shape, Shape, dict[str, float]]] = {
    "sphere 20 mm, shifted 3 mm across": (
        sphere(20), sphere(20, x=3), {"dice": shifted_dice(20, 3), "hausdorff_mm": 3.0},
    ),
    "sphere 20 mm, shifted 3.5 mm along z": (
        sphere(20), sphere(20, z=3.5), {"dice": shifted_dice(20, 3.5), "hausdorff_mm": 3.5},
    ),
    "spheres of 15 and 18 mm, nested": (
        sphere(15), sphere(18),
        {"dice": 2 * 15**3 / (15**3 + 18**3), "hausdorff_mm": 3.0, "hd95_pooled_mm": 3.0, "hd95_directed_mm": 3.0,
         "mean_surface_distance_mm": 3.0, "surface_dice": 0.0},
    ),
    "cube of 24 mm, shifted 3 mm": (
        box(0), box(3), {"dice": 21 / 24, "hausdorff_mm": 3.0, "apl_mm": 12 * (24 + 2 * (3 - TOLERANCE_MM) + 20)},
    ),
}  # fmt: skip
METRICS = (
    "dice", "hausdorff_mm", "hd95_pooled_mm", "hd95_directed_mm", "mean_surface_distance_mm", "surface_dice", "apl_mm",
)  # fmt: skip


def masks(a: Shape, b: Shape) -> tuple[np.ndarray, np.ndarray]:
    at = np.arange(-HALF_MM, HALF_MM) + 0.5
    points = np.stack(np.meshgrid(at, at, at, indexing="ij")[::-1], axis=-1)
    return a[1](points), b[1](points)


def by_simpleitk(one: np.ndarray, two: np.ndarray) -> dict[str, float]:
    itk = import_module("SimpleITK")
    images = [itk.GetImageFromArray(m.astype(np.uint8)) for m in (one, two)]
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


PEERS = {"SimpleITK": by_simpleitk, "surface-distance": by_surface_distance, "MedPy": by_medpy}


def section() -> str:
    """Return the section of docs/validation.md."""
    missing, rows = set(), []
    for name, (a, b, truth) in CASES.items():
        ours = compare(a[0], b[0], tolerance_mm=TOLERANCE_MM)
        peers = {}
        for peer, ask in PEERS.items():
            try:
                peers[peer] = ask(*masks(a, b))
            except ModuleNotFoundError:
                missing.add(peer)
        for metric in METRICS:
            if metric in truth:
                cells = [f"{v:.4f}" for v in (truth[metric], getattr(ours, metric))]
                cells += [f"{peers[p][metric]:.4f}" if metric in peers.get(p, {}) else "-" for p in PEERS]
                rows.append(f"| {name} | `{metric}` | {' | '.join(cells)} |")
    head = ["| shapes | metric | truth | dvhkit | " + " | ".join(PEERS) + " |", "|" + "---|" * (4 + len(PEERS))]
    note = f"\n\nNot installed in this run: {', '.join(sorted(missing))}." if missing else ""
    return "\n".join(
        ["## Contours compared", "", "128 points a circle, slices of 2 mm; the others on masks of 1 mm of the ideal "
         "shapes. Run by `scripts/validation_contours.py`.", "", *head, *rows]
    ) + note  # fmt: skip


if __name__ == "__main__":
    print(section())
