"""One case of a report, drawn: what a page places as it is, whether it shows that case alone or among others.

A page of many cases is made of what the pages of each were made of, so that nothing is drawn twice.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from dvhkit.outputs.language import speaking, spoken
from dvhkit.outputs.report.page import page_environment
from dvhkit.outputs.report.seal import inputs_of
from dvhkit.outputs.report.views import case_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dvhkit.outputs.pictures.colours import Ink
    from dvhkit.outputs.report.attached import AttachedView
    from dvhkit.outputs.report.plot import DvhPlot
    from dvhkit.outputs.verdict_words import Headline
    from dvhkit.results.audit import AuditRecord
    from dvhkit.results.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One case, drawn.

    Attributes
    ----------
    name, headline, phrases, error
        What the overview of a page with many cases says of it.
    inks
        The colours of its plot.
    inputs
        Role and SHA-256 of the files that it was made from.
    language
        The language that it is written in.
    html, mark
        The article, and what stands in it for the name of its place on the page: no text out of the data can hold it.
    """

    name: str
    headline: Headline
    phrases: tuple[tuple[str, str], ...]
    error: str
    inks: tuple[Ink, ...]
    inputs: tuple[tuple[str, str], ...]
    language: str
    html: str
    mark: str

    def anchor(self, number: int) -> str:
        """Return what the place of the case with this number on a page is called."""
        return f"case-{number}"

    def placed(self, number: int) -> Markup:
        """Return the article as the one with this number on a page; everything in it is escaped."""
        return Markup(self.html.replace(self.mark, self.anchor(number)))


def article_of(record: AuditRecord) -> Article:
    """Return a case as a page shows it that bears no pictures, in the language of the environment."""
    with speaking(None):
        return make_article(record)


def make_article(
    record: AuditRecord,
    *,
    scene: Scene | None = None,
    remarks: Sequence[str] = (),
    attached: Sequence[AttachedView] = (),
) -> Article:
    """Return a case drawn, in the language in use; parameters as of `dvhkit.outputs.report.case_report.html_report`."""
    mark = f"case-{secrets.token_hex(16)}"
    case = case_view(record, anchor=mark, scene=scene, remarks=remarks)
    page = page_environment().get_template("article.html.j2")
    return Article(
        name=case.name,
        headline=case.headline,
        phrases=tuple(case.phrases),
        error=case.error,
        inks=tuple({ink_class(ink): ink for ink in inks_of([case.plot])}.values()),
        inputs=tuple(inputs_of([record])),
        language=spoken().language,
        html=page.render(case=case, ink_class=ink_class, attached=attached),
        mark=mark,
    )


def inks_of(plots: Iterable[DvhPlot | None]) -> list[Ink]:
    """Return the inks of plots, one a curve."""
    return [curve.ink for plot in plots if plot is not None for curve in plot.curves]


def ink_class(ink: Ink) -> str:
    """Return the name of the style that draws in `ink`."""
    return f"k{ink.light[1:]}{ink.dark[1:]}"


def ink_rules(inks: Iterable[Ink]) -> str:
    """Return one style a colour: classes, because the policy allows no style attributes."""
    named = {ink_class(ink): ink for ink in inks}
    light = "".join(f".{name}{{--k:{ink.light}}}" for name, ink in named.items())
    dark = "".join(f".{name}{{--k:{ink.dark}}}" for name, ink in named.items())
    return f"{light}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n"
