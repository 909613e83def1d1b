"""What commissioning an installation comes to: known answers, what was achieved, what is wrong, what was not tested."""

from __future__ import annotations

from dataclasses import dataclass

COMMISSION_SCHEMA = "dvhkit/commission/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommissionTest:
    """One known answer.

    Attributes
    ----------
    id, title, source
        The test's identity, what it shows, and where its truth comes from.
    tolerance, achieved, unit
        The greatest error that is allowed and the one that was met, in the same unit.
    basis
        Why the tolerance is what it is.
    worst
        The structure and metric at which the greatest error was met.
    passed
        Whether `achieved` is at most `tolerance`; a test that could not be run has not passed.
    """

    id: str
    title: str
    source: str
    tolerance: float
    achieved: float | None
    unit: str
    basis: str
    worst: str = ""
    passed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommissionNumber:
    """One number of one phantom or plan, kept so that a later version can be held against it."""

    of: str
    roi: str
    metric: str
    value: float | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberChange:
    """A number that differs from an earlier record's; None where one of them has no value or no such number."""

    of: str
    roi: str
    metric: str
    unit: str
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommissionRecord:
    """The record of one installation: signed off by a person, kept, and compared after each change.

    Attributes
    ----------
    diagnosis
        What the failed tests have in common, in words: a scale, a shift, structures that changed places.
    build_sha256
        Fingerprint of the installed program's own files.
    changes
        Numbers that changed since the record `compared_with`; empty where none was named.
    """

    site: str
    created_utc: str
    dvhkit_version: str
    build_sha256: str
    machine: dict[str, str]
    libraries: dict[str, str]
    tests: tuple[CommissionTest, ...]
    diagnosis: tuple[str, ...]
    not_tested: tuple[str, ...]
    numbers: tuple[CommissionNumber, ...]
    seconds: float
    compared_with: str = ""
    changes: tuple[NumberChange, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return bool(self.tests) and all(test.passed for test in self.tests)
