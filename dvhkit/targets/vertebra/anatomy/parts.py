"""The compartments of one vertebra on a grid: as drawn, as labelled, or cut from the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dvhkit.errors import GeometryError, InputError
from dvhkit.findings import Finding, Level
from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Structure
from dvhkit.targets.vertebra.anatomy.frame import Mask, mask_points_mm
from dvhkit.targets.vertebra.anatomy.grid import (
    ROOM_MM,
    Window,
    crop_grid,
    filled_by,
    points_of,
    sample_mask,
    window_round,
)
from dvhkit.targets.vertebra.anatomy.partition import PART_NUMBER, Partition, partition_vertebra, spread_labels
from dvhkit.targets.vertebra.labels.label_maps import ARCH
from dvhkit.targets.vertebra.rules import Compartment
from dvhkit.targets.vertebra.source import LabelSource, level_mask


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


def vertebra_parts(
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
    source, own = level_mask(labels, level)
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
    # Fuller voxels without a label are the canal that was taken out.
    spread_labels(labels, (labels > 0) | ((near > 0) & (near < 0.5)))
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
    return np.where(v < partition.cuts.lamina_v, front, back).astype(np.uint8)
