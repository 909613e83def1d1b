"""What another system made of a phantom: its exported DVHs or metrics held against the truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dvhkit.errors import DvhkitError, InputError
from dvhkit.model.arrays import FloatArray
from dvhkit.phantoms.grading import read_measured, read_truth
from dvhkit.phantoms.sets.catalogue import make_phantom, phantom_titles
from dvhkit.phantoms.truth_rows import TruthRow
from dvhkit.results.phantom_grade import GradedValue, PhantomGrade

READINGS = ("solid", "stack", "grid")
_METRIC = re.compile(r"(?P<kind>[DV])(?P<at>[\d.]+)(?P<of>%|cc|Gy)\[(?P<unit>Gy|%|cc)\]")
# A percent of the true value means nothing for a volume of next to nothing: such count in cc of this.
_LEAST_CC = 0.001


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Curve:
    """A cumulative DVH: volume that receives at least each dose, with what was stated beside it.

    In cc; in percent where nobody states the whole volume, so that what is asked in cc has no value.
    """

    dose_gy: FloatArray
    volume: FloatArray
    in_cc: bool
    stated: Mapping[str, float | None]

    def value(self, metric: str) -> float | None:
        """Return a metric by straight lines between the curve's points; None for one it cannot tell."""
        if metric in self.stated:
            return self.stated[metric]
        found = _METRIC.fullmatch(metric)
        whole = float(self.volume[0])
        if found is None or whole <= 0 or (not self.in_cc and "cc" in (found["of"], found["unit"])):
            return None
        at = float(found["at"])
        if found["kind"] == "V":
            volume = float(np.interp(at, self.dose_gy, self.volume, right=0.0))
            return volume if found["unit"] == "cc" else 100.0 * volume / whole
        wanted = at if found["of"] == "cc" else whole * at / 100.0
        falling = self.volume[::-1]
        return float(np.interp(wanted, falling, self.dose_gy[::-1])) if wanted <= whole else None


def grade_phantom(
    truth: str | Path, measured: Path, *, reading: str = "solid", tolerance_pct: float = 3.0
) -> PhantomGrade:
    """Hold what a system made of a phantom against what is true.

    Parameters
    ----------
    truth
        Name of a phantom in the catalogue, or its ``truth.json``, or the folder that holds one.
    measured
        An RTDOSE with stored DVHs, a text export of a planning system (as `dvhkit check-dvh` reads it), JSON as
        ``dvhkit dvh --json`` writes it, or CSV with the columns roi, metric, value.
    reading
        Which truth: ``solid``, ``stack`` or ``grid``.
    tolerance_pct
        What a value may be off by: percent of the true value, for % percent points.

    Raises
    ------
    InputError
        If the phantom or the file cannot be used, or has nothing of the phantom.
    """
    if reading not in READINGS:
        raise InputError(f"there is no reading {reading!r}.", remedy="There are: " + ", ".join(READINGS) + ".")
    name, rows = _truth(truth)
    if reading not in {row.reading for row in rows}:
        raise InputError(f"the truth of {name} has no reading {reading!r}.", remedy="Take solid.")
    source, values = _measured(measured, rows, lambda: _numbered(truth, measured))
    values = _as_named_in(rows, values)
    graded = _graded(rows, values, reading, tolerance_pct)
    if all(value.measured is None for value in graded):
        raise InputError(
            "the file has no value of this phantom's structures.",
            path=measured,
            remedy=f"Its structures are: {', '.join(dict.fromkeys(row.roi for row in rows))}.",
        )
    known = {row.roi for row in rows}
    return PhantomGrade(
        phantom=name,
        source=source,
        reading=reading,
        nearest_reading=_nearest(rows, values),
        tolerance_pct=tolerance_pct,
        values=graded,
        not_in_phantom=tuple(dict.fromkeys(roi for roi, _ in values if roi not in known)),
    )


def _truth(truth: str | Path) -> tuple[str, tuple[TruthRow, ...]]:
    if str(truth) in phantom_titles():
        return str(truth), make_phantom(str(truth)).rows
    path = Path(truth)
    if path.is_dir():
        path = path / "truth.json"
    if not path.is_file():
        raise InputError(f"{str(truth)!r} is neither a phantom nor a truth.json.", remedy="See: dvhkit phantom list.")
    return path.parent.name, read_truth(path)


Values = dict[tuple[str, str], float]


def _measured(path: Path, rows: Iterable[TruthRow], names: Callable[[], Mapping[int, str]]) -> tuple[str, Values]:
    """Return where the values come from, and the values by structure and metric; `names` by ROI number."""
    from dvhkit.readers.files.dicom_file import looks_like_dicom, read_bytes

    if looks_like_dicom(read_bytes(path)):
        return "RTDOSE with DVHs", _of_curves(_stored(path, names()), rows)
    try:
        return "metrics", read_measured(path)
    except DvhkitError as no_table:
        from dvhkit.readers.tps_text.read import read_tps_dvhs

        try:
            dialect, curves = read_tps_dvhs(path)
        except DvhkitError as no_export:
            raise (no_table if path.suffix.lower() == ".json" else no_export) from None
    named = [c.roi for c in curves if not c.unusable]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise InputError(
            f"the file holds {', '.join(twice)} more than once, as of several plans.",
            path=path,
            remedy="Export the phantom's plan alone.",
        )
    usable = {
        c.roi: _curve(c.dose_gy, c.volume, in_cc=c.in_cc, whole_cc=c.volume_cc, stated=(c.min_gy, c.mean_gy, c.max_gy))
        for c in curves
        if not c.unusable
    }
    return dialect, _of_curves({roi: curve for roi, curve in usable.items() if curve is not None}, rows)


def _numbered(truth: str | Path, measured: Path) -> dict[int, str]:
    """Return structures by ROI number: of the set beside the measured dose, of that beside the truth, or the phantom's.

    A system that has loaded a set may number its structures anew, and then exports that set with its dose.
    """
    from dvhkit.readers.rtstruct import read_structures

    name, folder = str(truth), Path(truth) if Path(truth).is_dir() else Path(truth).parent
    own = [] if name in phantom_titles() and not Path(truth).exists() else [folder]
    for place in (measured.parent, *own):
        sets = sorted(place.glob("RTSTRUCT*.dcm")) or sorted(place.glob("RS*.dcm"))
        if len(sets) == 1:
            return {s.number: s.name for s in read_structures(sets[0])[0]}
    known = name if name in phantom_titles() else folder.name
    return {s.number: s.name for s in make_phantom(known).phantom.structures} if known in phantom_titles() else {}


def _stored(path: Path, names: Mapping[int, str]) -> dict[str, _Curve]:
    from dvhkit.readers.rtdose import read_dose

    dose, _ = read_dose(path)
    found = {}
    for stored in dose.stored_dvhs:
        volume, in_cc = (stored.volume_pct, False) if stored.volume_cc is None else (stored.volume_cc, True)
        stated = (stored.min_gy, stored.mean_gy, stored.max_gy)
        curve = _curve(stored.dose_gy, volume, in_cc=in_cc, whole_cc=None, stated=stated)
        if curve is not None:
            found[names.get(stored.roi_number, f"#{stored.roi_number}")] = curve
    return found


def _curve(
    dose_gy: FloatArray,
    volume: FloatArray,
    *,
    in_cc: bool,
    whole_cc: float | None,
    stated: tuple[float | None, float | None, float | None],
) -> _Curve | None:
    """Return a curve, in cc where the whole volume is known; None for one without volume or without points."""
    whole = float(volume[0]) if in_cc else whole_cc
    if len(dose_gy) < 2 or not float(volume[0]) > 0 or (whole is not None and whole <= 0):
        return None
    least, mean, most = stated
    beside = {"Min[Gy]": least, "Mean[Gy]": mean, "Max[Gy]": most, "Volume[cc]": whole_cc or whole}
    found = np.asarray(volume, dtype=np.float64)
    scale = 1.0 if in_cc or whole is None else whole / 100.0
    return _Curve(
        dose_gy=np.asarray(dose_gy, dtype=np.float64), volume=found * scale, in_cc=whole is not None, stated=beside
    )


def _of_curves(curves: Mapping[str, _Curve], rows: Iterable[TruthRow]) -> Values:
    metrics = list(dict.fromkeys(row.metric for row in rows))
    values = {(roi, metric): curve.value(metric) for roi, curve in curves.items() for metric in metrics}
    return {key: value for key, value in values.items() if value is not None}


def _as_named_in(rows: Iterable[TruthRow], values: Values) -> Values:
    """Return the values under the phantom's own names: systems change case and outer blanks."""
    names = {row.roi.strip().casefold(): row.roi for row in rows}
    return {(names.get(roi.strip().casefold(), roi), metric): value for (roi, metric), value in values.items()}


def _graded(rows: Iterable[TruthRow], values: Values, reading: str, tolerance_pct: float) -> tuple[GradedValue, ...]:
    asked = {metric for _, metric in values}
    graded = []
    for row in rows:
        if row.reading != reading or row.metric not in asked:
            continue
        measured = values.get((row.roi, row.metric))
        off = None if measured is None else _deviation(row, measured)
        graded.append(
            GradedValue(
                roi=row.roi,
                metric=row.metric,
                unit=row.unit,
                true=row.value,
                measured=measured,
                deviation=off,
                within=off is not None and abs(off) <= tolerance_pct,
            )
        )
    return tuple(graded)


def _deviation(row: TruthRow, measured: float) -> float:
    difference = measured - row.value
    if row.unit == "%":
        return difference
    scale = max(abs(row.value), _LEAST_CC) if row.unit == "cc" else abs(row.value)
    return 100.0 * difference / scale if scale > 0 else (0.0 if difference == 0 else float("inf"))


def _nearest(rows: Iterable[TruthRow], values: Values) -> str:
    """Return the reading with the least median deviation over the structures that have every reading."""
    medians = {}
    listed = list(rows)
    shared = {
        key
        for key in values
        if {row.reading for row in listed if (row.roi, row.metric) == key} >= {row.reading for row in listed}
    }
    for reading in dict.fromkeys(row.reading for row in listed):
        off = [
            abs(_deviation(row, values[row.roi, row.metric]))
            for row in listed
            if row.reading == reading and (row.roi, row.metric) in shared
        ]
        if off:
            medians[reading] = float(np.median(off))
    return min(medians, key=lambda reading: medians[reading]) if medians else ""
