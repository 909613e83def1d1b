"""What differs between two runs, and why."""

from __future__ import annotations

from dataclasses import dataclass

DIFF_SCHEMA = "dvhkit/diff/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One verdict or one number that is another in the second run.

    Attributes
    ----------
    kind
        ``verdict`` or ``metric``.
    old, new
        Verdicts, ``error`` where the case could not be judged, or numbers in `unit`; None where there is none.
    cause
        Words of `dvhkit.archive.storage.keys.CAUSES`, or ``version``: what differs between the two results and can have
        changed this one.
    """

    case_id: str
    kind: str
    rule_id: str | None
    roi: str
    metric: str
    old: str | float | None
    new: str | float | None
    unit: str
    cause: tuple[str, ...]

    @property
    def rank(self) -> int:
        """The order of telling: passes that became failures first, numbers last."""
        if self.kind == "metric":
            return 4
        if self.new in ("fail", "error"):
            return 0 if self.old in ("pass", "variation", "waived") else 1
        return 3 if self.new in ("pass", "variation") else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff:
    """Everything that differs; `only_a` and `only_b` are cases that one run alone has."""

    changed: tuple[Change, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    n_compared: int

    @property
    def n_verdicts(self) -> int:
        """How many verdicts changed."""
        return sum(change.kind == "verdict" for change in self.changed)
