"""Everything that a vertebral rule looks at, on one grid: GTV, canal, and the compartments of each level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure, StructureSet
from dvhkit.targets.vertebra.anatomy.grid import (
    crop_grid,
    filled_by,
    grid_over,
    points_of,
    sample_mask,
    voxel_volume_cc,
    window_round,
)
from dvhkit.targets.vertebra.anatomy.parts import VertebraParts, vertebra_parts
from dvhkit.targets.vertebra.choice import catalogue_of, choose_levels
from dvhkit.targets.vertebra.labels.names import NamedPart
from dvhkit.targets.vertebra.source import LabelSource, label_points, require_one_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """GTV, canal and vertebrae on one grid; `canal` is None where none was drawn or labelled."""

    grid: Grid
    gtv: FloatArray
    canal: FloatArray | None
    vertebrae: tuple[VertebraParts, ...]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def voxel_cc(self) -> FloatArray:
        """Volume of a voxel on each plane, shaped to multiply arrays [k, j, i]."""
        return voxel_volume_cc(self.grid)


def build_scene(
    structures: StructureSet,
    gtv: Structure,
    *,
    image_grid: Grid | None,
    levels: Sequence[str] = (),
    labels: LabelSource | None = None,
    others: Sequence[Structure] = (),
) -> Scene:
    """Return the scene round a GTV.

    Parameters
    ----------
    image_grid
        Grid of the planning image; without it that of the label map, or one laid over the contours.
    levels
        Vertebrae to look at: levels such as L3, or names of structures that are whole vertebrae. Without any, all
        vertebrae that the GTV touches.
    others
        Structures that must fit into the scene, such as a CTV to check.

    Raises
    ------
    InputError
        If there is no vertebra, or no GTV.
    """
    if gtv.is_empty:
        raise InputError(f"the structure {gtv.name!r} is empty.", remedy="Name a GTV that was drawn.")
    require_one_frame(labels, gtv)
    catalogue = catalogue_of(structures)
    chosen = choose_levels(structures, catalogue, levels, labels, gtv)
    base = _base_grid(image_grid, labels, gtv, [s for parts in chosen.values() for s in parts.values()])
    extents = [points_of(s) for s in (gtv, *others) if not s.is_empty]
    for level, parts in chosen.items():
        extents += [points_of(s) for s in parts.values()]
        if labels is not None and not parts:
            extents.append(label_points(labels, level))
    window = window_round(base, np.concatenate(extents))
    grid = crop_grid(base, window)
    canal = _canal(catalogue, labels, grid)
    field_gtv = filled_by(gtv, grid)
    # A vertebra that was not asked for and holds no GTV need not be one that can be cut.
    asked = field_gtv if not levels else np.ones_like(field_gtv)
    made = [vertebra_parts(level, parts, labels, grid, canal, asked=asked) for level, parts in chosen.items()]
    present = [v for v in made if v is not None]
    touched = [v for v in present if _touches(v, field_gtv)]
    only_canal = _canal(catalogue, labels, grid, cord=False)
    if not touched:
        raise _untouched(gtv, tuple(chosen), field_gtv, only_canal)
    findings = tuple(_level_untouched(gtv, v.level) for v in present if v not in touched) if levels else ()
    kept = present if levels else touched
    return Scene(grid=grid, gtv=field_gtv, canal=only_canal, vertebrae=tuple(kept), findings=findings)


def _untouched(gtv: Structure, levels: tuple[str, ...], filled: FloatArray, canal: FloatArray | None) -> InputError:
    """Return the refusal of a GTV in no part: no rule has a word for it, and its CTV would be the bare GTV, unasked."""
    where = ", ".join(levels)
    in_canal = canal is not None and bool(np.any(np.minimum(filled, canal) > 0))
    return InputError(
        f"{gtv.name!r} lies wholly outside the vertebra {where}{', in the spinal canal' if in_canal else ''}: "
        "it touches no compartment, so no rule applies.",
        remedy="Name the level that holds it with --vertebra, or the right GTV with --gtv.",
    )


def _level_untouched(gtv: Structure, level: str) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="gtv-not-in-level",
        message=f"{gtv.name!r} touches no part of {level}, which was asked for: nothing of it enters the CTV",
        where=level,
    )


def _base_grid(image_grid: Grid | None, labels: LabelSource | None, gtv: Structure, drawn: Sequence[Structure]) -> Grid:
    if image_grid is not None:
        return image_grid
    source = labels.levels or labels.regions if labels is not None else None
    return source.grid if source is not None else grid_over([gtv, *drawn])


def _canal(
    catalogue: list[tuple[NamedPart, Structure]], labels: LabelSource | None, grid: Grid, *, cord: bool = True
) -> FloatArray | None:
    """Return the drawn or labelled canal; a cord stands in for it only where an axis is wanted."""
    for kind in ("canal", "cord") if cord else ("canal",):
        for named, structure in catalogue:
            if named.part == kind:
                made = filled_by(structure, grid)
                if made.any():
                    return made
    source = labels.levels or labels.regions if labels is not None else None
    if labels is None or source is None or not labels.table.canal or not cord:
        return None
    made = sample_mask(np.isin(source.labels, labels.table.canal), source.grid, grid).astype(np.float64)
    return made if made.any() else None


def _touches(vertebra: VertebraParts, gtv: FloatArray) -> bool:
    return any(bool(np.any(np.minimum(gtv[vertebra.window], part) > 0)) for part in vertebra.parts.values())
