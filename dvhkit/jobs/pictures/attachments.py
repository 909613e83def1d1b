"""Files that belong to a report: pictures of vertebral CTVs and margins, comparisons of contours."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.results.attachment import Attachment

# Base64 makes four letters of three bytes; the slices of a page of 8 MB need the rest.
MOST_BYTES = 2_000_000
_REMEDY = (
    "Attach a .png or .svg, such as `dvhkit ctv check --picture` and `dvhkit plot` write, or the .json of "
    "`dvhkit contours compare`."
)
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"
_SVG_BEGIN = re.compile(rb"\s*(<\?xml[^>]*\?>)?\s*(<!--.*?-->\s*)*(<!DOCTYPE svg[^>\[]*>)?\s*<svg\b", re.DOTALL)


def read_attachments(paths: list[Path]) -> tuple[Attachment, ...]:
    """Return the files to attach to a report, in order.

    Raises
    ------
    InputError
        If one cannot be read, is neither picture nor comparison, or all together are larger than 2 MB.
    """
    found = tuple(_read(path) for path in paths)
    size = sum(len(one.picture) for one in found)
    if size > MOST_BYTES:
        raise InputError(
            f"the pictures to attach have {size / 1e6:.1f} MB; a report holds {MOST_BYTES / 1e6:g} MB of them.",
            remedy="Attach fewer, or smaller ones.",
        )
    return found


def _read(path: Path) -> Attachment:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"the file to attach cannot be read: {error.strerror}.", path=path, remedy=_REMEDY) from error
    digest = hashlib.sha256(data).hexdigest()
    if data.startswith(_PNG_BEGIN):
        return Attachment(name=path.name, sha256=digest, picture=data, media_type="image/png")
    # In an <img> a browser runs no script of a picture and asks for nothing.
    if _SVG_BEGIN.match(data):
        return Attachment(name=path.name, sha256=digest, picture=data, media_type="image/svg+xml")
    if data.lstrip().startswith(b"{"):
        from dvhkit.outputs.contours.comparison import read_comparison

        return Attachment(name=path.name, sha256=digest, comparison=read_comparison(data, path=path))
    raise InputError("this is neither a picture nor a comparison.", path=path, remedy=_REMEDY)
