"""How indices are spelled: ``CI_Paddick``, ``HI_Spread(hot=2%,cold=98%)``, ``NTCP(liver-rild-metastases)[%]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dvhkit.metrics.radiobiology.outcome_models import OutcomeModel, find_model, outcome_models
from dvhkit.metrics.registry import IndexSpec, Parameter, find_index
from dvhkit.units import Quantity, Unit, number_text, parse_unit, quantity

Arguments = tuple[tuple[str, Quantity], ...]

_FORM = re.compile(
    r"\s*(?P<name>[A-Za-z][\w .]*?)"
    r"\s*(?:(?P<direct>(?:\d+\.?\d*|\.\d+)\s*(?:%|c?Gy))|\(\s*(?P<arguments>[^()\[\]]*)\))?"
    r"\s*(?:\[\s*(?P<unit>[^\[\]]*?)\s*\])?\s*",
    re.ASCII | re.IGNORECASE,
)
_ARGUMENT = re.compile(
    r"\s*(?:(?P<name>[A-Za-z]\w*)\s*=\s*)?(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>%|[a-zA-Z]+[³3]?)?\s*"
)
_BY_MODEL = ("ntcp", "tcp")
_GREATEST = 1e15


class Misread(ValueError):  # noqa: N818 -- says what happened; the grammar turns it into its own error
    """Why a text that names an index cannot be read, and where (0 is the first character of the text)."""

    def __init__(self, position: int, why: str, instead: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.position, self.why, self.instead = position, why, instead


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexText:
    """What a text that names an index asks for; `model` is the shipped model that it names."""

    row: IndexSpec
    arguments: Arguments
    unit: Unit
    model: OutcomeModel | None = None


def read_index(text: str, begin: int = 0) -> IndexText | OutcomeModel | None:
    """Return the index that `text` names from `begin` on, or the model; None if it names neither.

    Raises
    ------
    Misread
        If it names one, but its parameters or its unit cannot be.
    """
    match = _FORM.fullmatch(text, begin)
    if match is None:
        return None
    if match["name"].casefold() in _BY_MODEL:
        return _model(match)
    row = find_index(match["name"])
    if row is None:
        return None
    # CN95% is CN(95%), as constraint tables write it.
    group = "direct" if match["direct"] is not None else "arguments"
    listed = match[group]
    if listed is not None and not row.parameters:
        raise Misread(match.start(group), f"{row.name} takes no parameters", (row.name,))
    arguments = _arguments(row, listed or "", match.start(group) if listed is not None else match.end("name"))
    return IndexText(row=row, arguments=arguments, unit=_unit(row, match))


def arguments_text(row: IndexSpec, arguments: Arguments) -> str:
    """Return the parameters in brackets, without those that are what they are anyway."""
    default = {parameter.name: parameter.default for parameter in row.parameters}
    said = [f"{name}={number_text(at.value)}{at.unit.value}" for name, at in arguments if at != default[name]]
    return f"({','.join(said)})" if said else ""


def example(row: IndexSpec) -> str:
    """Return how an index is written, with letters for its numbers."""
    needed = [f"{p.name}=...{p.units[0].value}" for p in row.parameters if p.default is None]
    return f"{row.name}({','.join(needed)})" if needed else row.name


def _model(match: re.Match[str]) -> OutcomeModel:
    """Return the shipped model that is named; a unit other than percent is an error."""
    known = tuple(f"NTCP({model.id})" for model in outcome_models())
    if match["arguments"] is None:
        why = f"{match['name']} needs a model or, as NTCP_LKB(TD50=...Gy,m=...,n=...), its parameters"
        raise Misread(match.start("name"), why, known[:2])
    found = find_model(match["arguments"])
    if found is None or match["name"].casefold() == "tcp":
        raise Misread(match.start("arguments"), f"there is no model {match['arguments'].strip()!r:.60}", known)
    if match["unit"] not in (None, "%"):
        raise Misread(match.start("unit"), f"a probability comes in %, not {match['unit']!r}", (f"NTCP({found.id})",))
    return found


def _unit(row: IndexSpec, match: re.Match[str]) -> Unit:
    if not match["unit"]:
        return row.units[0]
    parsed = parse_unit(match["unit"])
    if parsed is None or parsed[0] not in row.units:
        allowed = " or ".join(unit.value or "a plain number" for unit in row.units)
        raise Misread(match.start("unit"), f"{row.name} gives {allowed}, not {match['unit']!r}", (example(row),))
    return parsed[0]


def _arguments(row: IndexSpec, listed: str, begin: int) -> Arguments:
    """Return every parameter with its value, in the order of the table."""
    found: dict[str, Quantity] = {}
    parts = listed.split(",") if listed.strip() else []
    for i, part in enumerate(parts):
        match = _ARGUMENT.fullmatch(part)
        if match is None:
            raise Misread(begin, f"{part.strip()!r:.40} is no parameter of {row.name}", (example(row),))
        parameter = _parameter(row, match["name"], i, begin)
        if parameter.name in found:
            raise Misread(begin, f"{parameter.name} stands there twice", (example(row),))
        found[parameter.name] = _value(row, parameter, match, begin)
        begin += len(part) + 1
    for parameter in row.parameters:
        if parameter.name not in found:
            if parameter.default is None:
                raise Misread(begin, f"{row.name} needs {parameter.name}", (example(row),))
            found[parameter.name] = parameter.default
    return tuple((parameter.name, found[parameter.name]) for parameter in row.parameters)


def _parameter(row: IndexSpec, name: str | None, place: int, begin: int) -> Parameter:
    if name is None and place < len(row.parameters):
        return row.parameters[place]
    found = next((p for p in row.parameters if name is not None and p.name.casefold() == name.casefold()), None)
    if found is None:
        known = ", ".join(p.name for p in row.parameters)
        what = f"no parameter {name!r}" if name is not None else f"no {place + 1}th parameter"
        raise Misread(begin, f"{row.name} has {what}, only {known}", (example(row),))
    return found


def _value(row: IndexSpec, parameter: Parameter, match: re.Match[str], begin: int) -> Quantity:
    """Return a parameter in its unit; a unit is never guessed where it may be one of two."""
    number = float(match["number"])
    allowed = " or ".join(unit.value or "a plain number" for unit in parameter.units)
    if match["unit"] is None:
        if parameter.units != (Unit.NONE,):
            raise Misread(begin, f"{parameter.name} of {row.name} needs a unit: {allowed}", (example(row),))
        value = Quantity(number, Unit.NONE)
    else:
        given = quantity(number, match["unit"])
        if given is None or given.unit not in parameter.units:
            raise Misread(begin, f"{parameter.name} of {row.name} is {allowed}, not {match['unit']!r}", (example(row),))
        value = given
    too_low = value.value < 0 if not parameter.may_be_negative else False
    of_volume = Unit.CC in parameter.units and value.unit is Unit.PERCENT and value.value > 100
    must_be_more = value.unit in (Unit.NONE, Unit.GY) and value.value == 0 and not parameter.may_be_negative
    if too_low or of_volume or must_be_more or abs(value.value) > _GREATEST:
        raise Misread(begin, f"{parameter.name} of {row.name} cannot be {match['number']}", (example(row),))
    return value
