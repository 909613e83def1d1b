"""What is lacking from a case, and what is odd about its files and those beside them."""

from __future__ import annotations

from pathlib import Path

from dvhkit.findings import Level
from dvhkit.readers.archive.lookup import Lookup
from dvhkit.readers.archive.person import unlike
from dvhkit.readers.linking.case_files import Draft
from dvhkit.readers.wording import counted, listed, shown


def note_missing(draft: Draft) -> None:
    """Note what a case lacks."""
    if draft.dose is None:
        message = "There is no dose: only volumes can be told."
        draft.note(Level.WARNING, "no-dose", message)
    if draft.plan is None:
        message = "There is no plan: prescription, fractions and beams are unknown."
        draft.note(Level.INFO, "no-plan", message)
    if not draft.image and not any(f.code == "image-ambiguous" for f in draft.findings):
        message = "There is no image: slice spacing is taken from the contours."
        draft.note(Level.INFO, "no-image", message)


def note_oddities(draft: Draft, folder: Path, lookup: Lookup, root: Path) -> None:
    """Note what is odd about the files of a case, and about those under its `folder` that were left out."""
    mine = draft.entries
    if len({entry.patient_key for entry in (*mine, *draft.image)} - {""}) > 1:
        message = "The files name different patients (PatientID). Make sure that they belong together."
        draft.note(Level.SERIOUS, "patients-differ", message)
    elif differing := unlike(entry.person for entry in (*mine, *draft.image)):
        message = f"The files have one PatientID, but differ in {' and '.join(differing)} of the patient."
        message += " Make sure that they belong together."
        level = Level.WARNING if differing == ("name",) else Level.SERIOUS
        draft.note(level, "patients-differ", message)
    pairs = [pair for entry in mine for pair in lookup.conflicts_of.get(entry.path, [])]
    for first, other in dict.fromkeys(pairs):
        one, two = shown(first, root), shown(other, root)
        message = f"{one} and {two} claim to be the same object, but differ."
        draft.note(Level.SERIOUS, "same-uid-differs", message, other.name)
    if broken := lookup.unreadable_under.get(folder):
        names = listed([shown(item.path, root) for item in broken])
        why = f"{broken[0].path.name}: {broken[0].reason} {broken[0].remedy or 'Export the file again.'}"
        message = f"{counted(len(broken), 'DICOM file')} left out, unreadable: {names}. {why}"
        draft.note(Level.WARNING, "unreadable-files", message, broken[0].path.name)
    if copies := lookup.copies_under[folder]:
        message = f"{counted(copies, 'file')} left out, byte for byte the same as another."
        draft.note(Level.INFO, "duplicate-files", message)
