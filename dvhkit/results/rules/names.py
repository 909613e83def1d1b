"""What the names of a plan's structures mean: plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dvhkit.findings import Finding


class Recognition(StrEnum):
    """How a name was understood."""

    EXACT = "exact"
    SPELLING = "case and blanks"
    CLINIC = "clinic's alias"
    RULE = "word and side"
    TARGET = "target name"
    DERIVED = "derived name"  # of an organ by rule: less a target, its risk volume, a part of it
    HELPER = "not for evaluation"
    NONE = "not recognised"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRow:
    """One ROI: `standard` is its TG-263 name, empty where it was not recognised; `suggestion` is not used.

    `fma` is the FMA code of the structure, empty where none is known.
    """

    roi: str
    number: int
    rt_roi_type: str
    standard: str
    how: Recognition
    suggestion: str = ""
    fma: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNames:
    """The names of one plan, and what speaks against them."""

    names: tuple[NameRow, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesLearned:
    """What an alias file was taught: spellings with the name that each stands for.

    `own_names` are those among them that TG-263 does not know, `unknown` what is still not recognised in the plan.
    """

    learned: tuple[tuple[str, str], ...]
    own_names: tuple[str, ...]
    unknown: tuple[NameRow, ...]
    findings: tuple[Finding, ...]
