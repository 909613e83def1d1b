"""What a report shows of the patient, gathered from a case and its record: pixels, dose, contours, decisive places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from dvhkit.errors import DvhkitError, GeometryError, InputError
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.results.audit import Verdict
from dvhkit.results.scene import Scene, Spot, deciding_end

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dvhkit.model.case import Case
    from dvhkit.model.dose import Dose
    from dvhkit.model.image import ImageSeries
    from dvhkit.model.structure import Structure
    from dvhkit.results.audit import AuditRecord, RuleResult

# Percent of the prescription, as planning systems draw them; without one, percent of the greatest dose.
_LEVELS_PCT = (110.0, 107.0, 105.0, 100.0, 95.0, 90.0, 80.0, 70.0, 50.0, 30.0, 10.0)
_UNMET = (Verdict.FAIL, Verdict.VARIATION, Verdict.INDETERMINATE)
# Half a voxel of a structure's own grid, where nothing says how far apart its planes are.
_DEFAULT_STEP_MM = 2.0
_MOST_MADE_PLANES = 4096
# How reasons tell a place: `dvhkit.targets.achieved.statements`.
_TOLD_PLACE = re.compile(r"\bx (-?\d+(?:\.\d+)?), y (-?\d+(?:\.\d+)?), z (-?\d+(?:\.\d+)?)")


def gather_scene(case: Case, record: AuditRecord | None = None, *, engine: str | None = None) -> Scene:
    """Return what a page shows of `case`.

    Pixels are read here. What cannot be had is a remark in the scene, never an error: a report without a picture is
    still a report.

    Parameters
    ----------
    record
        The case's record; for each rule in it that is not met, the place that decides it is looked for.
    """
    remarks: list[str] = []
    numbers = CaseNumbers(case, engine=engine)
    structures = {structure.name: structure for structure in case.structures if structure.contours}
    drawn = [structure for structure in case.structures if structure.contours]
    image, values = _image(case, remarks)
    dose = _dose(case, drawn, remarks)
    spots: list[Spot] = []
    if record is not None:
        spots, derived = _spots(record, numbers, dose, known=structures, remarks=remarks)
        drawn += derived
    prescribed = max((p.dose_gy for p in case.prescriptions), default=None)
    return Scene(
        grid=_grid(image, dose, drawn),
        values=values,
        modality=image.modality if image is not None else "",
        value_unit="HU" if image is not None and image.modality == "CT" else "",
        dose=dose,
        structures=tuple(drawn),
        spots=tuple(spots),
        levels_gy=_levels(prescribed, dose),
        prescription_gy=prescribed,
        remarks=tuple(remarks),
    )


def read_again(paths: Sequence[Path]) -> Case:
    """Return the one case under `paths`; raises a `DvhkitError` where there is not one, or it cannot be read."""
    from dvhkit.jobs.read import read_case

    if len(paths) != 1:
        raise InputError("several folders are named.")
    return read_case(paths[0])


def _image(case: Case, remarks: list[str]) -> tuple[ImageSeries | None, NDArray[Any] | None]:
    image = case.image
    if image is None:
        remarks.append("No image belongs to the structures: contours and dose are drawn without one.")
        return None, None
    frame, own = image.frame_of_reference_uid, case.structures.frame_of_reference_uid
    if frame and own and frame != own:
        remarks.append("The image is in another frame of reference than the structures and is not drawn under them.")
        return None, None
    from dvhkit.readers.hounsfield import read_hu

    try:
        return image, read_hu(image)
    except DvhkitError as error:
        remarks.append(f"The image's pixels cannot be shown: {error}")
        return image, None


def _dose(case: Case, drawn: list[Structure], remarks: list[str]) -> Dose | None:
    dose = case.dose
    if dose is None:
        remarks.append("No dose belongs to the structures.")
        return None
    frames = {s.frame_of_reference_uid for s in drawn if s.frame_of_reference_uid}
    vouched = any(f.code == "frame-of-reference-vouched" for f in case.findings)
    if dose.frame_of_reference_uid and frames and dose.frame_of_reference_uid not in frames and not vouched:
        remarks.append("Dose and structures name different frames of reference; they are drawn as the case joins them.")
    return dose


def _grid(image: ImageSeries | None, dose: Dose | None, drawn: list[Structure]) -> Grid:
    if image is not None:
        return image.grid
    return dose.grid if dose is not None else _made_grid(drawn)


def _made_grid(drawn: list[Structure]) -> Grid:
    """Return a grid around the contours, along the patient's axes: there is neither image nor dose."""
    points = [c.points_mm for s in drawn for c in s.contours if len(c.points_mm)]
    cloud = np.concatenate(points) if points else np.zeros((1, 3))
    low, high = cloud.min(axis=0) - 10.0, cloud.max(axis=0) + 10.0
    heights = np.unique(np.round(cloud[:, 2], 2))
    step = float(np.median(np.diff(heights))) if len(heights) > 1 else _DEFAULT_STEP_MM
    count = int(min(_MOST_MADE_PLANES, max(1, np.ceil((high[2] - low[2]) / step))))
    origin = np.array([low[0], low[1], heights[0] - step * np.floor((heights[0] - low[2]) / step)])
    size = np.ceil((high - low)[:2]).astype(int) + 1
    return Grid(
        origin_mm=origin,
        axes=np.eye(3),
        spacing_mm=np.ones(2),
        offsets_mm=np.arange(count, dtype=np.float64) * step,
        n_rows=int(size[1]),
        n_columns=int(size[0]),
    )


def _levels(prescribed_gy: float | None, dose: Dose | None) -> tuple[float, ...]:
    if dose is None:
        return ()
    top_gy = float(dose.values_gy.max(initial=0.0))
    whole = prescribed_gy or top_gy
    levels = [pct / 100 * whole for pct in _LEVELS_PCT]
    return tuple(level for level in levels if 0 < level < top_gy)


def _spots(
    record: AuditRecord, numbers: CaseNumbers, dose: Dose | None, *, known: dict[str, Structure], remarks: list[str]
) -> tuple[list[Spot], list[Structure]]:
    """Return the decisive places of the rules that are not met, and the regions among them that nobody drew."""
    finder = _Places(numbers, dose, known)
    spots: list[Spot] = []
    for index, rule in enumerate(record.rules):
        if rule.verdict not in _UNMET or rule.value is None:
            continue
        try:
            found = finder.of(rule)
        except DvhkitError as error:
            remarks.append(f"{rule.roi}: no picture of rule {rule.rule_id}: {error.message}")
            continue
        if found is not None:
            kind, point = found
            at = (float(point[0]), float(point[1]), float(point[2]))
            spot = Spot(
                rule=index, roi=rule.roi, quantity=rule.quantity, kind=kind, point_mm=at, dose_gy=finder.dose_at(point)
            )
            spots.append(spot)
    return spots, finder.derived


class _Places:
    """Where rules that are not met can be seen: the place that their reason tells, an end of the dose, or a middle."""

    def __init__(self, numbers: CaseNumbers, dose: Dose | None, known: dict[str, Structure]) -> None:
        self.numbers, self.dose, self.known = numbers, dose, known
        self.derived: list[Structure] = []
        self._structures: dict[str, Structure] = {}
        self._ends: dict[str, tuple[tuple[FloatArray, float], tuple[FloatArray, float]]] = {}

    def of(self, rule: RuleResult) -> tuple[str, FloatArray] | None:
        """Return what the place is and where; None where nothing of the rule can be seen."""
        told = _TOLD_PLACE.search(f"{rule.reason or ''} {rule.note}")
        if told is not None:
            return "worst place", np.array([float(part) for part in told.groups()])
        if rule.quantity.startswith("image."):
            middle = self._middle_of_image()
            return None if middle is None else ("middle of the image", middle)
        if not rule.roi or rule.quantity.startswith(("context.", "plan.", "prescription.")):
            return None
        structure = self._structure(rule.roi)
        if self.dose is None or rule.unit == "mm" or rule.quantity.startswith("Volume"):
            return "middle", _middle(structure)
        if rule.roi not in self._ends:
            self._ends[rule.roi] = extremes(structure, self.dose)
        kind = deciding_end(rule)
        point = self._ends[rule.roi][kind == "coldest"][0]
        # Beyond the last contours a solid ends in a cap, where the dose may be lower or higher yet.
        is_drawn = any((c.points_mm == point).all(axis=1).any() for c in structure.closed_contours)
        return f"{kind} drawn place" if is_drawn else f"{kind} place", point

    def _structure(self, roi: str) -> Structure:
        if roi not in self._structures:
            structure = self.numbers.structure(self.numbers.region(roi))
            self._structures[roi] = structure
            self.derived += [] if roi in self.known else [structure]
        return self._structures[roi]

    def _middle_of_image(self) -> FloatArray | None:
        targets = [s for s in self.known.values() if s.rt_roi_type in ("PTV", "CTV", "GTV") and s.closed_contours]
        if targets:
            return _middle(targets[0])
        image = self.numbers.case.image
        if image is None:
            return None
        grid = image.grid
        half = (np.array([grid.n_columns, grid.n_rows]) - 1) / 2 * grid.spacing_mm
        along = np.array([half[0], half[1], grid.offsets_mm[len(grid.offsets_mm) // 2]])
        return np.asarray(grid.origin_mm + along @ grid.axes)

    def dose_at(self, point: FloatArray) -> float | None:
        from dvhkit.engine.dose_sum import dose_at

        value = float(dose_at(self.dose, point[None])[0]) if self.dose is not None else np.nan
        return value if np.isfinite(value) else None


def _middle(structure: Structure) -> FloatArray:
    """Return the middle of the middle outline of a structure; raises `GeometryError` where it has none."""
    outlines = sorted(structure.closed_contours, key=lambda c: float(c.points_mm[:, 2].mean()))
    if not outlines:
        raise GeometryError(f"{structure.name} has no outline.")
    return np.asarray(outlines[len(outlines) // 2].points_mm.mean(axis=0))


def extremes(structure: Structure, dose: Dose) -> tuple[tuple[FloatArray, float], tuple[FloatArray, float]]:
    """Return the hottest and the coldest place of a structure, each a point (x, y, z) in mm and its dose in Gy.

    A trilinear dose has its extremes at voxel centres inside the structure or on its surface, so these centres and
    the drawn points are looked at.

    Raises
    ------
    GeometryError
        If no such point has a dose.
    """
    from dvhkit.engine.dose_sum import dose_at

    points = [c.points_mm for c in structure.closed_contours]
    inside = _centres_inside(structure, dose)
    cloud = np.concatenate([*points, inside]) if points else inside
    values = dose_at(dose, cloud)
    has_dose = np.isfinite(values)
    if not has_dose.any():
        raise GeometryError(f"{structure.name} lies outside the dose grid.")
    cloud, values = cloud[has_dose], values[has_dose]
    hot, cold = int(values.argmax()), int(values.argmin())
    return (cloud[hot], float(values[hot])), (cloud[cold], float(values[cold]))


def _centres_inside(structure: Structure, dose: Dose) -> FloatArray:
    from dvhkit.engine.rasterise import volume_on_grid

    grid = dose.grid
    try:
        filled = volume_on_grid(structure, grid)
    except GeometryError:
        return np.empty((0, 3))  # oblique to the dose: the drawn points stand for it
    k, j, i = np.nonzero(filled > 0.5)
    along = np.stack([i * grid.spacing_mm[0], j * grid.spacing_mm[1], grid.offsets_mm[k]], axis=1)
    return np.asarray(grid.origin_mm + along @ grid.axes)
