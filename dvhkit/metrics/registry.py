"""The table of metrics: a new one is one function with `@metric` on it, in a file named in `expression.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from dvhkit.model.dvh import Dvh
from dvhkit.units import Unit


class Dimension(StrEnum):
    """What kind of quantity a metric takes or gives; it decides which units are allowed."""

    DOSE = "dose"
    VOLUME = "volume"
    NUMBER = "number"
    NONE = "none"

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of this kind: the absolute one first, then percent (of the prescription, or of the volume)."""
        return _UNITS[self]


_UNITS: dict[Dimension, tuple[Unit, ...]] = {
    Dimension.DOSE: (Unit.GY, Unit.PERCENT),
    Dimension.VOLUME: (Unit.CC, Unit.PERCENT),
    Dimension.NUMBER: (Unit.NONE,),
    Dimension.NONE: (Unit.NONE,),
}

# Takes the DVH and the argument in Gy or cc (0 where there is none); gives Gy or cc. May raise NotEvaluable.
MetricFunction = Callable[[Dvh, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """One row of the table.

    Attributes
    ----------
    name
        Canonical name, the letters before the number: ``D``, ``CV``, ``Mean``.
    takes, gives
        What kind of quantity the argument and the result are.
    gives_units
        Allowed result units; the first is the documented default where the user names none.
    needs_dose
        False for what is known without dose: the volume.
    spellings
        What users type instead of the name, lower case, without blanks.
    """

    name: str
    function: MetricFunction
    takes: Dimension
    gives: Dimension
    gives_units: tuple[Unit, ...]
    needs_dose: bool
    spellings: tuple[str, ...]
    source: str


_TABLE: dict[str, MetricSpec] = {}


def metric(
    name: str,
    *,
    gives: Dimension,
    takes: Dimension = Dimension.NONE,
    gives_units: tuple[Unit, ...] = (),
    needs_dose: bool = True,
    spellings: tuple[str, ...] = (),
    source: str = "AAPM TG-263, sec. 9.2",
) -> Callable[[MetricFunction], MetricFunction]:
    """Enter the decorated function in the table under `name`."""

    def enter(function: MetricFunction) -> MetricFunction:
        if name in _TABLE:
            raise ValueError(f"a metric named {name} is already in the table")
        _TABLE[name] = MetricSpec(
            name=name,
            function=function,
            takes=takes,
            gives=gives,
            gives_units=gives_units or gives.units,
            needs_dose=needs_dose,
            spellings=(name.lower(), *spellings),
            source=source,
        )
        return function

    return enter


def spec(name: str) -> MetricSpec:
    """Return the row of a canonical name; KeyError if there is none."""
    return _TABLE[name]


def specs() -> tuple[MetricSpec, ...]:
    """Return the whole table, in the order of entry."""
    return tuple(_TABLE.values())


def find_spec(spelling: str) -> MetricSpec | None:
    """Return the row that `spelling` names, whatever its case, or None."""
    folded = spelling.lower()
    return next((row for row in _TABLE.values() if folded in row.spellings), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexInput:
    """What an index of a target is made of.

    Attributes
    ----------
    target
        DVH of the target.
    prescribed_gy
        Gives the one prescribed dose; raises `NotEvaluable` where it is not known.
    body
        Gives the DVH of the whole body, where isodose volumes are measured; raises `NotEvaluable` without one.
    beyond
        Gives the DVH of the body farther than so many mm from the target; raises `NotEvaluable` likewise.
    """

    target: Dvh
    prescribed_gy: Callable[[], float]
    body: Callable[[], Dvh]
    beyond: Callable[[float], Dvh]

    def isodose_cc(self, percent: float = 100.0) -> float:
        """Return the volume in the body that receives so many percent of the prescription or more."""
        dose_gy = percent / 100 * self.prescribed_gy()
        return self.body().volume_at_least_cc(dose_gy)

    def covered_target_cc(self) -> float:
        """Return the volume of the target that receives the prescription or more."""
        return self.target.volume_at_least_cc(self.prescribed_gy())


# Gives a plain number, or one in the first of the index's units. May raise NotEvaluable.
IndexFunction = Callable[[IndexInput], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSpec:
    """One row of the table of indices: numbers of a target, such as conformity; under their authors' names.

    `units` are those that the result may come in, the function's own first; doses may also be asked for in percent of
    the prescription.
    """

    name: str
    function: IndexFunction
    spellings: tuple[str, ...]
    needs_body: bool
    units: tuple[Unit, ...] = (Unit.NONE,)


_INDICES: dict[str, IndexSpec] = {}


def index(
    name: str,
    *,
    spellings: tuple[str, ...] = (),
    needs_body: bool = False,
    units: tuple[Unit, ...] = (Unit.NONE,),
) -> Callable[[IndexFunction], IndexFunction]:
    """Enter the decorated function in the table of indices under `name`."""

    def enter(function: IndexFunction) -> IndexFunction:
        known = (name.lower(), *spellings)
        _INDICES[name] = IndexSpec(name=name, function=function, spellings=known, needs_body=needs_body, units=units)
        return function

    return enter


def indices() -> tuple[IndexSpec, ...]:
    """Return the table of indices, in the order of entry."""
    return tuple(_INDICES.values())


def index_spec(name: str) -> IndexSpec | None:
    """Return the row of an index by its canonical name, or None."""
    return _INDICES.get(name)


def find_index(spelling: str) -> IndexSpec | None:
    """Return the index that `spelling` names, whatever its case, or None."""
    return next((row for row in _INDICES.values() if spelling.lower() in row.spellings), None)
