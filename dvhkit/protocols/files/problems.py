"""What is wrong with a protocol file, each fault with its place, so that all of them can be told at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from dvhkit.errors import MetricSyntaxError
from dvhkit.yaml_text import Place

Problem = tuple[Place, str]
Made = TypeVar("Made")


@dataclass(slots=True)
class Problems:
    """The faults found so far."""

    listed: list[Problem] = field(default_factory=list)

    def attempt(self, place: Place, make: Callable[[], Made]) -> Made | None:
        """Return what `make` makes, or None and a problem at `place` where it raises."""
        try:
            return make()
        except MetricSyntaxError as bad:
            self.listed.append((place, f"{bad.message} {bad.remedy or ''}".strip()))
        except ValueError as bad:
            self.add(place, str(bad))
        return None

    def add(self, place: Place, message: str) -> None:
        """Note what is wrong at `place`."""
        self.listed.append((place, message if message.endswith("?") else f"{message}."))
