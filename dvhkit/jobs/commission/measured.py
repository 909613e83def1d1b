"""Phantoms written as DICOM, read back and measured: the whole way that a plan takes, beside what is true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from dvhkit.errors import DvhkitError
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.jobs.read import read_case
from dvhkit.metrics.expression import parse_metric
from dvhkit.model.case import Case
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.catalogue import CataloguePhantom, make_phantom
from dvhkit.phantoms.sets.phantom_set import PhantomSet
from dvhkit.phantoms.truth_rows import TruthRow

# Metrics that a DVH has; a phantom's truth holds margins and overlaps too.
_OF_A_DVH = ("Volume[", "Min[", "Mean[", "Max[", "D", "V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One true value and what was measured.

    Attributes
    ----------
    value, low, high
        None where the installation gave none; `lack` says why.
    """

    phantom: str
    engine: str
    truth: TruthRow
    value: float | None
    low: float | None
    high: float | None
    lack: str = ""

    @property
    def error(self) -> float | None:
        """Measured less true: in percent of the true value for cc, else in the metric's own unit."""
        if self.value is None:
            return None
        difference = self.value - self.truth.value
        if self.truth.unit == "cc":
            return 100.0 * difference / self.truth.value if self.truth.value > 0 else 100.0 * (difference != 0)
        return difference

    @property
    def is_in_band(self) -> bool:
        """Whether the true value lies in the band, to the digits that a dose equality has."""
        if self.value is None:
            return False
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        slack = 1e-6 * max(1.0, abs(self.truth.value))
        return low - slack <= self.truth.value <= high + slack


def through_dicom(phantom: PhantomSet) -> Case:
    """Return the phantom as a case, by way of DICOM files in a temporary folder."""
    with TemporaryDirectory(prefix="dvhkit-commission-") as folder:
        write_quickly(folder, phantom)
        return read_case(Path(folder))


def write_quickly(folder: str, phantom: PhantomSet) -> None:
    """Write a phantom's DICOM files, with its pixels as they are: packing them takes most of the time."""
    if phantom.image is not None:
        phantom = replace(phantom, image=replace(phantom.image, rle=False))
    write_set(folder, phantom)


def measure(name: str, readings: Iterable[tuple[str, str]]) -> tuple[Answer, ...]:
    """Return the answers of a catalogue phantom.

    Parameters
    ----------
    readings
        Pairs of an engine profile and the reading of the truth that it is held against.
    """
    made = make_phantom(name)
    # Contours in another order than their structures: a reader that goes by order, not by number, is found out.
    case = through_dicom(replace(made.phantom, contours_reversed=True))
    return tuple(answer for engine, reading in readings for answer in _answers(made, case, engine, reading))


def _answers(made: CataloguePhantom, case: Case, engine: str, reading: str) -> list[Answer]:
    numbers = CaseNumbers(case, engine=engine)
    rows = [row for row in made.rows if row.reading == reading and row.metric.startswith(_OF_A_DVH)]
    return [_answer(made.name, engine, numbers, row) for row in rows]


def _answer(phantom: str, engine: str, numbers: CaseNumbers, row: TruthRow) -> Answer:
    try:
        found = numbers.metric(numbers.region(row.roi), parse_metric(row.metric))
    except DvhkitError as error:
        lack = str(error)
        return Answer(phantom=phantom, engine=engine, truth=row, value=None, low=None, high=None, lack=lack)
    return Answer(
        phantom=phantom,
        engine=engine,
        truth=row,
        value=found.value,
        low=found.low,
        high=found.high,
        lack=found.reason or "",
    )
