"""Maps of drawn margins in the report: drawn from the record's numbers, so that no picture comes out of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from markupsafe import Markup

from dvhkit.outputs.pictures.margin_picture import margin_map_svg
from dvhkit.outputs.text import clean, sentence_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.results.audit import MarginMap

# What fits over the picture in one line.
_LONGEST_TITLE = 88
_LONGEST_LIMIT = 110
_LONGEST_CAPTION = 600
# Of no use inside a page of HTML, which so holds no address of any kind.
_NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'


@dataclass(frozen=True, slots=True, kw_only=True)
class MapView:
    """One map: a drawing of ours, and what was found, in words."""

    svg: Markup
    caption: str


def map_views(maps: Iterable[MarginMap]) -> list[MapView]:
    """Return the drawings of a record's margin maps."""
    return [
        MapView(
            # Made here of numbers and of texts that are cleaned and escaped on the way.
            svg=Markup(margin_map_svg(_shortened(one), tips=False).replace(_NAMESPACE, "", 1)),
            caption=sentence_case(clean(one.caption, longest=_LONGEST_CAPTION)),
        )
        for one in maps
    ]


def _shortened(one: MarginMap) -> MarginMap:
    """Return a map whose words are clean and fit over the picture."""
    return replace(one, title=clean(one.title, longest=_LONGEST_TITLE), limit=clean(one.limit, longest=_LONGEST_LIMIT))
