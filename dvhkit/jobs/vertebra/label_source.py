"""Label maps of vertebrae out of files, with what their numbers mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.jobs.vertebra.segments import read_segments
from dvhkit.readers.masks.segmentation import is_dicom
from dvhkit.targets.vertebra.labels.label_maps import LabelTable, load_label_table, read_label_map, table_paths
from dvhkit.targets.vertebra.source import LabelSource


def read_label_source(labels: Path | None, subregions: Path | None, table: str | None) -> LabelSource | None:
    """Return the label maps in these files and what their numbers mean, or None where there are no files.

    The segments of a DICOM SEG bear names, so that a table is needed only for those whose names say nothing.

    Raises
    ------
    InputError
        If a file cannot be used, or nothing says what its numbers mean.
    """
    known = [path for path in (labels, subregions) if path is not None]
    if not known:
        if table is not None:
            raise InputError("a label table needs a label map.", remedy="Give --labels FILE.")
        return None
    if table is None and not all(map(is_dicom, known)):
        raise InputError(
            "the same numbers mean other vertebrae in other programs.",
            remedy=f"Say with --label-table which made the labels: {', '.join(table_paths())}, or a YAML file.",
        )
    given = load_label_table(table) if table is not None else None
    first = _one_source(labels, given) if labels is not None else None
    second = _one_source(subregions, given, regions=True) if subregions is not None else None
    if first is None or second is None:
        return first or second
    return LabelSource(
        table=replace(first.table, regions=second.table.regions), levels=first.levels, regions=second.regions
    )


def _one_source(path: Path, table: LabelTable | None, *, regions: bool = False) -> LabelSource:
    if is_dicom(path):
        found, level_map, region_map = read_segments(path, table, regions=regions)
        return LabelSource(table=found, levels=level_map, regions=region_map)
    if table is None:
        raise InputError("there is no label table.", path=path, remedy="Give --label-table ID.")
    made = read_label_map(path)
    return LabelSource(table=table, regions=made) if regions else LabelSource(table=table, levels=made)
