"""The published analytic data set of Nelms et al. 2015 (Med Phys 42:4435): our numbers beside its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
import validation_solids
import validation_stack

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import profile
from dvhkit.model.dose import Dose
from dvhkit.model.dvh import Dvh
from dvhkit.model.structure import Structure
from dvhkit.readers.rtdose import read_dose
from dvhkit.readers.rtstruct import read_structures

_COLUMNS = {("SI", 2): 3, ("SI", 3): 4, ("AP", 2): 7, ("AP", 3): 8}
_FILES = {"SI": "Linear_SupInf_{}mm_Aligned.dcm", "AP": "Linear_AntPost_{}mm_Aligned.dcm"}
METRICS = ("Volume", "Dmin", "Dmax", "Dmean", "D99", "D95", "D5", "D1", "D0.03cc")


def _of_curve(dose: np.ndarray, volume: np.ndarray) -> dict[str, float]:
    """Metrics of a tabulated cumulative curve: volumes fall, doses rise."""
    total = volume[0]
    step = -np.diff(np.append(volume, 0.0))
    filled = np.flatnonzero(step > 1e-12)

    def hottest(part: float) -> float:
        return float(np.interp(-part, -volume[filled[0] :], dose[filled[0] :]))

    middle = dose + 0.5 * (dose[1] - dose[0])
    return {
        "Volume": total,
        "Dmin": dose[filled[0]],
        "Dmax": dose[filled[-1]],
        "Dmean": float((step * middle).sum() / total),
        "D99": hottest(0.99 * total),
        "D95": hottest(0.95 * total),
        "D5": hottest(0.05 * total),
        "D1": hottest(0.01 * total),
        "D0.03cc": hottest(0.03),
    }


def _ours(d: Dvh) -> dict[str, float | None]:
    v = d.volume_cc
    values = [v, d.min_gy, d.max_gy, d.mean_gy, *(d.dose_to_hottest_gy(p * v) for p in (0.99, 0.95, 0.05, 0.01))]
    return dict(zip(METRICS, [*values, d.dose_to_hottest_gy(0.03)], strict=True))


def compare(
    folder: Path, profile_name: str
) -> tuple[list[tuple[str, str, int, str, float]], dict[tuple[int, str], list[float]]]:
    """Return deviations in percent (file, direction, dose voxel, metric, deviation), and those of the curves."""
    book = openpyxl.load_workbook(folder / "analytical_data.xlsx", data_only=True)
    rows: list[tuple[str, str, int, str, float]] = []
    curves: dict[tuple[int, str], list[float]] = {}
    doses = _doses(folder)
    for path in sorted((folder / "STRUCTURES").glob("*.dcm")):
        shape, gap = path.stem.split("_")[0], int(path.stem.split("_")[1]) // 10
        table = np.array([r[:9] for r in book[shape].iter_rows(min_row=2, values_only=True) if r[0] is not None], float)
        drawn = next(s for s in read_structures(path)[0] if not s.is_empty)
        for (way, voxel), given in doses.items():
            # The tables hold the shape in its unshifted place; "Z" shapes were moved along A-P by half a slice.
            shift = gap / 2 if "Z" in path.stem and way == "AP" else 0.0
            dose_gy, volume = table[:, 0] / 100 + shift, table[:, _COLUMNS[way, gap]]
            # Cells below the end of a curve are blank.
            volume = np.where(np.isnan(volume), 0.0, volume)
            dvh = compute_dvh(drawn, given, options=profile(profile_name))
            published, ours = _of_curve(dose_gy, volume), _ours(dvh)
            rows += [(path.stem, way, voxel, m, 100 * (ours[m] / published[m] - 1)) for m in METRICS]
            inside = (volume > 0) & (volume < volume[0] * (1 - 1e-9))
            mine = np.array([dvh.volume_at_least_cc(x) for x in dose_gy[inside][::20]])
            curves.setdefault((gap, way), []).extend(100 * (mine - volume[inside][::20]) / volume[0])
    return rows, curves


def _doses(folder: Path) -> dict[tuple[str, int], Dose]:
    return {
        (way, voxel): read_dose(folder / "DOSE GRIDS" / name.format(voxel))[0]
        for way, name in _FILES.items()
        for voxel in (2, 3)
    }


def digitised(folder: Path, stem: str, way: str) -> dict[str, dict[str, float]]:
    """Return what the polygons of one file say by themselves, by both readings of a stack, without the engine."""
    drawn = next(s for s in read_structures(folder / "STRUCTURES" / f"{stem}.dcm")[0] if not s.is_empty)
    dose_at = _line(_doses(folder)[way, 2], 2 if way == "SI" else 1)
    return {reading: validation_stack.metrics(_stack(drawn), way, dose_at, reading) for reading in ("upright", "ruled")}


def _stack(drawn: Structure) -> list[tuple[float, np.ndarray]]:
    return sorted(
        ((float(c.points_mm[0, 2]), c.points_mm[:, :2]) for c in drawn.closed_contours), key=lambda section: section[0]
    )


def _line(given: Dose, axis: int) -> np.ndarray:
    """Return dose at coordinate 0 and slope of a dose that is linear along one axis of the patient."""
    assert np.allclose(given.grid.axes, np.eye(3))
    grid, values = given.grid, given.values_gy
    # Away from the borders, where the grid of the data set cuts the dose off at 0 and 40 Gy.
    along = grid.offsets_mm if axis == 2 else grid.spacing_mm[1] * np.arange(grid.n_rows)
    line = values[:, values.shape[1] // 2, values.shape[2] // 2] if axis == 2 else values[values.shape[0] // 2, :, 0]
    inside = (line > 1) & (line < 39)
    slope, at_zero = np.polyfit(grid.origin_mm[axis] + along[inside], line[inside], 1)
    return np.array([at_zero, slope])


def exceptions(folder: Path, rows: list[tuple[str, str, int, str, float]]) -> list[tuple[str, ...]]:
    """Return for each kind of deviation over 2 % the greatest, beside what the polygons say by themselves.

    Shape, slices, direction, metric, published, ours, upright, ruled, whether ours lies between, and its band.
    """
    worst: dict[tuple[str, str, str, str], tuple[str, float]] = {}
    for stem, way, _, metric, deviation in rows:
        key = (stem.split("_")[0], stem.split("_")[1], way, metric)
        if abs(deviation) > max(2.0, abs(worst.get(key, ("", 0.0))[1])):
            worst[key] = (stem, deviation)
    book = openpyxl.load_workbook(folder / "analytical_data.xlsx", data_only=True)
    found = []
    for (shape, tenths, way, metric), (stem, deviation) in sorted(worst.items()):
        gap = int(tenths) // 10
        said = digitised(folder, stem, way)
        published = _published(book, stem, way, gap)[metric]
        ours = published * (1 + deviation / 100)
        readings = [said[r][metric] for r in ("upright", "ruled")]
        # The fine sums are good to about one part in a thousand.
        low, high = 0.999 * min(readings), 1.001 * max(readings)
        off = max(low - ours, ours - high, 0.0) / published
        found.append((
            shape, f"{gap} mm", way, metric, f"{published:.2f}", f"{ours:.2f} ({deviation:+.1f} %)",
            *(f"{r:.2f} ({100 * (r / published - 1):+.1f} %)" for r in readings),
            "yes" if off == 0.0 else f"{100 * off:.1f} % beyond", _band_text(folder, stem, way, metric, published),
        ))  # fmt: skip
    return found


def _band_text(folder: Path, stem: str, way: str, metric: str, published: float) -> str:
    drawn = next(s for s in read_structures(folder / "STRUCTURES" / f"{stem}.dcm")[0] if not s.is_empty)
    dvh = compute_dvh(drawn, _doses(folder)[way, 2], options=profile("shape-half-slice"), with_band=True)
    named = {"Dmin": "Min", "Dmax": "Max", "Dmean": "Mean", "Volume": "Volume", "D0.03cc": "D0.03cc"}
    low, high = validation_solids.band(dvh, named.get(metric, f"{metric}%"))
    return f"{low:.2f} to {high:.2f}, {'holds' if low <= published <= high else 'MISSES'} the table's"


def _published(book: openpyxl.Workbook, stem: str, way: str, gap: int) -> dict[str, float]:
    sheet = book[stem.split("_", maxsplit=1)[0]]
    table = np.array([r[:9] for r in sheet.iter_rows(min_row=2, values_only=True) if r[0] is not None], float)
    shift = gap / 2 if "Z" in stem and way == "AP" else 0.0
    return _of_curve(table[:, 0] / 100 + shift, table[:, _COLUMNS[way, gap]])
