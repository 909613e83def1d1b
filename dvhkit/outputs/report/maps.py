"""Maps of drawn margins in the report: drawn from the record's numbers, so that no picture comes out of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from markupsafe import Markup

from dvhkit.outputs.number_format import range_text
from dvhkit.outputs.pictures.margin_picture import cells_of, margin_map_svg
from dvhkit.outputs.text import clean, clean_name, sentence_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.results.audit import MarginMap

# What fits over the picture in one line.
_LONGEST_TITLE = 88
_LONGEST_LIMIT = 110
_LONGEST_CAPTION = 600
_LONGEST_NAME = 64
# Of no use inside a page of HTML, which so holds no address of any kind.
_NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'


@dataclass(frozen=True, slots=True, kw_only=True)
class MapView:
    """One map: a drawing of ours, and what was found, in words.

    `roi` is the structure whose surface it is, `cells` where the drawing's cells are and `heights` their z, for jumps
    from a cell to the slices; `worst` is z and azimuth of the cell that lacks most, empty where none lacks anything.
    """

    svg: Markup
    caption: str
    roi: str
    cells: str
    heights: str
    worst: str


def map_views(maps: Iterable[MarginMap]) -> list[MapView]:
    """Return the drawings of a record's margin maps."""
    return [_map_view(one) for one in maps]


def _map_view(one: MarginMap) -> MapView:
    return MapView(
        # Made here of numbers and of texts that are cleaned and escaped on the way.
        svg=Markup(margin_map_svg(_shortened(one), tips=False).replace(_NAMESPACE, "", 1)),
        caption=sentence_case(clean(one.caption, longest=_LONGEST_CAPTION)),
        roi=clean_name(one.inner, _LONGEST_NAME),
        cells=" ".join(map(str, cells_of(one))),
        heights=" ".join(f"{z:g}" for z in one.height_mm),
        worst=_worst(one),
    )


def _worst(one: MarginMap) -> str:
    columns = len(one.lacking_mm[0])
    lacking = [
        (lack, z, (column + 0.5) * 360.0 / columns)
        for z, row in zip(one.height_mm, one.lacking_mm, strict=True)
        for column, lack in enumerate(row)
        if lack is not None and lack > 0
    ]
    if not lacking:
        return ""
    _, z, degrees = max(lacking)
    return f"{z:g},{degrees:g}"


def _shortened(one: MarginMap) -> MarginMap:
    """Return a map whose words are clean and fit over the picture."""
    return replace(
        one, title=clean(one.title, longest=_LONGEST_TITLE), limit=clean(range_text(one.limit), longest=_LONGEST_LIMIT)
    )
