"""What failed answers have in common: a scale, a shift, structures that changed places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dvhkit.jobs.commission.measured import Answer
from dvhkit.model.arrays import FloatArray

# A common factor is told from single errors if most answers share it: by the median, and how few stray from it.
_LEAST_SCALE_FRAC = 1e-3
_LEAST_SHIFT_GY = 0.02
_STRAY_FRAC = 0.2
# Another structure's truth explains an answer if it fits ten times better than its own, and within half a percent.
_SWAP_FRAC = 0.005


def diagnose(answers: Sequence[Answer], gradients: Mapping[str, tuple[FloatArray, FloatArray]]) -> tuple[str, ...]:
    """Return in words what the errors have in common; empty where they have nothing in common, or there are none.

    Parameters
    ----------
    gradients
        By phantom with a linear dose: the gradient in Gy/mm and the voxel of its dose grid in mm, as vectors (x, y, z).
    """
    swapped = _swapped(answers)
    if swapped:
        # Values of other structures are neither scaled nor shifted.
        return tuple(swapped)
    return tuple(
        filter(None, (_volume_scale(answers), _dose_scale(answers, gradients), _dose_shift(answers, gradients)))
    )


def _of(answers: Sequence[Answer], metric: str) -> list[Answer]:
    return [a for a in answers if a.truth.metric == metric and a.value is not None and a.truth.value > 0]


def _common_factor(ratios: FloatArray) -> float | None:
    """Return the factor that most ratios share; None where there is none, or it is 1."""
    if ratios.size < 3:
        return None
    factor = float(np.median(ratios))
    off = abs(factor - 1.0)
    stray = float(np.median(np.abs(ratios - factor)))
    return factor if off > _LEAST_SCALE_FRAC and stray < _STRAY_FRAC * off else None


def _volume_scale(answers: Sequence[Answer]) -> str:
    volumes = [a for a in _of(answers, "Volume[cc]") if a.truth.reading == "stack"] or _of(answers, "Volume[cc]")
    factor = _common_factor(np.array([(a.value or 0.0) / a.truth.value for a in volumes]))
    if factor is None:
        return ""
    return f"All volumes are wrong by the same factor: {factor:.4f} ({100 * (factor - 1):+.2f} %)."


def _fits(answers: Sequence[Answer], gradients: Mapping[str, object]) -> dict[str, tuple[float, float]]:
    """Return, by phantom, the straight line ``error = shift + scale x dose`` through the errors of its doses."""
    lines = {}
    for name in gradients:
        of_one = [
            a
            for a in answers
            if a.phantom == name and a.value is not None and a.truth.unit == "Gy" and a.truth.reading != "grid"
        ]
        if len(of_one) < 3:
            continue
        true = np.array([a.truth.value for a in of_one])
        errors = np.array([(a.value or 0.0) - a.truth.value for a in of_one])
        scale = float(np.median([(errors[i] - errors[j]) / (true[i] - true[j]) for i, j in _apart(true)] or [0.0]))
        lines[name] = (float(np.median(errors - scale * true)), scale)
    return lines


def _apart(values: FloatArray) -> list[tuple[int, int]]:
    """Return pairs far enough apart to tell a slope: each value with the one half a sorted list further."""
    order = np.argsort(values)
    half = len(order) // 2
    pairs = [(int(order[n]), int(order[n + half])) for n in range(len(order) - half)]
    return [(i, j) for i, j in pairs if values[j] - values[i] > 1.0]


def _dose_scale(answers: Sequence[Answer], gradients: Mapping[str, object]) -> str:
    scales = np.array([scale for _, scale in _fits(answers, gradients).values()])
    factor = _common_factor(1.0 + scales)
    return "" if factor is None else f"All doses are wrong by the same factor: {factor:.4f}."


def _dose_shift(answers: Sequence[Answer], gradients: Mapping[str, tuple[FloatArray, FloatArray]]) -> str:
    lines = {name: line for name, line in _fits(answers, gradients).items() if abs(line[1]) < _LEAST_SCALE_FRAC}
    if len(lines) < 3 or max(abs(shift) for shift, _ in lines.values()) < _LEAST_SHIFT_GY:
        return ""
    # A dose moved by u voxels along the axes changes by minus the gradient along that way.
    matrix = np.array([-gradients[name][0] * gradients[name][1] for name in lines])
    if abs(float(np.linalg.det(matrix[:3]))) < 1e-6:
        return ""
    voxels = np.linalg.lstsq(matrix, np.array([shift for shift, _ in lines.values()]), rcond=None)[0]
    parts = [f"{n:+.2f} voxels along {axis}" for n, axis in zip(voxels, "xyz", strict=True) if abs(n) > 0.02]
    if not parts:
        return ""
    half = all(abs(abs(n) - 0.5) < 0.05 or abs(n) < 0.05 for n in voxels)
    return f"The dose lies beside its place by {', '.join(parts)}" + (": half a voxel." if half else ".")


def _swapped(answers: Sequence[Answer]) -> list[str]:
    """Return which structures bear the values of another one."""
    found: dict[str, None] = {}
    for phantom, engine in dict.fromkeys((a.phantom, a.engine) for a in answers):
        of_one = [a for a in answers if (a.phantom, a.engine) == (phantom, engine) and a.value is not None]
        truths: dict[str, dict[tuple[str, str], float]] = {}
        for a in of_one:
            truths.setdefault(a.truth.roi, {})[a.truth.reading, a.truth.metric] = a.truth.value
        for roi, own_truths in truths.items():
            values = {(a.truth.reading, a.truth.metric): a.value or 0.0 for a in of_one if a.truth.roi == roi}
            own = _apart_frac(values, own_truths)
            others = {other: _apart_frac(values, true) for other, true in truths.items() if other != roi}
            if not others or own < _SWAP_FRAC * 4:
                continue
            best = min(others, key=lambda other: others[other])
            if others[best] < min(_SWAP_FRAC, own / 10):
                found[f"Structures swapped (ROI order): the values of {roi} are those of {best} ({phantom})."] = None
    return list(found)


def _apart_frac(values: Mapping[tuple[str, str], float], truths: Mapping[tuple[str, str], float]) -> float:
    """Return the greatest relative difference of what both have: structures of one volume differ in their doses."""
    usual = ("Volume[cc]", "Mean[Gy]", "D95%[Gy]", "D50%[Gy]", "D5%[Gy]")
    shared = [key for key in values if key in truths and key[1] in usual and truths[key] > 0]
    return max((abs(values[key] / truths[key] - 1.0) for key in shared), default=math.inf)
