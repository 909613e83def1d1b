"""A cumulative DVH as a planning system gave it away: stored in an RTDOSE, or exported as text."""

from __future__ import annotations

from dataclasses import dataclass, field

from dvhkit.model.arrays import FloatArray, frozen_array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TpsDvh:
    """One curve of a planning system: for comparison, never an input to ours.

    Attributes
    ----------
    roi
        Name as written; empty where the file names a number only.
    roi_number
        ROI number where the file has one.
    dose_gy, volume : (n,)
        Volume that receives at least each dose; ascending dose.
    in_cc
        Whether `volume` is in cc; else in percent of the structure.
    volume_cc
        Volume of the whole structure as stated; None where it is not.
    volume_step_cc
        Half of the last digit that `volume_cc` was printed with, in cc.
    min_gy, mean_gy, max_gy
        As stated; None where missing.
    source, line
        File name and line where the curve begins; 0 for DICOM.
    unusable
        Why the curve cannot be compared; empty where it can.
    doubt
        Why it may not be whole; empty where nothing speaks for that.
    """

    roi: str
    dose_gy: FloatArray
    volume: FloatArray
    in_cc: bool
    roi_number: int | None = None
    volume_cc: float | None = None
    volume_step_cc: float = 0.0
    min_gy: float | None = None
    mean_gy: float | None = None
    max_gy: float | None = None
    plan: str = ""
    source: str = ""
    line: int = 0
    unusable: str = ""
    doubt: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dose_gy", frozen_array(self.dose_gy))
        object.__setattr__(self, "volume", frozen_array(self.volume))


@dataclass(frozen=True, slots=True, kw_only=True)
class TpsExport:
    """A text export of a planning system: its name, its dialect, the SHA-256 of its bytes, and its curves."""

    name: str
    dialect: str
    sha256: str
    curves: tuple[TpsDvh, ...] = field(repr=False, compare=False)
