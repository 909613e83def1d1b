"""Structures as they were drawn: contours in patient coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import UnknownStructureError
from dvhkit.model.arrays import FloatArray, frozen_array

if TYPE_CHECKING:
    from dvhkit.model.slices import Slices


class ContourKind(StrEnum):
    """ContourGeometricType (3006,0042)."""

    POINT = "POINT"
    OPEN_PLANAR = "OPEN_PLANAR"
    OPEN_NONPLANAR = "OPEN_NONPLANAR"
    CLOSED_PLANAR = "CLOSED_PLANAR"
    CLOSEDPLANAR_XOR = "CLOSEDPLANAR_XOR"

    @property
    def is_closed(self) -> bool:
        """Whether the contour bounds an area."""
        return self in (ContourKind.CLOSED_PLANAR, ContourKind.CLOSEDPLANAR_XOR)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contour:
    """One contour; a closed one joins its last point to its first.

    Attributes
    ----------
    points_mm : (n, 3)
        Patient coordinates (LPS), as stored.
    image_uid
        ReferencedSOPInstanceUID of the image slice that it was drawn on; empty where that is not told.
    """

    points_mm: FloatArray
    kind: ContourKind = ContourKind.CLOSED_PLANAR
    image_uid: str = ""

    def __repr__(self) -> str:
        return f"<Contour {self.kind.value}: {len(self.points_mm)} points>"

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_mm", frozen_array(self.points_mm))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Structure:
    """One ROI.

    Attributes
    ----------
    number, name
        ROINumber (3006,0022) and ROIName (3006,0026), as stored.
    rt_roi_type
        RTROIInterpretedType (3006,00A4), upper case; empty where it is missing.
    slices
        On which slices it was drawn, as far as image or structure set tell.
    parted_at_mm
        Of a computed structure: a point (x, y, z) in each gap along its slices that parts it by intent, as between two
        targets that were united: no slice is missing there.
    """

    number: int
    name: str
    contours: tuple[Contour, ...]
    rt_roi_type: str = ""
    color_rgb: tuple[int, int, int] | None = None
    frame_of_reference_uid: str = ""
    slices: Slices | None = None
    parted_at_mm: tuple[tuple[float, float, float], ...] = ()

    def __repr__(self) -> str:
        kind = f" {self.rt_roi_type}" if self.rt_roi_type else ""
        return f"<Structure #{self.number} {self.name!r}{kind}: {len(self.contours)} contours>"

    def _repr_html_(self) -> str:
        return escape(repr(self))

    @property
    def closed_contours(self) -> tuple[Contour, ...]:
        """The contours that bound an area: closed, with at least three points."""
        # Asked for often, of a thousand contours each time: kinds are compared as the objects that they are.
        one, other = ContourKind.CLOSED_PLANAR, ContourKind.CLOSEDPLANAR_XOR
        return tuple([c for c in self.contours if (c.kind is one or c.kind is other) and len(c.points_mm) >= 3])

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drawn that bounds an area."""
        return not self.closed_contours


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StructureSet:
    """The structures of one RTSTRUCT, in stored order; looked up by name or ROI number.

    ``structures["PTV"]`` finds the exact name first, then the name without regard to case and outer blanks. A name
    that several ROIs share is ambiguous and refused: use the number.
    """

    structures: tuple[Structure, ...]
    sop_instance_uid: str = ""
    label: str = ""
    frame_of_reference_uid: str = ""
    path: Path | None = None

    def __repr__(self) -> str:
        return f"<StructureSet {self.label!r}: {', '.join(self.names[:8])}{', ...' if len(self) > 8 else ''}>"

    def _repr_html_(self) -> str:
        return escape(repr(self))

    def __iter__(self) -> Iterator[Structure]:
        return iter(self.structures)

    def __len__(self) -> int:
        return len(self.structures)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | int) and bool(self._matches(key))

    def __getitem__(self, key: str | int) -> Structure:
        matches = self._matches(key)
        if len(matches) == 1:
            return matches[0]
        if matches:
            numbers = ", ".join(str(s.number) for s in matches)
            raise UnknownStructureError(
                f"{len(matches)} structures are named {key!r} (ROI numbers {numbers}).",
                path=self.path,
                remedy="Name the one you mean by its number, such as '#" + str(matches[0].number) + "'.",
            )
        raise UnknownStructureError(f"there is no structure {key!r}.", path=self.path, remedy=self._suggest(key))

    @property
    def names(self) -> tuple[str, ...]:
        """The names in stored order."""
        return tuple(s.name for s in self.structures)

    def _matches(self, key: str | int) -> tuple[Structure, ...]:
        if isinstance(key, int):
            return tuple(s for s in self.structures if s.number == key)
        exact = tuple(s for s in self.structures if s.name == key)
        if exact:
            return exact
        folded = key.strip().casefold()
        loose = tuple(s for s in self.structures if s.name.strip().casefold() == folded)
        if loose:
            return loose
        if folded.startswith("#") and folded[1:].isdigit():
            return tuple(s for s in self.structures if s.number == int(folded[1:]))
        return ()

    def _suggest(self, key: str | int) -> str:
        from difflib import get_close_matches

        near = get_close_matches(str(key), self.names, n=1, cutoff=0.5)
        listed = ", ".join(self.names[:30]) + (", ..." if len(self.names) > 30 else "")
        return (f"Did you mean {near[0]!r}? " if near else "") + f"There are: {listed or 'none'}."
