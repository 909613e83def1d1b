"""Everything that a vertebral rule looks at, on one grid: GTV, canal, and the compartments of each level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError, InputError, UnknownStructureError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure, StructureSet
from dvhkit.targets.vertebra_frame import Mask, mask_points_mm
from dvhkit.targets.vertebra_grid import (
    ROOM_MM,
    Window,
    crop_grid,
    filled_by,
    grid_over,
    points_of,
    sample_mask,
    voxel_volume_cc,
    window_round,
)
from dvhkit.targets.vertebra_labels import ARCH, LabelMap, LabelTable
from dvhkit.targets.vertebra_names import NamedPart, parse_level, parse_name
from dvhkit.targets.vertebra_partition import PART_NUMBER, Partition, partition_vertebra, spread_labels
from dvhkit.targets.vertebra_rules import Compartment


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSource:
    """Label maps of vertebrae: levels, and sub-regions where there are any, with the table that explains them."""

    table: LabelTable
    levels: LabelMap | None = None
    regions: LabelMap | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VertebraParts:
    """The compartments of one level.

    Attributes
    ----------
    window
        Where the arrays of `parts` lie in the scene's grid.
    parts
        How much of each voxel a compartment fills: fractions where it was drawn, bool where it was labelled.
    origin
        ``structures``, ``labels`` or ``geometry`` (cut automatically).
    """

    level: str
    window: Window
    parts: dict[Compartment, FloatArray | Mask]
    origin: str
    partition: Partition | None = None
    findings: tuple[Finding, ...] = ()


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
    catalogue = _catalogue(structures)
    chosen = _choose(structures, catalogue, levels, labels, gtv)
    base = _base_grid(image_grid, labels, gtv, [s for parts in chosen.values() for s in parts.values()])
    extents = [points_of(s) for s in (gtv, *others) if not s.is_empty]
    for level, parts in chosen.items():
        extents += [points_of(s) for s in parts.values()]
        if labels is not None and not parts:
            extents.append(_label_points(labels, level))
    window = window_round(base, np.concatenate(extents))
    grid = crop_grid(base, window)
    canal = _canal(catalogue, labels, grid)
    field_gtv = filled_by(gtv, grid)
    # A vertebra that was not asked for and holds no GTV need not be one that can be cut.
    asked = field_gtv if not levels else np.ones_like(field_gtv)
    made = [_vertebra(level, parts, labels, grid, canal, asked=asked) for level, parts in chosen.items()]
    touched = [v for v in made if v is not None and (levels or _touches(v, field_gtv))]
    if not touched:
        names = ", ".join(chosen)
        raise InputError(f"the GTV touches none of the vertebrae {names}.", remedy="Name the level with --vertebra.")
    only_canal = _canal(catalogue, labels, grid, cord=False)
    return Scene(grid=grid, gtv=field_gtv, canal=only_canal, vertebrae=tuple(touched))


def _catalogue(structures: StructureSet) -> list[tuple[NamedPart, Structure]]:
    named = ((parse_name(s.name), s) for s in structures if not s.is_empty)
    return [(part, s) for part, s in named if part is not None]


Chosen = dict[str, dict[str, Structure]]


def _choose(
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
        return {level: {} for level in _labelled_levels(labels, gtv)}
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


def _labelled_levels(labels: LabelSource, gtv: Structure) -> list[str]:
    """Return the levels of a label map that the box of the GTV holds voxels of."""
    source = labels.levels
    if source is None:
        raise InputError("sub-regions alone do not say which level is which.", remedy="Name the level with --vertebra.")
    window = window_round(source.grid, points_of(gtv), room_mm=2.0)
    present = np.unique(source.labels[window])
    found = [name for number, name in labels.table.vertebrae.items() if number in present]
    if not found:
        raise InputError(
            "the label map has no vertebra at the GTV.",
            remedy="Check --label-table, and that label map and structures belong to one image.",
        )
    return found


def _level_mask(labels: LabelSource, level: str) -> tuple[LabelMap, Mask]:
    """Return the voxels of one level on their own grid."""
    number = labels.table.number_of(level)
    if labels.levels is not None:
        if number is None:
            raise InputError(
                f"the label table {labels.table.id!r} has no level {level}.", remedy="Check --label-table."
            )
        mask = labels.levels.labels == number
        if not mask.any():
            raise InputError(f"the label map has no vertebra {level}.", path=labels.levels.path)
        return labels.levels, mask
    if labels.regions is None:
        raise InputError("no label map was given.")
    return labels.regions, np.isin(labels.regions.labels, list(labels.table.regions))


def _label_points(labels: LabelSource, level: str) -> FloatArray:
    source, mask = _level_mask(labels, level)
    return mask_points_mm(mask, source.grid)


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


def _vertebra(
    level: str,
    parts: dict[str, Structure],
    labels: LabelSource | None,
    grid: Grid,
    canal: FloatArray | None,
    *,
    asked: FloatArray,
) -> VertebraParts | None:
    """Return the compartments of a level, or None where a whole vertebra lies nowhere in the field asked for."""
    whole = parts.get("vertebra")
    drawn = {name: s for name, s in parts.items() if name != "vertebra"}
    if drawn and (whole is None or len(drawn) == len(Compartment)):
        return _from_structures(level, drawn, grid)
    if whole is not None:
        filled = filled_by(whole, grid)
        if not np.any(filled >= 0.5):
            raise InputError(f"the structure {whole.name!r} lies outside the image, or is thinner than its voxels.")
        if not np.any((filled > 0) & (asked > 0)):
            return None
        return _share_out(_from_mask(level, filled >= 0.5, grid, canal), filled)
    if labels is None:
        raise InputError(f"nothing stands for the vertebra {level}.")
    source, own = _level_mask(labels, level)
    mask = sample_mask(own, source.grid, grid)
    if not mask.any():
        raise InputError(
            f"the vertebra {level} of the label map lies outside the image.",
            path=source.path,
            remedy="Check that label map and structures belong to one image.",
        )
    if not np.any(mask & (asked > 0)):
        return None
    made = _from_mask(level, mask, grid, canal)
    return made if labels.regions is None else _with_regions(made, labels, grid)


def _from_structures(level: str, drawn: dict[str, Structure], grid: Grid) -> VertebraParts:
    window = window_round(grid, np.concatenate([points_of(s) for s in drawn.values()]), room_mm=4.0)
    small = crop_grid(grid, window)
    parts: dict[Compartment, FloatArray | Mask] = {
        part: filled_by(drawn[part.value], small) for part in Compartment if part.value in drawn
    }
    missing = [part.value for part in Compartment if part not in parts]
    findings: tuple[Finding, ...] = ()
    if missing:
        text = f"No structure was found for {', '.join(missing)}; GTV there counts as outside the vertebra."
        findings = (Finding(level=Level.WARNING, code="vertebra-part-missing", message=text, where=level),)
    return VertebraParts(level=level, window=window, parts=parts, origin="structures", findings=findings)


def _from_mask(level: str, mask: Mask, grid: Grid, canal: FloatArray | None) -> VertebraParts:
    window = window_round(grid, mask_points_mm(mask, grid), room_mm=ROOM_MM)
    drawn = None if canal is None else canal[window] >= 0.5
    if drawn is not None and not drawn.any():
        drawn = None
    try:
        made = partition_vertebra(mask[window], crop_grid(grid, window), canal=drawn, level=level)
    except GeometryError as bad:
        raise GeometryError(bad.message, where=f"vertebra {level}", remedy=bad.remedy) from bad
    return VertebraParts(
        level=level,
        window=window,
        parts={part: made.labels == n for part, n in PART_NUMBER.items()},
        origin="geometry",
        partition=made,
        findings=made.findings,
    )


def _share_out(made: VertebraParts, filled: FloatArray) -> VertebraParts:
    """Give each voxel's drawn fraction to its compartment, those of the rim to the nearest one."""
    if made.partition is None:
        return made
    near = filled[made.window]
    labels = made.partition.labels.copy()
    spread_labels(labels, near > 0)
    parts: dict[Compartment, FloatArray | Mask] = {part: near * (labels == n) for part, n in PART_NUMBER.items()}
    return replace(made, parts=parts)


def _with_regions(made: VertebraParts, labels: LabelSource, grid: Grid) -> VertebraParts:
    """Let sub-region labels decide what they know; geometry tells pedicles from laminae inside the arch."""
    source = labels.regions
    if source is None or made.partition is None:
        return made
    small = crop_grid(grid, made.window)
    bone = np.asarray(made.partition.labels > 0)
    numbers = made.partition.labels.copy()
    arch = [n for n, word in labels.table.regions.items() if word == ARCH]
    for number, word in labels.table.regions.items():
        if word != ARCH:
            numbers[bone & sample_mask(source.labels == number, source.grid, small)] = PART_NUMBER[Compartment(word)]
    in_arch = bone & sample_mask(np.isin(source.labels, arch), source.grid, small)
    numbers[in_arch] = _arch_parts(made.partition, mask_points_mm(in_arch, small))
    parts: dict[Compartment, FloatArray | Mask] = {part: numbers == n for part, n in PART_NUMBER.items()}
    return replace(made, parts=parts, origin="labels")


def _arch_parts(partition: Partition, points_mm: FloatArray) -> NDArray[np.uint8]:
    u, v, _ = partition.frame.to_local(points_mm).T
    front = np.where(u >= 0, PART_NUMBER[Compartment.PEDICLE_L], PART_NUMBER[Compartment.PEDICLE_R])
    back = np.where(u >= 0, PART_NUMBER[Compartment.LAMINA_L], PART_NUMBER[Compartment.LAMINA_R])
    ends = np.where(u >= 0, partition.cuts.lamina_v[0], partition.cuts.lamina_v[1])
    return np.where(v < ends, front, back).astype(np.uint8)


def _touches(vertebra: VertebraParts, gtv: FloatArray) -> bool:
    return any(bool(np.any(np.minimum(gtv[vertebra.window], part) > 0)) for part in vertebra.parts.values())
