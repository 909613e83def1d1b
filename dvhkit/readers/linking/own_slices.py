"""Which files of a series are the image that structures were drawn on: one lattice, one acquisition.

A series is taken whole, whichever of its slices a structure set lists: many list only those with contours. What it
lists decides where files of a series exclude each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from dvhkit.findings import Finding, Level
from dvhkit.model.grid import UNIFORM_ATOL_MM
from dvhkit.readers.archive.index import FileEntry
from dvhkit.readers.wording import counted

_COSINE_ATOL = 1e-2


def own_slices(slices: Sequence[FileEntry], listed: frozenset[str]) -> tuple[list[FileEntry], list[Finding]]:
    """Return the slices of one lattice and acquisition, those that are listed first, and what was left out."""
    kept = sorted(slices, key=lambda entry: entry.sop_instance_uid not in listed)
    if len(kept) < 2 or any(entry.image().n_frames > 1 for entry in kept):
        return list(slices), []
    kept, others = _one_way(kept, listed)
    findings = [_told_planes(others)] if others else []
    kept, others = _one_acquisition(kept, listed)
    if others:
        findings.append(_told_acquisition(others))
    return kept, findings


def _one_way(slices: list[FileEntry], listed: frozenset[str]) -> tuple[list[FileEntry], list[FileEntry]]:
    """Part the slices that face the way of most listed ones, or of most at all, with their matrix, from the others."""
    named = [entry for entry in slices if entry.sop_instance_uid in listed] or slices
    usual, _ = Counter(_lattice(entry) for entry in named).most_common(1)[0]
    like = next(entry for entry in named if _lattice(entry) == usual).image()

    def fits(entry: FileEntry) -> bool:
        header = entry.image()
        if (header.n_rows, header.n_columns) != (like.n_rows, like.n_columns):
            return False
        return _near(header.orientation, like.orientation) and _near(header.pixel_spacing_mm, like.pixel_spacing_mm)

    fitting = [entry for entry in slices if fits(entry)]
    others = [entry for entry in slices if not fits(entry)]
    # What is listed was drawn on: a mixture of listed slices is not decided, nor one without a list.
    if any(entry.sop_instance_uid in listed for entry in slices):
        clear = not any(entry.sop_instance_uid in listed for entry in others)
    else:
        clear = len(fitting) > 2 * len(others)
    return (fitting, others) if clear else (slices, [])


def _lattice(entry: FileEntry) -> tuple[object, ...]:
    header = entry.image()
    return header.n_rows, header.n_columns, *(round(v, 2) for v in (*header.orientation, *header.pixel_spacing_mm))


def _near(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= _COSINE_ATOL for a, b in zip(one, other, strict=True))


def _one_acquisition(slices: list[FileEntry], listed: frozenset[str]) -> tuple[list[FileEntry], list[FileEntry]]:
    """Part what the structure set was drawn on from a second acquisition at the same places, or between them."""
    named = [entry for entry in slices if entry.sop_instance_uid in listed]
    rest = [entry for entry in slices if entry.sop_instance_uid not in listed]
    if not named or not rest or any(len(entry.image().position_mm) != 3 for entry in slices):
        return slices, []
    along = _along(named[0])
    places = np.sort([float(np.dot(entry.image().position_mm, along)) for entry in named])
    own = {entry.image().acquisition for entry in named}

    def is_other(entry: FileEntry) -> bool:
        place = float(np.dot(entry.image().position_mm, along))
        if np.abs(places - place).min() <= UNIFORM_ATOL_MM:
            return True
        known = entry.image().acquisition is not None and None not in own
        return known and entry.image().acquisition not in own and places[0] < place < places[-1]

    others = [entry for entry in rest if is_other(entry)]
    left = {entry.path for entry in others}
    return [entry for entry in slices if entry.path not in left], others


def _along(entry: FileEntry) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    orientation = entry.image().orientation
    if len(orientation) != 6:
        return np.array([0.0, 0.0, 1.0])
    return np.cross(orientation[:3], orientation[3:])


def _told_planes(others: list[FileEntry]) -> Finding:
    message = (
        f"Left out of the image series: {counted(len(others), 'file')} of other planes, matrix or pixel size than "
        "the slices that the structures were drawn on (reformats, or another image)."
    )
    return Finding(level=Level.WARNING, code="image-other-planes", message=message)


def _told_acquisition(others: list[FileEntry]) -> Finding:
    message = (
        f"{counted(len(others), 'slice')} of the image series lie where others do, which the structure set lists: "
        "those are the image, the others (a second acquisition) are left out."
    )
    return Finding(level=Level.WARNING, code="image-duplicate-slices", message=message)
