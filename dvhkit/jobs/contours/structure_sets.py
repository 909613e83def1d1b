"""Two structure sets at hand: read from files or folders, brought into one frame, their structures paired."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import InputError, LinkError
from dvhkit.findings import Finding, Level
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.naming.names import fold
from dvhkit.protocols.naming.recognise import recognise

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.image import ImageSeries
    from dvhkit.model.structure import Structure, StructureSet

MOST_TABLE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSet:
    """A structure set, the image behind it where one was found, and what was odd on the way.

    Attributes
    ----------
    case
        What else the folder holds; None of a file.
    """

    structures: StructureSet
    image: ImageSeries | None = None
    findings: tuple[Finding, ...] = ()
    case: Case | None = None

    @property
    def slice_spacing_mm(self) -> float | None:
        """The image's slice distance; None without an image."""
        return (self.image.grid.plane_spacing_mm or None) if self.image is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two structures that are to be compared, and why they belong together."""

    a: Structure
    b: Structure
    how: str


def read_drawn(path: Path) -> DrawnSet:
    """Return the structure set in a file, or the one in a folder with its image.

    Raises
    ------
    InputError
        If there is nothing at `path`, it is no structure set, or the folder holds several.
    """
    if path.is_file():
        from dvhkit.readers.rtstruct import read_structures

        structures, findings = read_structures(path)
        return DrawnSet(structures=structures, findings=findings)
    from dvhkit.jobs.read import read_case

    # What is wrong with a dose is no reason to leave contours unread.
    case = read_case(path, dose="not needed")
    return DrawnSet(structures=case.structures, image=case.image, findings=case.findings, case=case)


def into_frame_of(
    first: DrawnSet,
    second: DrawnSet,
    *,
    registration: Path | Sequence[Path] | None = None,
    same_frame: bool = False,
) -> DrawnSet:
    """Return the second set in the first one's frame of reference.

    Raises
    ------
    LinkError
        If the frames differ, and neither a registration joins them nor somebody vouches that they are one.
    """
    target = first.structures.frame_of_reference_uid
    foreign = {s.frame_of_reference_uid for s in second.structures if s.contours} - {"", target}
    if not foreign or not target:
        return second
    if same_frame:
        message = "The two sets name different frames of reference; they were compared as if they shared one."
        return replace(
            second,
            findings=(
                *second.findings,
                Finding(level=Level.SERIOUS, code="frame-of-reference-vouched", message=message),
            ),
        )
    registrations = [registration] if isinstance(registration, Path) else list(registration or ())
    if not registrations:
        raise LinkError(
            "the two structure sets lie in different frames of reference.",
            path=second.structures.path,
            remedy="Name the registration that joins them (--registration FILE), or vouch for one frame: --same-frame.",
        )
    from dvhkit.readers.registration import move_structure, read_chain

    moved: list[Structure] = []
    for structure in second.structures:
        source = structure.frame_of_reference_uid
        if source not in foreign:
            moved.append(structure)
            continue
        rigid = read_chain(registrations, source=source, target=target)
        if rigid is None:
            raise LinkError(
                f"{'these registrations do' if len(registrations) > 1 else 'this registration does'} not join the "
                "frames of the two structure sets.",
                path=registrations[0],
                remedy="Name the one that does, or all of a chain.",
            )
        moved.append(move_structure(structure, rigid, target))
    message = "The second set was moved by a rigid registration into the first one's frame of reference."
    told = Finding(level=Level.WARNING, code="registration-applied", message=message)
    structures = replace(second.structures, structures=tuple(moved), frame_of_reference_uid=target)
    return replace(second, structures=structures, findings=(*second.findings, told))


def pair_structures(
    a: StructureSet, b: StructureSet, *, by: str = "name", table: Mapping[str, str] | None = None
) -> list[Pair]:
    """Return which structures belong together, in A's order.

    Parameters
    ----------
    by
        ``name``: equal names first (with equal numbers where several bear one), then but for case and blanks, then
        equal in TG-263; a lone structure on either side needs no name. ``number``: by ROI number.
    table
        Names of B by those of A, instead of all rules.

    Raises
    ------
    UnknownStructureError
        If `table` names a structure that is not there.
    """
    if table is not None:
        return [Pair(a=a[one], b=b[two], how="pairs file") for one, two in table.items()]
    if by == "number":
        return _joined(a, b, [(lambda of: {s.number: s for s in of}, "ROI number")])
    found = _joined(
        a,
        b,
        [
            (lambda of: _unique(of, lambda s: s.name), "name"),
            (lambda of: _unique(of, lambda s: (s.name, s.number)), "name and ROI number"),
            (lambda of: _unique(of, lambda s: fold(s.name)), "name but for case and blanks"),
            (_standard, "TG-263 name"),
        ],
    )
    drawn = [[s for s in each if not s.is_empty] for each in (a, b)]
    if not found and len(drawn[0]) == len(drawn[1]) == 1:
        return [Pair(a=drawn[0][0], b=drawn[1][0], how="the only one drawn in either set")]
    return found


def _unique(structures: StructureSet, key: object) -> dict[object, Structure]:
    """Return structures by a key, without those whose key several share."""
    assert callable(key)
    keys = [key(s) for s in structures]
    return {k: s for k, s in zip(keys, structures, strict=True) if keys.count(k) == 1}


def _standard(structures: StructureSet) -> dict[object, Structure]:
    facts = [StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type) for s in structures]
    names = [row.standard for row in recognise(facts)]
    return {n: s for n, s in zip(names, structures, strict=True) if n and names.count(n) == 1}


def _joined(
    a: StructureSet,
    b: StructureSet,
    keys: Sequence[tuple[Callable[[StructureSet], Mapping[object, Structure]], str]],
) -> list[Pair]:
    taken_a: dict[int, Pair] = {}
    taken_b: set[int] = set()
    for keyed, how in keys:
        if len(taken_a) == min(len(a), len(b)):
            break  # names are not looked up where all are paired
        own, other = keyed(a), keyed(b)
        for key, one in own.items():
            two = other.get(key)
            if two is not None and id(one) not in taken_a and id(two) not in taken_b:
                taken_a[id(one)] = Pair(a=one, b=two, how=how)
                taken_b.add(id(two))
    return [taken_a[id(s)] for s in a if id(s) in taken_a]


def wanted(structures: Sequence[Structure], patterns: Sequence[str] | None) -> list[Structure]:
    """Return the structures that any of some patterns such as ``GTV*`` names, without regard to case.

    Raises
    ------
    InputError
        If a pattern names none.
    """
    if not patterns:
        return list(structures)
    found: list[Structure] = []
    for pattern in patterns:
        hits = [s for s in structures if _matches(s, pattern)]
        if not hits:
            names = ", ".join(s.name for s in structures) or "none"
            raise InputError(f"no structure is named {pattern!r}.", remedy=f"There are: {names}.")
        found += [s for s in hits if s not in found]
    return found


def _matches(structure: Structure, pattern: str) -> bool:
    return pattern in {structure.name, f"#{structure.number}"} or (
        fnmatchcase(structure.name.strip().casefold(), pattern.strip().casefold())
    )


def read_pairs(path: Path) -> dict[str, str]:
    """Return the names of B by those of A from a table with two columns, ``roi_a,roi_b``.

    Raises
    ------
    InputError
        If it cannot be read, or a line has no two names.
    """
    try:
        if path.stat().st_size > MOST_TABLE_BYTES:
            raise InputError("is too large for a table of pairs.", path=path)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}.", path=path, remedy="Give a CSV file in UTF-8.") from error
    found: dict[str, str] = {}
    head = next(iter(text.splitlines()), "")
    mark = ";" if ";" in head and "," not in head else ","  # as spreadsheets write where commas are decimal
    for number, row in enumerate(csv.reader(text.splitlines(), delimiter=mark), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or [c.casefold() for c in cells[:2]] == ["roi_a", "roi_b"]:
            continue
        if len(cells) != 2 or not all(cells):
            raise InputError(
                "is no pair of names.", path=path, where=f"line {number}", remedy="Write roi_a,roi_b on each line."
            )
        found[cells[0]] = cells[1]
    return found
