"""What there is to choose from (protocols, recipes, decision tables): plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One thing that an option takes by its ID."""

    id: str
    version: str
    title: str
