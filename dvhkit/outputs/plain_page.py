"""Plain pages of tables and pictures: one file, no script, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from dvhkit.outputs.text import clean

_STYLE = Markup(
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2733}"
    "h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th{text-align:left;border-bottom:2px solid #8fa3b5}td,th{padding:.3rem .7rem .3rem 0;vertical-align:top}"
    "td{border-bottom:1px solid #dde5ec}@media print{body{margin:0;max-width:none}}"
)


def plain_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table under its title."""
    head = Markup("").join(Markup("<th>{}</th>").format(clean(h)) for h in headings)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(clean(c)) for c in row))
        for row in rows
    )
    return Markup("<h2>{}</h2><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(
        clean(title), head, body
    )


def plain_page(title: str, parts: Iterable[Markup]) -> str:
    """Return a page of such parts."""
    name = escape(clean(title))
    return str(
        Markup(
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            "<title>{}</title><style>{}</style><h1>{}</h1>{}</html>\n"
        ).format(name, _STYLE, name, Markup("").join(parts))
    )
