"""The header of one DICOM file: its elements up to the first that is of no interest, and no byte more than needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dvhkit.errors import DicomReadError
from dvhkit.readers.files.dicom_file import (
    CLASS_TAG,
    DEFLATED,
    EXPLICIT,
    MAX_INFLATED_BYTES,
    PARSE_ERRORS,
    PREAMBLE,
    Reached,
    cannot_open,
    file_meta,
    inflate,
    is_parse_error,
    looks_like_dicom,
    meta_value,
    outermost,
    parse_by_pydicom,
    read_bytes,
    walk_from,
)
from dvhkit.readers.files.elements import DataSet
from dvhkit.readers.files.plain import NotPlain, TooShort

if TYPE_CHECKING:
    from pydicom.tag import BaseTag

# Headers are read in steps: most end within the first.
_STEPS = (1 << 14, 1 << 18, 1 << 24)


@dataclass(frozen=True, slots=True)
class HeaderRead:
    """A file's header, and what its outermost layer says.

    Attributes
    ----------
    is_part10
        Whether the file has the preamble that makes it DICOM whatever follows.
    syntax, media_class
        Transfer syntax and media storage class; empty where the file meta does not say.
    ends_at
        Offset of the tag before which reading stopped; None where the file ends before it.
    """

    data: DataSet
    is_part10: bool
    syntax: str
    media_class: str
    ends_at: int | None = None


def read_header(
    path: Path, *, specific_tags: list[BaseTag | int], last_for: Callable[[bytes], int]
) -> HeaderRead | None:
    """Return a file's header, or None if it is no DICOM file.

    `last_for` gets the first bytes and names the first tag that is of no interest, such as PixelData. The file is
    read in growing pieces until that tag is reached, or the end of the file.
    """
    with _opened(path) as file:
        piece = _Piece(path, file)
        data = piece.data
        if not looks_like_dicom(data):
            return None
        last = last_for(data)
        start, syntax = file_meta(data)
        media_class = meta_value(data, CLASS_TAG, start)
        outer = (data[PREAMBLE : PREAMBLE + 4] == b"DICM", syntax.decode("latin-1"), media_class.decode("latin-1"))
        if syntax == DEFLATED:
            return HeaderRead(_deflated(read_bytes(path), start, last, specific_tags), *outer)
        found, ends_at = _walked(piece, last) or _parsed(piece, last, specific_tags)
    return HeaderRead(found, *outer, ends_at)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise cannot_open(path, error) from error


class _Piece:
    """The first bytes of a file, more of them whenever they are too few."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._sizes = iter(_STEPS[1:])
        self.data = file.read(_STEPS[0])
        self.is_whole = len(self.data) < _STEPS[0]

    def grow(self) -> None:
        """Read on, to the next step or to the end of the file."""
        size = next(self._sizes, None)
        if size is None:
            self.data, self.is_whole = read_bytes(self._path), True
        else:
            self.data += self._file.read(size - len(self.data))
            self.is_whole = len(self.data) < size


def _walked(piece: _Piece, last: int) -> tuple[DataSet, int | None] | None:
    """Return the header of a plain file and where it ends; None if the file is not plain."""
    while True:
        try:
            start, syntax = outermost(piece.data)
            found, at, reached = walk_from(piece.data, start, syntax, stop=last)
            if reached or piece.is_whole:
                return found, at if reached else None
        except TooShort:
            if piece.is_whole:
                return None
        except (NotPlain, DicomReadError, *PARSE_ERRORS):
            return None
        piece.grow()


def _parsed(piece: _Piece, last: int, specific_tags: list[BaseTag | int]) -> tuple[DataSet, int | None]:
    """Return the header and where it ends, as pydicom reads it. Raises what it raises if the whole file is broken."""
    while True:
        reached = Reached(last)
        try:
            start, syntax = outermost(piece.data)
            found = parse_by_pydicom(piece.data, start, syntax, specific_tags=specific_tags, stop=reached)
            if reached.hit or piece.is_whole:
                return found, reached.at
        except Exception as error:
            if piece.is_whole or not (is_parse_error(error) or isinstance(error, DicomReadError)):
                raise
        piece.grow()


def _deflated(data: bytes, start: int, last: int, specific_tags: list[BaseTag | int]) -> DataSet:
    """Return the header of a deflated file without unfolding what comes after it."""
    unfolded = inflate(data, start, min(_STEPS[-1], MAX_INFLATED_BYTES), partly=True)
    try:
        return walk_from(unfolded, 0, EXPLICIT, stop=last)[0]
    except NotPlain:
        return parse_by_pydicom(unfolded, 0, EXPLICIT, specific_tags=specific_tags, stop=Reached(last))
