"""Which structures a rule on margins compares, and what it expects of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.checks.limits import Limit
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.files.rules import MarginCheck, Protocol, StructureSelector
from dvhkit.protocols.naming.names import fold
from dvhkit.protocols.naming.organs import TARGET_PREFIXES
from dvhkit.protocols.naming.regions import RoiRef
from dvhkit.protocols.naming.select import select
from dvhkit.units import number_text

# No expansion is wider.
_WIDEST_MM = 100.0


def margin_pairs(
    check: MarginCheck, protocol: Protocol, structures: Sequence[StructureFact]
) -> Iterator[tuple[RoiRef, RoiRef]]:
    """Yield the pairs of inner and outer structure, one for each outer one.

    One CTV and one PTV belong together. Of several, those belong together whose names are alike but for the type:
    CTV_1 and PTV_1, CTVn and PTVn. Nothing else is guessed.

    Raises
    ------
    NotEvaluable
        NO_STRUCTURE, AMBIGUOUS_STRUCTURE where it is not plain which belong together, NOT_IMPLEMENTED for structures
        that are made of others.
    """
    inner, outer = (_drawn(selector, protocol, structures) for selector in (check.inner, check.outer))
    if len(inner) == len(outer) == 1:
        yield inner[0], outer[0]
        return
    for big in outer:
        own = [small for small in inner if _stem(small.name) == _stem(big.name)]
        if len(own) != 1:
            listed = ", ".join(repr(small.name) for small in inner)
            raise NotEvaluable(
                f"it is not plain which of {listed} belongs to {big.name!r}; name them alike, such as CTV_1 and PTV_1.",
                reason=Reason.AMBIGUOUS_STRUCTURE,
            )
        yield own[0], big


def expected_margin(limit: Limit, direction: str) -> str:
    """Return a limit as a margin check reads it: ``2..5``, ``AP=6..8``; an open side becomes 0 or 100 mm."""
    low = number_text(0.0 if limit.low is None else limit.low)
    high = number_text(_WIDEST_MM if limit.high is None else limit.high)
    return f"{direction}={low}..{high}" if direction else f"{low}..{high}"


def _drawn(selector: StructureSelector, protocol: Protocol, structures: Sequence[StructureFact]) -> list[RoiRef]:
    regions = [target.region for target in select(selector, protocol, structures)]
    drawn = [region for region in regions if isinstance(region, RoiRef)]
    if len(drawn) != len(regions):
        raise NotEvaluable(
            f"the margin of {selector}, which is made of others, is not yet evaluable.", reason=Reason.NOT_IMPLEMENTED
        )
    return drawn


def _stem(name: str) -> str:
    """Return a target's name without its type: `_1` of `PTV_1`."""
    folded = fold(name)
    types = sorted((prefix.casefold() for prefix in TARGET_PREFIXES), key=len, reverse=True)
    return folded.removeprefix(next((prefix for prefix in types if folded.startswith(prefix)), ""))
