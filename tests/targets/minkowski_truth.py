"""The slow, obvious twin: surfaces as dense points, and the gauge of a point as the least over all of them."""

import numpy as np


def sphere_points(radius_mm, count=40_000):
    """Fibonacci lattice: neighbours about ``3.5 r / sqrt(count)`` apart."""
    i = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * i / count), np.pi * (1 + 5**0.5) * i
    unit = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], axis=1)
    return radius_mm * unit


def box_points(size_mm, step_mm=0.25):
    axes = [np.linspace(-s / 2, s / 2, int(np.ceil(s / step_mm)) + 1) for s in size_mm]
    faces = []
    for axis in range(3):
        a, b = (axes[o] for o in range(3) if o != axis)
        grid = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
        for side in (-1, 1):
            faces.append(np.insert(grid, axis, side * size_mm[axis] / 2, axis=1))
    return np.concatenate(faces)


def cylinder_points(radius_mm, length_mm, step_mm=0.25):
    turn = np.arange(0, 2 * np.pi, step_mm / radius_mm)
    height = np.linspace(-length_mm / 2, length_mm / 2, int(np.ceil(length_mm / step_mm)) + 1)
    t, z = (a.ravel() for a in np.meshgrid(turn, height))
    mantle = np.stack([radius_mm * np.cos(t), radius_mm * np.sin(t), z], axis=1)
    disc = np.stack(np.meshgrid(*[np.arange(-radius_mm, radius_mm, step_mm)] * 2), axis=-1).reshape(-1, 2)
    disc = disc[np.hypot(*disc.T) <= radius_mm]
    caps = [np.column_stack([disc, np.full(len(disc), side * length_mm / 2)]) for side in (-1, 1)]
    return np.concatenate([mantle, *caps])


def gauge(differences, margins):
    """Gauge of (..., 3) differences; `margins` as (L, R, P, A, S, I): towards growing and falling x, y, z."""
    total = np.zeros(differences.shape[:-1])
    for axis in range(3):
        d = differences[..., axis]
        total += (d / np.where(d > 0, margins[2 * axis], margins[2 * axis + 1])) ** 2
    return np.sqrt(total)


def errors_mm(points, surface, margins):
    """How far each point lies outside the Minkowski sum, along the line from the surface point nearest to it."""
    errors = np.empty(len(points))
    for start in range(0, len(points), 100):
        differences = points[start : start + 100, None] - surface[None]
        values = gauge(differences, margins)
        nearest = values.argmin(axis=1)
        rows = np.arange(len(nearest))
        length = np.linalg.norm(differences[rows, nearest], axis=1)
        errors[start : start + 100] = length * (1 - 1 / values[rows, nearest])
    return errors


def all_points(structure):
    return np.concatenate([c.points_mm for c in structure.contours])
