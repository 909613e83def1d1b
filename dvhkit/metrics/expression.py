"""The one grammar of metrics, after AAPM TG-263 sec. 9.2: lenient in what it reads, canonical in what it prints.

::

    D95%[Gy]  D0.03cc[Gy]  D2%[%]      least dose to the hottest 95 % / 0.03 cc / 2 %
    DC700cc[Gy]  DC10%[Gy]             greatest dose to the coldest 700 cc / 10 %
    V20Gy[%]  V20Gy[cc]  V100%[%]      volume at 20 Gy or more / at 100 % of the prescription or more
    CV15Gy[cc]  CV95%[%]               volume at 15 Gy or less / at 95 % of the prescription or less
    Mean[Gy] Max[Gy] Min[Gy] Median[Gy] SD[Gy]   or [%] of the prescription
    gEUD8[Gy]  gEUD-10[Gy]             generalised equivalent uniform dose with exponent a = 8 / -10
    Volume[cc]
    Diameter[mm] ShortAxis[mm] Surface[cm2] Sphericity    size and shape, from the contours

Percent after D and DC is of the volume, after V and CV of the prescription; in brackets it is of whatever the result
is. Case and blanks do not matter; ``cm3``, ``ml`` and ``mm3`` are read as cc, ``cGy`` as Gy; ``Dmax``, ``Dmean`` and
the like are names of Max and Mean. Without brackets doses come in Gy and volumes in % (Volume in cc). The unit of the
argument is never guessed: D100 may be 100 % or 100 cc, so it is refused.

``EQD2_3:`` or ``BED_10:`` before any of them converts the dose first, voxel by voxel, by the linear-quadratic model
with that alpha/beta in Gy: ``EQD2_3:D0.03cc[Gy]``.

Indices of a target are plain numbers under their authors' names: ``CI_Paddick``, ``CI_RTOG``, ``Selectivity_Lomax``,
``GI_Paddick``, ``GI_UKSABR``, ``R50``, ``HI_ICRU83``, ``HI_ICRU62``, ``HI_RTOG``, ``HI_D5D95``; with units
``D2cm[%]``, ``Spill105[%]``, ``GradientDistance[mm]``. A bare CI or HI is refused: there are many. Some take
parameters, by name or in their order: ``CI_Paddick(at=95%)``, ``HI_Spread(hot=2%,cold=98%,over=60Gy)``,
``NTCP_LKB(TD50=45.8Gy,m=0.12,n=0.97)``; ``NTCP(liver-rild-metastases)`` is a shipped model with its source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from rapidfuzz import fuzz, process

# Each of these files enters its functions in the table when it is imported.
from dvhkit.errors import MetricSyntaxError
from dvhkit.metrics import dose_at_volume, shape, statistics, volume_at_dose
from dvhkit.metrics.plan_indices import indices
from dvhkit.metrics.plan_indices.index_text import Arguments, IndexText, Misread, arguments_text, read_index
from dvhkit.metrics.radiobiology import biology, outcome
from dvhkit.metrics.radiobiology.outcome_models import OutcomeModel, find_model
from dvhkit.metrics.registry import Dimension, IndexSpec, MetricSpec, find_spec, index_spec, specs
from dvhkit.metrics.registry import indices as index_rows
from dvhkit.units import Quantity, Unit, number_text, parse_unit, quantity

# What a reader of a DVH looks at first: ICRU 83's near-minimum, median and near-maximum, with volume and mean.
DEFAULT_METRICS = ("Volume[cc]", "Min[Gy]", "D98%[Gy]", "D95%[Gy]", "Mean[Gy]", "D50%[Gy]", "D2%[Gy]", "Max[Gy]")

METRIC_FILES = (dose_at_volume, volume_at_dose, statistics, biology, indices, outcome, shape)

FORMS = (
    "D95%[Gy]",
    "D0.03cc[Gy]",
    "DC700cc[Gy]",
    "V20Gy[%]",
    "V20Gy[cc]",
    "V100%[%]",
    "CV15Gy[cc]",
    "Mean[Gy]",
    "Max[Gy]",
    "Min[Gy]",
    "Median[Gy]",
    "SD[Gy]",
    "gEUD8[Gy]",
    "NTCP_LKB(TD50=45.8Gy,m=0.12,n=0.97)[%]",
    "Volume[cc]",
)

_MAX_LENGTH = 200
_ARGUMENTS = {
    Dimension.VOLUME: "a volume in % or cc",
    Dimension.DOSE: "a dose in Gy or %",
    Dimension.NUMBER: "a plain number, its exponent",
}
_EFFECT = re.compile(
    r"\s*(?:(?P<kind>EQD2)\s*[_(]|(?P<bed>BED)\s*[_(]?)\s*(?P<ab>\d+\.?\d*|\.\d+)\s*\)?\s*:\s*", re.IGNORECASE
)
_UNIT_TEXT = r"%|[a-zA-Z]+[³3]?"
_GRAMMAR = re.compile(
    rf"""\s*(?P<name>[a-zA-Z]+(?:[ _][a-zA-Z]+)?)
         (?:[\s_]*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+))\s*(?P<unit>{_UNIT_TEXT})?)?
         \s*(?:\[\s*(?P<bracket>[^\[\]]*?)\s*\]|\(\s*(?P<round>{_UNIT_TEXT})\s*\)|_\s*(?P<suffix>{_UNIT_TEXT}))?\s*""",
    re.VERBOSE | re.ASCII,
)
# gEUD(8) and gEUD(a=8) are gEUD8.
_EXPONENT_IN_BRACKETS = re.compile(r"(\s*gEUD)\s*\(\s*(?:a\s*=\s*)?([-+]?[\d.]+)\s*\)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A biological dose that a metric is measured in: ``EQD2`` or ``BED``, with its alpha/beta in Gy."""

    kind: str
    alpha_beta_gy: float

    def __str__(self) -> str:
        return f"{self.kind}_{number_text(self.alpha_beta_gy)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What to measure on a structure.

    Attributes
    ----------
    kind
        Name in the table of metrics: ``D``, ``DC``, ``V``, ``CV``, ``Mean``, ``Max``, ...
    at
        The argument in Gy, cc or %; None for metrics that take none.
    unit
        Unit of the result: Gy, cc or %.
    effect
        The biological dose that all Gy are of; None for physical dose.
    arguments
        Of an index: its parameters by name, defaults included.
    model
        ID of the shipped outcome model that it was named by; empty where it was not.
    """

    kind: str
    at: Quantity | None
    unit: Unit
    effect: Effect | None = None
    arguments: Arguments = ()
    model: str = ""

    @property
    def canonical(self) -> str:
        """The expression as dvhkit prints it, such as ``D95%[Gy]``; reading it gives the same metric."""
        if self.model:
            return f"NTCP({self.model})[{self.unit.value}]"
        effect = "" if self.effect is None else f"{self.effect}:"
        at = "" if self.at is None else number_text(self.at.value) + self.at.unit.value
        row = index_spec(self.kind)
        at += "" if row is None else arguments_text(row, self.arguments)
        return f"{effect}{self.kind}{at}[{self.unit.value}]" if self.unit else f"{effect}{self.kind}{at}"

    @property
    def outcome_model(self) -> OutcomeModel | None:
        """The shipped model with its source, where it is named."""
        return find_model(self.model) if self.model else None

    def __str__(self) -> str:
        return self.canonical


@lru_cache(maxsize=1024)
def parse_metric(text: str) -> Metric:
    """Return the metric that `text` spells.

    Raises
    ------
    MetricSyntaxError
        With the text, the position (1 is the first character) and the nearest form that is known.

    Examples
    --------
    >>> parse_metric("d0.03 cm3").canonical, parse_metric("V1500cGy[%]").canonical, parse_metric("dmax").canonical
    ('D0.03cc[Gy]', 'V15Gy[%]', 'Max[Gy]')
    """
    if len(text) > _MAX_LENGTH:
        raise _error(text[:_MAX_LENGTH] + "...", 1, f"a metric has at most {_MAX_LENGTH} characters")
    text = _EXPONENT_IN_BRACKETS.sub(r"\1\2", text)
    prefix = _EFFECT.match(text)
    begin = prefix.end() if prefix else 0
    index = _index(text, prefix, begin)
    if index is not None:
        return index
    match = _GRAMMAR.match(text, begin)
    if match is None:
        raise _error(text, begin + 1, "a metric begins with a name such as D, V or Mean")
    row = _row(text, match)
    at = _argument(text, match, row)
    if match.end() != len(text):
        raise _error(text, match.end() + 1, f"{text[match.end() :]!r} is not understood here")
    unit = _result_unit(text, match, row)
    effect = None if prefix is None else _effect(text, prefix, row, at, unit)
    return Metric(kind=row.name, at=at, unit=unit, effect=effect)


def _index(text: str, prefix: re.Match[str] | None, begin: int) -> Metric | None:
    """Return the index that `text` names, with its unit; None if it names none."""
    try:
        found = read_index(text, begin)
    except Misread as bad:
        raise _error(text, bad.position + 1, bad.why, bad.instead) from None
    if isinstance(found, OutcomeModel):
        if prefix is not None:
            raise _error(text, begin + 1, "a shipped model converts the dose by itself", (f"NTCP({found.id})",))
        return replace(parse_metric(found.formula), model=found.id)
    if found is None:
        return None
    effect = None if prefix is None else _effect_on_index(text, prefix, found)
    return Metric(kind=found.row.name, at=None, unit=found.unit, effect=effect, arguments=found.arguments)


def _effect_on_index(text: str, prefix: re.Match[str], found: IndexText) -> Effect:
    if not found.row.convertible:
        raise _error(text, prefix.end() + 1, f"{found.row.name} is not computed in converted dose", (found.row.name,))
    if any(at.unit is Unit.PERCENT and Unit.GY in _units_of(found.row, name) for name, at in found.arguments):
        raise _error(text, prefix.end() + 1, "percent of the prescription is not converted; use Gy")
    return _alpha_beta(text, prefix)


def _units_of(row: IndexSpec, name: str) -> tuple[Unit, ...]:
    return next(parameter.units for parameter in row.parameters if parameter.name == name)


def _alpha_beta(text: str, prefix: re.Match[str]) -> Effect:
    alpha_beta_gy = float(prefix["ab"])
    if not alpha_beta_gy > 0:
        raise _error(text, prefix.start("ab") + 1, "alpha/beta must be more than 0 Gy")
    return Effect(kind="EQD2" if prefix["kind"] else "BED", alpha_beta_gy=alpha_beta_gy)


def _effect(text: str, prefix: re.Match[str], row: MetricSpec, at: Quantity | None, unit: Unit) -> Effect:
    effect = _alpha_beta(text, prefix)
    if not row.needs_dose:
        raise _error(text, prefix.end() + 1, f"{row.name} has nothing to do with dose")
    of_prescription = (row.takes is Dimension.DOSE and at is not None and at.unit is Unit.PERCENT) or (
        row.gives is Dimension.DOSE and unit is Unit.PERCENT
    )
    if of_prescription:
        raise _error(text, prefix.end() + 1, "percent of the prescription is not converted; use Gy")
    return effect


def _row(text: str, match: re.Match[str]) -> MetricSpec:
    name = re.sub(r"[ _]", "", match["name"])
    row = find_spec(name)
    if row is None:
        raise _error(text, match.start("name") + 1, f"there is no metric {match['name']!r}")
    return row


def _argument(text: str, match: re.Match[str], row: MetricSpec) -> Quantity | None:
    """Return the quantity after the name, in Gy, cc or %."""
    number, unit_text = match["number"], match["unit"]
    if row.takes is Dimension.NONE:
        if number is not None:
            raise _error(text, match.start("number") + 1, f"{row.name} takes no number")
        return None
    what = _ARGUMENTS[row.takes]
    if number is None:
        raise _error(text, match.end("name") + 1, f"{row.name} needs {what}")
    if row.takes is Dimension.NUMBER:
        return _exponent(text, match, row)
    if unit_text is None:
        raise _error(text, match.end("number") + 1, f"a unit is missing after {number}: {row.name} needs {what}")
    value = quantity(float(number), unit_text)
    if value is None or value.unit not in row.takes.units:
        raise _error(text, match.start("unit") + 1, f"{row.name} needs {what}, not {unit_text!r}")
    if not _can_occur(row, value):
        raise _error(text, match.start("number") + 1, f"{number} {unit_text} is no volume or dose that can occur")
    return value


def _exponent(text: str, match: re.Match[str], row: MetricSpec) -> Quantity:
    """Return the plain number after the name."""
    if match["unit"] is not None:
        raise _error(text, match.start("unit") + 1, f"{row.name} needs {_ARGUMENTS[row.takes]}, not {match['unit']!r}")
    value = float(match["number"])
    if value == 0:
        raise _error(text, match.start("number") + 1, f"{row.name} has no value at 0")
    return Quantity(value, Unit.NONE)


def _can_occur(row: MetricSpec, at: Quantity) -> bool:
    part_of_whole = row.takes is Dimension.VOLUME and at.unit is Unit.PERCENT
    return at.value >= 0 and not (part_of_whole and at.value > 100)


def _result_unit(text: str, match: re.Match[str], row: MetricSpec) -> Unit:
    group = next((name for name in ("bracket", "round") if match[name] is not None), "suffix")
    spelling = match[group]
    if spelling is None:
        return row.gives_units[0]
    parsed = parse_unit(spelling)
    if parsed is None or parsed[0] not in row.gives_units:
        allowed = " or ".join(unit.value or "nothing" for unit in row.gives_units)
        raise _error(text, match.start(group) + 1, f"{row.name} gives {allowed}, not {spelling!r}")
    return parsed[0]


def _error(text: str, position: int, why: str, instead: tuple[str, ...] = ()) -> MetricSyntaxError:
    return MetricSyntaxError(
        f"the metric {text!r} cannot be read: {why}.",
        where=f"position {position}",
        remedy=f"Did you mean {' or '.join(instead or _nearest(text))}?",
    )


def _nearest(text: str) -> tuple[str, ...]:
    """Return the known forms that come nearest to a text that cannot be read."""
    repaired = _indices_like(text) or _repair(text)
    if repaired:
        return repaired
    found = process.extractOne(text, FORMS, scorer=fuzz.ratio, processor=str.casefold)
    return (found[0],) if found else FORMS[:1]


def _indices_like(text: str) -> tuple[str, ...]:
    """Return the indices whose name begins as `text` does, for a bare CI or HI."""
    first = re.split(r"[\W_]", text.strip(), maxsplit=1)[0].casefold()
    return tuple(index.name for index in index_rows() if index.name.split("_")[0].casefold() == first)


def _repair(text: str) -> tuple[str, ...]:
    """Keep what the user wrote, his number above all, and mend what is wrong with it."""
    prefix = _EFFECT.match(text)
    text = text[prefix.end() :] if prefix else text
    match = re.match(rf"\s*([a-zA-Z]*)[\s_]*(\d+[.,]?\d*|[.,]\d+)?\s*({_UNIT_TEXT})?", text)
    assert match is not None  # every part is optional
    letters, number, unit_text = match[1], (match[2] or "").replace(",", "."), match[3] or ""
    row = find_spec(letters) or _similar_row(letters)
    if row is None:
        return ()
    if row.takes is Dimension.NONE:
        return tuple(f"{row.name}[{unit.value}]" for unit in row.gives_units[:1])
    if not number or row.takes is Dimension.NUMBER:
        return tuple(form for form in FORMS if form.startswith(row.name) and form[len(row.name)].isdigit())[:2]
    parsed = quantity(float(number), unit_text) if unit_text else None
    if parsed is not None and parsed.unit in row.takes.units:
        return (_form(row, parsed),) if _can_occur(row, parsed) else ()
    if parsed is not None:
        other = next((r for r in specs() if parsed.unit in r.takes.units and len(r.name) == len(row.name)), None)
        return (_form(other, parsed),) if other else ()
    return tuple(_form(row, Quantity(float(number), unit)) for unit in reversed(row.takes.units))


def _form(row: MetricSpec, at: Quantity) -> str:
    return Metric(kind=row.name, at=at, unit=row.gives_units[0]).canonical


def _similar_row(letters: str) -> MetricSpec | None:
    spellings = {name: row for row in specs() for name in row.spellings if len(name) > 2}
    found = process.extractOne(letters.casefold(), list(spellings), scorer=fuzz.ratio, score_cutoff=60)
    return spellings[found[0]] if found else None
