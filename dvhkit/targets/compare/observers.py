"""Measures of agreement of several observers: kappa with its interval, conformity, majority, STAPLE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dvhkit.extras import needs_extra
from dvhkit.model.arrays import FloatArray
from dvhkit.targets.compare.votes import Votes

# STAPLE looks at each voxel by itself: a row of so many, shared out by the volumes of the sets of observers, stands for
# space, and no voxel of an image is cut by a contour.
_VOXELS = 200_000
# 97.5 % points of Student's t for 1 to 30 degrees of freedom.
_T975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Staple:
    """STAPLE's estimate: which sets of observers it takes in, and each observer's rates."""

    taken_in: frozenset[int]
    sensitivity: tuple[float, ...]
    specificity: tuple[float, ...]


def fleiss_kappa(votes: Votes, margin_mm: float) -> float | None:
    """Return Fleiss' kappa of inside and outside in the box around all contours, grown by a margin.

    None where there is one observer, or nothing but agreement by necessity.
    """
    n, counts, volumes = votes.n, votes.counts, votes.volumes_mm3
    if n < 2 or not len(counts):
        return None
    total = max(votes.box_mm3(margin_mm), float(volumes.sum()))
    empty = total - float(volumes.sum())
    inside = float(counts @ volumes) / (n * total)
    chance = inside**2 + (1.0 - inside) ** 2
    agreed = (counts * (counts - 1) + (n - counts) * (n - counts - 1)) / (n * (n - 1))
    observed = (float(agreed @ volumes) + empty) / total
    return None if chance >= 1.0 else (observed - chance) / (1.0 - chance)


def kappa_interval(votes: Votes, margin_mm: float) -> tuple[float, float] | None:
    """Return the 95 % interval of kappa by the jackknife over observers: they are the sample, not the voxels."""
    whole = fleiss_kappa(votes, margin_mm)
    if whole is None or votes.n < 3:
        return None
    left = [fleiss_kappa(votes.without(i), margin_mm) for i in range(votes.n)]
    known = np.array([k for k in left if k is not None])
    if len(known) < votes.n:
        return None
    n = len(known)
    error = np.sqrt((n - 1) / n * ((known - known.mean()) ** 2).sum())
    half = (_T975[n - 2] if n - 1 <= len(_T975) else 1.96) * float(error)
    return max(-1.0, whole - half), min(1.0, whole + half)


def conformity(votes: Votes) -> float:
    """Return the generalised conformity index: the overlaps of all pairs over their unions (Kouwenhoven 2009)."""
    counts, n = votes.counts, votes.n
    both = counts * (counts - 1) / 2.0
    either = both + counts * (n - counts)
    return float(both @ votes.volumes_mm3 / (either @ votes.volumes_mm3))


def pair_dice(votes: Votes) -> FloatArray:
    """Return the Dice coefficients of all pairs, (n, n)."""
    inside = np.array([votes.has(i) for i in range(votes.n)], float)
    shared = (inside * votes.volumes_mm3) @ inside.T
    own = np.diag(shared)
    return np.asarray(2.0 * shared / (own[:, None] + own[None, :]))


def is_majority(pattern: int, n: int) -> bool:
    """Return whether a set holds more than half of the observers."""
    return 2 * pattern.bit_count() > n


def staple(votes: Votes, margin_mm: float) -> Staple:
    """Return what STAPLE estimates in the box around all contours, grown by a margin.

    Raises
    ------
    InputError
        If SimpleITK, which does it, is not installed.
    """
    with needs_extra("masks"):
        import SimpleITK

    total = max(votes.box_mm3(margin_mm), float(votes.volumes_mm3.sum()))
    shares = np.maximum(1, np.rint(votes.volumes_mm3 / total * _VOXELS)).astype(np.int64)
    empty = max(0, _VOXELS - int(shares.sum()))
    row = np.concatenate([np.repeat(votes.patterns, shares), np.zeros(empty, np.int64)])
    images = [SimpleITK.GetImageFromArray(((row >> i) & 1).astype(np.uint8)[None, :]) for i in range(votes.n)]
    estimate: Any = SimpleITK.STAPLEImageFilter()  # type: ignore[no-untyped-call]
    estimate.SetForegroundValue(1.0)
    likely = SimpleITK.GetArrayFromImage(estimate.Execute(images))[0]
    first = np.concatenate([[0], np.cumsum(shares)[:-1]])
    taken_in = frozenset(int(p) for p, at in zip(votes.patterns, first, strict=True) if likely[at] >= 0.5)
    return Staple(
        taken_in=taken_in,
        sensitivity=tuple(float(v) for v in estimate.GetSensitivity()),
        specificity=tuple(float(v) for v in estimate.GetSpecificity()),
    )
