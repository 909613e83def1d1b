"""What all text dialects share: bytes to lines, numbers of any locale, units, and points that make a curve."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from dvhkit.errors import InputError
from dvhkit.model.arrays import FloatArray

# A DVH export of a hundred structures in steps of 1 cGy is some 20 MB.
_BYTES_MAX = 256 * 1024 * 1024
_UNIT = re.compile(r"[\[(]\s*([^\[\]()]*?)\s*[\])]")
_NUMBER = re.compile(r"[-+]?\d[\d.,'’\u00a0\u202f]*(?:[eE][-+]?\d+)?")
# Volumes of a cumulative curve may rise by what printing rounds, and no more.
_RISE_FRAC = 2e-3
# A cumulative curve ends at the greatest dose, which hardly any volume receives.
_LEFT_FRAC = 0.05
# A whole is 100 %, and what sampling and printing add to it.
_WHOLE_MOST_PCT = 101.0


def damaged(path: Path, line: int, reason: str, remedy: str = "Export the DVHs again.") -> InputError:
    """Return the error for a file that cannot be used, with its line."""
    return InputError(reason, path=path, where=f"line {line}" if line else None, remedy=remedy)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file in UTF-8, UTF-16 or Windows-1252. Raises `InputError` for what is no text."""
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise InputError("the file is too large to be a DVH export.", path=path)
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror or error}.", path=path) from error
    if not raw.strip():
        raise damaged(path, 0, "the file is empty.")
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise damaged(path, 0, "the file is no text in UTF-8, UTF-16 or Windows-1252.")
    if "\x00" in text:
        raise damaged(path, text[: text.index("\x00")].count("\n") + 1, "the file holds binary data and no text.")
    return text.splitlines()


def number(text: str) -> float | None:
    """Return the number that `text` begins with, in any locale's spelling; None where there is none.

    Of a dot and a comma the last is the decimal sign; a lone comma is one, too, unless it parts groups of thousands
    more than once.
    """
    match = _NUMBER.match(text.strip())
    if match is None:
        return None
    digits = re.sub(r"['’\u00a0\u202f]", "", match.group()).rstrip(".,")
    comma, dot = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and dot >= 0:
        thousands = "." if comma > dot else ","
        digits = digits.replace(thousands, "")
    elif digits.count(",") > 1:
        digits = digits.replace(",", "")
    elif digits.count(".") > 1:
        digits = digits.replace(".", "")
    try:
        return float(digits.replace(",", "."))
    except ValueError:
        return None


def half_digit(text: str) -> float:
    """Return half of the last printed digit of a number: what its rounding may hide."""
    match = _NUMBER.match(text.strip())
    digits = match.group() if match else ""
    if "e" in digits.lower():
        return 0.0
    tail = re.search(r"[.,](\d+)$", digits)
    return 0.5 * 10.0 ** -(len(tail.group(1)) if tail else 0)


def unit_of(text: str) -> str:
    """Return the last unit in brackets: ``gy``, ``cgy``, ``%``, ``cc``, a ratio such as ``cc/gy``, or as it stands."""
    found = _UNIT.findall(text)
    return plain_unit(found[-1]) if found else ""


def plain_unit(text: str) -> str:
    """Return a unit in its plain spelling, whatever an encoding made of its exponent."""
    parts = [re.sub(r"\s+", "", part).lower() for part in text.split("/")]
    return "/".join("cc" if re.match(r"^(c(m|c)[^a-z]*|ccm|ml)$", part) else part for part in parts)


def words_without_units(text: str) -> str:
    """Return a label in lower case without what stands in brackets."""
    return _UNIT.sub(" ", text).strip().lower()


def in_gy(value: float, unit: str) -> float | None:
    """Return a dose in Gy; None where the unit is no absolute dose."""
    return {"gy": value, "cgy": value / 100.0, "gy(rbe)": value}.get(unit)


def checked_curve(
    path: Path, line: int, roi: str, dose_gy: FloatArray, volume: FloatArray, *, in_cc: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the points of a cumulative curve; raises `InputError` where they make none. Not `in_cc`: in percent."""
    if len(dose_gy) < 2:
        raise damaged(path, line, f"the curve of {roi!r} has {len(dose_gy)} points; the file may be cut off.")
    if not (np.isfinite(dose_gy).all() and np.isfinite(volume).all()):
        raise damaged(path, line, f"the curve of {roi!r} holds values that are no numbers.")
    backwards = np.flatnonzero(np.diff(dose_gy) < 0)
    if backwards.size:
        raise damaged(path, line + int(backwards[0]) + 1, f"the doses of {roi!r} go backwards.")
    if dose_gy[0] < 0 or volume.min() < -1e-6:
        raise damaged(path, line, f"the curve of {roi!r} holds negative values.")
    top = float(volume.max())
    if not top > 0:
        raise damaged(path, line, f"the curve of {roi!r} holds no volume.")
    if not in_cc and top > _WHOLE_MOST_PCT:
        raise damaged(path, line, f"the curve of {roi!r} holds {top:.4g} % of a whole; its unit may be another.")
    rises = np.flatnonzero(np.diff(volume) > _RISE_FRAC * top)
    if rises.size:
        raise damaged(
            path, line + int(rises[0]) + 1, f"the volume of {roi!r} rises with dose: it is no cumulative DVH."
        )
    left = float(volume[-1]) / top
    if left > _LEFT_FRAC:
        last = line + len(dose_gy) - 1
        raise damaged(
            path, last, f"the curve of {roi!r} ends while {left:.0%} of its volume is left; the file may be cut off."
        )
    return dose_gy, np.maximum(volume, 0.0)


def cumulative_of_density(dose_gy: FloatArray, density: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the cumulative curve of volumes per Gy at equally meaning points: each the middle of its own bin."""
    middle = (dose_gy[1:] + dose_gy[:-1]) / 2
    edges = np.concatenate(
        [[max(0.0, 1.5 * dose_gy[0] - 0.5 * dose_gy[1])], middle, [1.5 * dose_gy[-1] - 0.5 * dose_gy[-2]]]
    )
    return edges, cumulative_of_parts(density * np.diff(edges))


def cumulative_of_parts(part: FloatArray) -> FloatArray:
    """Return the volume at or beyond each of n + 1 edges from the volumes of n bins."""
    return np.concatenate([np.cumsum(part[::-1])[::-1], [0.0]])
