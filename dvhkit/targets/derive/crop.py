"""Keep a target inside one structure and away from another, and from growing across a barrier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely

from dvhkit.engine.combine import combine
from dvhkit.engine.contours.planes import PlaneStack, stack_planes
from dvhkit.engine.contours.repair import rings_of
from dvhkit.errors import GeometryError, InputError
from dvhkit.findings import Finding, Level
from dvhkit.model.grid import Grid
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.targets.derive.margin import Derived, grow, shrink
from dvhkit.targets.derive.margin_sizes import Margins as _Margins
from dvhkit.targets.derive.margin_sizes import margins_text

# Less than this of a source structure cut off by a crop is rounding of outlines.
_ROUNDING_FRAC = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limit:
    """Where a target may go: inside `structure` less `distance_mm`, away from it by that, or not across it."""

    structure: Structure
    kind: str
    distance_mm: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("inside", "away", "barrier"):
            raise InputError(f"there is no limit of kind {self.kind!r}.", remedy="Use inside, away or barrier.")
        _Margins.isotropic(self.distance_mm)

    def __str__(self) -> str:
        by = f" {margins_text(_Margins.isotropic(self.distance_mm))}" if self.distance_mm else ""
        words = {
            "inside": f"inside {self.structure.name}" + (f" less{by}" if by else ""),
            "away": f"{by.strip()} away from {self.structure.name}" if by else f"outside {self.structure.name}",
            "barrier": f"not across {self.structure.name}",
        }
        return words[self.kind]


def inside(structure: Structure, *, less_mm: float = 0.0) -> Limit:
    """Return the limit that keeps a target inside a structure, `less_mm` from its surface."""
    return Limit(structure=structure, kind="inside", distance_mm=less_mm)


def away_from(structure: Structure, *, by_mm: float = 0.0) -> Limit:
    """Return the limit that keeps a target `by_mm` away from a structure."""
    return Limit(structure=structure, kind="away", distance_mm=by_mm)


def barrier(structure: Structure) -> Limit:
    """Return the limit that keeps a target out of a structure and from going on behind it.

    What lies within the margin but hangs together with the source only through the barrier falls away: a lesion in the
    lung does not grow through the chest wall. What hangs together around the barrier's edge stays.
    """
    return Limit(structure=structure, kind="barrier")


def crop(
    derived: Derived, limits: Sequence[Limit], *, source: Structure | None = None, image: ImageSeries | None = None
) -> Derived:
    """Return a derived structure cut back to where it may go.

    Parameters
    ----------
    source
        What the target grew from. Needed for barriers; where a limit cuts it, a finding says by how much.

    Raises
    ------
    InputError
        If nothing is left, with the limit that took the last of it.
    """
    result, findings, how = derived.structure, list(derived.findings), derived.how
    for limit in limits:
        if limit.structure.is_empty:
            raise InputError(
                f"{limit.structure.name} has no contours, so nothing can be kept by it.",
                remedy="Name another structure.",
            )
        before = result
        result = _applied(result, limit, source, image, findings)
        how += f", {limit}"
        if result.is_empty and not before.is_empty:
            kept = " and ".join(str(applied) for applied in limits[: limits.index(limit) + 1])
            raise InputError(f"nothing is left of {derived.how} when it is kept {kept}.", remedy=_contradiction(limit))
    if source is not None and limits:
        findings += _source_cut(result, source)
    return replace(derived, structure=replace(result, name=derived.structure.name), how=how, findings=tuple(findings))


def _contradiction(limit: Limit) -> str:
    return {
        "inside": "The target does not reach into that structure; check the name or take a smaller distance.",
        "away": "The target lies wholly within that distance; take a smaller one.",
        "barrier": "The target lies wholly inside the barrier or touches its source nowhere; leave that barrier out.",
    }[limit.kind]


def _applied(
    target: Structure, limit: Limit, source: Structure | None, image: ImageSeries | None, findings: list[Finding]
) -> Structure:
    name = target.name
    if limit.kind == "barrier":
        if source is None:
            raise InputError("a barrier needs the structure from which the target grew.")
        if combine("-", source, limit.structure, name=source.name).is_empty:
            raise InputError(
                f"{source.name} lies wholly inside the barrier {limit.structure.name}, so it can grow nowhere.",
                remedy="Leave that barrier out, or name the structure that bounds the growth.",
            )
        return connected_to(combine("-", target, limit.structure, name=name), source)
    other = limit.structure
    if limit.distance_mm > 0:
        made = (shrink if limit.kind == "inside" else grow)(other, limit.distance_mm, image=image)
        findings += made.findings
        other = made.structure
    return _like(target, combine("&" if limit.kind == "inside" else "-", target, other, name=name))


def _like(target: Structure, result: Structure) -> Structure:
    """Return the contours of `result` under the identity of `target`; as plain outlines where no hole asks for more."""
    contours = result.contours
    stack = stack_planes(result)
    if stack is not None and all(
        len(rings_of(stack.section(p))) == len(_parts(stack, p)) for p in range(stack.n_planes)
    ):
        contours = tuple(replace(c, kind=ContourKind.CLOSED_PLANAR) for c in contours)
    return replace(target, contours=contours)


def connected_to(target: Structure, source: Structure) -> Structure:
    """Return what of `target` hangs together with `source`: within slices and, by overlap, from slice to slice."""
    stack = stack_planes(target)
    seed = stack_planes(source, _grid_of(stack)) if stack is not None else None
    if stack is None or seed is None:
        return replace(target, contours=())
    if seed.frame.grid_axis != (0, 1, 2):
        raise GeometryError(f"{target.name} and {source.name} are drawn on planes that face different ways.")
    parts = [_parts(stack, p) for p in range(stack.n_planes)]
    kept = [
        {n for n, part in enumerate(row) if _touches(part, seed, w)} for row, w in zip(parts, _w(stack), strict=True)
    ]
    work = [(p, n) for p, row in enumerate(kept) for n in row]
    while work:
        p, n = work.pop()
        for q in (p - 1, p + 1):
            if not 0 <= q < stack.n_planes or abs(_w(stack)[q] - _w(stack)[p]) > _reach_mm(stack):
                continue
            for m, part in enumerate(parts[q]):
                if m not in kept[q] and part.intersects(parts[p][n]):
                    kept[q].add(m)
                    work.append((q, m))
    contours = [c for p, row in enumerate(kept) for n in sorted(row) for c in _drawn(parts[p][n], stack, p)]
    if all(len(part.interiors) == 0 for row in parts for part in row):
        contours = [replace(c, kind=ContourKind.CLOSED_PLANAR) for c in contours]
    return replace(target, contours=tuple(contours))


def _grid_of(stack: PlaneStack | None) -> Grid | None:
    """Return a grid along the stack's frame, so that the other stack's heights count from the same origin."""
    if stack is None:
        return None
    return Grid(
        origin_mm=stack.frame.origin_mm,
        axes=stack.frame.axes,
        spacing_mm=np.ones(2),
        offsets_mm=np.zeros(1),
        n_rows=1,
        n_columns=1,
    )


def _w(stack: PlaneStack) -> list[float]:
    return [float(w) for w in stack.offsets_mm]


def _reach_mm(stack: PlaneStack) -> float:
    """Slices further apart than this do not touch: one was left out between them."""
    return 1.5 * float(np.median(np.diff(stack.offsets_mm))) + 1e-6


def _parts(stack: PlaneStack, plane: int) -> list[Any]:
    return [p for p in shapely.get_parts(stack.section(plane)) if p.geom_type == "Polygon" and p.area > 0]


def _touches(part: Any, seed: PlaneStack, w_mm: float) -> bool:  # noqa: ANN401 -- a shapely polygon
    """Whether the seed's section nearest in height, if it is near enough, overlaps a part."""
    nearest = int(np.abs(seed.offsets_mm - w_mm).argmin())
    pitch = float(np.median(np.diff(seed.offsets_mm))) if seed.n_planes > 1 else 0.0
    if abs(float(seed.offsets_mm[nearest]) - w_mm) > max(0.5 * pitch, 0.1) + 1e-6:
        return False
    return bool(part.intersects(seed.section(nearest)))


def _drawn(part: Any, stack: PlaneStack, plane: int) -> list[Contour]:  # noqa: ANN401
    w = float(stack.offsets_mm[plane])
    return [
        Contour(
            points_mm=stack.frame.to_patient(np.column_stack([ring, np.full(len(ring), w)])),
            kind=ContourKind.CLOSEDPLANAR_XOR,
        )
        for ring in rings_of(part)
    ]


def _source_cut(result: Structure, source: Structure) -> list[Finding]:
    from dvhkit.engine.dvh import compute_dvh

    lost = combine("-", source, result, name=source.name)
    lost_cc, whole_cc = compute_dvh(lost, None).volume_cc, compute_dvh(source, None).volume_cc
    if lost_cc <= _ROUNDING_FRAC * whole_cc:
        return []
    return [
        Finding(
            level=Level.WARNING,
            code="crop-cuts-source",
            message=f"The limits cut {lost_cc:.3g} cc ({100 * lost_cc / whole_cc:.2g} %) off {source.name} itself.",
            where=result.name,
        )
    ]
