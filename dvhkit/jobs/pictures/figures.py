"""Figures of plans, from case to matplotlib figure: what a paper or a slide shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import InputError
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.pictures.scene import extremes, gather_scene
from dvhkit.model.case import Case
from dvhkit.outputs.figures.dvh import dvh_figure
from dvhkit.outputs.figures.margin import margin_figure
from dvhkit.outputs.figures.slice import slice_figure
from dvhkit.outputs.text import clean
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from dvhkit.model.dose import Dose
    from dvhkit.model.grid import Grid
    from dvhkit.results.audit import Curve

_LONGEST_LABEL = 40


def plot_dvh(
    cases: Case | Sequence[Case], *, rois: Sequence[str] = (), absolute: bool = False, engine: str | None = None
) -> Figure:
    """Return the DVHs of one case, or of two plans in one picture, with their bands.

    Parameters
    ----------
    cases
        One case, or two plans of one patient.
    rois
        Structures by name, number or expression; all that are drawn where empty.
    absolute
        Volumes in cc rather than in percent.
    """
    plans = []
    for case in [cases] if isinstance(cases, Case) else cases:
        numbers = CaseNumbers(case, engine=engine)
        plans.append((clean(case.label, longest=_LONGEST_LABEL), _curves(numbers, rois)))
    return dvh_figure(plans, absolute=absolute)


def _curves(numbers: CaseNumbers, rois: Sequence[str]) -> list[Curve]:
    if numbers.case.dose is None:
        raise InputError("there is no dose.", remedy="A DVH needs an RTDOSE: name it with --rtdose.")
    drawn = [RoiRef(s.number, s.name) for s in numbers.case.structures if not s.is_empty]
    regions = [numbers.region(roi) for roi in rois] if rois else drawn
    numbers.prepare(regions)
    return [numbers.curve(region) for region in regions]


def plot_slice(case: Case, *, rois: Sequence[str] = (), z_mm: float | None = None) -> Figure:
    """Return one plane of the image with dose and contours.

    Parameters
    ----------
    rois
        Structures to draw; the plane is through the hottest place of the first, else of the dose.
    z_mm
        Rather, the plane nearest to this height in patient coordinates.
    """
    scene = gather_scene(case)
    plane = _plane(case, scene.grid, rois, z_mm)
    names = tuple(case.structures[roi].name for roi in rois)
    title = f"{clean(case.label, longest=_LONGEST_LABEL)}, {_where(scene.grid, plane)}"
    return slice_figure(scene, plane, _dose_on_plane(case.dose, scene.grid, plane), names=names, title=title)


def plot_dose_difference(case_a: Case, case_b: Case, *, rois: Sequence[str] = (), z_mm: float | None = None) -> Figure:
    """Return one plane of A's image with the dose of `case_b` less that of `case_a`, and A's contours.

    Raises
    ------
    InputError
        If a dose is missing, or the two share no frame of reference.
    """
    dose_a, dose_b = case_a.dose, case_b.dose
    if dose_a is None or dose_b is None:
        raise InputError("there is no dose.", remedy="A difference needs an RTDOSE of each plan.")
    frames = dose_a.frame_of_reference_uid, dose_b.frame_of_reference_uid
    if all(frames) and frames[0] != frames[1]:
        raise InputError("the doses are in different frames of reference: they cannot be subtracted place by place.")
    scene = gather_scene(case_a)
    plane = _plane(case_a, scene.grid, rois, z_mm)
    on_plane = [_dose_on_plane(dose, scene.grid, plane) for dose in (dose_a, dose_b)]
    assert on_plane[0] is not None
    assert on_plane[1] is not None
    names = tuple(case_a.structures[roi].name for roi in rois)
    labels = [clean(case.label, longest=_LONGEST_LABEL) for case in (case_a, case_b)]
    title = f"B: {labels[1]} less A: {labels[0]}, {_where(scene.grid, plane)}"
    return slice_figure(scene, plane, on_plane[1] - on_plane[0], names=names, title=title, is_difference=True)


def _plane(case: Case, grid: Grid, rois: Sequence[str], z_mm: float | None) -> int:
    """Return the plane at a height, else through the hottest place of the first structure, else through the hottest."""
    point = _middle(grid)
    if z_mm is not None:
        point[2] = z_mm
    elif rois:
        structure = case.structures[rois[0]]
        if case.dose is not None:
            point = extremes(structure, case.dose)[0][0]
        elif structure.closed_contours:
            point = structure.closed_contours[len(structure.closed_contours) // 2].points_mm.mean(axis=0)
    elif case.dose is not None:
        own = case.dose.grid
        k, j, i = np.unravel_index(int(case.dose.values_gy.argmax()), case.dose.values_gy.shape)
        along = np.array([i * own.spacing_mm[0], j * own.spacing_mm[1], own.offsets_mm[k]])
        point = own.origin_mm + along @ own.axes
    return int(np.abs(grid.offsets_mm - grid.to_grid_mm(point[None])[0, 2]).argmin())


def _where(grid: Grid, plane: int) -> str:
    at = grid.origin_mm + grid.offsets_mm[plane] * grid.axes[2]
    return f"slice {plane + 1} of {len(grid.offsets_mm)}, z {at[2]:.1f} mm"


def _middle(grid: Grid) -> np.ndarray:
    half = np.array([grid.n_columns * grid.spacing_mm[0], grid.n_rows * grid.spacing_mm[1]]) / 2
    along = np.array([half[0], half[1], grid.offsets_mm[len(grid.offsets_mm) // 2]])
    return np.asarray(grid.origin_mm + along @ grid.axes)


def _dose_on_plane(dose: Dose | None, grid: Grid, plane: int) -> np.ndarray | None:
    from dvhkit.engine.dose_sum import dose_at

    if dose is None:
        return None
    j, i = np.indices((grid.n_rows, grid.n_columns))
    along = np.stack(
        [i * grid.spacing_mm[0], j * grid.spacing_mm[1], np.full(i.shape, grid.offsets_mm[plane])], axis=-1
    )
    points = grid.origin_mm + along.reshape(-1, 3) @ grid.axes
    return np.asarray(dose_at(dose, points).reshape(i.shape))


def plot_margin(case: Case, *, inner: str, outer: str, expect: str) -> Figure:
    """Return the map of the margin that was drawn from `inner` to `outer`, held against `expect`, such as ``5mm``."""
    numbers = CaseNumbers(case)
    regions = numbers.region(inner), numbers.region(outer)
    if not isinstance(regions[0], RoiRef) or not isinstance(regions[1], RoiRef):
        raise InputError("a margin is between two drawn structures.", remedy="Name them as they are in the file.")
    fact = numbers.margin(regions[0], regions[1], expect)
    maps = numbers.margin_maps()
    if not maps:
        raise InputError(f"there is no margin to draw: {fact.reason}")
    return margin_figure(replace(maps[0], title=clean(maps[0].title, longest=80)))
