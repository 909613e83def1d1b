"""Pictures and comparisons that were filed in a report, as its template places them."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from dvhkit.outputs.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dvhkit.outputs.contours.comparison import Tables
    from dvhkit.results.attachment import Attachment

_LONGEST_NAME = 80
# What a report shows of a comparison; the slices of each pair are in the comparison's own page.
_MOST_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedView:
    """One attachment: `source` is the picture as an address of the page's own, empty for a comparison."""

    name: str
    sha256: str
    source: Markup
    tables: Tables


def attached_views(attachments: Sequence[Attachment]) -> list[AttachedView]:
    """Return what a report shows of its attachments."""
    if not attachments:
        return []
    from dvhkit.outputs.contours.comparison import comparison_tables  # with rich: only where something is attached

    return [
        AttachedView(
            name=clean_name(one.name, _LONGEST_NAME),
            sha256=one.sha256,
            source=_source(one),
            tables=[
                (title, headings, rows[:_MOST_ROWS])
                for title, headings, rows in (comparison_tables(one.comparison) if one.comparison else [])
            ],
        )
        for one in attachments
    ]


def attached_bytes(attachments: Iterable[Attachment]) -> int:
    """Return how much of a page its attached pictures take."""
    return sum(4 * -(-len(one.picture) // 3) for one in attachments)


def _source(one: Attachment) -> Markup:
    if not one.picture:
        return Markup("")
    # Letters of base 64 and one of two types: nothing to escape.
    kind = "image/svg+xml" if one.media_type == "image/svg+xml" else "image/png"
    return Markup(f"data:{kind};base64,{b64encode(one.picture).decode('ascii')}")
