"""Solids by their exact signed distance: grown or shrunk by a margin alike on all sides, they are a level of it."""

import numpy as np
from skimage.measure import find_contours

from dvhkit.model.structure import Contour, Structure


def rotated(axis, degrees):
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.cross(np.eye(3), axis)
    turn = np.radians(degrees)
    return np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * cross @ cross


def ball(centre, radius):
    return lambda p: np.linalg.norm(p - np.asarray(centre, float), axis=-1) - radius


def box(centre, size, rotation=None):
    rotation = np.eye(3) if rotation is None else rotation

    def distance(p):
        q = np.abs((p - np.asarray(centre, float)) @ rotation) - np.asarray(size) / 2
        return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(axis=-1), 0)

    return distance


def cylinder(centre, radius, length, rotation=None):
    rotation = np.eye(3) if rotation is None else rotation

    def distance(p):
        q = (p - np.asarray(centre, float)) @ rotation
        d = np.stack([np.hypot(q[..., 0], q[..., 1]) - radius, np.abs(q[..., 2]) - length / 2], axis=-1)
        return np.linalg.norm(np.maximum(d, 0), axis=-1) + np.minimum(d.max(axis=-1), 0)

    return distance


def torus(centre, ring, tube, rotation=None):
    rotation = np.eye(3) if rotation is None else rotation

    def distance(p):
        q = (p - np.asarray(centre, float)) @ rotation
        return np.hypot(np.hypot(q[..., 0], q[..., 1]) - ring, q[..., 2]) - tube

    return distance


def capsule(start, stop, radius):
    a, b = np.asarray(start, float), np.asarray(stop, float)

    def distance(p):
        t = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        return np.linalg.norm(p - a - t[..., None] * (b - a), axis=-1) - radius

    return distance


def united(*parts):
    """Exact outside only: enough for growing."""
    return lambda p: np.min([part(p) for part in parts], axis=0)


def without(outer, inner):
    """Exact where the two faces lie apart."""
    return lambda p: np.maximum(outer(p), -inner(p))


def drawn(distance, heights, *, step_mm=0.15, half_mm=27.0):
    """Return a structure with the level 0 on slices: points linear between nodes that lie 0.15 mm apart."""
    axis = np.arange(-half_mm, half_mm, step_mm) + 0.0137
    y, x = np.meshgrid(axis, axis, indexing="ij")
    contours = []
    for z in heights:
        values = distance(np.stack([x, y, np.full_like(x, z)], axis=-1))
        if values.min() >= 0:
            continue
        for ring in find_contours(values, 0.0):
            points = np.column_stack([axis[0] + step_mm * ring[:-1, ::-1], np.full(len(ring) - 1, z)])
            if len(points) >= 8:
                contours.append(Contour(points_mm=points[::2]))
    return Structure(number=1, name="S", contours=tuple(contours))


def areas(distance, heights, *, step_mm=0.25, half_mm=32.0):
    """Return the area inside the level 0 at each height, smooth over a node's width."""
    axis = np.arange(-half_mm, half_mm, step_mm) + 0.007
    y, x = np.meshgrid(axis, axis, indexing="ij")
    found = []
    for z in heights:
        values = distance(np.stack([x, y, np.full_like(x, z)], axis=-1))
        found.append(float(np.clip(0.5 - values / step_mm, 0, 1).sum()) * step_mm**2)
    return np.array(found)
