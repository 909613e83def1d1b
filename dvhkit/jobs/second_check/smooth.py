"""Whether a planning system's curve is that of a dose which runs smoothly between its voxels, not along straight lines.

What lies between voxels is in no file. Where a dose bends within a voxel, trilinear reading misses it by an eighth of
its second difference along each axis, which other readings then seem to explain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.finer_dose import finer_dose
from dvhkit.jobs.second_check import readings as words
from dvhkit.jobs.second_check.compared import SAMPLING_PCT, Compared, first_look
from dvhkit.jobs.second_check.readings import REACH_MM, VOXELS_MOST, Readings
from dvhkit.metrics.curve_distance import curve_of

if TYPE_CHECKING:
    from dvhkit.jobs.numbers import CaseNumbers

# Rounding may leave a trifle outside the grid.
_UNCOVERED_FRAC = 1e-4


def smooth_twin(row: Compared, numbers: CaseNumbers) -> Compared | None:
    """Return the comparison anew in a dose that runs smoothly; None where nothing is left, or the dose hardly bends."""
    case, structure = numbers.case, row.readings.structure
    if case.dose is None or row.ours.uncovered_frac > _UNCOVERED_FRAC or not _asks(row):
        return None
    finer = finer_dose(case.dose, structure, reach_mm=REACH_MM, voxels_most=VOXELS_MOST)
    if finer is None:
        return None
    ours = compute_dvh(
        structure,
        finer,
        options=numbers.options,
        slice_spacing_mm=case.slice_spacing_mm,
        image=case.image.grid if case.image is not None else None,
    )
    target = row.target
    own = curve_of(row.ours)
    as_theirs = replace(
        target, fine_share=own(target.fine_gy) / row.ours.volume_cc, whole_cc=row.ours.volume_cc, own_cc=None
    )
    if as_theirs.residual(curve_of(ours), fine=True) <= SAMPLING_PCT:
        return None
    readings = Readings(case, structure, ours, finer=finer)
    base, found = first_look(target, ours)
    return replace(row, readings=readings, base_pct=base, stated_pct=row.base_pct, found=[found], solids=[], knots=None)


def clearer(row: Compared, twin: Compared) -> Compared:
    """Return which of two comparisons theirs was made like, with what the other explains as well as a rival to it.

    The smooth one where it leaves less than half, or needs no free number where the other does.
    """
    chosen, other = (twin, row) if _is_clearer(row, twin) else (row, twin)
    best = other.best
    if best.names and other.is_fit(best):
        names = (*best.names, words.SMOOTH_DOSE) if other is twin else best.names
        chosen.rivals = (replace(best, names=names),)
    return chosen


def _is_clearer(row: Compared, twin: Compared) -> bool:
    plain = not twin.best.free and twin.is_fit(twin.best)
    # What is free fits some of the noise.
    if plain and row.best.free and twin.best.left_pct <= row.best.left_pct + 2.0 * row.resolution_pct:
        return True
    # First without edits, which have freedom enough to stand for how the dose runs.
    for edits in (False, True):
        left, smooth = (_left_pct(one, edits=edits) for one in (row, twin))
        if smooth < left / 2 or smooth < left - row.resolution_pct:
            return True
    return False


def _asks(row: Compared) -> bool:
    """Whether more is left than two readings must differ by, of more than what a reading fits by chance."""
    return bool(row.solids) and row.base_pct > 2.0 * row.resolution_pct and row.best.left_pct > row.resolution_pct


def _left_pct(row: Compared, *, edits: bool) -> float:
    """Return the least that any reading leaves, our curve with another volume among them; with or without edits."""
    return min(row.alone_pct, *(way.left_pct for way in row.found if edits or words.EDITED not in way.names))
