"""The types that a protocol file is made of, checked strictly: a misspelt key is an error, a text is no number."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from dvhkit.targets.regions.expression import is_expression
from dvhkit.units import number_text


def _spelled(value: object) -> object:
    """Return a bare number as the text that it was typed as: `fractions: 5` is `fractions: "5"`."""
    return number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _spelled_list(value: object) -> object:
    """Return `5`, `3..5` or `[3, 5]` as one text, so that a limit's fractions have one form to read."""
    if isinstance(value, list) and value and all(isinstance(i, int) and not isinstance(i, bool) for i in value):
        return ", ".join(str(i) for i in value)
    return _spelled(value)


def _structure(value: object) -> object:
    """Return the short form, a text, as the long one."""
    if isinstance(value, str) and value.strip():
        return {"derived" if is_expression(value) or _HAS_OPERATOR.search(value) else "name": value}
    return value


# A text with such signs is meant as an expression: one that cannot be read is an error, not an odd name.
_HAS_OPERATOR = re.compile(r"\s[-+](\s|$)|[|&]")


def _typed_as(*types: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": t} for t in types]})


Text = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Spelled = Annotated[Name, BeforeValidator(_spelled), _typed_as("string", "number")]
Fractions = Annotated[Name, BeforeValidator(_spelled_list), _typed_as("string", "integer", "array")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")]
ContextName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
TargetType = Literal["GTV", "CTV", "ITV", "PTV", "ORGAN", "EXTERNAL", "AVOIDANCE"]
StatusCode = Literal["P", "T", "S2", "S1", "C", "X", "B"]


class Strict(BaseModel):
    """No unknown keys, no coercion, no change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class StructureModel(Strict):
    """Which structure a rule is about: by name, by type, any of several that is there, or made of others."""

    name: Name | None = None
    any_of: list[Name] = Field(default_factory=list)
    need: Literal["all", "one"] = "all"
    aliases: list[Name] = Field(default_factory=list)
    type: TargetType | None = None
    each: bool = False
    derived: Name | None = None

    @model_validator(mode="after")
    def _says_which(self) -> StructureModel:
        given = [k for k in ("name", "any_of", "type") if getattr(self, k)]
        if not given and self.derived is None:
            raise ValueError("say which structure: give name, any_of, type or derived")
        if len(given) > 1:
            raise ValueError(f"give one of name, any_of and type, not {' and '.join(given)}")
        if self.any_of and self.derived is not None:
            raise ValueError("any_of takes structures as they are drawn; it goes without derived")
        if self.aliases and self.name is None:
            raise ValueError("aliases need the name that they stand for")
        if self.need == "one" and not self.any_of:
            raise ValueError("need: one belongs to any_of")
        if self.each and self.type is None:
            raise ValueError("each needs a type, such as PTV")
        return self


Structure = Annotated[StructureModel, BeforeValidator(_structure)]


class RuleShape(Strict):
    """What every rule may hold, whatever it measures."""

    id: Identifier
    title: Text | None = None
    structure: Structure | None = None
    goal: Spelled
    variation: Spelled | None = None
    by_volume_cc: list[Annotated[list[Number], Field(min_length=2, max_length=3)]] | None = None
    priority: Annotated[int, Field(ge=1, le=9)] = 1
    when: dict[ContextName, bool | Number | str] = Field(default_factory=dict)
    fractions: Fractions | None = None
    dose_per_fraction_gy: Spelled | None = None
    alpha_beta_gy: Annotated[float, Field(gt=0, le=50, allow_inf_nan=False)] | None = None
    per_course: bool = False
    waivable: bool = False
    score: list[Annotated[list[Number], Field(min_length=2, max_length=2)]] | None = None
    group: Identifier | None = None
    source: Text | None = None
    status: StatusCode | None = None
    note: Text | None = None
