"""What each kind of rule is built with: structures, limits, context keys; every fault is noted with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dvhkit.protocols.checks.limits import Limit, parse_by_volume, parse_limit
from dvhkit.protocols.files.problems import Problems
from dvhkit.protocols.naming.names import nearest
from dvhkit.protocols.naming.regions import parse_region
from dvhkit.protocols.naming.selector import StructureSelector
from dvhkit.units import Unit
from dvhkit.yaml_text import Place

if TYPE_CHECKING:
    from dvhkit.protocols.files.shapes import RuleShape, StructureModel


class _Declared(Protocol):
    """A context key as a protocol declares it."""

    @property
    def type(self) -> str: ...


@dataclass(slots=True)
class RuleParts:
    """What rules of one protocol are built with.

    Attributes
    ----------
    context
        The context keys that the protocol declares.
    """

    context: Mapping[str, _Declared]
    problems: Problems = field(default_factory=Problems)

    def structure(self, place: Place, model: StructureModel | None) -> StructureSelector | None:
        """Return which structure is meant; None where none is named, or after noting that it cannot be read."""
        if model is None:
            return None
        text = model.derived
        derived = None if text is None else self.problems.attempt(place, lambda: parse_region(text))
        if text is not None and derived is None:
            return None
        return StructureSelector(
            name=model.name or "",
            aliases=tuple(model.aliases),
            any_of=tuple(model.any_of),
            need_one=model.need == "one",
            rt_roi_type=model.type or "",
            each=model.each,
            derived=derived,
            derived_text=text or "",
        )

    def limits(self, place: Place, model: RuleShape, *, unit: Unit, bare_ok: bool) -> tuple[Limit, Limit | None] | None:
        """Return goal and variation of a quantity in `unit`; None after noting what is wrong."""
        rows = model.by_volume_cc
        if rows is not None:
            return self.problems.attempt((*place, "by_volume_cc"), lambda: parse_by_volume(model.goal, rows, unit=unit))
        goal = self.problems.attempt((*place, "goal"), lambda: parse_limit(model.goal, unit=unit, bare_ok=bare_ok))
        text = model.variation
        if goal is None or text is None:
            return None if goal is None else (goal, None)
        at = (*place, "variation")
        return goal, self.problems.attempt(at, lambda: parse_limit(text, unit=unit, like=goal, bare_ok=bare_ok))

    def context_type(self, place: Place, key: str) -> str | None:
        """Return the declared type of a context key; None after noting that it is not declared."""
        declared = self.context.get(key)
        if declared is not None:
            return declared.type
        near = nearest(key, self.context)
        hint = f". Did you mean {near!r}?" if near else "; declare it under `context:`"
        self.problems.add(place, f"the context key {key!r} is not declared{hint}")
        return None
