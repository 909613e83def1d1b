"""Monaco: one line of header with bars, column titles, and a row a point: ROI name, dose, volume.

Names hold blanks, so the two numbers are taken from a row's end. Doses may be percent of a prescription that the file
does not state; volumes are cm3 or percent.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from dvhkit.model.tps_dvh import TpsDvh
from dvhkit.readers.tps_text.lines import checked_curve, cumulative_of_parts, damaged, in_gy, number, plain_unit

_ROW = re.compile(r"^\s*(.+?)[\s,;]+([-+]?[\d.,]+(?:[eE][-+]?\d+)?)[\s,;]+([-+]?[\d.,]+(?:[eE][-+]?\d+)?)\s*$")
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d|^\w{3} \w{3} +\d|^\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_RISE_FRAC = 2e-3


def is_monaco(lines: list[str]) -> bool:
    """Whether the lines are of this dialect."""
    first = next((line for line in lines if line.strip()), "")
    return "|" in first and bool(re.search(r"dose units?\s*:", first, re.I))


def read_monaco(path: Path, lines: list[str]) -> list[TpsDvh]:
    """Return the curves of an export; raises `InputError` with file, line and reason where it is damaged."""
    start = next(n for n, line in enumerate(lines) if line.strip())
    facts = _facts(lines[start])
    rows: dict[str, list[tuple[int, float, float]]] = {}
    begun = False
    for at, line in enumerate(lines[start + 1 :], start=start + 2):
        said = line.strip()
        if not said or _STAMP.match(said) or (not begun and not _ROW.match(line)):
            continue
        found = _ROW.match(line)
        dose, volume = (number(found.group(2)), number(found.group(3))) if found else (None, None)
        if found is None or dose is None or volume is None:
            raise damaged(path, at, f"the row {said[:40]!r} is no ROI name, dose and volume.")
        begun = True
        rows.setdefault(found.group(1).strip(), []).append((at, dose, volume))
    if not rows:
        raise damaged(
            path, start + 1, "no row of ROI name, dose and volume follows the header; the file may be cut off."
        )
    return [_curve(path, facts, roi, points) for roi, points in rows.items()]


def _facts(header: str) -> dict[str, str]:
    found = {}
    for part in header.split("|"):
        key, _, value = part.partition(":")
        found[re.sub(r"\s+", "", key).lower().rstrip("s")] = value.strip()
    return found


def _curve(path: Path, facts: dict[str, str], roi: str, points: list[tuple[int, float, float]]) -> TpsDvh:
    rest = {"roi": roi, "plan": facts.get("planname", ""), "source": path.name, "line": points[0][0]}
    unit = plain_unit(facts.get("doseunit", ""))
    one_gy = in_gy(1.0, unit)
    if one_gy is None:
        nothing = np.empty(0)
        why = f"its doses are in {unit or 'no stated unit'}, and the file does not say of how many Gy"
        return TpsDvh(dose_gy=nothing, volume=nothing, in_cc=False, unusable=why, **rest)  # type: ignore[arg-type]
    values = np.array([(dose, volume) for _, dose, volume in points])
    dose_gy, volume = values[:, 0] * one_gy, values[:, 1]
    in_cc = plain_unit(facts.get("volumeunit", "")) == "cc"
    if volume.size > 1 and np.any(np.diff(volume) > _RISE_FRAC * volume.max()) and np.all(np.diff(dose_gy) > 0):
        # Nothing in the header tells a differential export; its volumes are those of the bins.
        edges = np.append(dose_gy, 2 * dose_gy[-1] - dose_gy[-2])
        dose_gy, volume = edges, cumulative_of_parts(volume)
    dose_gy, volume = checked_curve(path, points[0][0], roi, dose_gy, volume, in_cc=in_cc)
    return TpsDvh(
        dose_gy=dose_gy,
        volume=volume,
        in_cc=in_cc,
        volume_cc=float(volume[0]) if in_cc and dose_gy[0] == 0 else None,
        **rest,  # type: ignore[arg-type]
    )
