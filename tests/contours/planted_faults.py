# ruff: noqa: RUF005 -- arrays are added to, not tuples
"""A clean set of structures, of any size and place, and faults planted into it: what, on which structure, where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from shapes_drawn import circle, prism, sphere

from dvhkit.model.structure import Contour, ContourKind, Structure, StructureSet

Sets = dict[str, Structure]
GAP = 5.0


def _ellipsoid(centre, half, name, kind="ORGAN", n=60) -> Structure:
    ball = sphere(1.0, (0, 0, 0), dz=GAP / half[2], n=n)
    shift = round(centre[2] / GAP) * GAP
    contours = tuple(
        Contour(points_mm=np.round(c.points_mm * half + (centre[0], centre[1], shift), 2)) for c in ball.contours
    )
    return Structure(number=1, name=name, contours=contours, rt_roi_type=kind)


def _tube(centre, radius, length, name, kind="ORGAN", bulge=0.0) -> Structure:
    heights = GAP * np.arange(-round(length / 2 / GAP), round(length / 2 / GAP) + 1)
    contours = []
    for z in heights:
        ring = circle(radius * (1 + bulge * np.cos(z / 40)), 64) + centre[:2]
        contours.append(Contour(points_mm=np.round(np.column_stack([ring, np.full(len(ring), z)]), 2)))
    return Structure(number=1, name=name, contours=tuple(contours), rt_roi_type=kind)


def clean_set(seed: int = 0) -> Sets:
    """Return a trunk with organs and targets of random sizes, none of them touching another wrongly."""
    rng = np.random.default_rng(seed)
    k = rng.uniform(0.9, 1.1)
    jitter = rng.uniform(-4, 4, 3)
    made = [
        _tube((0, 0), 160 * k, 300, "Body", "EXTERNAL", 0.05),
        prism([(-250, 215), (250, 215), (250, 235), (-250, 235)], GAP * np.arange(-30, 31), name="Couch"),
        _ellipsoid((-70, -20, 0) + jitter, (50 * k, 60 * k, 70), "Liver"),
        _ellipsoid((80, 40, 0) + jitter / 2, (25 * k, 25 * k, 45), "Kidney_L"),
        _ellipsoid((-60, 95, 6), (24 * k, 24 * k, 45), "Kidney_R"),
        _ellipsoid((85, -50, 30) + jitter, (35 * k, 30 * k, 40), "Stomach"),
        _tube((0, 100), 6, 240, "SpinalCord"),
        _tube((0, 100), 11, 240, "SpinalCanal"),
        _tube((0, 100), 11.5, 240, "SpinalCord_PRV05"),
        _ellipsoid((-75, -20, 0) + jitter, (12, 12, 12), "GTV", "GTV"),
        _ellipsoid((-75, -20, 0) + jitter, (18, 18, 18), "CTV", "CTV"),
        _ellipsoid((-75, -20, 0) + jitter, (24, 24, 24), "PTV", "PTV"),
    ]
    return {s.name: replace(s, number=n) for n, s in enumerate(made, 1)}


def as_set(structures: Sets) -> StructureSet:
    """Return the structures as a set."""
    return StructureSet(structures=tuple(structures.values()))


def _edit(name: str, change: Callable[[list[Contour]], list[Contour]]) -> Callable[[Sets], tuple[str, float | None]]:
    def plant(sets: Sets) -> tuple[str, float | None]:
        contours = list(sets[name].contours)
        at = len(contours) // 2
        z = float(contours[at].points_mm[0, 2])
        sets[name] = replace(sets[name], contours=tuple(change(contours)))
        return name, z

    return plant


def _middle(contours: list[Contour], change: Callable[[np.ndarray], np.ndarray]) -> list[Contour]:
    at = len(contours) // 2
    return [Contour(points_mm=change(c.points_mm.copy())) if n == at else c for n, c in enumerate(contours)]


def _added(
    contours: list[Contour], *points: np.ndarray, kind: ContourKind = ContourKind.CLOSED_PLANAR
) -> list[Contour]:
    return [*contours, *(Contour(points_mm=p, kind=kind) for p in points)]


def _mid(contours: list[Contour]) -> np.ndarray:
    return contours[len(contours) // 2].points_mm


def _twisted(points: np.ndarray) -> np.ndarray:
    n = len(points)
    points[n // 4 : n // 2] = points[n // 4 : n // 2][::-1]
    return points


def _spiked(points: np.ndarray) -> np.ndarray:
    middle = points.mean(axis=0)
    points[5] = middle + (points[5] - middle) * 2.2
    return points


def _lifted(points: np.ndarray) -> np.ndarray:
    points[3, 2] += 0.8
    return points


def _square(points: np.ndarray, size: float, away: float = 0.0) -> np.ndarray:
    x, y, z = points.mean(axis=0)
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * size / 2
    return corners + (x + away, y, z)


def _moved(name: str, by) -> Callable[[Sets], tuple[str, float | None]]:
    def plant(sets: Sets) -> tuple[str, float | None]:
        contours = tuple(Contour(points_mm=c.points_mm + by) for c in sets[name].contours)
        sets[name] = replace(sets[name], contours=contours)
        return name, None

    return plant


def _scaled(name: str, by: float) -> Callable[[Sets], tuple[str, float | None]]:
    def plant(sets: Sets) -> tuple[str, float | None]:
        points = np.concatenate([c.points_mm for c in sets[name].contours])
        centre = points.mean(axis=0)
        scale = np.array([by, by, 1.0])
        sets[name] = replace(
            sets[name],
            contours=tuple(Contour(points_mm=centre + (c.points_mm - centre) * scale) for c in sets[name].contours),
        )
        return name, None

    return plant


def _swapped(sets: Sets) -> tuple[str, float | None]:
    left, right = sets["Kidney_L"], sets["Kidney_R"]
    sets["Kidney_L"] = replace(left, contours=right.contours)
    sets["Kidney_R"] = replace(right, contours=left.contours)
    return "Kidney_L", None


def _without(name: str, told: str) -> Callable[[Sets], tuple[str, float | None]]:
    def plant(sets: Sets) -> tuple[str, float | None]:
        del sets[name]
        return told, None

    return plant


def _renamed(name: str, new: str) -> Callable[[Sets], tuple[str, float | None]]:
    def plant(sets: Sets) -> tuple[str, float | None]:
        sets[name] = replace(sets[name], name=new)
        return new, None

    return plant


def _copied(sets: Sets) -> tuple[str, float | None]:
    sets["Spleen"] = replace(sets["Stomach"], name="Spleen", number=40)
    return "Spleen", None


def _body_with_couch(sets: Sets) -> tuple[str, float | None]:
    body = sets["Body"]
    grown = []
    for c in body.contours:
        points = c.points_mm.copy()
        points[points[:, 1] > 60] *= (1.0, 1.42, 1.0)
        grown.append(Contour(points_mm=points))
    sets["Body"] = replace(body, contours=tuple(grown))
    return "Body", None


def _emptied(sets: Sets) -> tuple[str, float | None]:
    sets["Stomach"] = replace(sets["Stomach"], contours=())
    return "Stomach", None


def _off_slice(contours: list[Contour]) -> list[Contour]:
    at = len(contours) // 2
    return [Contour(points_mm=c.points_mm + (0, 0, 1.1)) if n == at else c for n, c in enumerate(contours)]


def _tilted(contours: list[Contour]) -> list[Contour]:
    return [
        Contour(
            points_mm=c.points_mm + np.column_stack([np.zeros((len(c.points_mm), 2)), c.points_mm[:, 0] * (n % 3) / 9])
        )
        for n, c in enumerate(contours)
    ]


FAULTS: dict[str, tuple[str, Callable[[Sets], tuple[str, float | None]]]] = {
    "nothing drawn": ("empty-structure", _emptied),
    "two points": ("too-few-points", _edit("Liver", lambda c: _added(c, _mid(c)[:2]))),
    "line across itself": ("self-crossing", _edit("Liver", lambda c: _middle(c, _twisted))),
    "drawn twice": ("contour-repeated", _edit("Liver", lambda c: _added(c, _mid(c)))),
    "drawn twice, almost": ("near-twin", _edit("Liver", lambda c: _added(c, _mid(c) + (0.2, 0.1, 0)))),
    "drawn across": ("contours-overlap", _edit("Liver", lambda c: _added(c, _mid(c) + (9.0, 0, 0)))),
    "crumb": ("sliver", _edit("Liver", lambda c: _added(c, _square(_mid(c), 0.5)))),
    "line instead of area": (
        "sliver",
        _edit("Liver", lambda c: _added(c, _square(_mid(c), 6) * (1, 0, 1) + (0, -20, 0))),
    ),
    "spike": ("spike", _edit("Liver", lambda c: _middle(c, _spiked))),
    "point off its plane": ("point-off-plane", _edit("Liver", lambda c: _middle(c, _lifted))),
    "open line": ("open-contour", _edit("Liver", lambda c: _added(c, _mid(c)[:9], kind=ContourKind.OPEN_PLANAR))),
    "slice left out": ("missing-slice", _edit("Liver", lambda c: [x for x in c if x is not c[len(c) // 2]])),
    "two slices left out": (
        "missing-slice",
        _edit("Liver", lambda c: [x for n, x in enumerate(c) if n not in {len(c) // 2, len(c) // 2 + 1}]),
    ),
    "slice slipped": ("slice-jump", _edit("Kidney_L", lambda c: _middle(c, lambda p: p + (22.0, 0, 0)))),
    "slice shrunk": (
        "slice-jump",
        _edit("Kidney_L", lambda c: _middle(c, lambda p: p.mean(axis=0) + (p - p.mean(axis=0)) * 0.45)),
    ),
    "stray part": ("stray-island", _edit("Kidney_L", lambda c: _added(c, _square(_mid(c), 4, 60)))),
    "pinhole": ("pinhole", _edit("Liver", lambda c: _added(c, _square(_mid(c), 3)))),
    "between slices": ("off-slice", _edit("Kidney_L", _off_slice)),
    "tilted slices": ("planes-not-parallel", _edit("Kidney_L", _tilted)),
    "organ in organ": ("organs-overlap", _moved("Kidney_R", (0.0, -60.0, 0))),
    "organ outside the body": ("outside-body", _moved("Kidney_L", (70.0, 0, 0))),
    "couch in body": ("body-couch-overlap", _body_with_couch),
    "sides swapped": ("sides-swapped", _swapped),
    "GTV outside CTV": ("target-outside-target", _moved("GTV", (12.0, 0, 0))),
    "CTV outside PTV": ("target-outside-target", _moved("CTV", (0, 14.0, 0))),
    "risk volume alone": ("prv-without-organ", _without("SpinalCord", "SpinalCord_PRV05")),
    "organ outside its risk volume": ("organ-outside-prv", _moved("SpinalCord", (9.0, 0, 0))),
    "too large": ("implausible-volume", _scaled("Kidney_L", 4.5)),
    "two of one name": ("name-repeated", _renamed("Stomach", "Liver")),
    "name that nobody knows": ("name-unknown", _renamed("Stomach", "xq17 foo")),
    "one outline under two names": ("contours-copied", _copied),
}
