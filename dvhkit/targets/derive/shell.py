"""Rings round a structure and walls within it."""

from __future__ import annotations

from dataclasses import replace

from dvhkit.engine.combine import combine
from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import Structure
from dvhkit.targets.derive.margin import Derived, grow, shrink
from dvhkit.targets.derive.margin_sizes import Margins, margins_text


def ring(
    structure: Structure,
    margins: Margins | float,
    *,
    gap: Margins | float = 0.0,
    image: ImageSeries | None = None,
    name: str | None = None,
) -> Derived:
    """Return the ring between a structure grown by `gap` and grown by `margins`, both from its surface, in mm.

    Parameters
    ----------
    margins
        Outer face: six margins, or one in mm for all sides.
    gap
        Inner face, nowhere beyond the outer one; 0 starts at the structure itself.
    image
        As in `dvhkit.targets.derive.margin.grow`.
    name
        Of the result; by default the structure's with 'ring' behind it.

    Raises
    ------
    InputError
        If the gap leaves no ring.
    """
    outer_mm, inner_mm = _sides(margins), _sides(gap)
    if any(i > o for i, o in zip(inner_mm.values(), outer_mm.values(), strict=True)) or inner_mm == outer_mm:
        raise InputError(
            f"a gap of {margins_text(Margins(**inner_mm))} leaves no ring within {margins_text(Margins(**outer_mm))}.",
            remedy="Give a gap that is smaller than the margin.",
        )
    outer = grow(structure, Margins(**outer_mm), image=image)
    inner = grow(structure, Margins(**inner_mm), image=image) if any(inner_mm.values()) else None
    within = structure if inner is None else inner.structure
    how = f"({outer.how}) - {structure.name if inner is None else f'({inner.how})'}"
    findings = (*outer.findings, *(inner.findings if inner else ()))
    return _without(outer.structure, within, how, name or f"{structure.name} ring", findings)


def wall(
    structure: Structure, margins: Margins | float, *, image: ImageSeries | None = None, name: str | None = None
) -> Derived:
    """Return the inner wall of a structure, as thick as `margins`: what shrinking by them takes away.

    A structure that is nowhere thicker than twice its wall is all wall, and a finding says so.
    """
    inner = shrink(structure, margins, image=image)
    how = f"{structure.name} - ({inner.how})"
    findings = tuple(f for f in inner.findings if f.code != "derived-empty")
    if inner.structure.is_empty and not structure.is_empty:
        findings += (_all_wall(structure.name, inner.how),)
    return _without(structure, inner.structure, how, name or f"{structure.name} wall", findings)


def _sides(margins: Margins | float) -> dict[str, float]:
    if not isinstance(margins, Margins):
        margins = Margins.isotropic(margins)
    return margins.by_side()


def _without(whole: Structure, inner: Structure, how: str, name: str, findings: tuple[Finding, ...]) -> Derived:
    left = whole if inner.is_empty else combine("-", whole, inner, name=name)
    unique = tuple(dict.fromkeys(findings))
    return Derived(structure=replace(left, number=-1, name=name), how=how, findings=unique)


def _all_wall(name: str, inner: str) -> Finding:
    return Finding(
        level=Level.INFO,
        code="all-wall",
        message=f"{inner} leaves nothing: the structure is nowhere thicker than its wall on both sides.",
        where=name,
    )
