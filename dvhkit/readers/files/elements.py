"""Single values out of a data set, straight from the stored bytes.

pydicom turns each number into an object of its own and warns about each letter that the standard does not allow. An
archive is full of such letters, so values are taken here from the raw element: numbers by numpy, texts by decoding.
A missing or empty element is None, an empty tuple or an empty string; a broken one raises `DicomReadError`.
A data set is a `PlainItem`, or pydicom's `Dataset` where the file was not plain.
"""

from __future__ import annotations

import math
import re
import struct
import warnings
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from dvhkit.errors import DicomReadError
from dvhkit.model.arrays import FloatArray
from dvhkit.readers.files.charsets import codecs_of, decoded
from dvhkit.readers.files.decimals import plain_decimals
from dvhkit.readers.files.plain import PlainItem
from dvhkit.readers.files.tags import tag_of, vr_of

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

DataSet: TypeAlias = "PlainItem | Dataset"

# VR -> (struct code, bytes).
_BINARY = {"US": ("H", 2), "SS": ("h", 2), "UL": ("I", 4), "SL": ("i", 4), "FL": ("f", 4), "FD": ("d", 8)}
# From here on numpy's parser wins over float().
_LONG_TEXT = 512
_PADDING = b" \x00\r\n\t"
_UNDEFINED = 0xFFFFFFFF
_BACKSLASH = ord("\\")
_PLAIN = b"0123456789.-+eE\\"
_REMEDY = "Export the object again, or leave it out."
# Control characters never belong in a name; ESC would reach the user's terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _element(data: DataSet, keyword: str) -> Any:  # noqa: ANN401 -- PlainElement, RawDataElement, DataElement or None
    if type(data) is PlainItem:
        return data.get_item(tag_of(keyword))
    try:
        return data.get_item(tag_of(keyword))
    except KeyError:
        return None


@lru_cache(maxsize=256)
def where(keyword: str) -> str:
    """Return ``PixelSpacing (0028,0030)`` for ``PixelSpacing``: how messages name a place in a file."""
    tag = tag_of(keyword)
    return f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def has(data: DataSet, keyword: str) -> bool:
    """Return whether the element is there at all, empty or not."""
    return tag_of(keyword) in data


def raw_bytes(data: DataSet, keyword: str) -> bytes:
    """Return the stored bytes of a text element, without padding; empty if it is missing."""
    if type(data) is PlainItem:
        return data.stored(tag_of(keyword)).strip(_PADDING)
    element = _element(data, keyword)
    return b"" if element is None else _stored_bytes(element)


class StoredView(NamedTuple):
    """The bytes of a large element, uncopied: pixels.

    Attributes
    ----------
    is_open
        Whether the element has no length of its own, as compressed pixels have none.
    """

    value: memoryview
    is_open: bool = False
    is_little_endian: bool = True


def stored_view(data: DataSet, keyword: str) -> StoredView | None:
    """Return the stored bytes of an element that is no sequence; None if it is missing or was converted already."""
    if isinstance(data, PlainItem):
        view = data.view(tag_of(keyword))
        return None if view is None else StoredView(view)
    element = _element(data, keyword)
    if not isinstance(getattr(element, "value", None), bytes) or not hasattr(element, "length"):
        return None
    return StoredView(memoryview(element.value), element.length == _UNDEFINED, element.is_little_endian)


def _stored_bytes(element: Any) -> bytes:  # noqa: ANN401 -- see _element
    value = element.value
    if isinstance(value, bytes):
        return value.strip(_PADDING)
    if value is None:
        return b""
    # An element that was converted already, as in data sets built in memory.
    parts = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    return "\\".join(str(part) for part in parts).encode("utf-8").strip()


def visible(value: str) -> str:
    """Return a text with its control characters replaced by U+FFFD: a terminal would obey them."""
    return value if value.isprintable() else _CONTROL.sub("\ufffd", value)


def text(data: DataSet, keyword: str) -> str:
    """Return a text of the default repertoire (UI, CS, DS, IS, ...), stripped; empty if it is missing."""
    return visible(raw_bytes(data, keyword).decode("latin-1"))


def texts(data: DataSet, keyword: str) -> tuple[str, ...]:
    """Return the values of a multi-valued text."""
    stored = text(data, keyword)
    return tuple(part.strip(" \x00") for part in stored.split("\\")) if stored else ()


def name_text(data: DataSet, keyword: str, charset: tuple[str, ...]) -> str:
    """Return a free text in the file's character set, with control characters made visible as U+FFFD."""
    element = _element(data, keyword)
    if element is None:
        return ""
    stored = _stored_bytes(element)
    value = decoded(stored, charset) if isinstance(element.value, bytes) else stored.decode("utf-8")
    return visible(value).strip(" ")


def charset_of(data: DataSet) -> tuple[str, ...]:
    """Return the Python codecs that SpecificCharacterSet (0008,0005) names; unknown ones fall back to UTF-8."""
    return codecs_of(texts(data, "SpecificCharacterSet"))


def numbers(data: DataSet, keyword: str, *, path: Path | str | None = None) -> tuple[float, ...]:
    """Return all numbers of an element, text or binary; empty if it is missing. Each must be finite."""
    element = _element(data, keyword)
    if element is None or not element.value:
        return _present_zero(element)
    vr = vr_of(keyword) if element.VR in (None, "UN") else str(element.VR)
    if vr in _BINARY and isinstance(element.value, bytes):
        values = _binary(element, vr, keyword, path)
    elif not (stored := _stored_bytes(element)):
        values = ()
    elif len(stored) > _LONG_TEXT:
        values = tuple(parse_numbers(stored, place=where(keyword), path=path).tolist())
    else:
        values = _floats(stored, where(keyword), path)
    if not all(map(math.isfinite, values)):
        broken = ", ".join(f"{value:g}" for value in values if not math.isfinite(value))
        raise DicomReadError(
            f"holds a value that is not a finite number: {broken[:60]}.",
            path=path,
            where=where(keyword),
            remedy=_REMEDY,
        )
    return values


def _present_zero(element: Any) -> tuple[float, ...]:  # noqa: ANN401
    """Return the 0 of an element that was converted already; a raw one without bytes has no value."""
    value = None if element is None else element.value
    return (float(value),) if isinstance(value, int | float) else ()


def _binary(element: Any, vr: str, keyword: str, path: Path | str | None) -> tuple[float, ...]:  # noqa: ANN401
    code, size = _BINARY[vr]
    count, rest = divmod(len(element.value), size)
    if rest:
        raise DicomReadError(
            f"has {len(element.value)} bytes, no multiple of {size}.", path=path, where=where(keyword), remedy=_REMEDY
        )
    order = "<" if element.is_little_endian else ">"
    return tuple(map(float, struct.unpack(f"{order}{count}{code}", element.value)))


def parse_numbers(stored: bytes, *, place: str, path: Path | str | None = None) -> FloatArray:
    r"""Return the decimal numbers of a backslash-separated text as float64; infinities and NaN pass.

    Raises
    ------
    DicomReadError
        If a part is no number. ``np.fromstring`` reads as far as it can and makes -1 of a blank part, so it is given
        nothing but plain numbers, and the count is compared with the separators.
    """
    if not stored:
        return np.empty(0)
    if len(stored) > _LONG_TEXT and (plain := plain_decimals(stored)) is not None:
        return plain
    if len(stored) > _LONG_TEXT and not stored.translate(None, _PLAIN):
        values = _fast_numbers(stored)
        if len(values) == count_numbers(stored):
            return values
    return np.array(_floats(stored, place, path))


def count_numbers(stored: bytes) -> int:
    """Return how many parts a backslash-separated text has; none if it is empty."""
    # numpy counts frequent bytes four times as fast as bytes.count.
    return int(np.count_nonzero(np.frombuffer(stored, dtype=np.uint8) == _BACKSLASH)) + 1 if stored else 0


def _floats(stored: bytes, place: str, path: Path | str | None) -> tuple[float, ...]:
    values = _known_floats(stored) if len(stored) <= _LONG_TEXT else _plain_floats(stored)
    if isinstance(values, bytes):
        shown = values[:24].decode("latin-1")
        raise DicomReadError(f"{shown!r} is no number.", path=path, where=place, remedy=_REMEDY)
    return values


def _plain_floats(stored: bytes) -> tuple[float, ...] | bytes:
    """Return the numbers of a text, or the first part that is none."""
    values = []
    for part in stored.split(b"\\"):
        try:
            # float() takes 1_000 too, which no DICOM writer means.
            values.append(float(part if b"_" not in part else b""))
        except ValueError:
            return part
    return tuple(values)


# Slices of a series repeat most of their numbers.
_known_floats = lru_cache(maxsize=4096)(_plain_floats)


def _fast_numbers(stored: bytes) -> FloatArray:
    with warnings.catch_warnings():
        # numpy deprecates the reading of broken text; the caller checks the count and reads such text anew.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return np.fromstring(stored, dtype=np.float64, sep="\\")
        except ValueError:
            return np.empty(0)


def number(data: DataSet, keyword: str, *, path: Path | str | None = None) -> float | None:
    """Return the first number of an element, or None if it is missing."""
    values = numbers(data, keyword, path=path)
    return values[0] if values else None


def integer(data: DataSet, keyword: str, *, path: Path | str | None = None) -> int | None:
    """Return the first number of an element as an integer, or None if it is missing.

    ``"20.0"`` is taken for 20, since writers pad; ``"20.5"`` is refused.
    """
    value = number(data, keyword, path=path)
    if value is None:
        return None
    if value != int(value):
        raise DicomReadError(f"must be a whole number, not {value:g}.", path=path, where=where(keyword), remedy=_REMEDY)
    return int(value)


def items(data: DataSet, keyword: str, *, path: Path | str | None = None) -> tuple[DataSet, ...]:
    """Return the items of a sequence; empty if it is missing or empty."""
    found = data.items(tag_of(keyword)) if isinstance(data, PlainItem) else _items(data, keyword)
    if found is None:
        raise DicomReadError("is no sequence.", path=path, where=where(keyword), remedy=_REMEDY)
    return found


def _items(data: Dataset, keyword: str) -> tuple[Dataset, ...] | None:
    """Return the items of a sequence that pydicom has read; None if the element is something else."""
    from pydicom.filereader import read_sequence
    from pydicom.sequence import Sequence

    element = _element(data, keyword)
    if element is None or element.value is None or element.value in (b"", ""):
        return ()
    if element.VR == "UN" and isinstance(element.value, bytes):
        # An archive that does not know the tag keeps it as UN; what is inside is implicit little endian (PS3.5 6.2.2).
        # pydicom does this for short values only.
        stored = element.value
        return tuple(read_sequence(BytesIO(stored), True, True, len(stored), list(charset_of(data))))
    value = data[tag_of(keyword)].value
    return tuple(value) if isinstance(value, Sequence) else None


def require_numbers(data: DataSet, keyword: str, count: int, *, path: Path | str | None) -> tuple[float, ...]:
    """Return exactly `count` numbers, or raise `DicomReadError`."""
    values = numbers(data, keyword, path=path)
    if len(values) == count:
        return values
    found = f"has {len(values)} values, {count} are needed." if values else "is missing."
    raise DicomReadError(found, path=path, where=where(keyword), remedy=_REMEDY)


def require_integer(data: DataSet, keyword: str, *, path: Path | str | None) -> int:
    """Return the integer of an element, or raise `DicomReadError`."""
    value = integer(data, keyword, path=path)
    if value is None:
        raise DicomReadError("is missing.", path=path, where=where(keyword), remedy=_REMEDY)
    return value
