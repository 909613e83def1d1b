"""Which ROIs of a case a rule is about; where that is not plain, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.files.rules import Protocol
from dvhkit.protocols.naming.names import Match, match_name, structures_of_type, suggestions
from dvhkit.protocols.naming.regions import Made, Region
from dvhkit.protocols.naming.selector import StructureSelector
from dvhkit.targets.regions.expression import Expression, Leaf, Operation, RoiRef, with_leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One region to judge; `note` says how it was found where that is not its exact name."""

    region: Region
    note: str = ""


def select(selector: StructureSelector, protocol: Protocol, structures: Sequence[StructureFact]) -> tuple[Target, ...]:
    """Return what `selector` means in this case, at least one target.

    Raises
    ------
    NotEvaluable
        NO_STRUCTURE, with suggestions; AMBIGUOUS_STRUCTURE, with the candidates; EMPTY_STRUCTURE.
    """
    if selector.any_of:
        return _any_of(selector, protocol, structures)
    if selector.rt_roi_type:
        match = structures_of_type(selector.rt_roi_type, structures)
    elif selector.name:
        aliases = (*selector.aliases, *protocol.aliases_of(selector.name))
        match = match_name(selector.name, structures, aliases)
    else:
        match = Match(found=())
    if selector.derived is not None and all(s.is_empty for s in match.found):
        return (_derive(selector, protocol, structures),)
    if not match.found:
        raise _missing(str(selector.name or selector.rt_roi_type), structures, is_type=not selector.name)
    if len(match.found) > 1 and not selector.each:
        raise _ambiguous(str(selector), match.found)
    return tuple(Target(region=RoiRef(s.number, s.name), note=match.how) for s in match.found)


def _any_of(selector: StructureSelector, protocol: Protocol, structures: Sequence[StructureFact]) -> tuple[Target, ...]:
    """Return a target for each of the names that the case has."""
    targets: dict[int, Target] = {}
    for name in selector.any_of:
        match = match_name(name, structures, protocol.aliases_of(name))
        if len(match.found) > 1:
            raise _ambiguous(name, match.found)
        for s in match.found:
            targets.setdefault(s.number, Target(region=RoiRef(s.number, s.name), note=match.how))
    if not targets:
        raise _missing(str(selector), structures, is_type=False)
    return tuple(targets.values())


def _derive(selector: StructureSelector, protocol: Protocol, structures: Sequence[StructureFact]) -> Target:
    assert selector.derived is not None
    tree = with_leaves(selector.derived, lambda leaf: _resolved(leaf, protocol, structures))
    region = tree if isinstance(tree, RoiRef) else Made(tree, selector.derived_text)
    note = f"no structure {selector.name!r}; made as {selector.derived_text}" if selector.name else ""
    return Target(region=region, note=note)


def _resolved(leaf: Leaf, protocol: Protocol, structures: Sequence[StructureFact]) -> Expression:
    """Return what a name comes to in this case: an ROI, or all of a type together."""
    if isinstance(leaf, RoiRef):
        return leaf
    if leaf.is_type:
        return _all_of_type(leaf.name, structures)
    numbered = [s for s in structures if leaf.name == f"#{s.number}"]
    if len(numbered) == 1:
        return RoiRef(numbered[0].number, numbered[0].name)
    match = match_name(leaf.name, structures, protocol.aliases_of(leaf.name))
    if not match.found:
        raise _missing(leaf.name, structures, is_type=False)
    if len(match.found) > 1:
        raise _ambiguous(leaf.name, match.found)
    return RoiRef(match.found[0].number, match.found[0].name)


def _all_of_type(rt_roi_type: str, structures: Sequence[StructureFact]) -> Expression:
    """Return the union of all structures of a type; those with nothing drawn add nothing."""
    found = structures_of_type(rt_roi_type, structures).found
    drawn = [RoiRef(s.number, s.name) for s in found if not s.is_empty]
    if not found:
        raise _missing(rt_roi_type, structures, is_type=True)
    if not drawn:
        raise NotEvaluable(f"every structure of type {rt_roi_type} is empty.", reason=Reason.EMPTY_STRUCTURE)
    together: Expression = drawn[0]
    for ref in drawn[1:]:
        together = Operation("|", together, ref)
    return together


def _missing(wanted: str, structures: Sequence[StructureFact], *, is_type: bool) -> NotEvaluable:
    what = f"structure of type {wanted}" if is_type else f"structure {wanted!r}"
    return NotEvaluable(f"there is no {what}. {suggestions(wanted, structures)}", reason=Reason.NO_STRUCTURE)


def _ambiguous(wanted: str, found: Sequence[StructureFact]) -> NotEvaluable:
    listed = ", ".join(f"{s.name!r} (number {s.number})" for s in found)
    return NotEvaluable(
        f"{wanted} could be any of {len(found)} structures: {listed}.", reason=Reason.AMBIGUOUS_STRUCTURE
    )
