"""From a comparison to its record: the verdict, the conventions, the words and the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dvhkit.jobs.second_check import readings as words
from dvhkit.jobs.second_check.compared import NEAR_PCT, Compared, Explained, dose_at_share
from dvhkit.jobs.second_check.shift import shift_unseen_mm
from dvhkit.metrics.curve_distance import Curve, curve_of
from dvhkit.model.tps_dvh import TpsDvh
from dvhkit.results.second_check import Agreement, MetricPair, RoiCheck

if TYPE_CHECKING:
    from dvhkit.model.arrays import FloatArray

# Half a slice beyond the ends is how most programs read, and what ours does at blunt ends: no difference below this.
_HALF_CAP_ALIKE_PCT = 0.5
# To which part distances between curves are known, twice.
_DISTANCE_TO_PCT = 0.02
_LEVELS_PCT = (98.0, 95.0, 50.0, 2.0)


def not_compared(curve: TpsDvh, why: str) -> RoiCheck:
    """Return the record of a curve that cannot be compared."""
    return RoiCheck(roi=curve.roi, verdict=Agreement.NOT_COMPARED, reason=why + ".", source=source_of(curve))


def source_of(curve: TpsDvh) -> str:
    """Return where a curve was read, in words."""
    return f"{curve.source}, line {curve.line}" if curve.line else curve.source


def finish(row: Compared) -> RoiCheck:
    """Return the record of a comparison with the cheapest explanation that does."""
    best = row.best
    names: tuple[str, ...] = ()
    if not row.is_fit(best):
        verdict, reason = Agreement.NOT_EXPLAINED, _not_explained(row, best)
    elif best.names and (best.names != (words.HALF_CAP,) or row.base_pct > _HALF_CAP_ALIKE_PCT):
        verdict, names, reason = Agreement.EXPLAINED, best.names, _because(row, best)
        names = _united(names, *(way.names for way in row.others), _bins_of_itself(row))
    elif row.worst_pct > row.tolerance_pct:
        # Only a dose that runs smoothly brings ours to theirs.
        verdict, names, reason = Agreement.EXPLAINED, _bins_of_itself(row), _because(row, best)
    else:
        ways = row.others
        verdict, names = Agreement.AGREES, _united(best.names, *(way.names for way in ways), _tells_of_itself(row))
        nearer = f" ({'; or '.join(map(_way, ways))})" if ways else ""
        reason = f"the curves lie within {max(row.worst_pct, 0.01):.2g} % of each other{nearer}{_unseen(row)}."
    if row.is_smooth and verdict is not Agreement.NOT_EXPLAINED:
        names = _united(names, (words.SMOOTH_DOSE,))
    if row.theirs.doubt:
        reason += f" {row.theirs.doubt[0].upper()}{row.theirs.doubt[1:]}."
    return RoiCheck(
        roi=row.roi,
        verdict=verdict,
        explained_by=names,
        worst_pct=round(row.worst_pct, 3),
        left_pct=round(best.left_pct, 3),
        reason=reason,
        metrics=_metrics(row, best.curve if best.names else None),
        source=source_of(row.theirs),
        doubt=row.theirs.doubt,
    )


def _united(*each: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in each for name in names))


def _way(way: Explained) -> str:
    note = f": {way.note}" if way.note else ""
    return f"{' and '.join(way.names)}{note}, leaves {way.left_pct:.2g} %"


def _because(row: Compared, best: Explained) -> str:
    note = f": {best.note}" if best.note else ""
    others = "".join(f"; or {_way(way)}" for way in row.others)
    said = (*best.names, words.SMOOTH_DOSE) if row.is_smooth else best.names
    return f"{' and '.join(said)}{note}; {best.left_pct:.2g} % are left of {row.worst_pct:.2g} %{others}."


def _unseen(row: Compared) -> str:
    """Say which shift and which edit would not show: what moves the curve by less than the tolerance."""
    if not row.solids:
        return ""
    edit_cc = row.tolerance_pct / 100.0 * row.ours.volume_cc
    unseen = f"; contours drawn otherwise by less than {edit_cc:.2g} cc"
    reach = shift_unseen_mm(row)
    if reach is not None:
        unseen += f", or a dose grid shifted by less than {reach:.2g} mm along its least telling axis,"
    return unseen + " would not show"


def _not_explained(row: Compared, best: Explained) -> str:
    parts = []
    ratio = row.volume_ratio
    if ratio is not None and abs(ratio - 1.0) > 0.01:
        parts.append(
            f"their volume is {ratio:.4g} times ours ({row.target.own_cc:.4g} and {row.ours.volume_cc:.4g} cc)"
        )
    if row.is_volume_alone:
        parts.append("the shape of the curve is ours")
    else:
        parts.append(_where(row))
    if best.names:
        parts.append(f"the nearest reading, {' and '.join(best.names)}, leaves {best.left_pct:.2g} %")
    parts.append("look whether structures and dose are of one version")
    return f"the curves differ by {row.worst_pct:.2g} %: " + "; ".join(parts) + "."


def _where(row: Compared) -> str:
    """Say at which dose the curves lie farthest apart."""
    ours = curve_of(row.readings.ours)(row.target.fine_gy) / (row.target.whole_cc or row.ours.volume_cc)
    off = row.target.fine_share - ours
    at = int(np.abs(off).argmax())
    way = "more" if off[at] > 0 else "less"
    return f"at {row.target.fine_gy[at]:.4g} Gy theirs has {100 * abs(off[at]):.2g} % of the volume {way}"


def _bins_of_itself(row: Compared) -> tuple[str, ...]:
    """Return what a curve shows of its points, whatever it is of."""
    named = (words.INTERPOLATED,) if row.knots is not None else ()
    if row.target.is_coarse or row.target.half_bin_pct > row.resolution_pct:
        return (words.COARSE, *named)
    return named


def _tells_of_itself(row: Compared) -> tuple[str, ...]:
    """Return what a curve shows that agrees: voxels that were counted, ends, where only one rule would do, points."""
    counted = (words.CENTRES,) if row.readings.counts_voxels(row.target) else ()
    points = (*counted, *_bins_of_itself(row))
    if row.target.whole_cc is None or counted:
        return points
    left = {words.HALF_CAP: 100.0, words.NO_CAP: 100.0}
    for names, curve in row.solids:
        if names[1:] and names[0] in left:
            left[names[0]] = min(left[names[0]], row.target.residual(curve, fine=True))
    # Ours rounds ends that taper; the two flat rules are told apart where they differ by more than the curve resolves.
    near = max(row.base_pct, NEAR_PCT) + 0.1
    nearest = min(left.values())
    apart = max(nearest + _DISTANCE_TO_PCT, row.resolution_pct)
    fit = [name for name in sorted(left, key=lambda name: left[name]) if left[name] <= min(near, nearest + apart)]
    return (*fit, *points)


def _metrics(row: Compared, reading: Curve | None) -> tuple[MetricPair, ...]:
    target, ours = row.target, row.ours
    pairs = [
        MetricPair(metric="Volume", unit="cc", theirs=target.own_cc, ours=ours.volume_cc, under_reading=_whole(reading))
    ]
    for name, theirs, own in (
        ("Min", row.theirs.min_gy, ours.min_gy),
        ("Mean", row.theirs.mean_gy, ours.mean_gy),
        ("Max", row.theirs.max_gy, ours.max_gy),
    ):
        pairs.append(MetricPair(metric=name, unit="Gy", theirs=theirs, ours=own))
    grid = np.linspace(0.0, max(target.scale_gy, ours.max_gy or 0.0) * 1.02, 4000)
    for level in _LEVELS_PCT:
        theirs = _level(target.fine_gy, target.fine_share, level)
        under = None if reading is None else _level(grid, reading(grid), level)
        own = ours.dose_to_hottest_gy(ours.covered_cc * level / 100.0)
        pairs.append(MetricPair(metric=f"D{level:g}%", unit="Gy", theirs=theirs, ours=own, under_reading=under))
    return tuple(pairs)


def _whole(reading: Curve | None) -> float | None:
    return None if reading is None else float(reading(np.zeros(1))[0])


def _level(dose: FloatArray, volume: FloatArray, level_pct: float) -> float | None:
    top = float(volume[0])
    if not top > 0:
        return None
    return float(dose_at_share(dose, np.asarray(volume) / top, np.array([level_pct / 100.0]))[0])
