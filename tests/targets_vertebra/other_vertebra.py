"""A second vertebra, drawn without a glance at the first: swept ellipsoids, cut by planes, origin in the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PARTS = (
    "body",
    "pedicle_L",
    "pedicle_R",
    "transverse_L",
    "transverse_R",
    "lamina_L",
    "lamina_R",
    "spinous",
)


@dataclass(frozen=True, kw_only=True)
class OtherVertebra:
    """Sizes in mm; +x left, +y back, +z up; `axes` are these three as rows in patient coordinates."""

    axes: tuple[tuple[float, float, float], ...] = ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))
    body: tuple[float, float, float] = (22.0, 16.0, 14.0)
    canal: tuple[float, float] = (11.0, 8.0)
    pedicle: tuple[float, float, float] = (4.5, 7.0, 5.0)  # half width, half height, level
    transverse_end: tuple[float, float, float] = (40.0, 34.0, 6.0)
    transverse_radius: float = 5.0
    lamina: tuple[float, float] = (3.2, 9.0)
    spinous_end: tuple[float, float, float] = (0.0, 62.0, -8.0)
    spinous: tuple[float, float] = (3.4, 9.0)
    facet_radius: float = 5.0

    def labels(self, points_mm):
        """Return 1 to 8 in the order of PARTS, 9 for the canal, 0 elsewhere, at (n, 3) patient points."""
        x, y, z = (np.asarray(points_mm) @ np.array(self.axes).T).T
        side = np.abs(x)
        mid_canal = self.body[1] + self.canal[1] - 0.5
        mid_pedicle = self.canal[0] + self.pedicle[0] + 0.5
        pillar = mid_canal + 1.5
        roof = (2.0, mid_canal + self.canal[1] + self.lamina[0], -3.0)
        root = mid_canal + self.canal[1] + 4 / 3 * self.lamina[0]
        in_canal = np.hypot(x / self.canal[0], (y - mid_canal) / self.canal[1]) < 1
        in_canal &= np.abs(z) < 1.3 * self.body[2]
        waist = 1 - 0.08 * np.cos(np.pi * np.clip(z / self.body[2], -1, 1) / 2)
        in_body = np.hypot(x / (self.body[0] * waist), y / (self.body[1] * waist)) < 1
        in_body &= (np.abs(z) < self.body[2]) & ~in_canal
        in_spinous = swept(
            x, y, z, (0, roof[1], -3), self.spinous_end, (self.spinous[0], self.spinous[0], self.spinous[1])
        )
        sweeps = (
            (
                (mid_pedicle - 2, 0.55 * self.body[1], self.pedicle[2]),
                (mid_pedicle, pillar + 2, self.pedicle[2]),
                (self.pedicle[0], self.pedicle[0], self.pedicle[1]),
            ),
            ((mid_pedicle, pillar + 3, 1), roof, (self.lamina[0], self.lamina[0], self.lamina[1])),
            ((mid_pedicle, pillar + 3, 4), self.transverse_end, (self.transverse_radius,) * 3),
            (
                (mid_pedicle, pillar + 3.5, -self.body[2]),
                (mid_pedicle, pillar + 3.5, self.body[2]),
                (0.9 * self.facet_radius, 0.8 * self.facet_radius, 3),
            ),
        )
        arch = in_spinous.copy()
        for sweep in sweeps:
            arch |= swept(side, y, z, *sweep)
        arch &= ~in_canal & ~in_body
        spine = in_spinous & (y > root)
        out = side > mid_pedicle + self.pedicle[0]
        kinds = np.select([spine, y < pillar, out], [8, 2, 4], 6)
        numbers = np.where((x < 0) & (kinds < 8), kinds + 1, kinds)
        return np.select([in_canal, in_body, arch], [9, 1, numbers], 0).astype(np.uint8)


LUMBAR_2 = OtherVertebra()
THORACIC_2 = OtherVertebra(
    body=(16.0, 14.0, 11.0),
    canal=(8.5, 8.0),
    pedicle=(3.0, 5.5, 4.0),
    transverse_end=(30.0, 38.0, 7.0),
    transverse_radius=4.5,
    lamina=(3.0, 9.5),
    spinous_end=(0.0, 60.0, -24.0),
    spinous=(3.0, 6.5),
    facet_radius=4.0,
)


def swept(x, y, z, start, end, radii):
    """Whether points lie in an ellipsoid swept along a line."""
    p = np.array([x, y, z]).T / radii
    a, b = np.array(start) / radii, np.array(end) / radii
    t = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.sum((p - a - t[:, None] * (b - a)) ** 2, axis=1) < 1
