"""Metrics of PlanScoreCard and ours: one entry a kind, each way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.protocols.converters.json_text import plain_number
from dvhkit.units import Quantity, Unit, number_text, parse_unit

# Their metric -> our kind; whether a query value stands with it.
_KINDS = {
    "MinDose": ("Min", False),
    "MaxDose": ("Max", False),
    "MeanDose": ("Mean", False),
    "DoseAtVolume": ("D", True),
    "VolumeAtDose": ("V", True),
    "Volume": ("Volume", False),
}
# Indices at a dose: what they are of stands in the query.
_AT_DOSE = {"ConformationNumber": "CI_Paddick", "ConformityIndex": "CI_RTOG", "VolumeOfRegret": "Regret"}
_EMPTY = {"InputValue": 0.0, "InputUnit": ""}


def metric_from(item: Mapping[str, Any]) -> tuple[Metric, float]:
    """Return our metric, and what a number in their output unit is divided by; ValueError, in words, without one."""
    kind = item.get("MetricType")
    if not isinstance(kind, str):
        raise ValueError(f"the metric {kind!r:.60} has no counterpart here")
    if kind in _AT_DOSE:
        return _at_dose(item, kind), 1.0
    special = {
        "HomogeneityIndex": _homogeneity,
        "InhomogeneityIndex": lambda _: parse_metric("HI_MaxMinMean"),
        "ModifiedGradientIndex": _gradient,
    }
    if kind in special:
        return special[kind](item), 1.0
    if kind == "DoseAtSubVolume":
        unit, factor = _output(item)
        return parse_metric(f"DC{number_text(_number(item, 'InputValue'))}cc[{unit.value}]"), factor
    if kind not in _KINDS:
        raise ValueError(f"the metric {kind!r:.60} has no counterpart here")
    name, takes = _KINDS[kind]
    unit, factor = _output(item)
    query = f"{number_text(_number(item, 'InputValue'))}{item.get('InputUnit') or ''}" if takes else ""
    return parse_metric(f"{name}{query}[{unit.value}]"), factor


def metric_to(metric: Metric) -> dict[str, Any] | None:
    """Return what asks for a metric of ours, or None if nothing does."""
    arguments = dict(metric.arguments)
    at_dose = {ours: theirs for theirs, ours in _AT_DOSE.items()}
    if metric.kind in at_dose:
        return {"MetricType": at_dose[metric.kind], **_query(arguments["at"]), "OutputUnit": "cc"}
    if metric.kind == "HI_MaxMinMean":
        return {"MetricType": "InhomogeneityIndex", **_EMPTY, "OutputUnit": ""}
    special = {"HI_Spread": _homogeneity_to, "VRatio": _gradient_to}
    return special[metric.kind](arguments) if metric.kind in special else _of_one_volume(metric)


def _of_one_volume(metric: Metric) -> dict[str, Any] | None:
    """Return what asks for a plain metric, or for the dose to all but the coldest part."""
    kinds = {ours: theirs for theirs, (ours, _) in _KINDS.items()}
    if metric.kind == "DC" and metric.at is not None and metric.at.unit is Unit.CC:
        kinds = {"DC": "DoseAtSubVolume"}
    if metric.kind not in kinds:
        return None
    query = _EMPTY if metric.at is None else _query(metric.at)
    return {"MetricType": kinds[metric.kind], **query, "OutputUnit": metric.unit.value}


def _query(at: Quantity) -> dict[str, Any]:
    return {"InputValue": at.value, "InputUnit": at.unit.value}


def _output(item: Mapping[str, Any]) -> tuple[Unit, float]:
    """Return the unit of the result, and what a number in theirs is divided by to be in it."""
    text = str(item.get("OutputUnit") or "")
    parsed = parse_unit(text)
    if parsed is None or not text:
        raise ValueError(f"its unit {text!r:.40} is not known")
    unit, scale = parsed
    return unit, float(round(1 / scale)) if scale < 1 else 1 / scale


def _at_dose(item: Mapping[str, Any], kind: str) -> Metric:
    if "%" in str(item.get("OutputUnit") or ""):
        raise ValueError(f"{kind} in percent compares percent of two volumes, which means nothing")
    return parse_metric(f"{_AT_DOSE[kind]}(at={_dose(item, 'InputValue', 'InputUnit')})")


def _homogeneity(item: Mapping[str, Any]) -> Metric:
    """Return (D hot - D cold) / target, the volumes in percent."""
    if "%" in str(item.get("OutputUnit") or ""):
        raise ValueError("a homogeneity index in percent has no counterpart here")
    hot, cold = (number_text(_number(item, name)) for name in ("HI_HiValue", "HI_LowValue"))
    over = _dose(item, "HI_Target", "HI_TargetUnit")
    return parse_metric(f"HI_Spread(hot={hot}%,cold={cold}%,over={over})")


def _gradient(item: Mapping[str, Any]) -> Metric:
    """Return the structure's volume at the lower dose over that at the higher one."""
    low, high = (_dose(item, name, "InputUnit") for name in ("HI_LowValue", "HI_HiValue"))
    return parse_metric(f"VRatio(at={low},over={high})")


def _homogeneity_to(arguments: Mapping[str, Quantity]) -> dict[str, Any] | None:
    hot, cold, over = arguments["hot"], arguments["cold"], arguments["over"]
    if hot.unit is not Unit.PERCENT or cold.unit is not Unit.PERCENT:
        return None
    said = {"HI_HiValue": hot.value, "HI_LowValue": cold.value, "HI_Target": over.value}
    head = {"MetricType": "HomogeneityIndex", **_EMPTY, "OutputUnit": ""}
    return head | said | {"HI_TargetUnit": over.unit.value}


def _gradient_to(arguments: Mapping[str, Quantity]) -> dict[str, Any] | None:
    low, high = arguments["at"], arguments["over"]
    if low.unit is not high.unit:
        return None
    head = {"MetricType": "ModifiedGradientIndex", "InputValue": 0.0, "InputUnit": low.unit.value, "OutputUnit": ""}
    return head | {"HI_HiValue": high.value, "HI_LowValue": low.value}


def _dose(item: Mapping[str, Any], value: str, unit: str) -> str:
    """Return a dose with its unit; ValueError if there is none, or 0."""
    text = str(item.get(unit) or "")
    parsed = parse_unit(text)
    number = _number(item, value)
    if parsed is None or parsed[0] not in (Unit.GY, Unit.PERCENT) or not text or number <= 0:
        raise ValueError(f"it does not say at which dose ({value} {number_text(number)}, {unit} {text!r:.20})")
    return f"{number_text(number)}{text}"


def _number(item: Mapping[str, Any], name: str) -> float:
    found = plain_number(item.get(name))
    if found is None:
        raise ValueError(f"its {name} {item.get(name)!r:.40} is no number")
    return found
