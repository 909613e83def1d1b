"""Figures of runs: bands of a cohort, and what changed between two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.archive.cohort import cohort_of, curves_of_case, fold_roi
from dvhkit.archive.diff import diff_runs
from dvhkit.errors import InputError
from dvhkit.outputs.figures.cohort import cohort_figure, diff_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure


def is_run(source: str) -> bool:
    """Return whether an address is that of a run of `dvhkit audit`, with a store."""
    return "://" in source or (Path(source) / "store" / "store.json").exists()


def plot_cohort(run: Path | str, *, rois: Sequence[str] = (), case: str | None = None) -> Figure:
    """Return the DVH bands of a run's structures, one in each panel, with the curves of one case where one is named.

    Raises
    ------
    InputError
        If there is no run, or no structure of enough cases.
    """
    bands = cohort_of(run).bands
    if rois:
        wanted = [fold_roi(roi) for roi in rois]
        bands = tuple(
            sorted((b for b in bands if fold_roi(b.roi) in wanted), key=lambda b: wanted.index(fold_roi(b.roi)))
        )
    if not bands:
        raise InputError("no structure is drawn in five cases or more.", remedy="Bands need that many; see --roi.")
    curves = curves_of_case(run, case) if case else {}
    drawn = {band.roi: curves[fold_roi(band.roi)] for band in bands if fold_roi(band.roi) in curves}
    return cohort_figure(bands, drawn, case=case or "")


def plot_run_diff(run_a: Path | str, run_b: Path | str, *, rois: Sequence[str] = ()) -> Figure:
    """Return each number that differs between two runs, by structure and metric, and the verdicts that changed.

    Raises
    ------
    InputError
        If nothing differs.
    """
    found = diff_runs(run_a, run_b)
    wanted = {fold_roi(roi) for roi in rois}
    changed = [c for c in found.changed if not wanted or fold_roi(c.roi) in wanted]
    if not changed:
        raise InputError(
            f"nothing differs between the two runs in {found.n_compared} cases.", remedy="There is nothing to draw."
        )
    return diff_figure(changed, labels=(Path(str(run_a)).name, Path(str(run_b)).name))
