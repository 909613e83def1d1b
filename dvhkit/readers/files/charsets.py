"""Character sets: the Python codecs that SpecificCharacterSet names, and a bound on how many it may name."""

from __future__ import annotations

import struct
from functools import lru_cache

from dvhkit.errors import DicomReadError

CHARSET_TAG = 0x00080005
# Longer than any list of character sets.
MAX_CHARSET_BYTES = 1024
_ESCAPE = b"\x1b"  # switches character sets
# Nearly all files name one of these or none; pydicom knows the others.
_USUAL = {
    (): "utf_8",
    ("ISO_IR 6",): "iso8859",
    ("ISO_IR 100",): "latin_1",
    ("ISO_IR 192",): "utf_8",
}


def codecs_of(named: tuple[str, ...]) -> tuple[str, ...]:
    """Return the Python codecs of the character sets that a file names; unknown ones fall back to UTF-8."""
    usual = _USUAL.get(named)
    return (usual,) if usual else _codecs_by_pydicom(named)


@lru_cache(maxsize=64)
def _codecs_by_pydicom(named: tuple[str, ...]) -> tuple[str, ...]:
    from pydicom.charset import convert_encodings

    try:
        return tuple(convert_encodings(list(named)))
    except (LookupError, ValueError):
        return ("utf_8",)


def decoded(stored: bytes, codecs: tuple[str, ...]) -> str:
    """Return a stored free text; what its character set cannot decode becomes U+FFFD."""
    if _ESCAPE not in stored and len(codecs) == 1 and codecs[0] in _USUAL.values():
        return stored.decode(codecs[0], errors="replace")
    if stored.isascii() and _ESCAPE not in stored:
        return stored.decode("ascii")
    from pydicom.charset import decode_bytes

    try:
        return decode_bytes(stored, list(codecs), set())
    except (LookupError, UnicodeError):
        return stored.decode("utf-8", errors="replace")


def require_short_charsets(data: bytes, start: int, *, deep: bool) -> None:
    """Raise `DicomReadError` if a SpecificCharacterSet (0008,0005) is longer than any list of character sets.

    pydicom looks each of them up at once, which for a megabyte takes half a minute. With `deep` the bytes are looked
    through to their end; where they may be pixels, only the first elements are.
    """
    end = len(data) if deep else start + 64
    for tag, order in ((b"\x08\x00\x05\x00", "<"), (b"\x00\x08\x00\x05", ">")):
        at = data.find(tag, start, end)
        while at >= 0:
            code, place = ("H", at + 6) if data[at + 4 : at + 6] == b"CS" else ("I", at + 4)
            stored = data[place : at + 8].ljust(at + 8 - place, b"\x00")
            length = struct.unpack(order + code, stored)[0]
            if MAX_CHARSET_BYTES < length <= len(data):
                raise DicomReadError(f"has {length} bytes of SpecificCharacterSet (0008,0005).")
            at = data.find(tag, at + 4, end)
