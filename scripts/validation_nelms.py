"""The published analytic data set of Nelms et al. 2015 (Med Phys 42:4435): our numbers beside its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import profile
from dvhkit.model.dvh import Dvh
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
    doses = {
        (way, voxel): read_dose(folder / "DOSE GRIDS" / name.format(voxel))[0]
        for way, name in _FILES.items()
        for voxel in (2, 3)
    }
    for path in sorted((folder / "STRUCTURES").glob("*.dcm")):
        shape, gap = path.stem.split("_")[0], int(path.stem.split("_")[1]) // 10
        table = np.array([r[:9] for r in book[shape].iter_rows(min_row=2, values_only=True) if r[0] is not None], float)
        drawn = next(s for s in read_structures(path)[0] if not s.is_empty)
        for (way, voxel), given in doses.items():
            # The tables hold the shape in its unshifted place; "Z" shapes were moved along A-P by half a slice.
            shift = gap / 2 if "Z" in path.stem and way == "AP" else 0.0
            dose_gy, volume = table[:, 0] / 100 + shift, table[:, _COLUMNS[way, gap]]
            dvh = compute_dvh(drawn, given, options=profile(profile_name))
            published, ours = _of_curve(dose_gy, volume), _ours(dvh)
            rows += [(path.stem, way, voxel, m, 100 * (ours[m] / published[m] - 1)) for m in METRICS]
            inside = (volume > 0) & (volume < volume[0] * (1 - 1e-9))
            mine = np.array([dvh.volume_at_least_cc(x) for x in dose_gy[inside][::20]])
            curves.setdefault((gap, way), []).extend(100 * (mine - volume[inside][::20]) / volume[0])
    return rows, curves
