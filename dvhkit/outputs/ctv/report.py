"""The report of a vertebral CTV: one page of HTML with cuts, rules, compartments, choices, flags and provenance."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

from jinja2 import Environment
from markupsafe import Markup

from dvhkit.outputs.ctv.cuts_picture import Cut, Rgb, cut_pixels
from dvhkit.outputs.pictures.png import png_bytes
from dvhkit.outputs.report.page import page_environment, page_policy, page_source
from dvhkit.outputs.text import clean, sentence_case

# Names out of DICOM have no end of their own.
_LONGEST = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class CtvRow:
    """One compartment: what it holds of the GTV, its role, what of it is covered, and why.

    `colour` is that of the picture; `verdict` is empty where no CTV was checked.
    """

    name: str
    colour: Rgb
    volume_cc: float
    gtv_cc: float
    gtv_frac: float
    is_graze: bool
    role: str
    covered_frac: float | None
    verdict: str
    near_cut_frac: float | None
    why: str

    @property
    def tone(self) -> str:
        """The look of its verdict."""
        return _TONES.get(self.verdict, "mute")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtvLevel:
    """One vertebra of the page.

    Attributes
    ----------
    fired
        (row, title, source, status) of each row of the decision table that holds.
    choices
        (compartment, what was decided) for each that the rules leave to the oncologist.
    sectors
        (sector, role, covered, verdict), empty where the profile counts in compartments.
    """

    name: str
    origin: str
    verdict: str
    rows: tuple[CtvRow, ...]
    fired: tuple[tuple[str, str, str, str], ...]
    choices: tuple[tuple[str, str], ...]
    cuts: tuple[Cut, ...]
    sectors: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def tone(self) -> str:
        """The look of its verdict."""
        return _TONES.get(self.verdict, "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class CtvRemark:
    """A flag of the rules or a finding about the data."""

    level: str
    code: str
    text: str
    where: str = ""

    @property
    def tone(self) -> str:
        """The look of its level."""
        return {"review": "open", "error": "bad", "warning": "warn", "advisory": "warn"}.get(self.level, "info")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtvPage:
    """Everything that the page shows; `verdict` is empty where a CTV was made and none checked."""

    title: str
    headline: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    key: tuple[tuple[Rgb, str], ...]
    levels: tuple[CtvLevel, ...]
    flags: tuple[CtvRemark, ...]
    findings: tuple[CtvRemark, ...]
    provenance: tuple[tuple[str, str], ...] = field(default=())

    @property
    def tone(self) -> str:
        """The look of its verdict."""
        return _TONES.get(self.verdict, "info")

    @property
    def sign(self) -> str:
        """The sign of its verdict."""
        return {"pass": "✓", "review": "?", "fail": "✗"}.get(self.verdict, "i")


_TONES = {"pass": "good", "review": "open", "fail": "bad", "extra": "info", "optional, included": "info"}


def ctv_html(page: CtvPage) -> str:
    """Return the page as self-contained HTML that asks the network for nothing; texts out of DICOM are escaped."""
    styles = page_source("report.css") + page_source("ctv.css") + _swatches(page)
    environment = _environment()
    return environment.get_template("ctv.html.j2").render(
        page=page,
        styles=Markup(styles),
        policy=page_policy(styles, images=True),
        swatch=swatch_class,
    )


def swatch_class(colour: Rgb) -> str:
    """Return the name of the style that fills with a colour."""
    return "s{:02x}{:02x}{:02x}".format(*colour)


def _swatches(page: CtvPage) -> str:
    colours = dict.fromkeys([c for c, _ in page.key] + [row.colour for level in page.levels for row in level.rows])
    return "".join(f".{swatch_class(c)}{{background:#{c[0]:02x}{c[1]:02x}{c[2]:02x}}}" for c in colours) + "\n"


def _environment() -> Environment:
    environment = page_environment().overlay()
    environment.filters.update(
        cc=lambda cc: f"{cc:.2f}",
        pct=lambda frac: "–" if frac is None else f"{100 * frac:.0f} %",
        short=lambda text: clean(text, longest=_LONGEST),
        sentence=lambda text: sentence_case(clean(text)),
        picture=_picture,
    )
    return environment


def _picture(cut: Cut) -> Markup:
    pixels = cut_pixels(cut)
    data = b64encode(png_bytes(pixels)).decode("ascii")
    size = f'width="{pixels.shape[1]}" height="{pixels.shape[0]}"'
    # Made here of numbers alone; the words beside it are the template's to escape.
    return Markup(f'<img {size} src="data:image/png;base64,{data}" alt="') + clean(cut.title) + Markup('">')
