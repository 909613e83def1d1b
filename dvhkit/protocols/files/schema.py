"""What a protocol file may hold, checked strictly: a misspelt key is an error, a text is no number."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from dvhkit.protocols.checks.limits import split_constraint
from dvhkit.protocols.naming.regions import is_expression
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
Link = Annotated[str, Field(pattern=r"^(containment|(GTV|CTV|ITV|PTV) in (CTV|ITV|PTV|EXTERNAL))$")]
StatusCode = Literal["P", "T", "S2", "S1", "C", "X", "B"]
# What rules may look at beside structures; N in bedN and eqd2_N is the alpha/beta in Gy.
PROPERTY = re.compile(
    r"image\.(slice_spacing|pixel_spacing)|dose\.grid_spacing"
    r"|plan\.(technique|energy|machine|beam_count|approval)"
    r"|prescription\.(dose|fractions|dose_per_fraction|(bed|eqd2_)[1-9]\d*(\.\d+)?)"
    r"|context\.[a-z][a-z0-9_]*"
)
PROPERTIES = (
    "image.slice_spacing",
    "image.pixel_spacing",
    "dose.grid_spacing",
    "plan.technique",
    "plan.energy",
    "plan.machine",
    "plan.beam_count",
    "plan.approval",
    "prescription.dose",
    "prescription.fractions",
    "prescription.dose_per_fraction",
    "prescription.bed10",
    "prescription.eqd2_10",
)


class Strict(BaseModel):
    """No unknown keys, no coercion, no change."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SourceModel(Strict):
    """A publication."""

    key: Name
    citation: Text
    url: Text | None = None


class ContextKeyModel(Strict):
    """Something clinical that rules depend on and DICOM does not state."""

    type: Literal["bool", "number", "text"]
    meaning: Text


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


class MarginModel(Strict):
    """From which structure to which a margin was drawn."""

    from_: Structure = Field(alias="from")
    to: Structure
    direction: Literal["AP", "LR", "CC"] | None = None


class RungModel(Strict):
    """One step of a ladder of prescriptions: what a plan with this one must keep to, by metric."""

    prescription_gy: Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)]
    limits: Annotated[dict[Name, Spelled], Field(min_length=1, max_length=10)]


class RuleModel(Strict):
    """One rule: a metric, a property, a margin, a ladder, or how targets lie; and the goal to keep to."""

    id: Identifier
    title: Text | None = None
    structure: Structure | None = None
    metric: Name | None = None
    property: Name | None = None
    margin: MarginModel | None = None
    target: Link | None = None
    ladder: Annotated[list[RungModel], Field(min_length=2, max_length=50)] | None = None
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

    @model_validator(mode="before")
    @classmethod
    def _goal_in_the_metric(cls, data: Any) -> Any:  # noqa: ANN401 -- whatever the file holds
        """Take ``metric: D1cc < 10 Gy`` for a metric and its goal."""
        if not isinstance(data, dict) or "goal" in data or not isinstance(data.get("metric"), str):
            return data
        parts = split_constraint(data["metric"])
        return data if parts is None else {**data, "metric": parts[0], "goal": parts[1]}

    @model_validator(mode="after")
    def _asks_one_thing(self) -> RuleModel:
        kinds = [k for k in ("metric", "property", "margin", "target", "ladder") if getattr(self, k) is not None]
        if len(kinds) != 1:
            given = " and ".join(kinds) or "none"
            raise ValueError(f"a rule has exactly one of metric, property, margin, target and ladder; here: {given}")
        of_structure = self.metric is not None or self.ladder is not None
        of_target = self.property is not None and self.property.startswith("prescription.")
        if of_structure != (self.structure is not None) and not (of_target and self.structure):
            kind = "ladder" if self.ladder is not None else "metric"
            raise ValueError(f"structure and {kind} belong together (a property of the prescription may name one, too)")
        if self.by_volume_cc is not None and (self.metric is None or self.variation is not None):
            raise ValueError("by_volume_cc belongs to a metric; its third column is the variation")
        return self


class ProtocolModel(Strict):
    """A protocol file."""

    id: Identifier
    version: Spelled
    title: Text
    site: Name | None = None
    sources: list[SourceModel] = Field(default_factory=list)
    fractions: Fractions | None = None
    context: dict[ContextName, ContextKeyModel] = Field(default_factory=dict)
    aliases: dict[Name, list[Name]] = Field(default_factory=dict)
    notes: list[Text] = Field(default_factory=list)
    groups: dict[Identifier, Text] = Field(default_factory=dict)
    rules: Annotated[list[RuleModel], Field(min_length=1)]


def fields_of(place: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the keys that are known at `place` in a protocol file, for suggestions."""
    model: Any = ProtocolModel
    models = {"sources": SourceModel, "context": ContextKeyModel, "rules": RuleModel}
    models |= {
        "ladder": RungModel,
        "structure": StructureModel,
        "from": StructureModel,
        "to": StructureModel,
        "margin": MarginModel,
    }
    for key in place:
        model = models.get(str(key), model)
    return tuple(field.alias or name for name, field in model.model_fields.items())
