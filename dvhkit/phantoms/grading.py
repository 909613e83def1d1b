"""Hold measured metrics of a phantom against its truth: how many miss it, by how much, and which most."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvhkit.errors import InputError
from dvhkit.phantoms.truth_rows import TruthRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One measured value beside the true one.

    Attributes
    ----------
    measured
        None where the system under test gave no value.
    """

    truth: TruthRow
    measured: float | None

    @property
    def deviation_pct(self) -> float | None:
        """Difference in percent of the true value; None where there is no value, or the true one is 0."""
        if self.measured is None or self.truth.value == 0:
            return None
        return 100.0 * (self.measured - self.truth.value) / abs(self.truth.value)


def grade(
    truth: Iterable[TruthRow], measured: Mapping[tuple[str, str], float], *, reading: str = "solid"
) -> tuple[Deviation, ...]:
    """Return truth and measurement side by side, for every true metric of one reading that was measured or asked for.

    Parameters
    ----------
    measured
        Values by structure name and metric expression, as `read_measured` returns them.
    reading
        ``solid``, ``stack`` or ``grid``; see `TruthRow`.
    """
    metrics = {metric for _, metric in measured}
    return tuple(
        Deviation(truth=row, measured=measured.get((row.roi, row.metric)))
        for row in truth
        if row.reading == reading and row.metric in metrics
    )


def beyond(deviations: Iterable[Deviation], limit_pct: float) -> int:
    """Return how many differ by more than `limit_pct` percent, or have no value."""
    return sum(d.measured is None or abs(d.deviation_pct or 0.0) > limit_pct for d in deviations)


def read_truth(path: Path | str) -> tuple[TruthRow, ...]:
    """Read a ``truth.json``."""
    rows = _json_rows(Path(path))
    try:
        return tuple(
            TruthRow(str(row["roi"]), str(row["reading"]), str(row["metric"]), float(row["value"]), str(row["unit"]))
            for row in rows
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"a row of the truth is not complete: {error}.", path=path, remedy=_REMEDY) from error


def read_measured(path: Path | str) -> dict[tuple[str, str], float]:
    """Read measured metrics: JSON as ``dvhkit dvh --json`` writes it, or CSV with the columns roi, metric, value.

    Rows without a value are left out. Doses are in Gy and volumes in cc or percent, as the metric's name says.
    """
    source = Path(path)
    rows = _json_rows(source) if source.suffix.lower() == ".json" else _csv_rows(source)
    found: dict[tuple[str, str], float] = {}
    for row in rows:
        try:
            if row["value"] not in (None, ""):
                found[str(row["roi"]), str(row["metric"])] = float(row["value"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a row cannot be read: {error}.", path=source, remedy=_REMEDY) from error
    if not found:
        raise InputError("there are no values.", path=source, remedy=_REMEDY)
    return found


_REMEDY = "Rows need the keys (or columns) roi, metric and value."


def _json_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        rows = record["rows"]
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror or error}.", path=path) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("the file is not JSON with a list of rows.", path=path, remedy=_REMEDY) from error
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise InputError("the file is not JSON with a list of rows.", path=path, remedy=_REMEDY)
    return rows


def _csv_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror or error}.", path=path) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("the file is not a CSV table.", path=path, remedy=_REMEDY) from error
