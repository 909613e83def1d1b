"""The planning CT: organs in their CT numbers, smooth texture, no noise."""

from __future__ import annotations

import numpy as np

from demo_liver import anatomy, targets
from demo_liver.fields import Array, ripple, smooth_max
from dvhkit.model.grid import Grid

# 500 mm over 512 pixels, cropped to the trunk.
PIXEL_MM = 500 / 512
N_ROWS, N_COLUMNS = 260, 384
SLICE_MM = 3.0
N_SLICES = 72
FIRST_MM = (-187.01171875, -129.39453125, -112.0)
# Half of the width over which a boundary blurs: the scanner's resolution.
_BLUR_MM = 0.6
# CT numbers come in steps, so that the files pack well.
_STEP_HU = 8


def ct_numbers(grid: Grid) -> Array:
    """Return CT numbers (z, y, x) of the grid, int16."""
    x = (grid.origin_mm[0] + np.arange(grid.n_columns) * grid.spacing_mm[0])[None, :]
    y = (grid.origin_mm[1] + np.arange(grid.n_rows) * grid.spacing_mm[1])[:, None]
    return np.stack([_slice(x, y, float(z)) for z in grid.origin_mm[2] + grid.offsets_mm])


def _slice(x: Array, y: Array, z: float) -> Array:
    """Paint one slice from the outside in."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    z = np.full(shape, z)
    hu = np.full(shape, -1000.0)
    _paint(hu, np.maximum(np.abs(y - 108) - 5.5, np.abs(x) - 178), -880)
    _paint(hu, np.maximum(np.abs(np.abs(y - 108) - 6) - 1.0, np.abs(x) - 178), -350)
    skin = anatomy.body(x, y, z)
    _paint(hu, skin, 10)
    _paint(hu, skin + 2.0, -104 + 6 * ripple(x, y, z, wavelengths_mm=(40, 60), seed=1))
    _paint(hu, skin + 11 + 4 * ripple(x, y, z, wavelengths_mm=(90, 140), seed=3), 52 + _grain(x, y, z, 11))
    cavity = anatomy.cavity(x, y, z)
    _paint(hu, cavity, -98)
    _paint(hu, anatomy.ribs(x, y, z), 420)
    _paint_bowel(hu, x, y, z, cavity)
    for field, value, seed in _ORGANS:
        _paint(hu, field(x, y, z), value + (_grain(x, y, z, seed) if value > -500 else 0))
    _paint_stomach_gas(hu, x, y, z)
    _paint_liver_vessels(hu, x, y, z)
    _paint_tumour(hu, x, y, z)
    _paint_spine(hu, x, y, z)
    return (np.rint(hu / _STEP_HU) * _STEP_HU).astype(np.int16)


_ORGANS = (
    (anatomy.lungs, -830, 0),
    (anatomy.heart, 120, 8),
    (anatomy.spleen, 118, 4),
    (anatomy.kidney_r, 165, 5),
    (anatomy.kidney_l, 165, 6),
    (anatomy.liver, 104, 7),
    (anatomy.cava, 128, 2),
    (anatomy.stomach, 22, 9),
    (anatomy.duodenum, 34, 10),
    (anatomy.aorta, 150, 3),
)


def _paint(hu: Array, field: Array, value: Array | float) -> None:
    """Blend a value into what lies inside a field, its edge blurred."""
    weight = np.clip(0.5 - field / (2 * _BLUR_MM), 0, 1)
    hu += weight * (value - hu)


def _grain(x: Array, y: Array, z: Array, seed: int) -> Array:
    return 7 * ripple(x, y, z, wavelengths_mm=(9, 13, 19), seed=seed)


def _paint_bowel(hu: Array, x: Array, y: Array, z: Array, cavity: Array) -> None:
    """Paint loops of bowel, some with gas in front, low in the abdomen."""
    wave = ripple(x, y, z, wavelengths_mm=(34, 46, 58, 41), seed=12)
    room = smooth_max(np.maximum(cavity + 6, z + 30), y - 34 - 12 * np.cos(x / 19), 8.0)
    _paint(hu, np.maximum(room, (0.06 - wave) * 14), 30)
    _paint(hu, np.maximum(np.maximum(room + 2, y + 48), (0.38 - wave) * 14), -880)


def _paint_stomach_gas(hu: Array, x: Array, y: Array, z: Array) -> None:
    _paint(hu, np.maximum(anatomy.stomach(x, y, z) + 3.5, y + 44), -940)


def _paint_liver_vessels(hu: Array, x: Array, y: Array, z: Array) -> None:
    wave = np.abs(ripple(x, y, z, wavelengths_mm=(48, 62, 77), seed=21))
    other = np.abs(ripple(x, y, z, wavelengths_mm=(52, 69, 83), seed=23))
    _paint(hu, np.maximum(anatomy.liver(x, y, z) + 9, (np.hypot(wave, other) - 0.075) * 26), 140)


def _paint_tumour(hu: Array, x: Array, y: Array, z: Array) -> None:
    """Paint the tumour: dark, darker in its middle."""
    inside = targets.gtv(x, y, z)
    _paint(hu, inside, 62 + 5 * ripple(x, y, z, wavelengths_mm=(8, 12), seed=15))
    _paint(hu, inside + 8, 40)


def _paint_spine(hu: Array, x: Array, y: Array, z: Array) -> None:
    disc = np.maximum(np.hypot(x / 1.22, y - anatomy.SPINE_Y_MM + 2) - 16.5, -(anatomy.canal(x, y, z) - 2.5))
    _paint(hu, disc, 80)
    for bone in (anatomy.vertebral_body(x, y, z), anatomy.vertebral_arch(x, y, z)):
        _paint(hu, bone, 520)
        _paint(hu, bone + 2.2, 190 + 20 * ripple(x, y, z, wavelengths_mm=(7, 11), seed=17))
    _paint(hu, anatomy.canal(x, y, z), 12)
    _paint(hu, anatomy.cord(x, y, z), 38)
