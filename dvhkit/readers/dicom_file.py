"""One DICOM file from disk: found by content, bounded in size, refused if it is cut short.

pydicom does the parsing. What is added here: the test of whether a file is DICOM at all, the notice that a value ends
before its stated length (pydicom hands out what is left), and bounds on what a hostile file can make us allocate.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset

from dvhkit.errors import DicomReadError, DvhkitError, InputError
from dvhkit.readers.elements import visible

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

# Largest file that is read whole, and largest size that a deflated one may unfold to.
MAX_FILE_BYTES = 4 << 30
MAX_INFLATED_BYTES = 1 << 29
# Largest number of sequence items in one file: each becomes a Python object of about a kilobyte.
MAX_ITEMS = 2_000_000
# Headers are read in steps: most end within the first.
_HEADER_STEPS = (1 << 14, 1 << 18, 1 << 24)
_PREAMBLE = 128
_MAX_META = 1 << 16
_MAX_CHARSET = 1024
_DEEP_CLASSES = (b"1.2.840.10008.5.1.4.1.1.481", b"1.2.840.10008.5.1.4.1.1.66")
_PIXEL_TAG = b"\xe0\x7f\x10\x00"
_SYNTAX = 0x00020010
_SYNTAX_TAG = b"\x02\x00\x10\x00UI"
_CLASS_TAG = b"\x02\x00\x02\x00UI"
_IMPLICIT = b"1.2.840.10008.1.2"
_EXPLICIT = b"1.2.840.10008.1.2.1"
_BIG_ENDIAN = b"1.2.840.10008.1.2.2"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_UNDEFINED = 0xFFFFFFFF
_TRUNCATED = "Copy or export the file again: it is cut short."

# What pydicom and its decoders raise on broken files.
PARSE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    BytesLengthException,
    InvalidDicomError,
)

StopWhen = Callable[[int, str | None, int], bool]


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings about the letter of the standard off the user's screen: they may carry names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"pydicom(\..*)?")
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Turn whatever a broken file makes pydicom raise into a `DicomReadError` that names the file."""
    try:
        yield
    except DvhkitError as error:
        if error.path is None:
            error.path = str(path)
        raise
    except PARSE_ERRORS as error:
        reason = visible(" ".join(str(error).split()))[:200]
        raise DicomReadError(
            f"cannot be read as DICOM ({type(error).__name__}{': ' + reason if reason else ''}).",
            path=path,
            remedy="Copy or export the file again, or leave it out.",
        ) from error


def looks_like_dicom(start: bytes) -> bool:
    """Return whether the first bytes of a file are those of a DICOM file, with or without preamble.

    Without ``DICM`` at byte 128 the file must begin with an element of group 0002 or 0008 whose value representation
    or length is plausible.
    """
    if start[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return True
    if len(start) < 8:
        return False
    for order in "<>":
        group, element, length = struct.unpack(order + "HHI", start[:8])
        if group in (0x0002, 0x0008) and element < 0x0100:
            explicit = start[4:6].isalpha() and start[4:6].isupper()
            if explicit or 0 < length <= 1024 or (element == 0 and length == 4):
                return True
    return False


def read_bytes(path: Path) -> bytes:
    """Return the whole file, or raise if it is larger than `MAX_FILE_BYTES`."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise DicomReadError(
                f"is {size / 2**30:.1f} GiB large; at most {MAX_FILE_BYTES >> 30} GiB are read.", path=path
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be opened ({error.strerror or error}).", path=path, remedy="Check the name and your rights."
        ) from error


def parse(data: bytes, *, specific_tags: list[BaseTag | int] | None = None, stop: StopWhen | None = None) -> Dataset:
    """Return the data set in `data`; values stay raw bytes until they are asked for.

    Raises
    ------
    DicomReadError
        If a value ends before its stated length, or a bound is passed.
    """
    if len(data) > 8 * MAX_ITEMS and sum(data.count(tag) for tag in _ITEM_TAGS) > MAX_ITEMS:
        raise DicomReadError(f"holds more than {MAX_ITEMS} sequence items.", remedy="Split the object.")
    if data[:4] == b"DICM":
        data = bytes(_PREAMBLE) + data
    start, syntax = _outermost(data)
    if syntax == _DEFLATED:
        data, start = _inflate(data, start, MAX_INFLATED_BYTES), 0
    _require_short_charsets(data, start)
    stream = BytesIO(data)
    stream.seek(start)
    implicit, little = syntax == _IMPLICIT, syntax != _BIG_ENDIAN
    dataset = read_dataset(stream, implicit, little, stop_when=stop, specific_tags=specific_tags)
    _require_whole(dataset, stream)
    return dataset


def _require_short_charsets(data: bytes, start: int) -> None:
    """Raise if a SpecificCharacterSet (0008,0005) is longer than any list of character sets.

    pydicom looks each of them up at once, which for a megabyte takes half a minute. Objects of radiotherapy are looked
    through, since their sequences may hold one too; elsewhere the same bytes may be pixels, so only the first
    elements are.
    """
    deep = any(prefix in data[:2048] for prefix in _DEEP_CLASSES) and _PIXEL_TAG not in data
    end = len(data) if deep else start + 64
    for tag, order in ((b"\x08\x00\x05\x00", "<"), (b"\x00\x08\x00\x05", ">")):
        at = data.find(tag, start, end)
        while at >= 0:
            code, place = ("H", at + 6) if data[at + 4 : at + 6] == b"CS" else ("I", at + 4)
            stored = data[place : at + 8].ljust(at + 8 - place, b"\x00")
            length = struct.unpack(order + code, stored)[0]
            if _MAX_CHARSET < length <= len(data):
                raise DicomReadError(f"has {length} bytes of SpecificCharacterSet (0008,0005).")
            at = data.find(tag, at + 4, end)


def transfer_syntax(data: bytes) -> str:
    """Return the transfer syntax UID of a file, guessed from its first element if its file meta does not say."""
    return _outermost(data)[1].decode("latin-1")


def _outermost(data: bytes) -> tuple[int, bytes]:
    """Return where the data set starts, and the transfer syntax it is in.

    pydicom would turn each value of the file meta into objects, which a broken length makes a million.
    """
    start, syntax = _file_meta(data)
    if syntax:
        return start, syntax
    stream = BytesIO(data)
    start = stream.seek(_PREAMBLE + 4 if data[_PREAMBLE : _PREAMBLE + 4] == b"DICM" else 0)
    if data[start : start + 2] == b"\x02\x00":
        meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
        for tag, element in meta.items():
            value = (element.value or b"") if isinstance(element, RawDataElement) else b""
            if len(value) > _MAX_META:
                raise DicomReadError(f"has {len(value)} bytes in element ({tag >> 16:04X},{tag & 0xFFFF:04X}).")
            if tag == _SYNTAX:
                syntax = value.strip(b" \x00")
        start = stream.tell()
    return start, syntax or _guessed_syntax(data[start : start + 6])


def _guessed_syntax(first: bytes) -> bytes:
    """Return the encoding of a data set by its first six bytes: a tag, and a value representation or a length."""
    if not (first[4:6].isalpha() and first[4:6].isupper()):
        return _IMPLICIT
    # The low groups that a data set begins with look like high ones if their bytes are swapped.
    return _BIG_ENDIAN if int.from_bytes(first[:2], "little") >= 0x0400 else _EXPLICIT


def _file_meta(data: bytes) -> tuple[int, bytes]:
    """Return where the data set starts and its transfer syntax; (0, b"") where the file meta is not in order."""
    if data[_PREAMBLE : _PREAMBLE + 10] != b"DICM\x02\x00\x00\x00UL":
        return 0, b""
    start = _PREAMBLE + 16 + int.from_bytes(data[_PREAMBLE + 12 : _PREAMBLE + 16], "little")
    syntax = _meta_value(data, _SYNTAX_TAG, start)
    return (start, syntax) if syntax and start <= len(data) else (0, b"")


def _meta_value(data: bytes, tag: bytes, end: int) -> bytes:
    """Return the UID of an element of the file meta, which ends at `end`; empty if it is not there."""
    at = data.find(tag, _PREAMBLE, min(end, _MAX_META))
    if at < 0:
        return b""
    return data[at + 8 : at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")].strip(b" \x00")


def _require_whole(dataset: Dataset, stream: BytesIO) -> None:
    size = stream.getbuffer().nbytes
    if stream.tell() > size:
        raise DicomReadError("ends inside an element.", remedy=_TRUNCATED)
    rest = stream.getvalue()[stream.tell() :] if size - stream.tell() < 8 else b""
    if rest.strip(b"\x00"):
        raise DicomReadError("ends inside an element.", remedy=_TRUNCATED)
    for tag, element in dataset.items():  # raw elements, as they are
        if not isinstance(element, RawDataElement) or element.length == _UNDEFINED:
            continue
        if element.value is not None and len(element.value) < element.length:
            raise DicomReadError(
                f"ends inside element ({tag >> 16:04X},{tag & 0xFFFF:04X}): "
                f"{len(element.value)} of {element.length} bytes are there.",
                remedy=_TRUNCATED,
            )


def _inflate(data: bytes, start: int, limit: int, *, partly: bool = False) -> bytes:
    """Return the data set of a deflated file, unfolded: never more than `limit` bytes, or its begin if `partly`."""
    unfolder = zlib.decompressobj(-zlib.MAX_WBITS)
    unfolded = unfolder.decompress(data[start:], limit)
    if partly:
        return unfolded
    if unfolder.unconsumed_tail:
        raise DicomReadError(f"unfolds to more than {limit >> 20} MiB.", remedy="Store it uncompressed.")
    if not unfolder.eof:
        raise DicomReadError("ends inside its deflated part.", remedy=_TRUNCATED)
    return unfolded


def _deflated_header(data: bytes, start: int, last: int, specific_tags: list[BaseTag | int]) -> Dataset:
    """Return the header of a deflated file without unfolding what comes after it."""
    limit = min(_HEADER_STEPS[-1], MAX_INFLATED_BYTES)
    reached = _Reached(last)
    stream = BytesIO(_inflate(data, start, limit, partly=True))
    dataset: Dataset = read_dataset(stream, False, True, stop_when=reached, specific_tags=specific_tags)
    if not reached.hit:
        _require_whole(dataset, stream)
    return dataset


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
        Offset of the tag before which reading stopped; None where it is not known.
    """

    data: Dataset
    is_part10: bool
    syntax: str
    media_class: str
    ends_at: int | None = None


def read_header(
    path: Path, *, specific_tags: list[BaseTag | int], last_for: Callable[[bytes], int]
) -> HeaderRead | None:
    """Return a file's header, or None if it is no DICOM file.

    `last_for` gets the first bytes and names the first tag that is of no interest, such as PixelData. The file is
    read in growing pieces until the parser comes to that tag or to the end of the file.
    """
    with path.open("rb") as file:
        data = file.read(_HEADER_STEPS[0])
        if not looks_like_dicom(data):
            return None
        last = last_for(data)
        start, syntax = _file_meta(data)
        media_class = _meta_value(data, _CLASS_TAG, start)
        outer = (data[_PREAMBLE : _PREAMBLE + 4] == b"DICM", syntax.decode("latin-1"), media_class.decode("latin-1"))
        for size in _HEADER_STEPS if syntax != _DEFLATED else ():
            data += file.read(size - len(data))
            found, ends_at = _up_to(data, last, specific_tags)
            if found is not None:
                return HeaderRead(found, *outer, ends_at)
            if len(data) < size:
                break
    if syntax == _DEFLATED:
        found = _deflated_header(read_bytes(path), start, last, specific_tags)
    else:
        whole = data if len(data) < _HEADER_STEPS[-1] else read_bytes(path)
        found = parse(whole, specific_tags=specific_tags, stop=lambda tag, _vr, _length: tag >= last)
    return HeaderRead(found, *outer)


def _up_to(data: bytes, last: int, specific_tags: list[BaseTag | int]) -> tuple[Dataset | None, int | None]:
    """Return the header, and where it ends if that is known; None if the piece of file `data` does not hold it whole.

    The quick way is to cut the piece where the tag's bytes are. They may also stand inside a value, so the header
    must end exactly there; if it does not, the parser is asked at each element.
    """
    cut = data.find(struct.pack("<HH", last >> 16, last & 0xFFFF))
    reached = _Reached(last)
    for piece, stop in ((data[:cut] if cut > 0 else b"", None), (data, reached)):
        if not piece:
            continue
        try:
            found = parse(piece, specific_tags=specific_tags, stop=stop)
        except (DicomReadError, *PARSE_ERRORS):
            continue
        if stop is None or reached.hit:
            return found, cut if stop is None else None
    return None, None


class _Reached:
    """Stops the parser at a tag, and remembers whether it came there."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.hit = False

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:  # noqa: ARG002 -- pydicom's signature
        self.hit = tag >= self.last
        return self.hit
