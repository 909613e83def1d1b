"""Comparisons of contours against closed forms, and beside them what voxel programs say of the same shapes at 1 mm.

Run by itself it prints the section: python scripts/validation_contours.py [PYTHON ...]. Each PYTHON is an interpreter
whose environment holds some of the voxel programs (`contour_peers.py`); without any, only this one's is asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
import shapely.affinity
from contour_peers import PEERS

from dvhkit.model.structure import Contour, Structure
from dvhkit.targets.compare.agreement import compare

Shape = tuple[Structure, Callable[[np.ndarray], np.ndarray]]
HALF_MM = 40
TOLERANCE_MM = 2.0
# Rings on which the closed forms of two spheres are summed.
_RINGS = 400_001


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


def prism(outline: shapely.Polygon, heights: np.ndarray, dz: float) -> Shape:
    """Return an upright solid on slices, half a slice distance beyond the first and the last."""
    contours = []
    for w in heights:
        for ring in (outline.exterior, *outline.interiors):
            points = shapely.get_coordinates(ring)[:-1]
            contours.append(Contour(points_mm=np.column_stack([points, np.full(len(points), w)])))
    low, high = heights.min() - dz / 2, heights.max() + dz / 2

    def holds(p: np.ndarray) -> np.ndarray:
        inside = shapely.contains_xy(outline, p[0, :, :, 0], p[0, :, :, 1])
        on = np.abs(p[:, 0, 0, 2][:, None] - heights).min(axis=1) <= dz / 2 + 1e-9
        return np.asarray(inside[None] & on[:, None, None])

    assert high > low
    return Structure(number=1, name="P", contours=tuple(contours)), holds


def joined(*parts: Shape) -> Shape:
    contours = tuple(c for structure, _ in parts for c in structure.contours)
    return replace(parts[0][0], contours=contours), lambda p: np.logical_or.reduce([holds(p) for _, holds in parts])


def oblique(shape: Shape) -> Shape:
    """Return a shape about the origin with its planes turned about two axes."""
    a, b = np.radians(25), np.radians(35)
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]) @ np.array(
        [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    )
    contours = tuple(replace(c, points_mm=c.points_mm @ turn.T) for c in shape[0].contours)
    return replace(shape[0], contours=contours), lambda p: shape[1](p @ turn)


def spheres(r1: float, r2: float, d: float) -> dict[str, float]:
    """Return the metrics of two spheres, centres d apart: closed forms, distances summed over rings of equal area."""
    u = (np.arange(_RINGS) + 0.5) / _RINGS * 2 - 1
    from_a = np.abs(np.sqrt(r1 * r1 + d * d - 2 * r1 * d * u) - r2)
    from_b = np.abs(np.sqrt(r2 * r2 + d * d - 2 * r2 * d * u) - r1)
    a, b = r1 * r1, r2 * r2
    if d <= abs(r1 - r2):
        shared = 4 / 3 * np.pi * min(r1, r2) ** 3
    else:
        shared = np.pi * (r1 + r2 - d) ** 2 * (d * d + 2 * d * (r1 + r2) - 3 * (r1 - r2) ** 2) / (12 * d)
    dice = 2 * shared / (4 / 3 * np.pi * (r1**3 + r2**3))
    both = np.concatenate([from_a, from_b])
    order = np.argsort(both)
    reached = np.cumsum(np.repeat([a, b], _RINGS)[order])
    return {
        "dice": dice,
        "jaccard": dice / (2 - dice),
        "hausdorff_mm": float(both.max()),
        "hd95_pooled_mm": float(both[order][np.searchsorted(reached, 0.95 * reached[-1])]),
        "hd95_directed_mm": float(max(np.quantile(from_a, 0.95), np.quantile(from_b, 0.95))),
        "mean_surface_distance_mm": float((a * from_a.mean() + b * from_b.mean()) / (a + b)),
        "surface_dice": float((a * (from_a <= TOLERANCE_MM).mean() + b * (from_b <= TOLERANCE_MM).mean()) / (a + b)),
    }


def flat(one: shapely.Polygon, two: shapely.Polygon, slices: int) -> dict[str, float]:
    """Return what areas and lines say of upright solids of one height; lines densely, by steps of 0.005 mm."""
    shared, total = one.intersection(two).area, one.area + two.area
    line = one.boundary.segmentize(0.005)
    middles = shapely.points(shapely.get_coordinates(line))
    far = shapely.distance(middles, two.boundary)
    back = shapely.distance(shapely.points(shapely.get_coordinates(two.boundary.segmentize(0.005))), one.boundary)
    return {
        "dice": 2 * shared / total,
        "jaccard": shared / (total - shared),
        # A point of a lid of one beyond the other's is nearest to the other's side.
        "hausdorff_mm": float(max(far.max(), back.max())),
        "apl_mm": slices * float(line.length * (far > TOLERANCE_MM + 1e-3).mean()),
    }


def _outlines() -> dict[str, shapely.Polygon]:
    disc = shapely.Point(0, 0).buffer(14, quad_segs=64)
    ellipse = shapely.affinity.scale(shapely.Point(0, 0).buffer(1, quad_segs=64), 18, 10)
    return {
        "ring 14/6 mm": disc.difference(shapely.Point(0, 0).buffer(6, quad_segs=64)),
        "ellipse 18 x 10 mm, turned 30 degrees": shapely.affinity.rotate(ellipse, 30),
        "C": disc.difference(shapely.box(2, -4, 20, 4)),
        "L": shapely.box(-14, -14, 14, 14).difference(shapely.box(-4, -4, 15, 15)),
        "dumb-bell": shapely.union_all(
            [shapely.Point(x, 0).buffer(8, quad_segs=64) for x in (-12, 12)] + [shapely.box(-12, -3, 12, 3)]
        ),
    }


def cases() -> dict[str, tuple[Shape, Shape, dict[str, float]]]:
    even, fine = np.arange(-11.0, 12.0, 2.0), np.arange(-11.0, 12.0, 2.0)
    found = {
        "sphere 20 mm, shifted 3 mm across": (sphere(20), sphere(20, x=3), spheres(20, 20, 3)),
        "sphere 20 mm, shifted 3.5 mm along z": (sphere(20), sphere(20, z=3.5), spheres(20, 20, 3.5)),
        "spheres of 15 and 18 mm, nested": (sphere(15), sphere(18), spheres(15, 18, 0)),
        "spheres of 15 and 18 mm, 5 mm apart": (sphere(15), sphere(18, x=3, z=4), spheres(15, 18, 5)),
        "sphere 20 mm on 2 and on 3 mm, shifted 4 mm": (sphere(20), sphere(20, y=4, dz=3), spheres(20, 20, 4)),
        "the same in oblique planes": (
            oblique(sphere(20)), oblique(sphere(20, y=4, dz=3)), spheres(20, 20, 4),
        ),
        "cube of 24 mm, shifted 3 mm": (
            box(0), box(3), flat(shapely.box(-12, -12, 12, 12), shapely.box(-9, -12, 15, 12), 12),
        ),
    }  # fmt: skip
    for name, outline in _outlines().items():
        moved = shapely.affinity.translate(outline, 3, 1)
        pair = prism(outline, even, 2.0), prism(moved, fine, 2.0)
        found[f"{name}, shifted (3, 1) mm"] = (*pair, flat(outline, moved, len(even)))
    disc = shapely.Point(0, 0).buffer(12, quad_segs=64)
    less = even[even != 1.0]
    found["cylinder 12 mm, one slice left out"] = (
        prism(disc, even, 2.0), prism(disc, less, 2.0),
        {"dice": 2 * 11 / 23, "jaccard": 11 / 12, "apl_mm": disc.length},
    )  # fmt: skip
    share = 15**3 / (2 * 15**3 + 5**3) * 2
    found["sphere 15 mm, with and without an island of 5 mm at 30 mm"] = (
        joined(sphere(15), sphere(5, x=30)), sphere(15),
        {"dice": share, "jaccard": share / (2 - share), "hausdorff_mm": 20.0},
    )  # fmt: skip
    return found


METRICS = (
    "dice", "jaccard", "hausdorff_mm", "hd95_pooled_mm", "hd95_directed_mm", "mean_surface_distance_mm", "surface_dice",
    "apl_mm",
)  # fmt: skip


def masks(a: Shape, b: Shape) -> tuple[np.ndarray, np.ndarray]:
    at = np.arange(-HALF_MM, HALF_MM) + 0.5
    points = np.stack(np.meshgrid(at, at, at, indexing="ij")[::-1], axis=-1)
    return a[1](points), b[1](points)


def ask_peers(shapes: dict[str, tuple[Shape, Shape, dict[str, float]]], pythons: list[str]) -> dict[str, dict]:
    """Return what each program says of each case, by name of program, case and metric."""
    found: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "masks.npz"
        both = {name: masks(a, b) for name, (a, b, _) in shapes.items()}
        np.savez_compressed(
            path, **{f"{n}/{side}": m for n, pair in both.items() for side, m in zip("ab", pair, strict=True)}
        )
        for python in pythons:
            script = Path(__file__).with_name("contour_peers.py")
            done = subprocess.run([python, str(script), str(path)], capture_output=True, text=True, check=True)
            found |= json.loads(done.stdout.splitlines()[-1])
    return found


def section(pythons: list[str] | None = None) -> str:
    """Return the section of docs/validation.md."""
    shapes, rows = cases(), []
    peers = ask_peers(shapes, pythons or [sys.executable])
    for name, (a, b, truth) in shapes.items():
        ours = compare(a[0], b[0], tolerance_mm=TOLERANCE_MM)
        for metric in METRICS:
            if metric in truth:
                cells = [f"{v:.4f}" for v in (truth[metric], getattr(ours, metric))]
                said = [peers.get(p, {}).get(name, {}).get(metric) for p in PEERS]
                cells += ["-" if v is None else f"{v:.4f}" for v in said]
                rows.append(f"| {name} | `{metric}` | {' | '.join(cells)} |")
    head = ["| shapes | metric | truth | dvhkit | " + " | ".join(PEERS) + " |", "|" + "---|" * (4 + len(PEERS))]
    missing = [p for p in PEERS if p not in peers]
    note = f"\n\nNot installed in this run: {', '.join(missing)}." if missing else ""
    return "\n".join(
        ["## Contours compared", "", "128 points a circle, slices of 2 mm; the others on masks of 1 mm of the ideal "
         "shapes, at a tolerance of 2 mm. The truth of spheres is a closed form (distances summed over 400,001 rings "
         "of equal area); of upright shapes areas are exact, and lines stepped densely by shapely. Run by "
         "`scripts/validation_contours.py`.", "", *head, *rows]
    ) + note  # fmt: skip


if __name__ == "__main__":
    print(section(sys.argv[1:]))
