"""Which structure, or structures, a rule is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dvhkit.targets.regions.expression import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureSelector:
    """Which structure, or structures, a rule is about.

    Attributes
    ----------
    name, aliases
        By name; empty where `rt_roi_type` or only `derived` is given.
    any_of
        By several names: each of them that the case has is judged, such as both sides of a paired organ.
    need_one
        Whether it is enough that one of them keeps to the limit, such as one spared parotid.
    rt_roi_type
        By RTROIInterpretedType.
    each
        Whether several matches are judged one by one; otherwise several are ambiguous.
    derived
        How to make the structure from others where none has the name.
    """

    name: str = ""
    aliases: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    need_one: bool = False
    rt_roi_type: str = ""
    each: bool = False
    derived: Expression | None = None
    derived_text: str = ""

    def __str__(self) -> str:
        if self.name:
            return self.name
        if self.any_of:
            return f"one of {', '.join(self.any_of)}" if self.need_one else " or ".join(self.any_of)
        if self.rt_roi_type:
            return f"each {self.rt_roi_type}" if self.each else f"the {self.rt_roi_type}"
        return self.derived_text

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it is known by, without those in expressions."""
        return ((self.name,) if self.name else ()) + self.any_of

    def data(self) -> dict[str, Any]:
        """Return it in the shape of a protocol file."""
        return given(
            name=self.name,
            aliases=list(self.aliases),
            any_of=list(self.any_of),
            need="one" if self.need_one else None,
            type=self.rt_roi_type,
            each=self.each or None,
            derived=self.derived_text,
        )


def given(**values: Any) -> dict[str, Any]:  # noqa: ANN401 -- whatever a protocol file may hold
    """Return what says something: what is empty is left out of a protocol file."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {}, ())}
