"""Grades of contours, and the record of those who approved them."""

from __future__ import annotations

from dataclasses import dataclass

APPROVAL_SCHEMA = "dvhkit/contour-approval/1"
PER_PROTOCOL = "per protocol"
ACCEPTABLE = "acceptable variation"
UNACCEPTABLE = "unacceptable variation"
# From best to worst, as the Global Harmonisation Group words them.
GRADES = (PER_PROTOCOL, ACCEPTABLE, UNACCEPTABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiGrade:
    """A structure's grade and why; `grade` is empty where none can be given."""

    roi: str
    grade: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiHash:
    """SHA-256 of a structure's name and contours, to a thousandth of a millimetre."""

    roi: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One reviewer's entry: who, when, which object, its contours, the grades; `seal` covers it and all before it."""

    reviewer: str
    role: str
    time: str
    sop_instance_uid: str
    rois: tuple[RoiHash, ...]
    grades: tuple[RoiGrade, ...]
    seal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A structure that two reviewers graded differently."""

    roi: str
    reviewer_a: str
    grade_a: str
    reviewer_b: str
    grade_b: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerKappa:
    """Cohen's kappa of two reviewers' grades, plain and weighted by steps; None where chance alone decides."""

    reviewer_a: str
    reviewer_b: str
    structures: int
    agreed: int
    kappa: float | None
    weighted_kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalCheck:
    """Whether a record holds for a structure set.

    Attributes
    ----------
    approvers
        Whose approval counts: their contours are those of the set, and they graded nothing unacceptable.
    faults
        What is wrong; any makes the check fail.
    added
        Structures that nobody looked at.
    """

    approvers: tuple[str, ...]
    faults: tuple[str, ...]
    entries: tuple[Approval, ...]
    added: tuple[str, ...] = ()
    kappas: tuple[ReviewerKappa, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
