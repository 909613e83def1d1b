"""A run as a cohort: bands of DVHs, distributions, pass rates with intervals, outliers, and who is left out and why."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dvhkit.archive.storage.query import store_at
from dvhkit.archive.storage.store import Store
from dvhkit.errors import InputError
from dvhkit.extras import needs_extra
from dvhkit.model.arrays import FloatArray
from dvhkit.results.cohort import BANDS_SCHEMA, PERCENTILES, Cohort, Distribution, DvhBand, Outlier, PassRate

# Points of a band: a curve draws smoothly at any size of page.
_DOSES = 201
# Below this a percentile is a guess, and a shared band could be traced to a patient.
LEAST_CASES = 5
# Iglewicz and Hoaglin 1993 propose 3.5 for the robust z of an outlier.
_Z_OUTLIER = 3.5
_MAD_TO_SIGMA = 1.4826
# No plan of a kind reaches so many times the dose of the next.
_FAR_ABOVE = 5.0
_MOST_OUTLIERS = 200
_Z_95 = 1.959964
_MET = ("pass", "variation", "waived")
_OPEN = ("indeterminate", "not-evaluable")
_CURVE_TYPES = {"dose_gy": "float64", "volume_pct": "float64"}


def cohort_of(run: Path | str) -> Cohort:
    """Return the cohort of a run.

    Structures are the same whose names differ in case, blanks and underscores only.
    """
    with store_at(run) as store:
        cases = store.cases()
        metrics = _metrics(store)
        return Cohort(
            n_cases=len(cases),
            bands=tuple(_bands(store)),
            distributions=tuple(_distributions(metrics)),
            pass_rates=tuple(_pass_rates(store)),
            outliers=_outliers(metrics),
            excluded=tuple((case_id, str(row["error"])) for case_id, row in cases.items() if row["error"] is not None),
        )


def curve_table(
    source: Path | str | Sequence[Path | str], rois: Sequence[str] | None = None, *, jobs: int | None = 1
) -> Any:  # noqa: ANN401 -- pandas, loaded when used
    """Return cumulative DVHs as a pandas table: a row a point, columns ``case_id, roi, dose_gy, volume_pct``.

    Parameters
    ----------
    source
        A run of `dvhkit audit`, whose curves are taken as they are; or a folder of plans, or several, whose curves are
        computed.
    rois
        Names; of plans that are computed expressions, too. None takes every structure.
    jobs
        Worker processes where curves are computed; None for as many as suit the machine.

    Raises
    ------
    InputError
        If there is neither a run nor a plan.
    """
    if not isinstance(source, str | Path) or not _is_run(source):
        return _computed_curves(source, rois, jobs)
    with store_at(source) as store:
        frame = store.read("curves", ["case_id", "roi", "dose_gy", "volume_pct"]).to_pandas()
    wanted = None if rois is None else {_fold(roi) for roi in rois}
    if wanted is not None:
        frame = frame[[_fold(roi) in wanted for roi in frame["roi"]]]
    return frame.explode(["dose_gy", "volume_pct"], ignore_index=True).astype(_CURVE_TYPES)


def _is_run(source: Path | str) -> bool:
    return "://" in str(source) or (Path(source) / "store" / "store.json").exists()


def _computed_curves(source: Path | str | Sequence[Path | str], rois: Sequence[str] | None, jobs: int | None) -> Any:  # noqa: ANN401
    with needs_extra("tables"):
        import pandas as pd
    from dvhkit.archive.metric_table import curves_of_plans

    frames = [
        pd.DataFrame({"case_id": case_id, "roi": c.roi, "dose_gy": c.dose_gy, "volume_pct": c.volume_pct})
        for case_id, c in curves_of_plans(source, rois, jobs=jobs)
    ]
    empty = pd.DataFrame(columns=["case_id", "roi", *_CURVE_TYPES])
    return (pd.concat(frames, ignore_index=True) if frames else empty).astype(_CURVE_TYPES)


def _fold(roi: str) -> str:
    return roi.casefold().replace(" ", "").replace("_", "")


def _bands(store: Store) -> Iterable[DvhBand]:
    import pyarrow.compute as pc

    names = store.read("curves", ["roi"]).column("roi")
    spelt: dict[str, Counter[str]] = defaultdict(Counter)
    for roi, count in Counter(names.to_pylist()).items():
        spelt[_fold(roi)][roi] += count
    # One structure at a time, so that memory holds the curves of one.
    for spellings in sorted(spelt.values(), key=lambda s: s.most_common(1)[0][0]):
        if spellings.total() >= LEAST_CASES:
            parts = [_curves(part, list(spellings), pc) for part in store.parts("curves")]
            yield _band(spellings.most_common(1)[0][0], [curve for part in parts for curve in part])


def _curves(part: Path, rois: Sequence[str], pc: Any) -> list[tuple[FloatArray, FloatArray]]:  # noqa: ANN401
    import pyarrow.parquet as pq

    found = pq.read_table(part, columns=["dose_gy", "volume_pct"], filters=pc.field("roi").isin(rois))
    doses, volumes = (found.column(name).to_pylist() for name in ("dose_gy", "volume_pct"))
    return [(np.array(d), np.array(v)) for d, v in zip(doses, volumes, strict=True) if d]


def _end_of_axis(ends_gy: Sequence[float]) -> float:
    """Return the highest dose that is drawn: of a case far above all others, such as cGy read as Gy, not its own."""
    ranked = sorted(ends_gy, reverse=True)
    while len(ranked) > 1 and ranked[0] > _FAR_ABOVE * ranked[1] > 0:
        ranked.pop(0)
    return ranked[0] if ranked else 0.0


def _band(roi: str, curves: Sequence[tuple[FloatArray, FloatArray]]) -> DvhBand:
    grid = np.linspace(0.0, _end_of_axis([float(dose[-1]) for dose, _ in curves]), _DOSES)
    # Beyond its last dose no volume of a structure receives anything.
    drawn = np.array([np.interp(grid, dose, volume, right=0.0) for dose, volume in curves])
    rows = np.percentile(drawn, PERCENTILES, axis=0) if curves else np.zeros((len(PERCENTILES), _DOSES))
    return DvhBand(
        roi=roi,
        n=len(curves),
        dose_gy=tuple(grid.tolist()),
        volume_pct=tuple(tuple(row.tolist()) for row in np.round(rows, 6)),
    )


def _metrics(store: Store) -> dict[tuple[str, str, str], list[tuple[str, str, float]]]:
    """Return (case, ROI, value) by folded ROI, metric and unit."""
    found: dict[tuple[str, str, str], list[tuple[str, str, float]]] = defaultdict(list)
    table = store.read("metrics", ["case_id", "roi", "metric", "unit", "value"])
    for case_id, roi, metric, unit, value in zip(*(c.to_pylist() for c in table.columns), strict=True):
        if value is not None:
            found[_fold(roi), metric, unit].append((case_id, roi, float(value)))
    return found


def _distributions(metrics: Mapping[tuple[str, str, str], list[tuple[str, str, float]]]) -> Iterable[Distribution]:
    for (_, metric, unit), rows in sorted(metrics.items()):
        values = np.percentile([value for *_, value in rows], PERCENTILES)
        roi = Counter(roi for _, roi, _ in rows).most_common(1)[0][0]
        yield Distribution(roi=roi, metric=metric, unit=unit, n=len(rows), values=tuple(values.tolist()))


def _outliers(metrics: Mapping[tuple[str, str, str], list[tuple[str, str, float]]]) -> tuple[Outlier, ...]:
    found = []
    for (_, metric, unit), rows in metrics.items():
        values = np.array([value for *_, value in rows])
        median = float(np.median(values))
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(values - median)))
        if len(rows) < LEAST_CASES or spread <= 0:
            continue
        for case_id, roi, value in rows:
            z = (value - median) / spread
            if abs(z) > _Z_OUTLIER:
                found.append(
                    Outlier(case_id=case_id, roi=roi, metric=metric, unit=unit, value=value, median=median, robust_z=z)
                )
    found.sort(key=lambda o: (-abs(o.robust_z), o.case_id, o.roi, o.metric))
    return tuple(found[:_MOST_OUTLIERS])


def _pass_rates(store: Store) -> Iterable[PassRate]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for _, rule_id, verdict in store.verdicts():
        counts[rule_id][verdict] += 1
    for rule_id, found in sorted(counts.items()):
        met = sum(found[v] for v in _MET)
        judged = met + found["fail"]
        undecided = sum(found[v] for v in _OPEN)
        if judged or undecided:
            low, high = wilson_interval(met, judged)
            yield PassRate(rule_id=rule_id, n_met=met, n_judged=judged, n_open=undecided, low=low, high=high)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion (J Am Stat Assoc 1927;22:209); 0 to 1 without a trial."""
    if trials == 0:
        return 0.0, 1.0
    p, z2 = successes / trials, _Z_95**2
    middle = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z_95 / (1 + z2 / trials) * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)


# -- bands that centres can share


def bands_document(cohort: Cohort) -> dict[str, Any]:
    """Return the bands of a cohort without any identity, to be shared; structures of fewer cases are left out."""
    return {
        "schema": BANDS_SCHEMA,
        "structures": [
            {
                "roi": band.roi,
                "n": band.n,
                "dose_gy": list(band.dose_gy),
                "volume_pct": {str(p): list(row) for p, row in zip(PERCENTILES, band.volume_pct, strict=True)},
            }
            for band in cohort.bands
            if band.n >= LEAST_CASES
        ],
    }


def read_bands(path: Path) -> tuple[DvhBand, ...]:
    """Return the bands that another centre shared; raises `InputError`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != BANDS_SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}")
        return tuple(_read_band(item) for item in document["structures"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"holds no reference bands ({error}).", path=path, remedy="Give a file of `dvhkit cohort --bands`."
        ) from error


def _read_band(item: Mapping[str, Any]) -> DvhBand:
    doses = tuple(float(d) for d in item["dose_gy"])
    rows = tuple(tuple(float(v) for v in item["volume_pct"][str(p)]) for p in PERCENTILES)
    if any(len(row) != len(doses) for row in rows) or not np.isfinite([doses, *rows]).all():
        raise ValueError("a band has not as many volumes as doses, or no finite ones")
    return DvhBand(roi=str(item["roi"]), n=int(item["n"]), dose_gy=doses, volume_pct=rows)


def curves_of_case(run: Path | str, case_id: str) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return the DVHs of one case by folded ROI, to be drawn into bands; raises `InputError`."""
    with store_at(run) as store:
        table = store.read("curves", ["case_id", "roi", "dose_gy", "volume_pct"])
        rows = [row for row in table.to_pylist() if row["case_id"] == case_id]
        if not rows:
            raise InputError(
                f"there is no DVH of a case {case_id[:60]!r}.", path=str(run), remedy="Ask `dvhkit table`."
            )
    return {_fold(row["roi"]): (np.array(row["dose_gy"]), np.array(row["volume_pct"])) for row in rows}


def fold_roi(roi: str) -> str:
    """Return the key by which `curves_of_case` finds a structure."""
    return _fold(roi)
