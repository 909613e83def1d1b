"""The plain DICOM file, walked element by element: little endian, tags in order, every length true.

Nearly all files are that, and linking looks at a few elements of thousands of them, so the walk pays: it makes no
object for an element that nobody asks for. Whatever is not plain (big endian, a wrong or open length, a tag out of
order, an encoding other than the one stated) raises `NotPlain`, and pydicom reads the file or the sequence instead. A
test holds every walk to pydicom's reading of the same bytes.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from dvhkit.errors import DicomReadError
from dvhkit.readers.files.charsets import CHARSET_TAG, MAX_CHARSET_BYTES, require_short_charsets

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Largest number of sequence items in one file: each becomes a Python object of about half a kilobyte.
MAX_ITEMS = 2_000_000
_MANY_ITEMS = 50_000
# Deeper than any object that the standard knows.
_MAX_DEPTH = 16
_SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()  # lengths of 16 bits
)
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # two bytes unused, lengths of 32 bits
_VR_TEXT = {vr: vr.decode("ascii") for vr in _SHORT_VRS | _LONG_VRS}
_EXPLICIT = struct.Struct("<HH2sH").unpack_from
_IMPLICIT = struct.Struct("<HHI").unpack_from
_LENGTH = struct.Struct("<I").unpack_from
_UNDEFINED = 0xFFFFFFFF
_MARKS = 0xFFFE0000
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
NO_STOP = 1 << 32
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_PIXEL_GROUP = 0x7FE0


class NotPlain(Exception):  # noqa: N818 -- no error: pydicom takes over
    """The bytes are not of the plain kind that is walked here."""


class TooShort(NotPlain):
    """The bytes end too early: they are a piece of a file, or of a broken one."""


class PlainElement(NamedTuple):
    """One element as it is stored; named as pydicom names the parts of its raw elements.

    Attributes
    ----------
    VR
        None where the encoding does not store it.
    """

    VR: str | None
    value: bytes
    is_little_endian: bool = True


class PlainFile:
    """The bytes of one file, and how many sequence items have been taken out of them."""

    __slots__ = ("n_items", "stored")

    def __init__(self, stored: bytes) -> None:
        self.stored = stored
        self.n_items = 0

    def count_item(self) -> None:
        """Raise `DicomReadError` if there are more items than any object has."""
        self.n_items += 1
        if self.n_items > MAX_ITEMS:
            raise _too_many_items()
        if self.n_items == _MANY_ITEMS:
            # Rather than find out after many seconds.
            require_few_items(self.stored)


# (VR, begin, end) in the file.
_Place = tuple[bytes | None, int, int]


class PlainItem:
    """A data set, or an item of a sequence: where each of its elements lies.

    A sequence is walked when it is asked for; one of open length at once, to find its end.
    """

    __slots__ = ("_explicit", "_file", "_places", "_sequences")

    def __init__(
        self,
        file: PlainFile,
        places: dict[int, _Place],
        sequences: dict[int, tuple[PlainItem | Dataset, ...]],
        *,
        explicit: bool,
    ) -> None:
        self._file = file
        self._places = places
        self._sequences = sequences
        self._explicit = explicit

    def __contains__(self, tag: int) -> bool:
        return tag in self._places or tag in self._sequences

    def tags(self) -> list[int]:
        """Return the tags of all elements, in order."""
        return sorted({*self._places, *self._sequences})

    def get_item(self, tag: int) -> PlainElement | None:
        """Return an element's stored bytes; None if it is not there, or is a sequence of open length."""
        place = self._places.get(tag)
        if place is None:
            return None
        vr, begin, end = place
        return PlainElement(None if vr is None else _VR_TEXT[vr], self._file.stored[begin:end])

    def stored(self, tag: int) -> bytes:
        """Return the bytes of `get_item`; none where that is None."""
        place = self._places.get(tag)
        return b"" if place is None else self._file.stored[place[1] : place[2]]

    def view(self, tag: int) -> memoryview | None:
        """Return an element's stored bytes without copying them."""
        place = self._places.get(tag)
        return None if place is None else memoryview(self._file.stored)[place[1] : place[2]]

    def items(self, tag: int) -> tuple[PlainItem | Dataset, ...] | None:
        """Return the items of a sequence, none if it is missing or empty; None if the element is no sequence."""
        if tag in self._sequences:
            return self._sequences[tag]
        vr, begin, end = self._places.get(tag, (None, 0, 0))
        if begin == end:
            return ()
        if vr not in (None, b"SQ", b"UN"):
            return None
        # An archive that does not know a sequence keeps it as UN, with implicit encoding inside (PS3.5 6.2.2).
        explicit = self._explicit and vr == b"SQ"
        try:
            found = _Walk(self._file, explicit=explicit).items(begin, end)
        except NotPlain:
            found = _by_pydicom(self._file.stored[begin:end], explicit=explicit)
        self._sequences[tag] = found
        return found


def walk(stored: bytes, begin: int, *, explicit: bool, stop: int = NO_STOP) -> tuple[PlainItem, int, bool]:
    """Return the data set that begins at `begin`, where the walk ended, and whether it ended before tag `stop`.

    A walk that did not come to `stop` ended with the last byte. A stored length that leads beyond it raises
    `NotPlain` too, so a piece of a file must be long enough to hold `stop`.
    """
    first = stored[begin + 4 : begin + 6]
    if not explicit and first.isalpha() and first.isupper():
        raise NotPlain("explicit encoding where implicit was stated")
    return _Walk(PlainFile(stored), explicit=explicit).data_set(begin, len(stored), stop=stop)


class _Walk:
    """Walks the elements of one encoding in a file."""

    def __init__(self, file: PlainFile, *, explicit: bool) -> None:
        self.file = file
        self.explicit = explicit

    def _ended(self, end: int) -> NotPlain:
        """Return what to raise where something leads beyond `end`."""
        return TooShort() if end == len(self.file.stored) else NotPlain("leads beyond the item that it is in")

    def data_set(  # noqa: PLR0912 -- runs once for each element of each file, so it calls nothing that it need not
        self, at: int, end: int, *, stop: int = NO_STOP, is_open: bool = False, depth: int = 0
    ) -> tuple[PlainItem, int, bool]:
        """Return the elements from `at` to `end`, to tag `stop`, or if `is_open` to the end mark of an item."""
        stored, explicit = self.file.stored, self.explicit
        places: dict[int, _Place] = {}
        sequences: dict[int, tuple[PlainItem | Dataset, ...]] = {}
        item = PlainItem(self.file, places, sequences, explicit=explicit)
        before = -1
        while at < end:
            begin = at + 8
            if begin > end:
                raise self._ended(end)
            if explicit:
                group, number, vr, length = _EXPLICIT(stored, at)
                if vr in _LONG_VRS:
                    if begin + 4 > end:
                        raise self._ended(end)
                    if length:
                        raise NotPlain("a long value representation without its form")
                    (length,) = _LENGTH(stored, begin)
                    begin += 4
                elif vr not in _SHORT_VRS:
                    return self._item_end(item, at, is_open=is_open)
            else:
                group, number, length = _IMPLICIT(stored, at)
                vr = None
                if group == 0xFFFE:
                    return self._item_end(item, at, is_open=is_open)
            tag = group << 16 | number
            if not before < tag < _MARKS:
                raise NotPlain("tags are not in order, or a mark is out of place")
            if tag >= stop:
                return item, at, True
            before = tag
            at = begin + length
            if at > end:
                if length != _UNDEFINED:
                    raise self._ended(end)
                if vr not in (None, b"SQ") or group == _PIXEL_GROUP:
                    raise NotPlain("something else than a sequence has an open length")
                sequences[tag], at = self._open_items(begin, end, depth + 1)
            elif tag == CHARSET_TAG and length > MAX_CHARSET_BYTES:
                raise NotPlain("more character sets than there are")
            else:
                places[tag] = (vr, begin, at)
        if is_open:
            raise self._ended(end)
        return item, at, False

    def _item_end(self, item: PlainItem, at: int, *, is_open: bool) -> tuple[PlainItem, int, bool]:
        """Return the item if the end mark of an open one stands at `at`."""
        if is_open and _IMPLICIT(self.file.stored, at) == (*_ITEM_END, 0):
            return item, at + 8, False
        raise NotPlain("an unknown value representation, or a mark is out of place")

    def items(self, at: int, end: int) -> tuple[PlainItem | Dataset, ...]:
        """Return the items of a sequence that ends at `end`."""
        found: list[PlainItem] = []
        while at < end:
            item, at = self._item(at, end, 1)
            if item is None:
                raise NotPlain("a sequence with an end mark and a length")
            found.append(item)
        return tuple(found)

    def _open_items(self, at: int, end: int, depth: int) -> tuple[tuple[PlainItem, ...], int]:
        """Return the items of a sequence of open length, and where it ends."""
        if depth > _MAX_DEPTH:
            raise NotPlain("sequences nested too deeply")
        found: list[PlainItem] = []
        while True:
            item, at = self._item(at, end, depth)
            if item is None:
                return tuple(found), at
            found.append(item)

    def _item(self, at: int, end: int, depth: int) -> tuple[PlainItem | None, int]:
        """Return the item at `at` and where it ends, or None at the end mark of a sequence."""
        if at + 8 > end:
            raise self._ended(end)
        *mark, length = _IMPLICIT(self.file.stored, at)
        at += 8
        if tuple(mark) == _SEQUENCE_END and length == 0:
            return None, at
        is_open = length == _UNDEFINED
        if tuple(mark) != _ITEM:
            raise NotPlain("a sequence holds something else than items")
        if not is_open and at + length > end:
            raise self._ended(end)
        self.file.count_item()
        item, at, _ = self.data_set(at, end if is_open else at + length, is_open=is_open, depth=depth)
        return item, at


def require_few_items(data: bytes) -> None:
    """Raise `DicomReadError` if pydicom would make more sequence items of `data` than any object has."""
    if len(data) > 8 * MAX_ITEMS and sum(data.count(tag) for tag in _ITEM_TAGS) > MAX_ITEMS:
        raise _too_many_items()


def _too_many_items() -> DicomReadError:
    return DicomReadError(f"holds more than {MAX_ITEMS} sequence items.", remedy="Split the object.")


def _by_pydicom(stored: bytes, *, explicit: bool) -> tuple[Dataset, ...]:
    """Return the items of a sequence that is not plain, as pydicom reads them when they are asked for."""
    from pydicom.filereader import read_sequence

    require_few_items(stored)
    require_short_charsets(stored, 0, deep=True)
    return tuple(read_sequence(BytesIO(stored), not explicit, True, len(stored), ["iso8859"]))
