"""Which vertebrae are meant: by name, by what the GTV touches, or by the levels of a label map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dvhkit.errors import InputError, UnknownStructureError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure, StructureSet
from dvhkit.targets.vertebra.anatomy.grid import points_of
from dvhkit.targets.vertebra.anatomy.partition import has_no_compartments, no_usual_level
from dvhkit.targets.vertebra.labels.names import NamedPart, levels_named, parse_level, parse_name
from dvhkit.targets.vertebra.rules import Compartment
from dvhkit.targets.vertebra.source import LabelSource, labelled_levels


def catalogue_of(structures: StructureSet) -> list[tuple[NamedPart, Structure]]:
    """Return the structures whose names mean a part of a vertebra, with what they mean."""
    named = ((parse_name(s.name), s) for s in structures if not s.is_empty and s.rt_roi_type.upper() != "EXTERNAL")
    found = [(part, s) for part, s in named if part is not None]
    # "Body" alone is the patient's outline, unless other compartments without a level stand beside it.
    others = any(isinstance(n.part, Compartment) and not n.level and n.part is not Compartment.BODY for n, _ in found)
    return [(n, s) for n, s in found if others or not (n.part is Compartment.BODY and not n.level)]


Chosen = dict[str, dict[str, Structure]]


def choose_levels(
    structures: StructureSet,
    catalogue: list[tuple[NamedPart, Structure]],
    wanted: Sequence[str],
    labels: LabelSource | None,
    gtv: Structure,
) -> Chosen:
    """Return the levels to look at, each with the structures that stand for it (none where labels do)."""
    if wanted:
        return {level: parts for name in wanted for level, parts in [_wanted(name, structures, catalogue, labels)]}
    if labels is not None:
        return {level: {} for level in labelled_levels(labels, gtv)}
    found = _by_level(catalogue)
    near = {level: parts for level, parts in found.items() if _near(parts.values(), gtv)}
    if not near:
        raise InputError(
            "no vertebra or compartment was found by name near the GTV.",
            remedy="Name a whole vertebra with --vertebra, give --labels, or name compartments such as zPed_L03_L.",
        )
    return near


def _wanted(
    name: str, structures: StructureSet, catalogue: list[tuple[NamedPart, Structure]], labels: LabelSource | None
) -> tuple[str, dict[str, Structure]]:
    level = parse_level(name)
    if labels is not None:
        if has_no_compartments(name):
            raise no_usual_level(level or name)
        if level is None:
            raise InputError(f"{name[:40]!r} is no level.", remedy="With --labels name levels such as L3.")
        return level, {}
    found = _by_level(catalogue)
    if level is not None and level in found and name not in structures.names:
        return level, found[level]
    try:
        structure = structures[name]
    except UnknownStructureError:
        if level is None:
            raise
        known = ", ".join(found) or "none"
        raise InputError(f"there is no vertebra {level}.", remedy=f"Levels found by name: {known}.") from None
    if structure.is_empty:
        raise InputError(f"the structure {name!r} is empty.", remedy="Name a vertebra that was drawn.")
    meant = parse_name(structure.name)
    return (meant.level if meant is not None and meant.level else structure.name), {"vertebra": structure}


def _by_level(catalogue: list[tuple[NamedPart, Structure]]) -> Chosen:
    found: Chosen = {}
    for named, structure in catalogue:
        if named.part not in ("canal", "cord") and (named.level or isinstance(named.part, Compartment)):
            found.setdefault(named.level, {}).setdefault(str(named.part), structure)
    return dict(sorted(found.items()))


def _near(parts: Iterable[Structure], gtv: Structure) -> bool:
    low, high = _box(gtv)
    return any(np.all(a <= high) and np.all(b >= low) for a, b in map(_box, parts))


def _box(structure: Structure) -> tuple[FloatArray, FloatArray]:
    points = points_of(structure)
    return points.min(axis=0), points.max(axis=0)


def names_against_levels(names: Sequence[str], levels: Sequence[str]) -> tuple[Finding, ...]:
    """Return a finding for each name that bears only levels which are not looked at, such as CTV_L3 on L2."""
    told = []
    for name in dict.fromkeys(names):
        named = levels_named(name)
        if named and not set(named) & set(levels):
            text = f"the name {name!r} says {', '.join(named)}, but the rules were applied to {', '.join(levels)}"
            told.append(Finding(level=Level.WARNING, code="name-of-other-level", message=text, where=name))
    return tuple(told)
