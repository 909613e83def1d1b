"""Runs: stretches of planes without a missing slice."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.contours.heights import Along, along
from dvhkit.engine.contours.planes import PlaneStack, usual_gap_mm
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.slices import slices_of_image

# A gap this much wider than the usual one is a slice that was not drawn.
_GAP_RATIO = 1.5
# So many equal gaps in a row are another slice distance; gaps are equal to this share of them.
_PERSISTS = 2
_SAME_GAP_FRAC = 0.02
# Wider gaps lie between parts of a structure, however alike they are.
_WIDEST_RATIO = 4.0
# A structure drawn on every n-th slice keeps its own distance on so many of its gaps.
_KEEPS_FRAC = 0.75
# Planes nearer than this share of a distance to whole ones lie on a lattice.
_OFF_LATTICE_FRAC = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """Stretches of planes without a missing slice.

    Attributes
    ----------
    bounds
        First plane and one past the last plane of each stretch.
    end_gap_mm
        Local slice distance at the lower and upper end of each stretch.
    other
        The other reading, where a structure is drawn on every n-th slice: each plane for its slice alone.
    """

    bounds: tuple[tuple[int, int], ...]
    end_gap_mm: tuple[tuple[float, float], ...]
    findings: tuple[Finding, ...] = ()
    other: Runs | None = None


def find_runs(
    stack: PlaneStack, *, slice_spacing_mm: float | None, fallback_mm: float | None, image: Grid | None = None
) -> Runs | None:
    """Split a stack where a slice is missing; None for a lone plane whose slice distance nobody knows.

    Which slices there are, `image` tells, or else what the stack knows of its image or structure set. A gap wider
    than the slice distance is a slice that was not drawn where one is known to be there; without an image also where
    the distance is not the same over several slices. A structure that keeps a distance of n slices throughout was
    meant to be interpolated, and says so.
    """
    slices = along(slices_of_image(image), stack.frame) if image is not None else None
    if slices is None or (stack.slices is not None and stack.slices.is_image):
        slices = stack.slices
    gaps = np.diff(stack.offsets_mm)
    if gaps.size == 0:
        return _lone(stack, slices, slice_spacing_mm, fallback_mm)
    usual = usual_gap_mm(stack)
    own = np.full(gaps.size, usual) if slices is None else _local(stack, slices)
    missing = _missing_in(stack, gaps, usual, own, slices)
    if slices is None or not missing.any() or not _keeps(gaps, usual, own, slices):
        return _split(stack, gaps, missing, slices, usual)
    # It keeps a distance of its own, which counts.
    wide = gaps > _GAP_RATIO * usual + 1e-6
    found = _split(stack, gaps, wide & missing, slices, usual)
    if usual <= _GAP_RATIO * float(np.median(own)):
        return found
    # Drawn on every n-th slice: the other reading is told.
    other = _split(stack, gaps, missing, slices, usual)
    told = _sparse(stack, usual, float(np.median(own)))
    return replace(found, findings=(*found.findings, told), other=other)


def _local(stack: PlaneStack, slices: Along) -> FloatArray:
    """Return the slice distance that there is at each gap: the lesser of those at its two planes."""
    at = np.array([slices.gap_at(w) for w in stack.offsets_mm])
    return np.asarray(np.minimum(at[:-1], at[1:]), np.float64)


def _missing_in(
    stack: PlaneStack, gaps: FloatArray, usual: float, own: FloatArray, slices: Along | None
) -> NDArray[np.bool_]:
    if slices is None:
        wide = gaps > _GAP_RATIO * usual + 1e-6
        return np.asarray(wide & (_is_alone(gaps) | (gaps > _WIDEST_RATIO * usual)))
    wide = gaps > _GAP_RATIO * own + 1e-6
    between = slices.between(stack.offsets_mm[:-1], stack.offsets_mm[1:]) > 0
    if slices.is_image:
        return np.asarray(wide & between)
    least = np.minimum(own, usual)
    return np.asarray(wide & (between | _is_alone(gaps) | (gaps > _WIDEST_RATIO * least)))


def _keeps(gaps: FloatArray, usual: float, own: FloatArray, slices: Along) -> bool:
    """Whether a structure keeps a slice distance of its own, at most four times that of the slices that there are.

    Planes that lie anyhow, as of a set drawn on several images, tell of no distance that it could skip.
    """
    if gaps.size < _PERSISTS or (_is_even(slices) and not np.all(usual <= (_WIDEST_RATIO + 0.1) * own)):
        return False
    alike = np.abs(gaps - usual) <= 0.1 * own
    return bool(alike.sum() >= max(_PERSISTS, _KEEPS_FRAC * gaps.size))


def _is_even(slices: Along) -> bool:
    """Whether slices lie whole distances from each other, as those of one image do; an image's always count."""
    steps = np.diff(slices.at_mm) / float(np.median(slices.gap_mm))
    return slices.is_image or bool(np.mean(np.abs(steps - np.rint(steps)) <= _OFF_LATTICE_FRAC) >= _KEEPS_FRAC)


def _split(stack: PlaneStack, gaps: FloatArray, missing: NDArray[np.bool_], slices: Along | None, usual: float) -> Runs:
    splits = np.flatnonzero(missing)
    edges = [0, *(int(s) + 1 for s in splits), stack.n_planes]
    bounds = tuple(itertools.pairwise(edges))

    def at(plane: int) -> float:
        return slices.gap_at(float(stack.offsets_mm[plane])) if slices is not None else usual

    ends = tuple((float(gaps[lo]), float(gaps[hi - 2])) if hi - lo > 1 else (at(lo), at(lo)) for lo, hi in bounds)
    expected = min((at(int(s)) for s in splits), default=usual)
    lacking = np.array([s for s in splits if not is_parted(stack, int(s))], np.int64)
    findings = (_missing(stack, gaps[lacking], expected),) if lacking.size else ()
    return Runs(bounds=bounds, end_gap_mm=ends, findings=findings)


def is_parted(stack: PlaneStack, plane: int) -> bool:
    """Whether a computed structure is parted by intent between a plane and the next one."""
    low, high = stack.offsets_mm[plane], stack.offsets_mm[plane + 1]
    return any(low < w < high for w in stack.parted_w)


def _is_alone(gaps: FloatArray) -> NDArray[np.bool_]:
    """Return for each gap whether it is one of fewer than `_PERSISTS` equal ones in a row."""
    new = np.append(True, np.abs(np.diff(gaps)) > _SAME_GAP_FRAC * gaps[:-1])
    group = np.cumsum(new) - 1
    return np.asarray(np.bincount(group)[group] < _PERSISTS)


def _lone(
    stack: PlaneStack, slices: Along | None, slice_spacing_mm: float | None, fallback_mm: float | None
) -> Runs | None:
    thickness, origin = fallback_mm, "the dose grid's plane distance"
    if slice_spacing_mm:
        thickness, origin = slice_spacing_mm, "the image's slice distance"
    if slices is not None:
        thickness = slices.gap_at(float(stack.offsets_mm[0]))
        origin = "the image's slice distance" if slices.is_image else "the slice distance of the structure set"
    if not thickness:
        return None
    finding = Finding(
        level=Level.WARNING,
        code="single-slice",
        message=f"{_subject(stack)}rawn on one slice only; {origin} of {thickness:g} mm was taken as its thickness.",
        where=stack.name,
    )
    return Runs(bounds=((0, 1),), end_gap_mm=((thickness, thickness),), findings=(finding,))


def _subject(stack: PlaneStack) -> str:
    return f"{stack.island[:1].upper()}{stack.island[1:]} is d" if stack.island else "D"


def _sparse(stack: PlaneStack, own_mm: float, slices_mm: float) -> Finding:
    return Finding(
        level=Level.INFO,
        code="slices-skipped",
        message=f"{_subject(stack)}rawn every {own_mm:.4g} mm where slices are {slices_mm:.4g} mm apart; it was "
        "interpolated between. The bands reach to the reading that each contour stands for its own slice alone.",
        where=stack.name,
    )


def _missing(stack: PlaneStack, gaps_mm: FloatArray, usual_mm: float) -> Finding:
    place = f" of {stack.island}" if stack.island else ""
    counted = "one place" if len(gaps_mm) == 1 else f"{len(gaps_mm)} places"
    return Finding(
        level=Level.WARNING,
        code="slice-missing",
        message=f"Slices{place} are missing in {counted} (gaps up to {gaps_mm.max():.4g} mm where "
        f"{usual_mm:.4g} mm is usual); the structure was split there, not bridged. "
        "Interpolate the contours if it is one piece.",
        where=stack.name,
    )
