"""A vertebra made of simple solids, each point of which belongs to a known compartment, in any pose and size.

The local frame has its origin in the middle of the canal; u points to the patient's left, v backwards, w upwards.
Untilted it is the patient's own frame (LPS). It is a drawing, not an atlas: sizes are round numbers of an adult spine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, Structure
from dvhkit.phantoms.isoline import trace_rings
from dvhkit.phantoms.shapes import Ring, ring_area_mm2, ring_contours
from dvhkit.targets.vertebra.labels.names import structure_name
from dvhkit.targets.vertebra.rules import Compartment

# Number of each compartment in label arrays; 0 is none.
PART_NUMBER = {part: n for n, part in enumerate(Compartment, start=1)}
CANAL_NUMBER = len(PART_NUMBER) + 1

# No part of a vertebra of scale 1 lies further from the canal.
_REACH_MM = 62.0
_TRACE_STEP_MM = 1.0
_LEAST_AREA_MM2 = 0.5

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class VertebraShape:
    """Sizes in mm of an untilted vertebra at scale 1; points are (u, v, w), given for the left side.

    Attributes
    ----------
    canal_uv
        Semi-axes of the canal, an elliptic tube along w.
    body_uv, body_half_height, body_power, waist_frac
        Semi-axes, half height and exponent of the body, a superelliptic cylinder that is narrower half way up.
    pedicle_start, pedicle_end, pedicle_uw
        Axis and semi-axes of the pedicle, a tube.
    lamina_start, lamina_half, lamina_w
        Where the lamina begins, half its thickness, and its lower and upper end; it runs to `roof_v` in the midline.
    roof_v
        Where the laminae's middle surfaces meet.
    facets
        Articular processes, which count as lamina: centre and semi-axes of ellipsoids.
    transverse_start, transverse_end, transverse_vw
        Axis and semi-axes, at its root and at its tip, of the transverse process.
    spinous_start_v, spinous_end_v, spinous_half, spinous_w, spinous_droop
        The spinous process: a plate in the midline that sinks by `spinous_droop` mm for each mm backwards.
    foramen_uv, foramen_radii
        In the neck: middle of the hole in the transverse process, and inner and outer radius of the bone round it.
    fork
        In the neck: length of the spinous process's forked end, and how far its tips stand beside the midline.
    """

    canal_uv: tuple[float, float]
    body_uv: tuple[float, float]
    body_half_height: float
    pedicle_start: Point
    pedicle_end: Point
    pedicle_uw: tuple[float, float]
    lamina_start: tuple[float, float]
    lamina_half: float
    lamina_w: tuple[float, float]
    roof_v: float
    facets: tuple[tuple[Point, Point], ...]
    transverse_start: Point
    transverse_end: Point
    transverse_vw: tuple[tuple[float, float], tuple[float, float]]
    spinous_start_v: float
    spinous_end_v: float
    spinous_half: float
    spinous_w: tuple[float, float]
    spinous_droop: float = 0.0
    body_power: float = 2.6
    waist_frac: float = 0.08
    foramen_uv: tuple[float, float] = (0.0, 0.0)
    foramen_radii: tuple[float, float] = (0.0, 0.0)
    fork: tuple[float, float] = (0.0, 0.0)


LUMBAR = VertebraShape(
    canal_uv=(11.5, 8.5),
    body_uv=(24.0, 17.0),
    body_half_height=13.5,
    pedicle_start=(15.5, -12.0, 4.0),
    pedicle_end=(16.0, 3.0, 4.0),
    pedicle_uw=(4.5, 7.5),
    lamina_start=(14.0, 5.0),
    lamina_half=3.5,
    lamina_w=(-12.0, 7.0),
    roof_v=12.0,
    facets=(((17.5, 6.0, 9.0), (5.0, 5.0, 8.0)), ((14.0, 10.0, -13.0), (5.5, 4.5, 10.0))),
    transverse_start=(16.0, 2.0, 3.0),
    transverse_end=(44.0, 7.0, 5.0),
    transverse_vw=((5.0, 6.5), (3.5, 5.0)),
    spinous_start_v=12.0,
    spinous_end_v=43.0,
    spinous_half=3.5,
    spinous_w=(-13.0, 5.0),
    spinous_droop=0.15,
)

THORACIC = VertebraShape(
    canal_uv=(8.5, 8.0),
    body_uv=(16.0, 14.0),
    body_half_height=10.5,
    pedicle_start=(11.5, -11.0, 3.5),
    pedicle_end=(12.0, 2.5, 3.5),
    pedicle_uw=(3.2, 6.5),
    lamina_start=(11.0, 4.5),
    lamina_half=3.2,
    lamina_w=(-12.0, 6.0),
    roof_v=11.0,
    facets=(((12.0, 5.5, 8.0), (4.0, 3.5, 5.5)), ((10.0, 9.0, -11.0), (4.5, 3.0, 6.0))),
    transverse_start=(12.5, 4.5, 2.0),
    transverse_end=(31.0, 19.0, 6.0),
    transverse_vw=((4.5, 5.5), (4.5, 5.5)),
    spinous_start_v=11.0,
    spinous_end_v=42.0,
    spinous_half=3.0,
    spinous_w=(-10.0, 3.0),
    spinous_droop=0.6,
)

# The middle of the neck: holes for the vertebral arteries, pillars of joints, a forked spinous process.
CERVICAL = VertebraShape(
    canal_uv=(12.0, 7.5),
    body_uv=(9.5, 8.0),
    body_half_height=6.5,
    pedicle_start=(9.5, -9.5, 0.5),
    pedicle_end=(16.0, -1.0, 0.5),
    pedicle_uw=(2.8, 3.8),
    lamina_start=(15.0, 2.0),
    lamina_half=2.3,
    lamina_w=(-6.5, 5.0),
    roof_v=9.8,
    facets=(((18.0, 3.0, 0.0), (5.5, 4.8, 9.0)),),
    transverse_start=(18.0, -5.5, 0.0),
    transverse_end=(27.0, -6.5, -1.5),
    transverse_vw=((2.4, 3.0), (2.2, 2.6)),
    spinous_start_v=9.8,
    spinous_end_v=30.0,
    spinous_half=2.8,
    spinous_w=(-6.5, 2.5),
    spinous_droop=0.25,
    foramen_uv=(17.0, -9.0),
    foramen_radii=(2.8, 5.0),
    fork=(8.0, 4.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VertebraPhantom:
    """A vertebra in a pose.

    Attributes
    ----------
    centre_mm
        Middle of the canal, in patient coordinates (LPS).
    tilt_deg
        Turns about the patient's left, posterior and upward axes, done in this order.
    """

    shape: VertebraShape = field(default=LUMBAR)
    centre_mm: Point = (0.0, 0.0, 0.0)
    tilt_deg: Point = (0.0, 0.0, 0.0)
    scale: float = 1.0

    @property
    def axes(self) -> FloatArray:
        """Rows are the unit vectors of u (left), v (back) and w (up) in patient coordinates."""
        rotation = np.eye(3)
        for axis, angle in enumerate(np.radians(self.tilt_deg)):
            c, s = float(np.cos(angle)), float(np.sin(angle))
            turn = np.eye(3)
            i, j = (axis + 1) % 3, (axis + 2) % 3
            turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
            rotation = turn @ rotation
        return np.asarray(rotation.T)

    def to_local(self, points_mm: FloatArray) -> FloatArray:
        """Return (n, 3) patient points as (u, v, w) at scale 1."""
        offset = np.asarray(points_mm, dtype=np.float64) - np.asarray(self.centre_mm)
        return np.asarray(offset @ self.axes.T / self.scale)

    def to_patient(self, points_uvw: FloatArray | Sequence[float]) -> FloatArray:
        """Return (n, 3) local points in patient coordinates."""
        return np.asarray(np.asarray(points_uvw) * self.scale @ self.axes + np.asarray(self.centre_mm))

    def part_at(self, points_mm: FloatArray) -> np.ndarray:
        """Return the number of the compartment at each of (n, 3) patient points; see PART_NUMBER and CANAL_NUMBER."""
        u, v, w = self.to_local(points_mm).T
        return _part_at(self.shape, u, v, w)

    def labels_on(self, grid: Grid) -> np.ndarray:
        """Return the compartment at each voxel's centre, [k, j, i] of uint8."""
        columns = np.arange(grid.n_columns) * grid.spacing_mm[0]
        rows = np.arange(grid.n_rows) * grid.spacing_mm[1]
        plane = columns[None, :, None] * grid.axes[0] + rows[:, None, None] * grid.axes[1] + grid.origin_mm
        labels = np.empty(grid.shape_zyx, dtype=np.uint8)
        for k, offset in enumerate(grid.offsets_mm):
            points = (plane + offset * grid.axes[2]).reshape(-1, 3)
            labels[k] = self.part_at(points).reshape(labels.shape[1:])
        return labels

    def middle_of(self, part: Compartment) -> Point:
        """Return a point well inside a compartment, in patient coordinates: where a lesion can be put."""
        s = self.shape
        tail = 0.5 * (s.spinous_start_v + s.spinous_end_v)
        root, tip = np.array(s.transverse_start), np.array(s.transverse_end)
        local = {
            "body": (0.0, -(s.canal_uv[1] + s.body_uv[1]), 0.0),
            "pedicle": (s.pedicle_end[0], -0.4 * s.canal_uv[1], s.pedicle_end[2]),
            "transverse": tuple(root + 0.65 * (tip - root)),
            "lamina": (0.5 * s.lamina_start[0], 0.5 * (s.lamina_start[1] + s.roof_v), -2.0),
            "spinous": (0.0, tail, 0.5 * sum(s.spinous_w) - s.spinous_droop * (tail - s.spinous_start_v)),
        }[part.value.split("_")[0]]
        side = -1.0 if part.value.endswith("_R") else 1.0
        x, y, z = self.to_patient([side * local[0], local[1], local[2]]).tolist()
        return (x, y, z)

    def contours(self, numbers: Iterable[int], planes_mm: Iterable[float]) -> tuple[Contour, ...]:
        """Return the outlines in axial planes of the parts with these numbers together, holes nested."""
        wanted = list(numbers)
        reach = _REACH_MM * self.scale
        x_mm, y_mm = (np.arange(c - reach, c + reach, _TRACE_STEP_MM) for c in self.centre_mm[:2])
        found: list[Contour] = []
        for z in planes_mm:

            def side_of(x: FloatArray, y: FloatArray, height: float = float(z)) -> FloatArray:
                x, y = np.broadcast_arrays(x, y)
                points = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, height)])
                return np.where(np.isin(self.part_at(points), wanted), -1.0, 1.0).reshape(x.shape)

            rings = [r for r in trace_rings(side_of, x_mm=x_mm, y_mm=y_mm) if abs(ring_area_mm2(r)) > _LEAST_AREA_MM2]
            found += ring_contours([Ring(points_mm=r, is_hole=ring_area_mm2(r) < 0) for r in rings], float(z))
        return tuple(found)

    def structures(self, planes_mm: Sequence[float], *, level: str = "L03", first_number: int = 1) -> list[Structure]:
        """Return the eight compartments, the whole vertebra (zVert_L03) and the canal as structures."""
        outlined = [(structure_name(part, level), [number]) for part, number in PART_NUMBER.items()]
        outlined += [(f"zVert_{level}", list(PART_NUMBER.values())), ("SpinalCanal", [CANAL_NUMBER])]
        return [
            Structure(number=n, name=name, rt_roi_type="ORGAN", contours=self.contours(numbers, planes_mm))
            for n, (name, numbers) in enumerate(outlined, start=first_number)
        ]


def _part_at(s: VertebraShape, u: FloatArray, v: FloatArray, w: FloatArray) -> np.ndarray:
    """Later solids give way to earlier ones, as a pedicle's root gives way to the body."""
    left, side = u >= 0, np.abs(u)
    solids = (
        (_body(s, u, v, w), Compartment.BODY, Compartment.BODY),
        (_spinous(s, u, v, w), Compartment.SPINOUS, Compartment.SPINOUS),
        (_pedicle(s, side, v, w), Compartment.PEDICLE_L, Compartment.PEDICLE_R),
        (_lamina(s, side, v, w), Compartment.LAMINA_L, Compartment.LAMINA_R),
        (_transverse(s, side, v, w), Compartment.TRANSVERSE_L, Compartment.TRANSVERSE_R),
    )
    labels = np.zeros(u.shape, dtype=np.uint8)
    for inside, on_left, on_right in solids:
        fresh = inside & (labels == 0)
        labels[fresh & left] = PART_NUMBER[on_left]
        labels[fresh & ~left] = PART_NUMBER[on_right]
    if s.foramen_radii[0] > 0:
        labels[np.hypot(side - s.foramen_uv[0], v - s.foramen_uv[1]) < s.foramen_radii[0]] = 0
    labels[_canal(s, u, v, w)] = CANAL_NUMBER
    return labels


def _canal(s: VertebraShape, u: FloatArray, v: FloatArray, w: FloatArray) -> np.ndarray:
    a, b = s.canal_uv
    reach = 2.5 * s.body_half_height
    return np.asarray(((u / a) ** 2 + (v / b) ** 2 < 1) & (np.abs(w) < reach))


def _body(s: VertebraShape, u: FloatArray, v: FloatArray, w: FloatArray) -> np.ndarray:
    a, b = s.body_uv
    middle = -(s.canal_uv[1] + b)
    # The waist keeps the back wall where it is: only sides and front draw in.
    narrow = 1 - s.waist_frac * (1 - (w / s.body_half_height) ** 2).clip(0)
    front = np.where(v < middle, b * narrow, b)
    radius = (np.abs(u) / (a * narrow)) ** s.body_power + (np.abs(v - middle) / front) ** s.body_power
    return np.asarray((radius < 1) & (np.abs(w) < s.body_half_height))


def _tube(
    u: FloatArray, v: FloatArray, w: FloatArray, start: Point, end: Point
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the place along a tube's axis (0 to 1), and the three offsets from the nearest point of it."""
    a, d = np.asarray(start), np.asarray(end) - np.asarray(start)
    t = ((u - a[0]) * d[0] + (v - a[1]) * d[1] + (w - a[2]) * d[2]) / float(d @ d)
    held = t.clip(0, 1)
    return held, u - a[0] - held * d[0], v - a[1] - held * d[1], w - a[2] - held * d[2]


def _pedicle(s: VertebraShape, side: FloatArray, v: FloatArray, w: FloatArray) -> np.ndarray:
    _, du, dv, dw = _tube(side, v, w, s.pedicle_start, s.pedicle_end)
    half_u, half_w = s.pedicle_uw
    return np.asarray((du / half_u) ** 2 + (dw / half_w) ** 2 + (dv / half_u) ** 2 < 1) & (v < s.pedicle_end[1])


def _lamina(s: VertebraShape, side: FloatArray, v: FloatArray, w: FloatArray) -> np.ndarray:
    start, end = (*s.lamina_start, 0.0), (0.0, s.roof_v, 0.0)
    _, du, dv, _ = _tube(side, v, np.zeros_like(w), start, end)
    plate = (np.hypot(du, dv) < s.lamina_half) & (w > s.lamina_w[0]) & (w < s.lamina_w[1])
    for (cu, cv, cw), (au, av, aw) in s.facets:
        plate |= ((side - cu) / au) ** 2 + ((v - cv) / av) ** 2 + ((w - cw) / aw) ** 2 < 1
    return np.asarray(plate)


def _transverse(s: VertebraShape, side: FloatArray, v: FloatArray, w: FloatArray) -> np.ndarray:
    t, du, dv, dw = _tube(side, v, w, s.transverse_start, s.transverse_end)
    (v0, w0), (v1, w1) = s.transverse_vw
    half_v, half_w = v0 + t * (v1 - v0), w0 + t * (w1 - w0)
    across = np.hypot(du, dv) / half_v
    rod = across**2 + (dw / half_w) ** 2 < 1
    height = np.abs(w - s.transverse_start[2]) < s.transverse_vw[0][1]
    ring = height & (np.hypot(side - s.foramen_uv[0], v - s.foramen_uv[1]) < s.foramen_radii[1])
    return np.asarray(rod | ring)


def _spinous(s: VertebraShape, u: FloatArray, v: FloatArray, w: FloatArray) -> np.ndarray:
    sink = s.spinous_droop * (v - s.spinous_start_v)
    along = (v >= s.spinous_start_v) & (v < s.spinous_end_v)
    length, spread = s.fork
    forked = ((v - s.spinous_end_v + length) / length).clip(0) if length > 0 else np.zeros_like(v)
    beside = np.where(forked > 0, np.abs(np.abs(u) - spread * forked), np.abs(u))
    return np.asarray(along & (beside < s.spinous_half) & (w + sink > s.spinous_w[0]) & (w + sink < s.spinous_w[1]))
