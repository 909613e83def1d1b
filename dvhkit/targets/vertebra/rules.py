"""Which parts of a vertebra belong in the CTV, given the parts that hold tumour: pure rules, no voxels.

A vertebra has eight compartments. A profile is a decision table; each row has a condition on the involved
compartments, what it requires, what it leaves to the oncologist, and what it asks a person to look at.
Rows never take anything away, so all rows that hold are united.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Literal

from dvhkit.errors import InputError


class Compartment(StrEnum):
    """Parts of a vertebra, in the order in which results list them; L and R are the patient's."""

    BODY = "body"
    PEDICLE_L = "pedicle_L"
    PEDICLE_R = "pedicle_R"
    TRANSVERSE_L = "transverse_L"
    TRANSVERSE_R = "transverse_R"
    LAMINA_L = "lamina_L"
    LAMINA_R = "lamina_R"
    SPINOUS = "spinous"

    @property
    def mirrored(self) -> Compartment:
        """The same part of the other side; body and spinous process mirror onto themselves."""
        name = self.value
        if name[-2:] == "_L":
            return Compartment(f"{name[:-1]}R")
        return Compartment(f"{name[:-1]}L") if name[-2:] == "_R" else self


class Extent(StrEnum):
    """What is known of a GTV beyond the compartments it touches."""

    BODY_LEFT = "body_left"
    BODY_RIGHT = "body_right"
    BODY_DIFFUSE = "body_diffuse"
    OUTSIDE = "outside"


class FlagLevel(StrEnum):
    """REVIEW: a person must decide. ADVISORY: a guideline advises against it. NOTE: how a rule was read."""

    REVIEW = "review"
    ADVISORY = "advisory"
    NOTE = "note"


Atom = Compartment | Extent
ARCH_L = frozenset({Compartment.PEDICLE_L, Compartment.TRANSVERSE_L, Compartment.LAMINA_L})
ARCH_R = frozenset(c.mirrored for c in ARCH_L)
# Together these close the ring round the canal.
_RING = ARCH_L | ARCH_R | {Compartment.BODY, Compartment.SPINOUS}


@dataclass(frozen=True, slots=True)
class Condition:
    """A tree of any / all / none over compartments and extents; `any` of nothing is false, the others are true."""

    kind: Literal["any", "all", "none"]
    items: tuple[Condition | Atom, ...]

    def holds(self, known: frozenset[Atom]) -> bool:
        """Whether the condition is true of the involved compartments and extents."""
        values = (item.holds(known) if isinstance(item, Condition) else item in known for item in self.items)
        match self.kind:
            case "any":
                return any(values)
            case "all":
                return all(values)
            case "none":
                return not any(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something that a person should read beside the rules."""

    level: FlagLevel
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.level.value.upper()} {self.code}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a decision table, for one side where the table states it once for either side.

    Attributes
    ----------
    id, rule
        The row's own identity, such as ``V2(L)``, and the rule of the source that it stands for, such as ``R2``.
    source, status
        Citation and verification status, as in protocol files.
    """

    id: str
    rule: str
    title: str
    when: Condition
    require: frozenset[Compartment]
    offer: frozenset[Compartment]
    flag: Flag | None
    source: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProfile:
    """A decision table with its identity.

    `sectors` names the compartments that its guideline counts as one; empty where it counts in compartments.
    """

    id: str
    version: str
    title: str
    summary: str
    rows: tuple[Row, ...]
    sectors: tuple[tuple[str, tuple[Compartment, ...]], ...] = ()
    path: Path | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """What a profile says of one pattern of involvement.

    Attributes
    ----------
    required
        What the CTV must hold: the involved compartments and all that the fired rows require.
    optional
        What the fired rows leave to the oncologist, less what is required.
    included
        The optional compartments that the user chose to take in.
    fired
        The rows whose conditions hold, in the table's order.
    sectors
        Those of the profile.
    """

    profile_id: str
    profile_version: str
    involved: tuple[Compartment, ...]
    extents: tuple[Extent, ...]
    required: tuple[Compartment, ...]
    optional: tuple[Compartment, ...]
    included: tuple[Compartment, ...]
    fired: tuple[Row, ...]
    flags: tuple[Flag, ...]
    sectors: tuple[tuple[str, tuple[Compartment, ...]], ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """The source's rules that fired, each once, in the table's order."""
        return tuple(dict.fromkeys(row.rule for row in self.fired))

    @property
    def target(self) -> tuple[Compartment, ...]:
        """The compartments of the CTV: required ones and the chosen optional ones."""
        return in_order({*self.required, *self.included})

    def because_of(self, compartment: Compartment) -> str:
        """Return in words why a compartment is required, optional, or neither."""
        rows = [row.id for row in self.fired if compartment in row.require]
        if rows:
            return f"required by {', '.join(rows)}"
        if compartment in self.involved:
            return "holds GTV"
        rows = [row.id for row in self.fired if compartment in row.offer]
        return f"left to the oncologist by {', '.join(rows)}" if rows else "no rule asks for it"


def in_order(compartments: Iterable[Compartment]) -> tuple[Compartment, ...]:
    """Return the compartments in the order of results."""
    wanted = set(compartments)
    return tuple(c for c in Compartment if c in wanted)


def parse_compartment(text: str) -> Compartment:
    """Return the compartment that `text` names, whatever its case.

    Raises
    ------
    InputError
        For any other text, with the nearest name.
    """
    folded = text.strip().casefold()
    names = {c.value.casefold(): c for c in Compartment}
    if folded in names:
        return names[folded]
    near = get_close_matches(folded, names, n=1, cutoff=0.5)
    asked = f"Did you mean {names[near[0]].value!r}? " if near else ""
    raise InputError(
        f"{text.strip()[:40]!r} is no compartment of a vertebra.",
        remedy=f"{asked}There are: {', '.join(Compartment)}.",
    )


def evaluate_rules(
    profile: RuleProfile,
    involved: Iterable[Compartment],
    *,
    extents: Iterable[Extent] = (),
    include: Iterable[Compartment] = (),
) -> RuleOutcome:
    """Return what `profile` requires for a GTV in the compartments `involved`.

    Parameters
    ----------
    extents
        What else is known of the GTV; rows that ask for it stay silent without.
    include
        Discretionary compartments that the oncologist takes in.

    Raises
    ------
    InputError
        If `include` names what no fired row leaves to the oncologist.
    """
    touched, known_extents = frozenset(involved), frozenset(extents)
    fired = tuple(row for row in profile.rows if row.when.holds(touched | known_extents))
    required = touched.union(*(row.require for row in fired))
    optional = frozenset[Compartment]().union(*(row.offer for row in fired)) - required
    chosen = frozenset(include)
    _check_choice(chosen, required, optional)
    flags = [row.flag for row in fired if row.flag is not None]
    if not touched and not known_extents:
        flags.append(_NOTHING)
    ring = _ring_flag(touched, required | chosen, optional)
    return RuleOutcome(
        profile_id=profile.id,
        profile_version=profile.version,
        involved=in_order(touched),
        extents=tuple(e for e in Extent if e in known_extents),
        required=in_order(required),
        optional=in_order(optional),
        included=in_order(chosen - required),
        fired=fired,
        flags=tuple(dict.fromkeys([*flags, *([ring] if ring else [])])),
        sectors=profile.sectors,
    )


def _check_choice(
    chosen: frozenset[Compartment], required: frozenset[Compartment], optional: frozenset[Compartment]
) -> None:
    strange = in_order(chosen - required - optional)
    if strange:
        offered = ", ".join(in_order(optional)) or "none"
        raise InputError(
            f"{', '.join(strange)} cannot be chosen: no rule leaves it to the oncologist here.",
            remedy=f"Optional here: {offered}.",
        )


_NOTHING = Flag(
    level=FlagLevel.REVIEW,
    code="nothing-involved",
    text="no compartment holds GTV, so no rule applies; check that the GTV and the vertebra belong together",
)


def _ring_flag(
    touched: frozenset[Compartment], target: frozenset[Compartment], optional: frozenset[Compartment]
) -> Flag | None:
    """Return the advice of Cox et al. 2012 (doi:10.1016/j.ijrobp.2012.03.009) on a CTV all round the canal."""
    arch_touched = all(touched & {p, la} for p, la in _PEDICLE_OR_LAMINA)
    if Compartment.BODY in touched and arch_touched and Compartment.SPINOUS in touched:
        return None
    if target >= _RING:
        return circumferential("the CTV closes round the canal")
    if target | optional >= _RING and target >= _RING - {Compartment.SPINOUS}:
        return circumferential("with the optional spinous process the CTV closes round the canal")
    return None


_PEDICLE_OR_LAMINA = (
    (Compartment.PEDICLE_L, Compartment.LAMINA_L),
    (Compartment.PEDICLE_R, Compartment.LAMINA_R),
)


def circumferential(what: str) -> Flag:
    """Return the advisory on a circumferential CTV; `what` says what closes the ring."""
    return Flag(
        level=FlagLevel.ADVISORY,
        code="circumferential-ctv",
        text=f"{what}; the consensus of Cox et al. 2012 keeps that for tumour in body, both pedicles or laminae and "
        "spinous process together, or for extensive epidural disease",
    )
