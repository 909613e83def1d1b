"""The table of metrics: a new one is one function with `@metric` on it, in a file named in `expression.py`.

Beside it stands the table of indices, entered with `@index`: numbers of a structure that need more than its DVH and one
argument, such as the body around a target or the parameters of an outcome model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.model.dvh import Dvh
from dvhkit.units import Quantity, Unit


class Dimension(StrEnum):
    """What kind of quantity a metric takes or gives; it decides which units are allowed."""

    DOSE = "dose"
    VOLUME = "volume"
    NUMBER = "number"
    LENGTH = "length"
    AREA = "area"
    NONE = "none"

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of this kind: the absolute one first, then percent (of the prescription, or of the volume)."""
        return _UNITS[self]


_UNITS: dict[Dimension, tuple[Unit, ...]] = {
    Dimension.DOSE: (Unit.GY, Unit.PERCENT),
    Dimension.VOLUME: (Unit.CC, Unit.PERCENT),
    Dimension.NUMBER: (Unit.NONE,),
    Dimension.LENGTH: (Unit.MM,),
    Dimension.AREA: (Unit.CM2,),
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
class Parameter:
    """A number that an index is asked with, as in ``HI_Spread(hot=2%,cold=98%)``.

    Attributes
    ----------
    units
        The units that it may come in; the first is meant where a plain number is enough.
    default
        What it is where nobody says; None where it must be said.
    may_be_negative
        Whether numbers below 0 have a meaning.
    """

    name: str
    units: tuple[Unit, ...]
    default: Quantity | None = None
    may_be_negative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexInput:
    """What an index is made of.

    Attributes
    ----------
    target
        DVH of the structure.
    prescribed_gy
        Gives the one prescribed dose; raises `NotEvaluable` where it is not known.
    body
        Gives the DVH of the whole body, where isodose volumes are measured; raises `NotEvaluable` without one.
    beyond
        Gives the DVH of the body farther than so many mm from the target; raises `NotEvaluable` likewise.
    arguments
        The index's parameters by name, those with a default included.
    fractions
        Number of fractions that the dose is given in; None where nobody says.
    """

    target: Dvh
    prescribed_gy: Callable[[], float]
    body: Callable[[], Dvh]
    beyond: Callable[[float], Dvh]
    arguments: Mapping[str, Quantity] = field(default_factory=dict)
    fractions: int | None = None

    def number(self, name: str) -> float:
        """Return a parameter without unit, or in its own."""
        return self.arguments[name].value

    def dose_gy(self, name: str) -> float:
        """Return a parameter that is a dose, in Gy; percent is of the prescription."""
        asked = self.arguments[name]
        return asked.value / 100 * self.prescribed_gy() if asked.unit is Unit.PERCENT else asked.value

    def volume_cc(self, name: str) -> float:
        """Return a parameter that is a volume, in cc; percent is of the structure. Raises if there is less."""
        asked = self.arguments[name]
        whole = self.target.covered_cc
        volume_cc = asked.value / 100 * whole if asked.unit is Unit.PERCENT else asked.value
        if volume_cc > whole * (1 + 1e-9):
            raise NotEvaluable(
                f"insufficient volume: the structure has {whole:.5g} cc with dose, less than {volume_cc:g} cc.",
                reason=Reason.VOLUME_TOO_SMALL,
            )
        return volume_cc

    def isodose_cc(self, percent: float = 100.0) -> float:
        """Return the volume in the body that receives so many percent of `at` (else the prescription) or more.

        It is no smaller than what of it lies in the target, although each is filled on a lattice of its own.
        """
        dose_gy = percent / 100 * self._at_gy()
        return max(self.body().volume_at_least_cc(dose_gy), self.target.volume_at_least_cc(dose_gy))

    def covered_target_cc(self) -> float:
        """Return the volume of the target that receives `at` (else the prescription) or more."""
        return self.target.volume_at_least_cc(self._at_gy())

    def _at_gy(self) -> float:
        return self.dose_gy("at") if "at" in self.arguments else self.prescribed_gy()

    def counted_fractions(self) -> int:
        """Return the number of fractions; raises `NotEvaluable` where nobody states it."""
        if self.fractions is None or self.fractions < 1:
            raise NotEvaluable("it needs the number of fractions, and nobody states it.", reason=Reason.NO_FRACTIONS)
        return self.fractions


# Gives a plain number, or one in the first of the index's units. May raise NotEvaluable.
IndexFunction = Callable[[IndexInput], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSpec:
    """One row of the table of indices: numbers under their authors' names, such as conformity.

    Attributes
    ----------
    units
        What the result may come in, the function's own first.
    parameters
        What it may or must be asked with, in the order in which they may stand without their names.
    needs_body
        Whether it looks at isodoses outside the structure, which may be another target's.
    on_variants
        Whether it is computed on the DVH's variants, too, so that it has a band.
    within
        Least and greatest value that it can have in its own unit: no band reaches beyond.
    convertible
        Whether the dose may be converted to EQD2 or BED first: it must look at the structure's own dose alone.
    """

    name: str
    function: IndexFunction
    spellings: tuple[str, ...]
    needs_body: bool
    units: tuple[Unit, ...] = (Unit.NONE,)
    parameters: tuple[Parameter, ...] = ()
    on_variants: bool = True
    within: tuple[float, float] = (0.0, math.inf)
    convertible: bool = False
    source: str = ""


_INDICES: dict[str, IndexSpec] = {}


def index(
    name: str,
    *,
    spellings: tuple[str, ...] = (),
    needs_body: bool = False,
    units: tuple[Unit, ...] = (Unit.NONE,),
    parameters: tuple[Parameter, ...] = (),
    on_variants: bool = True,
    within: tuple[float, float] = (0.0, math.inf),
    convertible: bool = False,
    source: str = "",
) -> Callable[[IndexFunction], IndexFunction]:
    """Enter the decorated function in the table of indices under `name`."""

    def enter(function: IndexFunction) -> IndexFunction:
        if name in _INDICES:
            raise ValueError(f"an index named {name} is already in the table")
        _INDICES[name] = IndexSpec(
            name=name,
            function=function,
            spellings=tuple(_folded(spelling) for spelling in (name, *spellings)),
            needs_body=needs_body,
            units=units,
            parameters=parameters,
            on_variants=on_variants,
            within=within,
            convertible=convertible,
            source=source,
        )
        return function

    return enter


def indices() -> tuple[IndexSpec, ...]:
    """Return the table of indices, in the order of entry."""
    return tuple(_INDICES.values())


def index_spec(name: str) -> IndexSpec | None:
    """Return the row of an index by its canonical name, or None."""
    return _INDICES.get(name)


def find_index(spelling: str) -> IndexSpec | None:
    """Return the index that `spelling` names, whatever its case, blanks and underscores, or None."""
    folded = _folded(spelling)
    return next((row for row in _INDICES.values() if folded in row.spellings), None)


def _folded(name: str) -> str:
    return re.sub(r"[\s_]+", "", name).casefold()
