"""A copy of a structure set in which some structures have other contours: numbers, names and the rest stay."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

from dvhkit.model.structure import Structure
from dvhkit.outputs.dicom.consistent import require_consistent
from dvhkit.outputs.files import write_bytes_whole
from dvhkit.outputs.rtstruct.references import Slices, list_referred_images
from dvhkit.outputs.rtstruct.write import contour_item, encoded, read_source, refuse_overwriting, stamp


def write_repaired(path: Path | str, changed: Mapping[int, Structure], *, source: Path | str) -> None:
    """Write a copy of `source` with new contours for some structures, under an identity of its own, unapproved.

    Parameters
    ----------
    changed
        Structures by their place in the source's StructureSetROISequence, from 0.

    Raises
    ------
    InputError
        If the source is no RTSTRUCT.
    OutputError
        If `path` is the source, or the file cannot be written.
    """
    path, source = Path(path), Path(source)
    refuse_overwriting(path, source)
    origin = read_source(source)
    found = copy.deepcopy(origin)
    stamp(found, origin, "repaired")
    slices = Slices(origin, None)
    numbers = [int(item.ROINumber) for item in origin.StructureSetROISequence]
    by_number = {numbers[place]: structure for place, structure in changed.items()}
    for item in found.get("ROIContourSequence", []):
        structure = by_number.get(int(item.ReferencedROINumber))
        if structure is not None:
            item.ContourSequence = [contour_item(c.points_mm, c.kind, slices) for c in structure.contours]
    list_referred_images(found, 0)
    require_consistent(found)
    write_bytes_whole(path, encoded(found))
