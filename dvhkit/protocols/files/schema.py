"""What a protocol file may hold, made of the shapes of every kind of rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, create_model, model_validator

from dvhkit.protocols.checks.kinds import KEYS, KINDS, kind_at
from dvhkit.protocols.checks.limits import split_constraint
from dvhkit.protocols.files.shapes import (
    ContextName,
    Fractions,
    Identifier,
    Name,
    RuleShape,
    Spelled,
    Strict,
    StructureModel,
    Text,
)


class SourceModel(Strict):
    """A publication."""

    key: Name
    citation: Text
    url: Text | None = None


class ContextKeyModel(Strict):
    """Something clinical that rules depend on and DICOM does not state."""

    type: Literal["bool", "number", "text"]
    meaning: Text


class _Rule(RuleShape):
    @model_validator(mode="before")
    @classmethod
    def _goal_in_the_metric(cls, data: Any) -> Any:  # noqa: ANN401 -- whatever the file holds
        """Take ``metric: D1cc < 10 Gy`` for a metric and its goal."""
        if not isinstance(data, dict) or "goal" in data or not isinstance(data.get("metric"), str):
            return data
        parts = split_constraint(data["metric"])
        return data if parts is None else {**data, "metric": parts[0], "goal": parts[1]}

    @model_validator(mode="after")
    def _asks_one_thing(self) -> _Rule:
        asked = [key for key in KEYS if getattr(self, key) is not None]
        if len(asked) != 1:
            given = " and ".join(asked) or "none"
            raise ValueError(f"a rule has exactly one of {', '.join(KEYS[:-1])} and {KEYS[-1]}; here: {given}")
        kind = kind_at(asked[0], getattr(self, asked[0]))
        structure = "no" if kind is None else kind.STRUCTURE
        if structure != "may" and (structure == "must") != (self.structure is not None):
            key = asked[0] if structure == "must" else "metric"
            raise ValueError(f"structure and {key} belong together (a property of the prescription may name one, too)")
        if self.by_volume_cc is not None and (asked != ["metric"] or self.variation is not None):
            raise ValueError("by_volume_cc belongs to a metric; its third column is the variation")
        return self


if TYPE_CHECKING:
    RuleModel = _Rule
else:
    RuleModel = create_model(
        "RuleModel",
        __base__=_Rule,
        __doc__="One rule: a metric, a property, a margin, a ladder, or how targets lie; and the goal to keep to.",
        **{kind.KEY: (kind.shape() | None, None) for kind in reversed(KINDS)},
    )


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
    models |= {"structure": StructureModel, "from": StructureModel, "to": StructureModel}
    models |= {key: part for key in KEYS for part in _parts(RuleModel.model_fields[key].annotation)}
    for step in place:
        model = models.get(str(step), model)
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _parts(annotation: Any) -> list[Any]:  # noqa: ANN401 -- a type, as pydantic reads it
    """Return the models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _parts(part)]
