"""Label maps of vertebrae with what their numbers mean, and the voxels of one level in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.errors import InputError
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import Structure
from dvhkit.targets.vertebra.anatomy.frame import Mask, mask_points_mm
from dvhkit.targets.vertebra.anatomy.grid import points_of, window_round
from dvhkit.targets.vertebra.anatomy.partition import no_usual_level
from dvhkit.targets.vertebra.labels.label_maps import LabelMap, LabelTable


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSource:
    """Label maps of vertebrae: levels, and sub-regions where there are any, with the table that explains them."""

    table: LabelTable
    levels: LabelMap | None = None
    regions: LabelMap | None = None


def require_one_frame(labels: LabelSource | None, gtv: Structure) -> None:
    """Raise if a label map says that it lies in another frame of reference than the GTV.

    Raises
    ------
    InputError
        With the file concerned.
    """
    maps = () if labels is None else (labels.levels, labels.regions)
    for one in maps:
        if one is None or "" in (one.frame_of_reference_uid, gtv.frame_of_reference_uid):
            continue
        if one.frame_of_reference_uid != gtv.frame_of_reference_uid:
            raise InputError(
                "the labels lie in another frame of reference than the GTV.",
                path=one.path,
                where="FrameOfReferenceUID (0020,0052)",
                remedy="Segment the planning image, or resample the segmentation to it.",
            )


def labelled_levels(labels: LabelSource, gtv: Structure) -> list[str]:
    """Return the levels of a label map that the box of the GTV holds voxels of."""
    source = labels.levels
    if source is None:
        raise InputError("sub-regions alone do not say which level is which.", remedy="Name the level with --vertebra.")
    window = window_round(source.grid, points_of(gtv), room_mm=2.0)
    present = np.unique(source.labels[window])
    found = [name for number, name in labels.table.vertebrae.items() if number in present]
    if not found and np.isin(present, labels.table.sacrum).any():
        raise no_usual_level("the sacrum")
    if not found:
        raise InputError(
            "the label map has no vertebra at the GTV.",
            remedy="Check --label-table, and that label map and structures belong to one image.",
        )
    return found


def level_mask(labels: LabelSource, level: str) -> tuple[LabelMap, Mask]:
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


def label_points(labels: LabelSource, level: str) -> FloatArray:
    """Return the (n, 3) centres of the voxels of one level, in patient coordinates."""
    source, mask = level_mask(labels, level)
    return mask_points_mm(mask, source.grid)
