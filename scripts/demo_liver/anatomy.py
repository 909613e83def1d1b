"""The organs: each an implicit function, shaped and placed as in an adult's upper abdomen."""

from __future__ import annotations

from functools import reduce

import numpy as np

from demo_liver.fields import Array, ellipsoid, ripple, smooth_max, smooth_min, tube

# The spine's middle, back of the trunk.
SPINE_Y_MM = 42.0
# Vertebrae repeat along the spine; the one that is contoured spans this range.
VERTEBRA_PITCH_MM = 33.0
DISC_MM = 6.0
T12_BOTTOM_MM = -38.0


def body(x: Array, y: Array, z: Array) -> Array:
    """Return the trunk: a flattened oval, narrower at the waist, its back flat on the couch."""
    half_width = 166 - 9 * ((z + 30) / 100) ** 2 + 3 * np.sin(z / 40)
    half_depth = 108 + 3 * np.cos(z / 55)
    oval = ((np.abs(x) / half_width) ** 2.4 + (np.abs(y) / half_depth) ** 2.4) ** (1 / 2.4)
    return smooth_max((oval - 1) * 108, y - 98, 14.0)


def cavity(x: Array, y: Array, z: Array) -> Array:
    """Return the space inside ribs and muscles."""
    wall = 24 + 7 * ripple(x, y, z, wavelengths_mm=(160, 230), seed=5)
    spine = np.hypot(x, (y - SPINE_Y_MM - 18) * 0.9) - 38
    return smooth_max(body(x, y, z) + wall, -spine, 12.0)


def diaphragm(x: Array, y: Array, z: Array) -> Array:
    """Return the height above the two domes: positive in the lungs."""
    right = 62 * np.exp(-(((x + 78) / 62) ** 2) - ((y - 2) / 85) ** 2)
    left = 50 * np.exp(-(((x - 80) / 55) ** 2) - ((y - 5) / 85) ** 2)
    return (z - 5 - np.maximum(right, left)) * 0.75


def lungs(x: Array, y: Array, z: Array) -> Array:
    """Return what of the cavity lies above the diaphragm, less the heart's bed."""
    heart = ellipsoid((18, -30, 98), (62, 52, 40))(x, y, z)
    mediastinum = ellipsoid((4, 4, 80), (32, 95, 160))(x, y, z)
    shape = smooth_max(cavity(x, y, z) - 4, 1 - diaphragm(x, y, z), 3.0)
    return smooth_max(shape, -smooth_min(heart, mediastinum, 10.0), 4.0)


def heart(x: Array, y: Array, z: Array) -> Array:
    """Return the lower part of the heart, above the scan's middle."""
    return smooth_max(ellipsoid((18, -30, 98), (56, 46, 36))(x, y, z), 6 - diaphragm(x, y, z), 6.0)


def liver(x: Array, y: Array, z: Array) -> Array:
    """Return the liver: right lobe under the dome, left lobe across the midline, hollowed from below."""
    right = ellipsoid((-72, 0, -12), (73, 80, 84), tilt_deg=-8, power=2.3)(x, y, z)
    left = ellipsoid((2, -46, 6), (78, 36, 36), turn_deg=-12)(x, y, z)
    lobes = smooth_min(right, left, 22.0)
    hollow = ellipsoid((12, 34, -52), (66, 72, 66))(x, y, z)
    fundus = ellipsoid((78, -14, 22), (50, 48, 46))(x, y, z)
    # Behind the kidney the liver opens towards the spine, or its upper pole would sit in a cave.
    fossa = smooth_min(kidney_r(x, y, z), ellipsoid((-38, 68, -46), (38, 36, 56))(x, y, z), 12.0)
    bed = np.minimum(fossa, np.minimum(stomach(x, y, z), duodenum(x, y, z))) - 4
    shape = smooth_max(smooth_max(lobes, -hollow, 16.0), -fundus, 12.0)
    shape = smooth_max(smooth_max(shape, diaphragm(x, y, z) + 1.5, 6.0), cavity(x, y, z) + 3, 9.0)
    shape = smooth_max(shape, -bed, 5.0)
    return shape + 1.6 * ripple(x, y, z, wavelengths_mm=(70, 95, 130), seed=2)


def kidney_r(x: Array, y: Array, z: Array) -> Array:
    """Return the right kidney, dented at its hilum."""
    bean = ellipsoid((-60, 50, -62), (27, 24, 53), turn_deg=35, tilt_deg=12)(x, y, z)
    return smooth_max(bean, -ellipsoid((-32, 34, -64), (14, 12, 17))(x, y, z), 8.0)


def kidney_l(x: Array, y: Array, z: Array) -> Array:
    """Return the left kidney, a little higher."""
    bean = ellipsoid((64, 52, -50), (26, 24, 55), turn_deg=-35, tilt_deg=12)(x, y, z)
    return smooth_max(bean, -ellipsoid((36, 36, -52), (14, 12, 17))(x, y, z), 8.0)


def spleen(x: Array, y: Array, z: Array) -> Array:
    """Return the spleen, behind the stomach and under the left dome."""
    shape = smooth_max(ellipsoid((104, 26, 8), (36, 48, 46), turn_deg=25)(x, y, z), diaphragm(x, y, z) + 3, 8.0)
    hilum = ellipsoid((68, 12, 8), (30, 36, 44))(x, y, z)
    shape = smooth_max(smooth_max(shape, -hilum, 10.0), cavity(x, y, z) + 4, 8.0)
    return smooth_max(shape, 3 - np.minimum(stomach(x, y, z), kidney_l(x, y, z)), 4.0)


_STOMACH = tube([(66, 2, 42), (74, -22, 12), (52, -46, -22), (14, -52, -40), (-18, -40, -38)], [26, 31, 24, 17, 11])
_DUODENUM = tube(
    [(-20, -38, -38), (-38, -22, -38), (-42, -2, -54), (-36, -6, -80), (-14, -18, -92), (16, -18, -86)],
    [11, 13, 13, 12.5, 12, 11],
)
_AORTA = tube([(15, 10, 140), (14, 10, 0), (8, 9, -140)], [11.5, 10.5, 9])
_CAVA = tube([(-20, -10, 60), (-21, -4, 20), (-18, 6, -40), (-15, 9, -140)], [13, 12, 11, 10])


def stomach(x: Array, y: Array, z: Array) -> Array:
    """Return the stomach from fundus to pylorus."""
    return smooth_max(_STOMACH(x, y, z), diaphragm(x, y, z) + 4, 6.0)


def duodenum(x: Array, y: Array, z: Array) -> Array:
    """Return the duodenal C around the pancreatic head, apart from the stomach."""
    return smooth_max(_DUODENUM(x, y, z), 0.8 - _STOMACH(x, y, z), 2.0)


def aorta(x: Array, y: Array, z: Array) -> Array:
    """Return the descending aorta."""
    return _AORTA(x, y, z)


def cava(x: Array, y: Array, z: Array) -> Array:
    """Return the inferior vena cava."""
    return smooth_max(_CAVA(x, y, z), diaphragm(x, y, z) - 2, 3.0)


def canal(x: Array, y: Array, z: Array) -> Array:
    """Return the spinal canal."""
    return np.hypot(x / 11.0, (y - SPINE_Y_MM - 27) / 9.0) * 10 - 10 + 0 * z


def cord(x: Array, y: Array, z: Array) -> Array:
    """Return the spinal cord inside the canal."""
    return np.hypot(x / 6.2, (y - SPINE_Y_MM - 27) / 5.0) * 5.5 - 5.5 + 0 * z


def vertebral_body(x: Array, y: Array, z: Array) -> Array:
    """Return all vertebral bodies: waisted cylinders, concave behind, between discs."""
    along = np.mod(z - T12_BOTTOM_MM, VERTEBRA_PITCH_MM) - (VERTEBRA_PITCH_MM - DISC_MM) / 2
    waist = 1.8 * np.cos(np.pi * along / (VERTEBRA_PITCH_MM - DISC_MM))
    disc = np.hypot(x / 1.22, y - SPINE_Y_MM + 2) - 17.5 + waist
    level = np.abs(along) - (VERTEBRA_PITCH_MM - DISC_MM) / 2
    return smooth_max(smooth_max(disc, -(canal(x, y, z) - 2.5), 3.0), level, 2.0)


def vertebra_t12(x: Array, y: Array, z: Array) -> Array:
    """Return the one vertebral body that is contoured."""
    middle = T12_BOTTOM_MM + (VERTEBRA_PITCH_MM - DISC_MM) / 2
    return np.maximum(vertebral_body(x, y, z), np.abs(z - middle) - VERTEBRA_PITCH_MM / 2)


def vertebral_arch(x: Array, y: Array, z: Array) -> Array:
    """Return pedicles, laminae, transverse and spinous processes, for the image."""
    along = np.mod(z - T12_BOTTOM_MM, VERTEBRA_PITCH_MM) - 15
    ring = np.maximum(
        np.abs(canal(x, y, z) - 3.5) - 3.2, np.abs(along) - 11 + 0.25 * np.maximum(y - SPINE_Y_MM - 27, 0)
    )
    side = np.abs(x)
    wings = np.hypot((y - SPINE_Y_MM - 22 - 0.25 * side) / 1.0, along - 4) - 5.5 + 0.3 * np.maximum(side - 25, 0)
    wings = np.maximum(wings, np.maximum(10 - side, side - 34))
    spine = np.maximum(np.hypot(side, 0.3 * (along + 2)) - 3.2, np.abs(y - SPINE_Y_MM - 38) - 12)
    return reduce(np.minimum, (ring, wings, spine))


def ribs(x: Array, y: Array, z: Array) -> Array:
    """Return ribs: tubes that run round the chest wall and fall towards the front."""
    depth = body(x, y, z) + 17
    fall = 0.3 * np.abs(x) - 0.35 * y
    along = np.mod(z + fall + 6, 27.0) - 13.5
    tubes = np.hypot(depth / 4.6, along / 6.2) * 4.6 - 4.6
    front = -y - 55 + 0.35 * (z - 40)  # cartilage and below: no bone
    return reduce(np.maximum, (tubes, front, 0.9 * np.maximum(-z - 15 - fall, 0) - 25))
