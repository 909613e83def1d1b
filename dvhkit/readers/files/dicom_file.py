"""One DICOM file from disk: found by content, bounded in size, refused if it is cut short.

A plain file is walked (`dvhkit.readers.files.plain`); pydicom parses whatever is not plain. What is added here: the
test of whether a file is DICOM at all, the notice that a value ends before its stated length (pydicom hands out what is
left), and bounds on what a hostile file can make us allocate.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import DicomReadError, DvhkitError, InputError
from dvhkit.readers.files.charsets import require_short_charsets
from dvhkit.readers.files.elements import DataSet, visible
from dvhkit.readers.files.plain import NO_STOP, NotPlain, PlainItem, require_few_items, walk

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

# Largest file that is read whole, and largest size that a deflated one may unfold to.
MAX_FILE_BYTES = 4 << 30
MAX_INFLATED_BYTES = 1 << 29
# Deflated files are measured in pieces of this size.
_PIECE = 1 << 18
PREAMBLE = 128
_MAX_META = 1 << 16
_DEEP_CLASSES = (b"1.2.840.10008.5.1.4.1.1.481", b"1.2.840.10008.5.1.4.1.1.66")
_PIXEL_TAG = b"\xe0\x7f\x10\x00"
_SYNTAX = 0x00020010
_SYNTAX_TAG = b"\x02\x00\x10\x00UI"
CLASS_TAG = b"\x02\x00\x02\x00UI"
_IMPLICIT = b"1.2.840.10008.1.2"
EXPLICIT = b"1.2.840.10008.1.2.1"
_BIG_ENDIAN = b"1.2.840.10008.1.2.2"
DEFLATED = b"1.2.840.10008.1.2.1.99"
_UNDEFINED = 0xFFFFFFFF
_TRUNCATED = "Copy or export the file again: it is cut short."

# What pydicom and its decoders raise on broken files, beside errors of their own.
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
)


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
    except Exception as error:
        if not is_parse_error(error):
            raise
        reason = visible(" ".join(str(error).split()))[:200]
        raise DicomReadError(
            f"cannot be read as DICOM ({type(error).__name__}{': ' + reason if reason else ''}).",
            path=path,
            remedy="Copy or export the file again, or leave it out.",
        ) from error


def is_parse_error(error: Exception) -> bool:
    """Return whether an error is one that pydicom and its decoders raise on broken files."""
    return isinstance(error, PARSE_ERRORS) or type(error).__module__.startswith("pydicom.")


def looks_like_dicom(start: bytes) -> bool:
    """Return whether the first bytes of a file are those of a DICOM file, with or without preamble.

    Without ``DICM`` at byte 128 the file must begin with an element of group 0002 or 0008 whose value representation
    or length is plausible.
    """
    if start[PREAMBLE : PREAMBLE + 4] == b"DICM":
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
        raise cannot_open(path, error) from error


def cannot_open(path: Path, error: OSError) -> InputError:
    """Return the refusal of a file, or folder, that the operating system does not open."""
    what = "the folder cannot be opened" if path.is_dir() else "cannot be opened"
    reason = f" ({error.strerror})" if error.strerror and not path.is_dir() else ""
    return InputError(f"{what}{reason}.", path=path, remedy="Check the name and your rights.")


def parse(data: bytes) -> DataSet:
    """Return the data set in `data`, a whole file; values stay raw bytes until they are asked for.

    Raises
    ------
    DicomReadError
        If a value ends before its stated length, or a bound is passed.
    """
    if data[:4] == b"DICM":
        data = bytes(PREAMBLE) + data
    start, syntax = outermost(data)
    if syntax == DEFLATED:
        data, start, syntax = inflate(data, start, MAX_INFLATED_BYTES), 0, EXPLICIT
    try:
        return walk_from(data, start, syntax)[0]
    except NotPlain:
        return parse_by_pydicom(data, start, syntax)


def walk_from(data: bytes, start: int, syntax: bytes, *, stop: int = NO_STOP) -> tuple[PlainItem, int, bool]:
    """Return what `walk` does for a transfer syntax; raises `NotPlain` for one that cannot be walked.

    RLE, JPEG and the like store their data set as explicit little endian does.
    """
    if syntax in (_BIG_ENDIAN, DEFLATED):
        raise NotPlain("high bytes first, or deflated")
    return walk(data, start, explicit=syntax != _IMPLICIT, stop=stop)


def parse_by_pydicom(
    data: bytes,
    start: int,
    syntax: bytes,
    *,
    specific_tags: list[BaseTag | int] | None = None,
    stop: Reached | None = None,
) -> Dataset:
    """Return the data set that begins at `start`, parsed by pydicom, up to a tag if `stop` names one."""
    from pydicom.filereader import read_dataset

    require_few_items(data)
    # Objects of radiotherapy are looked through, since their sequences may hold character sets too.
    deep = any(prefix in data[:2048] for prefix in _DEEP_CLASSES) and _PIXEL_TAG not in data
    require_short_charsets(data, start, deep=deep)
    stream = BytesIO(data)
    stream.seek(start)
    implicit, little = syntax == _IMPLICIT, syntax != _BIG_ENDIAN
    dataset = read_dataset(stream, implicit, little, stop_when=stop, specific_tags=specific_tags)
    if stop is not None and stop.hit:
        stop.at = stream.tell()
    else:
        _require_whole(dataset, stream)
    return dataset


def transfer_syntax(data: bytes) -> str:
    """Return the transfer syntax UID of a file, guessed from its first element if its file meta does not say."""
    return outermost(data)[1].decode("latin-1")


def outermost(data: bytes) -> tuple[int, bytes]:
    """Return where the data set starts, and the transfer syntax it is in.

    pydicom would turn each value of the file meta into objects, which a broken length makes a million.
    """
    start, syntax = file_meta(data)
    if syntax:
        return start, syntax
    stream = BytesIO(data)
    start = stream.seek(PREAMBLE + 4 if data[PREAMBLE : PREAMBLE + 4] == b"DICM" else 0)
    if data[start : start + 2] == b"\x02\x00":
        from pydicom.dataelem import RawDataElement
        from pydicom.filereader import read_dataset

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
    return _BIG_ENDIAN if int.from_bytes(first[:2], "little") >= 0x0400 else EXPLICIT


def file_meta(data: bytes) -> tuple[int, bytes]:
    """Return where the data set starts and its transfer syntax; (0, b"") where the file meta is not in order."""
    if data[PREAMBLE : PREAMBLE + 10] != b"DICM\x02\x00\x00\x00UL":
        return 0, b""
    start = PREAMBLE + 16 + int.from_bytes(data[PREAMBLE + 12 : PREAMBLE + 16], "little")
    syntax = meta_value(data, _SYNTAX_TAG, start)
    return (start, syntax) if syntax and start <= len(data) else (0, b"")


def meta_value(data: bytes, tag: bytes, end: int) -> bytes:
    """Return the UID of an element of the file meta, which ends at `end`; empty if it is not there."""
    at = data.find(tag, PREAMBLE, min(end, _MAX_META))
    if at < 0:
        return b""
    return data[at + 8 : at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")].strip(b" \x00")


def _require_whole(dataset: Dataset, stream: BytesIO) -> None:
    from pydicom.dataelem import RawDataElement

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


def inflate(data: bytes, start: int, limit: int, *, partly: bool = False) -> bytes:
    """Return the data set of a deflated file, unfolded: never more than `limit` bytes, or its begin if `partly`."""
    if not partly:
        _require_unfolds_within(data, start, limit)
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], limit)


def _require_unfolds_within(data: bytes, start: int, limit: int) -> None:
    """Raise if a deflated file unfolds to more than `limit` bytes, or is cut; keeps nothing of what it unfolds."""
    unfolder = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    for at in range(start, len(data), _PIECE):
        size += len(unfolder.decompress(data[at : at + _PIECE], _PIECE))
        while unfolder.unconsumed_tail and size <= limit:
            size += len(unfolder.decompress(unfolder.unconsumed_tail, _PIECE))
        if size > limit:
            raise DicomReadError(f"unfolds to more than {limit >> 20} MiB.", remedy="Store it uncompressed.")
    if not unfolder.eof:
        raise DicomReadError("ends inside its deflated part.", remedy=_TRUNCATED)


class Reached:
    """Stops pydicom's parser at a tag, and remembers whether it came there and where that was."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.hit = False
        self.at: int | None = None

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:  # noqa: ARG002 -- pydicom's signature
        """Return whether to stop, as pydicom asks before each element."""
        self.hit = tag >= self.last
        return self.hit
