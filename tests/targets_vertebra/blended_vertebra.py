"""Vertebrae of seven levels made of blended solids, and crude ones of boxes, rings and tubes.

Drawn without a glance at the shipped phantom or at how masks are cut. Sizes follow published morphometry of the spine,
rounded (Panjabi et al. 1991 and 1992, Spine 16:888 and 17:299). Which part a point belongs to is told in three ways,
since anatomy draws no planes: by the solid that it lies deepest in, by the solid that comes first, or by planes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BODY, PL, PR, TL, TR, LL, LR, SP, CANAL = range(1, 10)
RULES = ("deepest", "first", "planes")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """In mm and degrees; the origin is the middle of the canal, +u left, +v back, +w up."""

    body: tuple[float, float, float]  # width, depth, height
    canal: tuple[float, float]  # width, depth
    triangular: bool = True
    pedicle: tuple[float, float]  # width, height
    converging: float = 10.0
    lamina_thick: float = 6.5
    lamina_span: tuple[float, float] = (-13.0, 6.0)
    lamina_lean: float = 0.0
    tip: tuple[float, float, float]
    root: tuple[float, float, float] = (16.0, 3.0, 4.0)
    process: tuple[float, float] = (8.0, 11.0)  # thickness, height
    taper: float = 0.7
    spinous_end: float = 42.0
    spinous_drop: float = 6.0
    spinous: tuple[float, float] = (7.0, 18.0)  # width, height
    facets: tuple = ()


L5 = Sizes(
    body=(50, 35, 24),
    canal=(27, 17),
    pedicle=(16, 17),
    converging=22,
    tip=(45, 4, 4),
    root=(20, -1, 4),
    process=(10, 14),
    spinous_end=36,
    spinous=(7, 14),
    spinous_drop=5,
    lamina_span=(-11, 5),
    facets=(((20, 6, 10), (6, 5, 8)), ((20, 10, -13), (6, 4, 8))),
)
L3 = Sizes(
    body=(44, 34, 26),
    canal=(24, 17),
    pedicle=(9, 15),
    tip=(42, 8, 4),
    facets=(((16.5, 6, 11), (5, 5, 9)), ((13, 11, -15), (5, 4, 9))),
)
L1 = Sizes(
    body=(40, 30, 24),
    canal=(22, 17),
    triangular=False,
    pedicle=(7.5, 15),
    tip=(34, 10, 4),
    process=(6.5, 9),
    facets=(((15, 7, 11), (4.5, 4.5, 8)), ((12, 11, -15), (4.5, 4, 8))),
)
T8 = Sizes(
    body=(29, 27, 19),
    canal=(17, 16),
    triangular=False,
    pedicle=(5.5, 12),
    converging=3,
    lamina_thick=6,
    lamina_span=(-13, 7),
    lamina_lean=0.15,
    tip=(31, 19, 5),
    root=(12, 6, 3),
    process=(9, 10),
    taper=1.1,
    spinous_end=40,
    spinous_drop=24,
    spinous=(6, 12),
    facets=(((11, 6, 9), (5, 3, 5)), ((10, 10, -11), (5, 3, 6))),
)
T4 = Sizes(
    body=(25, 22, 17),
    canal=(17, 16),
    triangular=False,
    pedicle=(5, 11),
    converging=8,
    lamina_thick=5.5,
    lamina_span=(-11, 6),
    lamina_lean=0.15,
    tip=(30, 18, 5),
    root=(12, 6, 3),
    process=(8, 9),
    taper=1.1,
    spinous_end=42,
    spinous_drop=22,
    spinous=(5.5, 11),
    facets=(((11, 6, 8), (5, 3, 4)), ((10, 10, -9), (5, 3, 5))),
)
T1 = Sizes(
    body=(27, 18, 15),
    canal=(21.5, 16),
    pedicle=(8, 9.5),
    converging=28,
    lamina_thick=5.5,
    lamina_span=(-9, 6),
    lamina_lean=0.1,
    tip=(37, 14, 4),
    root=(16, 5, 3),
    process=(8, 9),
    taper=1.0,
    spinous_end=46,
    spinous_drop=8,
    spinous=(5.5, 11),
    facets=(((15, 6, 7), (5, 4, 4)), ((13, 9, -7), (5, 3, 5))),
)
LEVELS = {"L5": L5, "L3": L3, "L1": L1, "T8": T8, "T4": T4, "T1": T1}


def blended(s: Sizes, u, v, w, rule="deepest"):
    """Return 1 to 8 for the parts, 9 for the canal and 0 elsewhere, at points in the vertebra's own axes."""
    side, cd = np.abs(u), s.canal[1] / 2
    canal = _canal(s, u, v)
    wall = s.canal[0] * 0.475 + s.pedicle[0] * 0.475 + np.tan(np.radians(s.converging)) * (cd - 1)
    solids = [_body(s, u, v, w), *_arch(s, u, v, w, wall)]
    whole = solids[0]
    for one in solids[1:]:
        # A smooth minimum: joints are filleted over about a millimetre.
        h = np.clip(0.5 + 0.5 * (one - whole), 0, 1)
        whole = one + (whole - one) * h - h * (1 - h)
    kind = _kind(s, rule, solids, side, v, wall)
    left = u >= 0
    numbers = np.choose(
        kind, [BODY, np.where(left, PL, PR), np.where(left, TL, TR), np.where(left, LL, LR), np.full(u.shape, SP)]
    )
    out = np.where((whole < 0) & (canal > 0), numbers, 0)
    return np.where((canal <= 0) & (np.abs(w) < 0.75 * s.body[2]), CANAL, out).astype(np.uint8)


def _kind(s, rule, solids, side, v, wall):
    body, pedicle, process, lamina, spinous = solids
    in_body = (body < 0.3) & (v < -s.canal[1] / 2 + 0.3)
    nearest = np.argmin(solids, axis=0)
    if rule == "deepest":
        return np.where(in_body, 0, nearest)
    if rule == "first":
        return np.select(
            [in_body, spinous < 0.3, (pedicle < 0.3) & (v < 3), lamina < 0.3, process < 0.3], [0, 4, 1, 3, 2], nearest
        )
    outer = wall + s.pedicle[0] / 2 + 0.5
    behind = (v > s.canal[1] / 2 + 0.65 * s.lamina_thick) & (side < 0.75 * s.spinous[0])
    return np.select([in_body, behind, (v < 1.5) & (side <= outer), side > outer], [0, 4, 1, 2], 3)


def _body(s, u, v, w):
    a, b, h = (x / 2 for x in s.body)
    cd = s.canal[1] / 2
    round_ = ((np.abs(u) / a) ** 2.3 + (np.abs(v + cd + b) / b) ** 2.3) ** (1 / 2.3) - 1
    rim = 1.2 * (1 - np.clip(np.abs(w) / h, 0, 1.2) ** 2)
    return np.maximum.reduce([round_ * min(a, b) + rim, np.abs(w) - h, v + cd + np.clip(1 - (2 * u / a) ** 2, 0, 1)])


def _canal(s, u, v):
    a, b = s.canal[0] / 2, s.canal[1] / 2
    if not s.triangular:
        return (np.hypot(u / a, v / b) - 1) * min(a, b)
    slope = a / (1.9 * b) * 1.25
    beside = (np.abs(u) + (v + 0.1 * b) * slope - 1.02 * a) / np.hypot(1, slope)
    hollow = np.clip(1 - (4 * u / s.body[0]) ** 2, 0, 1)
    return np.maximum.reduce([-(v + b + hollow), v - b, beside, np.abs(u) - a])


def _arch(s, u, v, w, wall):
    side, cd = np.abs(u), s.canal[1] / 2
    lean = np.tan(np.radians(s.converging))
    at = (wall - lean * (cd + 5), -cd - 4), (wall + 2 * lean, 3.0)
    half = min(s.pedicle) / 2
    pedicle = np.maximum(_plate(_off(side, v, *at), w - 4, half, s.pedicle[1] / 2, 0.9 * half), v - 3)
    low, high = s.lamina_span
    middle, thick = (low + high) / 2, s.lamina_thick / 2
    back = v + s.lamina_lean * (w - middle)
    lamina = _plate(_off(side, back, (wall + 0.3, 3), (0, cd + thick)), w - middle, thick, (high - low) / 2, 1.5)
    for (a, b, c), (ra, rb, rc) in s.facets:
        round_ = np.sqrt(((side - a) / ra) ** 2 + ((v - b) / rb) ** 2 + ((w - c) / rc) ** 2) - 1
        lamina = np.minimum(lamina, round_ * min(ra, rb, rc))
    process = _rod((side, v, w), (max(s.root[0], wall), *s.root[1:]), s.tip, s.process, s.taper)
    begin = cd + 0.4 * s.lamina_thick
    along = np.clip((v - begin) / (s.spinous_end - begin), 0, 1)
    plate = _plate(u, w + 3 + s.spinous_drop * along, s.spinous[0] / 2, s.spinous[1] / 2 * (1 - 0.25 * along), 1.5)
    spinous = np.maximum.reduce([plate, begin - v, v - s.spinous_end])
    return pedicle, process, lamina, spinous


def _off(u, v, start, end):
    """Return how far points of a plane lie off a line between two of them."""
    a, d = np.asarray(start, float), np.subtract(end, start, dtype=float)
    t = np.clip(((u - a[0]) * d[0] + (v - a[1]) * d[1]) / (d @ d), 0, 1)
    return np.hypot(u - a[0] - t * d[0], v - a[1] - t * d[1])


def _plate(x, y, half_x, half_y, corner):
    """Return the distance to a rectangle with round corners."""
    qx, qy = np.abs(x) - half_x + corner, np.abs(y) - half_y + corner
    return np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0) - corner


def _rod(at, start, end, size, taper):
    """Return about the distance to a rod of elliptic section that tapers to its end."""
    scale = np.array([size[0], size[0], size[1]]) / 2
    p, a, d = [x / k for x, k in zip(at, scale, strict=True)], start / scale, np.subtract(end, start) / scale
    t = np.clip(sum((p[n] - a[n]) * d[n] for n in range(3)) / (d @ d), 0, 1)
    return (np.sqrt(sum((p[n] - a[n] - t * d[n]) ** 2 for n in range(3))) - 1 - (taper - 1) * t) * min(size) / 2


@dataclass(frozen=True, kw_only=True)
class Crude:
    """In mm: half sizes, but for thicknesses and the reach of processes."""

    body: tuple[float, float, float] = (22.0, 16.0, 13.0)
    canal: tuple[float, float] = (11.0, 9.0)
    pedicle: tuple[float, float, float] = (8.0, 7.0, 3.0)  # thickness, half height, level
    process: tuple[float, float, float, float] = (42.0, 4.0, 5.0, 0.0)  # reach, half thickness and height, sweep back
    lamina: tuple[float, float] = (6.0, 9.0)  # thickness, half height
    spinous: tuple[float, float, float, float] = (3.5, 30.0, 8.0, 0.2)  # half width, length, half height, drop


LARGE = Crude()
SMALL = Crude(
    body=(12.0, 9.5, 8.0),
    canal=(9.0, 8.0),
    pedicle=(5.0, 4.5, 2.0),
    process=(27.0, 4.0, 4.0, 0.6),
    lamina=(5.0, 7.0),
    spinous=(2.8, 32.0, 5.0, 0.4),
)


def crude(s: Crude, u, v, w, rule="boxes"):
    """Return the same numbers for a vertebra of a child's bricks: ``boxes``, a ``ring`` with rods, or ``tubes``."""
    side, left, (cu, cv) = np.abs(u), u >= 0, s.canal
    thick, high, level = s.pedicle
    reach, half, tall, sweep = s.process
    lamina, tail, roof = s.lamina, s.spinous, cv + s.lamina[0]
    wide = cu + thick / 2
    at = (side, v, w)
    body = ((u / s.body[0]) ** 2 + ((v + cv + s.body[1] - 1) / s.body[1]) ** 2 < 1) & (np.abs(w) < s.body[2])
    upright = (side < tail[0]) & (np.abs(w + 2 + tail[3] * (v - cv)) < tail[2]) & (v < roof + tail[1])
    if rule == "boxes":
        off = _off(side, v, (wide, 3.0), (0.0, cv + lamina[0] / 2))
        parts = (
            (SP, SP, upright & (v > roof - 1)),
            (PL, PR, (np.abs(side - wide) < thick / 2) & (v > -cv - 6) & (v < 2) & (np.abs(w - level) < high)),
            (LL, LR, (off < lamina[0] / 2) & (np.abs(w + 2) < lamina[1])),
            (TL, TR, (side > wide) & (side < reach) & (np.abs(v - 2.5 - sweep * (side - wide)) < half)
             & (np.abs(w - 3) < tall)),
        )  # fmt: skip
    elif rule == "ring":
        ring = (u / (cu + lamina[0])) ** 2 + (v / roof) ** 2 < 1
        behind = np.degrees(np.arctan2(v, side)) > 20
        outer = cu + lamina[0]
        parts = (
            (SP, SP, upright & (v > roof - 1.5)),
            (LL, LR, ring & behind & (np.abs(w + 1) < lamina[1])),
            (PL, PR, ring & ~behind & (np.abs(w - level) < high)),
            (TL, TR, (side > outer - 2) & (side < reach) & (np.abs(v - 4 - sweep * (side - outer)) < half)
             & (np.abs(w - 3) < tall)),
        )  # fmt: skip
    else:
        pedicle = _rod(at, (wide - 1, -cv - 6, level), (wide, 1, level), (thick, 2 * high), 1.0) < 0
        arm = _rod(at, (wide, 3, -2), (1, cv + lamina[0] / 2, -2), (lamina[0], 2 * lamina[1]), 1.0) < 0
        rod = _rod(at, (wide, 3, 3), (reach, 3 + sweep * (reach - wide), 3), (2 * half, 2 * tall), 1.0) < 0
        end = (0, roof + tail[1], -2 - tail[3] * tail[1])
        spine = _rod((u, v, w), (0, roof, -2), end, (2 * tail[0], 2 * tail[2]), 1.0) < 0
        parts = (
            (SP, SP, spine & (v > cv + 0.8 * lamina[0])),
            (PL, PR, pedicle & (v < 1)),
            (LL, LR, arm),
            (TL, TR, rod),
            (PL, PR, pedicle),
        )
    canal = (u / cu) ** 2 + (v / cv) ** 2 < 1
    out = np.where(body & ~canal, BODY, 0)
    for one, other, where in parts:
        out = np.where(where & (out == 0) & ~canal, np.where(left, one, other), out)
    return np.where(canal & (np.abs(w) < 1.4 * s.body[2]), CANAL, out).astype(np.uint8)
