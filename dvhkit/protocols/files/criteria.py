"""Limits by which contours are graded: per protocol, acceptable variation, unacceptable variation; from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from dvhkit.errors import InputError
from dvhkit.protocols.naming.names import nearest
from dvhkit.yaml_text import YamlDocument, read_yaml

# Names of the columns of a comparison that a limit may be on; flips are counted over its dose metrics.
METRICS = (
    "dice", "jaccard", "volume_ratio", "hausdorff_mm", "hd95_pooled_mm", "hd95_directed_mm", "mean_surface_distance_mm",
    "surface_dice", "apl_mm", "apl_relative", "centroid_shift_mm", "verdict_flips",
)  # fmt: skip
_LIMIT = re.compile(r"\s*(<=|>=|<|>)\s*([+-]?\d+(?:\.\d+)?)\s*$")
_RANGE = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(?:to|-|–)\s*([+-]?\d+(?:\.\d+)?)\s*$")
_TOP = ("id", "title", "source", "note", "structures")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A limit on a number: its text, and the interval that meets it."""

    text: str
    low: float = float("-inf")
    high: float = float("inf")
    is_open: bool = False

    def holds(self, value: float) -> bool:
        """Return whether a number meets the limit."""
        return self.low < value < self.high if self.is_open else self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeLimit:
    """The limits on one number: within the first it is per protocol, within the second acceptable."""

    metric: str
    per_protocol: Bound
    acceptable: Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeRule:
    """Limits for structures whose names fit any of the patterns."""

    patterns: tuple[str, ...]
    limits: tuple[GradeLimit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """All rules of a file; the first that fits a structure counts."""

    id: str
    title: str
    rules: tuple[GradeRule, ...]


def load_criteria(name: str | Path) -> Criteria:
    """Return the criteria in a YAML file, or the shipped ones of that ID (``example``).

    Raises
    ------
    InputError
        With file and line.
    """
    path = Path(name)
    if not path.exists() and re.fullmatch(r"[a-z0-9-]+", str(name)):
        path = Path(str(files("dvhkit.protocols") / "criteria" / f"{name}.yaml"))
        if not path.is_file():
            raise InputError(f"no criteria are shipped as {str(name)!r}.", remedy="Name a YAML file, or: example.")
    document = read_yaml(path, error=InputError)
    for key in document.data:
        if key not in _TOP:
            raise _bad(document, (key,), f"the key {key!r} is not known here", key, _TOP)
    entries = document.data.get("structures")
    if not isinstance(entries, list) or not entries:
        raise InputError("has no list of structures.", path=path, remedy="Write `structures:` with `roi` and `limits`.")
    rules = tuple(_rule(document, n, entry) for n, entry in enumerate(entries))
    return Criteria(id=str(document.data.get("id", path.stem)), title=str(document.data.get("title", "")), rules=rules)


def _rule(document: YamlDocument, n: int, entry: Any) -> GradeRule:  # noqa: ANN401 -- what the file says
    place = ("structures", n)
    if not isinstance(entry, dict) or set(entry) != {"roi", "limits"}:
        raise _bad(document, place, "an entry of structures is `roi` and `limits`")
    names = entry["roi"] if isinstance(entry["roi"], list) else [entry["roi"]]
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise _bad(document, (*place, "roi"), "`roi` is a name or a list of names, with * and ? as wildcards")
    limits = entry["limits"]
    if not isinstance(limits, dict) or not limits:
        raise _bad(document, (*place, "limits"), "`limits` names numbers and what they must be")
    return GradeRule(patterns=tuple(names), limits=tuple(_limits(document, (*place, "limits"), limits)))


def _limits(document: YamlDocument, place: tuple[str | int, ...], limits: Mapping[str, Any]) -> Iterator[GradeLimit]:
    for metric, said in limits.items():
        here = (*place, metric)
        if metric not in METRICS:
            raise _bad(document, here, f"{metric!r} is no number of a comparison", str(metric), METRICS)
        if not isinstance(said, dict) or set(said) != {"per_protocol", "acceptable"}:
            raise _bad(document, here, "a limit is {per_protocol: …, acceptable: …}")
        inner, outer = (_bound(document, (*here, key), said[key]) for key in ("per_protocol", "acceptable"))
        if inner.low < outer.low or inner.high > outer.high:
            raise _bad(document, here, f"per protocol ({inner.text}) reaches beyond acceptable ({outer.text})")
        yield GradeLimit(metric=metric, per_protocol=inner, acceptable=outer)


def _bound(document: YamlDocument, place: tuple[str | int, ...], said: object) -> Bound:
    text = str(said).strip()
    between, limit = _RANGE.match(text), _LIMIT.match(text)
    if between and float(between.group(1)) <= float(between.group(2)):
        return Bound(text=text, low=float(between.group(1)), high=float(between.group(2)))
    if limit is None:
        raise _bad(document, place, f"{text[:40]!r} is no limit such as '>= 0.8', '<= 3' or '0.9 to 1.1'")
    sign, value = limit.group(1), float(limit.group(2))
    low, high = (value, float("inf")) if sign.startswith(">") else (float("-inf"), value)
    return Bound(text=text, low=low, high=high, is_open=len(sign) == 1)


def _bad(
    document: YamlDocument, place: tuple[str | int, ...], message: str, key: str = "", known: tuple[str, ...] = ()
) -> InputError:
    near = nearest(key, known) if key else ""
    hint = f" Did you mean {near!r}?" if near else ""
    return InputError(f"{message}.{hint}", path=document.path, where=f"line {document.line_of(place)}")
