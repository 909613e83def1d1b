"""The contours of one structure set under scrutiny: each contour, slice to slice, neighbour to neighbour, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import GeometryError, NotEvaluable
from dvhkit.findings import Level
from dvhkit.jobs.contours.bands import against_cohort, read_bands
from dvhkit.jobs.contours.structure_sets import DrawnSet, read_drawn
from dvhkit.model.roi_kinds import is_body
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.naming.organs import find_organ, is_target
from dvhkit.protocols.naming.recognise import name_findings, recognise
from dvhkit.results.contours.checks import ContourBands, ContourChecks, ContourFinding
from dvhkit.results.rules.names import NameRow, Recognition

if TYPE_CHECKING:
    from dvhkit.model.structure import Structure
    from dvhkit.targets.compare.checks.drawn import Drawn
    from dvhkit.targets.compare.checks.neighbours import Member

_COUCH = re.compile(r"(?i)couch|table(top)?$|tisch|support")
_RISK = re.compile(r"(?i)prv")
# Sides are told apart by findings of names; these are about place.
_NAME_CODES = {
    "sides-swapped": Level.SERIOUS,
    "side-doubtful": Level.WARNING,
    "implausible-volume": Level.WARNING,
    "one-meaning-twice": Level.WARNING,
}
# Names of these say where they are, and no anatomy.
_NO_ORGANS = {"MARKER", "ISOCENTER", "REGISTRATION", "CONTROL", "AVOIDANCE", "DOSE_REGION", "FIXATION"}
_PARALLEL = 0.999
# Repairs that change a volume by more are left to a person.
_VOLUME_RTOL = 0.005
_MOST_ROUNDS = 4


def check_contours(path: Path | str, *, repair: Path | None = None, cohort: Path | None = None) -> ContourChecks:
    """Return what is wrong with the contours of a structure set.

    Parameters
    ----------
    path
        RTSTRUCT file, or a folder that holds one; its image tells which slices there are.
    repair
        Also write a new RTSTRUCT with the safe repairs applied; the original is not touched.
    cohort
        Usual ranges of structures, as `dvhkit contours bands` writes them: what lies outside is told.

    Raises
    ------
    InputError
        If there is nothing to read, or `repair` names the original.
    """
    bands = read_bands(cohort) if cohort is not None else None
    drawn_set = read_drawn(Path(path))
    found = tuple(_ordered(_findings(drawn_set, bands)))
    log: tuple[str, ...] = ()
    if repair is not None:
        log = _write_repaired(drawn_set, found, repair)
    return ContourChecks(
        findings=found, structures=len(drawn_set.structures), repairs=log, about_the_data=drawn_set.findings
    )


def _ordered(found: Iterator[ContourFinding]) -> list[ContourFinding]:
    rank = {Level.SERIOUS: 0, Level.WARNING: 1, Level.INFO: 2}
    return sorted(found, key=lambda f: (rank[f.severity], f.roi, f.code, f.slice_mm or 0.0))


def _findings(drawn_set: DrawnSet, bands: ContourBands | None = None) -> Iterator[ContourFinding]:
    from dvhkit.targets.compare.checks.drawn import drawn_of
    from dvhkit.targets.compare.checks.neighbours import Member, check_neighbours
    from dvhkit.targets.compare.checks.outlines import check_outlines
    from dvhkit.targets.compare.checks.slices import check_slices

    structures = drawn_set.structures.structures
    facts = [StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type) for s in structures]
    names = recognise(facts)
    members: list[Member] = []
    for structure, row in zip(structures, names, strict=True):
        drawn = drawn_of(structure)
        members.append(Member(drawn=drawn, standard=row.standard, role=_role(structure, row)))
        yield from _emptiness(structure, drawn)
        yield from check_outlines(drawn)
        yield from check_slices(drawn, _slices_mm(drawn_set, drawn))
    yield from check_neighbours(members)
    yield from _targets(members)
    yield from _risk_volumes(members)
    yield from _names(drawn_set, members, names)
    if bands is not None:
        yield from against_cohort([(m.drawn, m.standard) for m in members], bands)


def _role(structure: Structure, row: NameRow) -> str:
    kind, name = structure.rt_roi_type, structure.name.strip()
    if is_body(name, kind):
        return "body"
    if kind == "SUPPORT" or _COUCH.search(name):
        return "couch"
    if kind in {"GTV", "CTV", "PTV"} or is_target(name):
        return "target"
    if _RISK.search(name):
        return "risk"
    organ = find_organ(row.standard) if row.standard else None
    if organ is None:
        return ""
    return "organ" if row.how is not Recognition.DERIVED and "~" not in name and "-" not in name else "derived"


def _slices_mm(drawn_set: DrawnSet, drawn: Drawn) -> np.ndarray | None:
    image = drawn_set.image
    if image is None or abs(float(image.grid.axes[2] @ drawn.frame.axes[2])) < _PARALLEL:
        return None
    points = image.grid.origin_mm + image.grid.offsets_mm[:, None] * image.grid.axes[2]
    return np.sort(drawn.frame.to_frame(points)[:, 2])


def _emptiness(structure: Structure, drawn: Drawn) -> Iterator[ContourFinding]:
    if drawn.problem:
        place = tuple(float(v) for v in drawn.box_mm.mean(axis=0))
        yield ContourFinding(
            code="planes-not-parallel", roi=structure.name, severity=Level.SERIOUS, slice_mm=place[2],
            place_mm=(place[0], place[1], place[2]), message=drawn.problem,
        )  # fmt: skip
    if not structure.contours:
        yield ContourFinding(
            code="empty-structure", roi=structure.name, severity=Level.WARNING, message="nothing is drawn",
            repair="to be drawn or deleted",
        )  # fmt: skip
    elif len(drawn.levels) == 1 and drawn.structure.closed_contours:
        level = drawn.levels[0]
        yield ContourFinding(
            code="single-slice", roi=structure.name, severity=Level.INFO, slice_mm=drawn.slice_mm(level.w_mm),
            place_mm=drawn.inside_of(level.rings[0].shape, level.w_mm), message="drawn on one slice only",
        )  # fmt: skip


def _targets(members: Sequence[Member]) -> Iterator[ContourFinding]:
    """Yield where a target lies outside the next larger one that was drawn round it."""
    from dvhkit.targets.compare.checks.neighbours import outside_of
    from dvhkit.targets.regions.pairing import pair_targets

    by_structure = {id(m.drawn.structure): m.drawn for m in members}
    drawn = [m.drawn.structure for m in members if m.drawn.levels and not m.drawn.problem]
    for pair in pair_targets(drawn):
        if pair.outer is None or pair.rivals:
            continue
        inner, outer = by_structure[id(pair.inner)], by_structure[id(pair.outer)]
        yield from outside_of(inner, outer, "target-outside-target", Level.SERIOUS)


def _risk_volumes(members: Sequence[Member]) -> Iterator[ContourFinding]:
    """Yield planning risk volumes whose organ is not drawn, or lies outside them."""
    from dvhkit.targets.compare.checks.neighbours import outside_of

    for risk in members:
        if risk.role != "risk" or not risk.drawn.levels:
            continue
        stem = re.split(r"(?i)[\s_-]*prv", risk.standard or risk.drawn.name)[0].casefold()
        organs = [
            m
            for m in members
            if m.role != "risk" and m.drawn.levels and stem and stem in {m.standard.casefold(), m.drawn.name.casefold()}
        ]
        if not organs:
            level = risk.drawn.levels[len(risk.drawn.levels) // 2]
            yield ContourFinding(
                code="prv-without-organ", roi=risk.drawn.name, severity=Level.WARNING,
                slice_mm=risk.drawn.slice_mm(level.w_mm), place_mm=risk.drawn.inside_of(level.area, level.w_mm),
                message="its organ is not drawn", repair="the organ to be drawn",
            )  # fmt: skip
        for organ in organs:
            yield from outside_of(organ.drawn, risk.drawn, "organ-outside-prv", Level.WARNING)


def _names(drawn_set: DrawnSet, members: Sequence[Member], rows: Sequence[NameRow]) -> Iterator[ContourFinding]:
    """Yield what names say against place and volume, names that several bear, and names that nobody knows."""
    from dvhkit.protocols.naming.placed import place_structures

    where = {m.drawn.name: m.drawn for m in members if m.drawn.levels}
    # A body called "Skin" is no skin of some millimetres.
    whole = {m.drawn.name for m in members if m.role == "body"}
    odd = name_findings(rows, place_structures([m.drawn.structure for m in members if m.drawn.levels]))
    for finding in odd:
        if finding.code in _NAME_CODES and not (finding.code == "implausible-volume" and finding.where in whole):
            yield _at_middle(finding.code, finding.where, _NAME_CODES[finding.code], finding.message, where)
    names = [s.name.strip().casefold() for s in drawn_set.structures]
    for name in sorted({s.name for s in drawn_set.structures if names.count(s.name.strip().casefold()) > 1}):
        yield _at_middle("name-repeated", name, Level.WARNING, "several structures bear this name", where)
    known = sum(row.how is not Recognition.NONE for row in rows)
    for row, member in zip(rows, members, strict=True) if 2 * known >= len(rows) else ():
        plain = member.role in {"body", "couch", "target"} or row.rt_roi_type in _NO_ORGANS
        if row.how is Recognition.NONE and not plain:
            hint = f"; {row.suggestion} may be meant" if row.suggestion else ""
            yield ContourFinding(
                code="name-unknown", roi=row.roi, severity=Level.INFO, message=f"the name is none of TG-263{hint}"
            )


def _at_middle(code: str, roi: str, severity: Level, message: str, where: dict[str, Drawn]) -> ContourFinding:
    drawn = where.get(roi)
    if drawn is None:
        return ContourFinding(code=code, roi=roi, severity=severity, message=message)
    level = drawn.levels[len(drawn.levels) // 2]
    place = drawn.inside_of(level.area, level.w_mm) if level.area.area > 0 else None
    return ContourFinding(
        code=code, roi=roi, severity=severity, slice_mm=drawn.slice_mm(level.w_mm), place_mm=place, message=message
    )


def _write_repaired(drawn_set: DrawnSet, found: Sequence[ContourFinding], target: Path) -> tuple[str, ...]:
    from dvhkit.outputs.rtstruct.repaired import write_repaired

    changed: dict[int, Structure] = {}
    log: list[str] = []
    for n, structure in enumerate(drawn_set.structures):
        own = [f for f in found if f.roi == structure.name and f.slice_mm is not None]
        safe = [f for f in own if f.is_safe]
        made, applied = _repaired(structure, safe, drawn_set) if safe else (structure, ())
        log += [f"{f.roi}: {f.code} at {f.slice_mm:.2f} mm, {f.repair}" for f in applied]
        left = [f for f in safe if f not in applied]
        log += [f"{f.roi}: {f.code} at {f.slice_mm:.2f} mm left: it would change the volume" for f in left]
        by_hand = [f for f in own if f.code == "missing-slice" and not f.is_safe]
        log += [f"{f.roi}: {f.code} at {f.slice_mm:.2f} mm left {f.repair}" for f in by_hand]
        if made is not structure:
            changed[n] = made
    assert drawn_set.structures.path is not None
    write_repaired(target, changed, source=drawn_set.structures.path)
    return tuple(log)


def _repaired(
    structure: Structure, safe: Sequence[ContourFinding], drawn_set: DrawnSet
) -> tuple[Structure, Sequence[ContourFinding]]:
    """Return the structure with as many of the repairs as leave alone the volume that was drawn, and those repairs.

    What was left out is no part of that volume: slices are filled in after it was measured.
    """
    fills = [f for f in safe if f.code == "missing-slice"]
    others = [f for f in safe if f.code != "missing-slice"]
    base, applied = structure, fills
    if others:
        made = _mended_until_clean(structure, others, drawn_set)
        if made is not structure and _keeps_volume(structure, made, drawn_set):
            base, applied = made, list(safe)
    return (_mended_until_clean(base, fills, drawn_set) if fills else base), applied


def _mended_until_clean(structure: Structure, chosen: Sequence[ContourFinding], drawn_set: DrawnSet) -> Structure:
    """Mend, look again and mend what came of it: a contour without its crossing may leave a sliver."""
    from dvhkit.targets.compare.checks.drawn import drawn_of
    from dvhkit.targets.compare.checks.mend import mended
    from dvhkit.targets.compare.checks.outlines import check_outlines
    from dvhkit.targets.compare.checks.slices import check_slices

    made, todo = structure, list(chosen)
    for _ in range(_MOST_ROUNDS):
        made = mended(made, todo)
        drawn = drawn_of(made)
        again = [*check_outlines(drawn), *check_slices(drawn, _slices_mm(drawn_set, drawn))]
        todo = [f for f in again if f.is_safe and f.code != "missing-slice"]
        if not todo:
            break
    return made


def _keeps_volume(before: Structure, after: Structure, drawn_set: DrawnSet) -> bool:
    from dvhkit.engine.dvh import compute_dvh

    spacing = drawn_set.slice_spacing_mm
    try:
        one, two = (compute_dvh(s, None, slice_spacing_mm=spacing).volume_cc for s in (before, after))
    except (GeometryError, NotEvaluable):
        return True  # what could not be measured as it was, cannot be held against its repair
    return abs(two - one) <= _VOLUME_RTOL * one
