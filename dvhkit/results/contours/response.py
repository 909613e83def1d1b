"""Response of lesions over time: one record a patient, one a time point."""

from __future__ import annotations

from dataclasses import dataclass

RESPONSE_SCHEMA = "dvhkit/response/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePoint:
    """One assessment.

    Attributes
    ----------
    day
        Days since the first one, which is the baseline.
    sum_mm, nadir_mm
        Sum of the target diameters, and the smallest sum before, the baseline's included; None where not all could be
        measured, or there are no targets.
    from_baseline_pct, from_nadir_pct
        Change of the sum.
    target, non_target, overall
        CR, PR, SD, PD, NE, NON-CR/NON-PD; ``none`` where there are no such lesions. The baseline has no response.
    band_pct, could_be
        The change from baseline between the limits of agreement of two readers, and the overall responses within.
    m_sum_mm, m_overall
        The same by mRECIST, from viable diameters; None without them.
    radiation_status
        RL, PEL or NL as cohort papers define them, from the viable sum (else the sum) against the nadir; empty else.
    """

    date: str
    day: int
    sum_mm: float | None = None
    nadir_mm: float | None = None
    from_baseline_pct: float | None = None
    from_nadir_pct: float | None = None
    target: str = ""
    non_target: str = ""
    new_lesion: bool = False
    overall: str = ""
    band_pct: tuple[float, float] | None = None
    could_be: tuple[str, ...] = ()
    m_sum_mm: float | None = None
    m_overall: str | None = None
    radiation_status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One patient's assessments, and the best response: as read, and confirmed by a later one."""

    patient: str
    time_points: tuple[TimePoint, ...]
    best_overall: str
    best_overall_confirmed: str
    m_best_overall: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """All patients of a table."""

    patients: tuple[Course, ...]
