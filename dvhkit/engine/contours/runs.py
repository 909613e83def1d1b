"""Runs: stretches of planes without a missing slice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.planes import PlaneStack
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid

# A gap this much wider than the usual one is a slice that was not drawn.
_GAP_RATIO = 1.5
# So many equal gaps in a row are another slice distance; gaps are equal to this share of them.
_PERSISTS = 2
_SAME_GAP_FRAC = 0.02
# Wider gaps lie between parts of a structure, however alike they are.
_WIDEST_RATIO = 4.0
# Image planes face the way of the contours within 2.5 degrees.
_PARALLEL_COS = 0.999


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """Stretches of planes without a missing slice.

    Attributes
    ----------
    bounds
        First plane and one past the last plane of each stretch.
    end_gap_mm
        Local slice distance at the lower and upper end of each stretch.
    """

    bounds: tuple[tuple[int, int], ...]
    end_gap_mm: tuple[tuple[float, float], ...]
    findings: tuple[Finding, ...] = ()


def find_runs(
    stack: PlaneStack, *, slice_spacing_mm: float | None, fallback_mm: float | None, image: Grid | None = None
) -> Runs | None:
    """Split a stack where a slice is missing; None for a lone plane whose slice distance nobody knows.

    A gap wider than usual is a slice that was not drawn, unless `image` has none there either, or, without an image,
    the distance stays the same over several slices.
    """
    gaps = np.diff(stack.offsets_mm)
    if gaps.size == 0:
        return _lone(stack, slice_spacing_mm, fallback_mm)
    usual = float(np.median(gaps))
    wide = gaps > _GAP_RATIO * usual + 1e-6
    if wide.any():
        between = _image_planes_between(stack, image)
        wide &= (_is_alone(gaps) | (gaps > _WIDEST_RATIO * usual)) if between is None else between
    splits = np.flatnonzero(wide)
    edges = [0, *(int(s) + 1 for s in splits), stack.n_planes]
    bounds = tuple(itertools.pairwise(edges))
    ends = tuple((float(gaps[lo]), float(gaps[hi - 2])) if hi - lo > 1 else (usual, usual) for lo, hi in bounds)
    findings = (_missing(stack.name, gaps[splits], usual),) if splits.size else ()
    return Runs(bounds=bounds, end_gap_mm=ends, findings=findings)


def _image_planes_between(stack: PlaneStack, image: Grid | None) -> NDArray[np.bool_] | None:
    """Return for each gap whether the image has a plane in it; None if its planes do not face the contours' way."""
    if image is None or len(image.offsets_mm) < 2 or abs(float(image.axes[2] @ stack.frame.axes[2])) < _PARALLEL_COS:
        return None
    middles = image.origin_mm + image.offsets_mm[:, None] * image.axes[2]
    at = np.sort(stack.frame.to_frame(middles)[:, 2])
    inner = 0.2 * np.diff(stack.offsets_mm)
    return np.asarray(
        np.searchsorted(at, stack.offsets_mm[1:] - inner) > np.searchsorted(at, stack.offsets_mm[:-1] + inner)
    )


def _is_alone(gaps: FloatArray) -> NDArray[np.bool_]:
    """Return for each gap whether it is one of fewer than `_PERSISTS` equal ones in a row."""
    new = np.append(True, np.abs(np.diff(gaps)) > _SAME_GAP_FRAC * gaps[:-1])
    group = np.cumsum(new) - 1
    return np.asarray(np.bincount(group)[group] < _PERSISTS)


def _lone(stack: PlaneStack, slice_spacing_mm: float | None, fallback_mm: float | None) -> Runs | None:
    thickness = slice_spacing_mm or fallback_mm
    if not thickness:
        return None
    origin = "the image's slice distance" if slice_spacing_mm else "the dose grid's plane distance"
    finding = Finding(
        level=Level.WARNING,
        code="single-slice",
        message=f"Drawn on one slice only; {origin} of {thickness:g} mm was taken as its thickness.",
        where=stack.name,
    )
    return Runs(bounds=((0, 1),), end_gap_mm=((thickness, thickness),), findings=(finding,))


def _missing(name: str, gaps_mm: FloatArray, usual_mm: float) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="slice-missing",
        message=f"Slices are missing in {len(gaps_mm)} places (gaps up to {gaps_mm.max():.4g} mm where "
        f"{usual_mm:.4g} mm is usual); the structure was split there, not bridged. "
        "Interpolate the contours if it is one piece.",
        where=name,
    )
