"""An index by UID, frame of reference and folder, so that linking takes as long as the archive is large, no longer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from dvhkit.readers.archive.index import DicomIndex, FileEntry, Unreadable
from dvhkit.readers.archive.roles import Role
from dvhkit.readers.linking.case_files import frames_of


class Lookup:
    """What linking asks of an index.

    Attributes
    ----------
    plans, structures
        By SOP instance UID; more than one where files claim one identity but differ.
    plans_on
        Plans by the structure set that they refer to.
    structures_in
        Structure sets by each frame of reference that they name; under the empty one those that name none.
    series, series_in
        Image slices by series; series by frame of reference. Localizers are left out.
    registrations_of
        Registrations by each frame that they join.
    segmentations_in
        Segmentations by frame of reference.
    unreadable_under, copies_under
        Broken files, and the number of copies, by each folder above them (absolute).
    conflicts_of
        Pairs of files that claim one identity but differ, by either of them.
    """

    def __init__(self, index: DicomIndex) -> None:
        structures, plans = index.of_role(Role.RTSTRUCT), index.of_role(Role.RTPLAN)
        self.plans = _grouped((plan.sop_instance_uid, plan) for plan in plans)
        self.plans_on = _grouped((uid, plan) for plan in plans for uid in plan.plan().structure_set_uids)
        self.structures = _grouped((entry.sop_instance_uid, entry) for entry in structures)
        self.structures_in = _grouped((uid, e) for e in structures for uid in dict.fromkeys(frames_of(e) or ("",)))
        slices = [e for e in index.of_role(Role.IMAGE) if "LOCALIZER" not in e.image().image_type]
        self.series = _grouped((entry.series_uid, entry) for entry in slices)
        self.series_in: dict[str, list[str]] = {}
        for uid, members in self.series.items():
            self.series_in.setdefault(members[0].frame_of_reference_uid, []).append(uid)
        registrations = index.of_role(Role.REG)
        self.registrations_of = _grouped((uid, e) for e in registrations for uid in e.registration().frame_uids)
        segmentations = index.of_role(Role.SEG)
        self.segmentations_in = _grouped((entry.frame_of_reference_uid, entry) for entry in segmentations)
        self.unreadable_under: dict[Path, list[Unreadable]] = {}
        for item in index.unreadable:
            for folder in item.path.absolute().parents:
                self.unreadable_under.setdefault(folder, []).append(item)
        self.copies_under = Counter(folder for _, copy in index.duplicates for folder in copy.absolute().parents)
        self.conflicts_of: dict[Path, list[tuple[Path, Path]]] = {}
        for pair in index.conflicts:
            for path in pair:
                self.conflicts_of.setdefault(path, []).append(pair)


def _grouped(pairs: Iterable[tuple[str, FileEntry]]) -> dict[str, list[FileEntry]]:
    groups: dict[str, list[FileEntry]] = {}
    for key, entry in pairs:
        groups.setdefault(key, []).append(entry)
    return groups
