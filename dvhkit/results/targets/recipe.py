"""How targets follow from a lesion, as a file says it: plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A structure that the user names."""

    name: str
    title: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A margin in mm: its default, the range that the source gives, and how far its discretion goes.

    `allowed_low` is below `low` where the source allows less with a reason. None: the source gives no limit there.
    """

    name: str
    title: str
    default: float
    low: float | None
    high: float | None
    allowed_low: float | None
    source: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One structure to make: from a role or an earlier step, by settings named for each direction.

    `inside` names a role that the result is kept inside; `keep` one that this must not cut.
    """

    name: str
    rt_roi_type: str
    base: str
    margins: tuple[tuple[str, str], ...]
    inside: str = ""
    keep: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How targets follow from a lesion, with sources."""

    id: str
    version: str
    title: str
    summary: str
    sources: tuple[str, ...]
    roles: tuple[Role, ...]
    settings: tuple[Setting, ...]
    steps: tuple[Step, ...]
