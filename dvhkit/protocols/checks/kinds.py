"""The table of kinds of rules: a new kind is one file in this folder and one line here."""

from __future__ import annotations

from dvhkit.protocols.checks.containment import ContainmentCheck
from dvhkit.protocols.checks.context import ContextCheck
from dvhkit.protocols.checks.dose import DoseCheck
from dvhkit.protocols.checks.image import ImageCheck
from dvhkit.protocols.checks.ladder import LadderCheck
from dvhkit.protocols.checks.margin import MarginCheck
from dvhkit.protocols.checks.plan import PlanCheck
from dvhkit.protocols.checks.prescription import PrescriptionCheck
from dvhkit.protocols.files.rules import Check

KINDS: tuple[type[Check], ...] = (
    DoseCheck,
    ImageCheck,
    PlanCheck,
    PrescriptionCheck,
    ContextCheck,
    MarginCheck,
    ContainmentCheck,
    LadderCheck,
)
# What a rule can be asked with, in a protocol file.
KEYS = tuple(dict.fromkeys(kind.KEY for kind in KINDS))


def kind_at(key: str, value: object) -> type[Check] | None:
    """Return the kind that is asked for by what stands at a key of a rule; None where there is none of that name."""
    return next((kind for kind in KINDS if key == kind.KEY and kind.claims(value)), None)


def names_at(key: str) -> tuple[str, ...]:
    """Return what may stand at a key of a rule, where that is one of a list."""
    return tuple(name for kind in KINDS if key == kind.KEY for name in kind.NAMES)
