"""Which image series a structure set was drawn on: by reference, else by frame of reference, else not at all."""

from __future__ import annotations

from pathlib import Path

from dvhkit.findings import Level
from dvhkit.readers.archive.index import FileEntry
from dvhkit.readers.archive.lookup import Lookup
from dvhkit.readers.linking.case_files import Draft, frames_of
from dvhkit.readers.linking.own_slices import own_slices
from dvhkit.readers.masks.segmentation import SegmentationHeader
from dvhkit.readers.wording import counted, shown


def add_image(draft: Draft, lookup: Lookup, chosen: tuple[FileEntry, ...] | None, *, root: Path) -> None:
    """Give `draft` its image series out of all there are, or the slices that the user chose."""
    if chosen is not None:
        listed = draft.structures.structures().image_uids if draft.structures is not None else frozenset()
        kept, findings = own_slices(chosen, listed)
        draft.image = tuple(kept)
        draft.findings += findings
        draft.links.append("image: chosen by the user")
        return
    series, drawn = lookup.series, draft.structures
    referring = drawn.structures().series_uids if drawn is not None else _series_of_segmentations(draft)
    named = [uid for uid in referring if uid in series]
    by_reference = bool(named)
    if not named:
        frames = frames_of(drawn) if drawn is not None else _frames_here(draft, lookup)
        named = [uid for frame in dict.fromkeys(frames) for uid in lookup.series_in.get(frame, [])]
    if len(named) > 1:
        named = _narrowed(named, series, draft)
    if len(named) == 1:
        _take(draft, series[named[0]], lookup, by_reference=by_reference)
    elif named:
        found = "; ".join(_described(series[uid], root) for uid in named[:8]) + ("; ..." if len(named) > 8 else "")
        message = (
            f"{len(named)} image series could belong to the structure set: {found}. Choose one with --image, which "
            "takes the folder of its slices."
        )
        draft.note(Level.WARNING, "image-ambiguous", message, drawn.path.name if drawn is not None else "")


def _frames_here(draft: Draft, lookup: Lookup) -> tuple[str, ...]:
    """Return the frames of dose and segmentations that have images; else every frame that has."""
    own = {entry.frame_of_reference_uid for entry in draft.entries} & set(lookup.series_in)
    return tuple(own or lookup.series_in)


def _series_of_segmentations(draft: Draft) -> tuple[str, ...]:
    headers = [entry.header for entry in draft.segmentations]
    return tuple(dict.fromkeys(uid for h in headers if isinstance(h, SegmentationHeader) for uid in h.series_uids))


def _described(slices: list[FileEntry], root: Path) -> str:
    return f"{counted(len(slices), f'{slices[0].modality} file')}, the first {shown(slices[0].path, root)}"


def _narrowed(uids: list[str], series: dict[str, list[FileEntry]], draft: Draft) -> list[str]:
    """Prefer the series in the dose's frame of reference, then CT, then those whose slices are named."""
    frame = draft.dose.entries[0].frame_of_reference_uid if draft.dose else ""
    images = draft.structures.structures().image_uids if draft.structures is not None else frozenset()
    in_frame = [uid for uid in uids if frame and series[uid][0].frame_of_reference_uid == frame] or uids
    of_ct = [uid for uid in in_frame if series[uid][0].modality == "CT"] or in_frame
    return [uid for uid in of_ct if any(entry.sop_instance_uid in images for entry in series[uid])] or of_ct


def _take(draft: Draft, slices: list[FileEntry], lookup: Lookup, *, by_reference: bool) -> None:
    wanted = draft.structures.structures().image_uids if draft.structures is not None else frozenset()
    slices, findings = own_slices(slices, wanted)
    draft.findings += findings
    draft.image = tuple(slices)
    if draft.structures is None:
        draft.links.append(f"image series of {len(slices)} {slices[0].modality} files: the only one that fits")
        return
    how = "referenced by the structure set" if by_reference else "the only one in the structure set's frame"
    draft.links.append(f"image series of {len(slices)} {slices[0].modality} files: {how}")
    if not by_reference:
        message = "The image series that the structure set refers to is not there; one in the same frame is used."
        draft.note(Level.WARNING, "image-linked-by-frame", message)
        return
    # A structure set may name several images, such as the MR that it was drawn on too: all that are here are here.
    missing = len(wanted - {entry.sop_instance_uid for members in lookup.series.values() for entry in members})
    if missing:
        message = f"{missing} of {len(wanted)} image slices that the structure set refers to are not there."
        draft.note(Level.WARNING, "image-slices-missing", message)
