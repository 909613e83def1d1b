"""What is filed in a report beside what an audit made: pictures, and comparisons of contours."""

from __future__ import annotations

from dataclasses import dataclass

from dvhkit.results.contours.comparison import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that belongs to a report: a picture, or a comparison of two structure sets.

    Attributes
    ----------
    name, sha256
        The file's name without its folder, and its hash.
    picture, media_type
        The picture as it is in the file, and ``image/png`` or ``image/svg+xml``; empty for a comparison.
    comparison
        None for a picture.
    """

    name: str
    sha256: str
    picture: bytes = b""
    media_type: str = ""
    comparison: Comparison | None = None
