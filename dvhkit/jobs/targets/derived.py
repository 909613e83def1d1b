"""Structures grown, shrunk, cut and joined by the words of a command, and filed as RTSTRUCT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dvhkit.engine.dvh import compute_dvh
from dvhkit.errors import InputError
from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
from dvhkit.results.derived import DerivedFile, DerivedRow
from dvhkit.targets.derive.crop import Limit, away_from, barrier, crop, inside
from dvhkit.targets.derive.margin import Derived, grow, shrink
from dvhkit.targets.derive.margin_sizes import parse_margins
from dvhkit.targets.derive.shell import ring, wall
from dvhkit.targets.regions.expression import evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure

Holes = Literal["keyhole", "xor", "nested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """What a structure may not leave or enter, each as ``ROI`` or ``ROI:MM``."""

    inside: Sequence[str] = ()
    away_from: Sequence[str] = ()
    barriers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A structure that was made, and the one that it was made of."""

    source: Derived
    result: Derived

    def named(self, name: str | None, rt_type: str) -> Made:
        """Return it under a name of its own and with an interpreted type; the findings of the source go with it."""
        structure = self.result.structure
        structure = replace(structure, name=name or structure.name, rt_roi_type=rt_type.upper())
        findings = (*self.source.findings, *self.result.findings)
        return replace(self, result=replace(self.result, structure=structure, findings=findings))


def make_grown(case: Case, roi: str, margin: str, within: Within) -> Made:
    """Grow a structure by a margin, then keep it within limits."""
    source, margins, limits = _drawn(case, roi), parse_margins(margin), _limits(case, within)
    made = grow(source.structure, margins, image=case.image)
    made = crop(made, limits, source=source.structure, image=case.image) if limits else made
    return Made(source=source, result=made)


def make_shrunk(case: Case, roi: str, margin: str) -> Made:
    """Shrink a structure by a margin."""
    source = _drawn(case, roi)
    return Made(source=source, result=shrink(source.structure, parse_margins(margin), image=case.image))


def make_ring(case: Case, roi: str, margin: str, gap: str, within: Within) -> Made:
    """Make a ring round a structure from a gap to a margin, then keep it within limits."""
    source, limits = _drawn(case, roi), _limits(case, within)
    made = ring(source.structure, parse_margins(margin), gap=parse_margins(gap), image=case.image)
    return Made(source=source, result=crop(made, limits, image=case.image) if limits else made)


def make_wall(case: Case, roi: str, margin: str) -> Made:
    """Make the inner wall of a structure."""
    source = _drawn(case, roi)
    return Made(source=source, result=wall(source.structure, parse_margins(margin), image=case.image))


def make_of_expression(case: Case, expression: str, *, name: str | None, rt_type: str) -> Derived:
    """Make a structure out of others by an expression; it has no ROI number yet."""
    made = evaluate(expression, case.structures, image=case.image, name=name)
    return replace(made, structure=replace(made.structure, number=-1, rt_roi_type=rt_type.upper()))


def write_derived(
    case: Case, made: Sequence[Derived], *, sources: Sequence[Derived], out: Path, add: bool, holes: Holes
) -> DerivedFile:
    """Write derived structures as RTSTRUCT; with `add` into a copy of the whole set.

    Raises
    ------
    InputError
        If one of them is empty; nothing is written then.
    """
    for derived in made:
        if derived.structure.is_empty:
            said = next((f.message for f in derived.findings if f.code == "derived-empty"), "Nothing is left.")
            raise InputError(f"{derived.how} is empty. {said}", remedy="Nothing was written.")
    if case.structures.path is None:
        raise InputError("the structure set lies in no file.")
    written = write_rtstruct(
        out,
        [NewRoi(structure=d.structure, how=d.how) for d in made],
        source=case.structures.path,
        image=case.image,
        keep_existing=add,
        holes=holes,
    )
    rows = [_row(case, d, d.structure.name, "") for d in sources]
    rows += [_row(case, d, name, d.how) for d, name in zip(made, written.names, strict=True)]
    findings = dict.fromkeys([f for d in made for f in d.findings] + list(written.findings))
    return DerivedFile(
        structures=tuple(rows),
        findings=tuple(findings),
        out=str(out),
        sop_instance_uid=written.sop_instance_uid,
    )


def _drawn(case: Case, roi: str) -> Derived:
    source = evaluate(roi, case.structures, image=case.image)
    if source.structure.is_empty:
        raise InputError(f"{roi} has no contours that bound an area.", remedy="Name a structure that is drawn.")
    return source


def _limits(case: Case, within: Within) -> list[Limit]:
    """Return the limits in the order in which they are applied."""
    limits = []
    for text in within.inside:
        region, distance_mm = _with_distance(case, text)
        limits.append(inside(region, less_mm=distance_mm))
    for text in within.away_from:
        region, distance_mm = _with_distance(case, text)
        limits.append(away_from(region, by_mm=distance_mm))
    # Last, so that what the other limits have cut off does not come back around a barrier.
    return limits + [barrier(_region(case, text)) for text in within.barriers]


def _with_distance(case: Case, text: str) -> tuple[Structure, float]:
    """Return the structure and the distance in mm of ``ROI:MM``; a name that holds a colon is a name."""
    roi, colon, distance = text.rpartition(":")
    if not colon or text in case.structures:
        return _region(case, text), 0.0
    return _region(case, roi), parse_margins(distance).greatest_mm


def _region(case: Case, text: str) -> Structure:
    return evaluate(text, case.structures, image=case.image).structure


def _row(case: Case, derived: Derived, name: str, how: str) -> DerivedRow:
    structure = derived.structure
    # Along the axis across which its contours are flat: sagittal and coronal ones have planes, too.
    spreads = [np.ptp(c.points_mm, axis=0) for c in structure.closed_contours]
    across = 2 - int(np.max(spreads, axis=0)[::-1].argmin()) if spreads else 2
    planes = {round(float(c.points_mm[:, across].mean()), 2) for c in structure.closed_contours}
    volume_cc = compute_dvh(structure, None, slice_spacing_mm=case.slice_spacing_mm or None).volume_cc
    return DerivedRow(name=name, how=how, volume_cc=round(volume_cc, 4), slices=len(planes))
