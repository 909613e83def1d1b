"""The rule on a number that the clinical context states, since no DICOM file does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.checks.properties import PropertyCheck
from dvhkit.protocols.files.parts import RuleParts
from dvhkit.protocols.files.rules import Asked, Built, Rule
from dvhkit.protocols.verdict import decided_row
from dvhkit.results.audit import RuleResult
from dvhkit.units import Unit
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextCheck(PropertyCheck):
    """Look at a number of the clinical context."""

    PATTERN = r"context\.[a-z][a-z0-9_]*"

    @classmethod
    def build(cls, place: Place, model: RuleShape, parts: RuleParts) -> Built | None:
        name, at = getattr(model, cls.KEY), (*place, "property")
        declared = parts.context_type(at, name.removeprefix("context."))
        if declared is not None and declared != "number":
            parts.problems.add(at, f"{name} is declared as {declared}; only a number can be held against a limit")
        return Built(check=cls(name=name), unit=Unit.NONE)

    def rows(self, rule: Rule, asked: Asked) -> Iterator[RuleResult]:
        key = self.name.removeprefix("context.")
        stated = asked.context.get(key)
        if isinstance(stated, bool) or not isinstance(stated, int | float) or not math.isfinite(stated):
            meaning = next((k.meaning for k in asked.protocol.context if k.name == key), "")
            raise NotEvaluable(
                f"the clinical context does not state {key} as a number ({meaning.rstrip('.')}).",
                reason=Reason.NO_CONTEXT,
            )
        yield decided_row(rule, float(stated))
