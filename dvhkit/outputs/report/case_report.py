"""The report: one page of HTML that needs nothing else, on screen and on paper.

The page asks the network for nothing, and its content security policy forbids it to: styles and the script are in the
page and named by their hashes. Without the script everything is there but the readout under the pointer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from dvhkit.outputs.language import Catalogue, say, speaking
from dvhkit.outputs.report.attached import attached_bytes, attached_views
from dvhkit.outputs.report.page import page_environment, page_policy, page_source, page_words
from dvhkit.outputs.report.seal import record_sha256, seal_lines, sealed
from dvhkit.outputs.report.viewer.bundle import make_bundle
from dvhkit.outputs.report.views import CaseView, case_view

_SCRIPT_STRING = re.compile(r'("[^"\n]*")')
# Around + and - only where no other sign stands beside, from which a space would part it.
_IDLE_SPACE = re.compile(r" ?([{}()\[\],;:?=<>*&|!]) ?")
_IDLE_SIGN_SPACE = re.compile(r"(?<=[\w)\]]) ([+\-/%]) (?=[\w(\[.])")
# After these a line goes on, or has ended whether or not the next one begins anew.
_IDLE_LINE_END = re.compile(r"(?<=[;,{(])\n")

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dvhkit.outputs.pictures.colours import Ink
    from dvhkit.outputs.report.plot import DvhPlot
    from dvhkit.results.attachment import Attachment
    from dvhkit.results.audit import AuditRecord
    from dvhkit.results.scene import Scene


# What fits a sheet of A4 whatever the texts: rows of rules (of two lines, where there are few), names of curves,
# findings of two lines.
_SHORT_LIMITS = {"most_rules": 15, "roomy_rules": 9, "most_names": 17, "most_findings": 5}


def html_report(
    records: Iterable[AuditRecord],
    *,
    scene: Scene | None = None,
    short: bool = False,
    attachments: Sequence[Attachment] = (),
    language: str | Catalogue | None = None,
    digest: str | None = None,
) -> str:
    """Return the report of one or many audited cases as a self-contained page of HTML.

    With several cases a table comes first that links to each. Everything that comes out of DICOM or a protocol is
    cleaned of steering characters, cut to a sensible length and escaped. The page is drawn from the records alone,
    so a saved ``audit.json`` (see `dvhkit.outputs.records.read_audit`) gives the same page.

    Parameters
    ----------
    scene
        What the patient looks like, of a single case: then the page has pictures of the rules that are not met, and a
        slice viewer.
    short
        One page a case, to print: the most urgent rules and findings, the plot, lines to sign; no pictures.
    attachments
        Pictures and comparisons that are filed in the report of a single case.
    language
        In which the page is written, None for the one of the environment variable DVHKIT_LANGUAGE, else English; what
        the records say themselves stays as it is.
    digest
        `record_sha256` of the records, where that is at hand.
    """
    listed = list(records)
    digest = record_sha256(listed) if digest is None else digest
    with speaking(language):
        return _short_report(listed, digest) if short else _full_report(listed, digest, scene, attachments)


def _full_report(listed: list[AuditRecord], digest: str, scene: Scene | None, attachments: Sequence[Attachment]) -> str:
    attached = attachments if len(listed) == 1 else ()
    taken = attached_bytes(attached)
    bundle = make_bundle(scene, taken_bytes=taken) if scene is not None and len(listed) == 1 else None
    shown, remarks = (scene, bundle.remarks) if bundle else (None, ())
    cases = [
        case_view(record, anchor=f"case-{number}", scene=shown, remarks=remarks)
        for number, record in enumerate(listed, start=1)
    ]
    styles = (
        page_source("report.css")
        + (page_source("viewer.css") if bundle else "")
        + ink_rules(case.plot for case in cases)
    )
    script = page_source("say.js") + page_source("report.js") + (viewer_script() if bundle else "")
    page = page_environment().get_template("report.html.j2")
    return sealed(
        page.render(
            cases=cases,
            title=_page_title(cases),
            # Not escaped: our own files, and colours made of six hexadecimal digits.
            styles=Markup(styles),
            script=Markup(script),
            policy=page_policy(styles, script, images=bool(taken)),
            ink_class=ink_class,
            attached=attached_views(attached),
            bundle=bundle is not None,
            # JSON without any '<', and letters that mean nothing to HTML.
            bundle_facts=Markup(bundle.facts if bundle else ""),
            bundle_arrays=Markup(bundle.arrays if bundle else ""),
            # Hashes, and roles that are escaped there.
            seal=Markup(seal_lines(listed, digest)),
            digest=digest,
            **page_words("dvh", *(("viewer", "window") if bundle else ())),
        )
    )


def _short_report(records: list[AuditRecord], digest: str) -> str:
    cases = [case_view(record, anchor=f"case-{number}") for number, record in enumerate(records, start=1)]
    styles = page_source("report.css") + page_source("short.css") + ink_rules(case.plot for case in cases)
    page = page_environment().get_template("short.html.j2")
    return sealed(
        page.render(
            cases=cases,
            title=_page_title(cases),
            styles=Markup(styles),
            policy=page_policy(styles),
            ink_class=ink_class,
            seal=Markup(seal_lines(records, digest)),
            digest=digest,
            listed=lambda pairs: "; ".join(f"{code} ({why})" for code, why in pairs),
            **page_words(),
            **_SHORT_LIMITS,
        )
    )


def _page_title(cases: Sequence[CaseView]) -> str:
    if len(cases) == 1:
        return say("page.title_one", case=cases[0].name)
    return say("page.title_many", n=len(cases))


def viewer_script() -> str:
    """Return the viewer's script, small files one after the other, without comments and idle spaces."""
    lines = "".join(page_source(name) for name in ("unpack.js", "scene.js", "panes.js", "viewer.js")).splitlines()
    stripped = (line.strip() for line in lines)
    code = "".join(f"{line}\n" for line in stripped if line and not line.startswith("//"))
    parts = _SCRIPT_STRING.split(code)  # every second one is a string, which stays as it is
    parts[::2] = [_IDLE_SPACE.sub(r"\1", _IDLE_SIGN_SPACE.sub(r"\1", part)) for part in parts[::2]]
    return _IDLE_LINE_END.sub("", "".join(parts))


def ink_class(ink: Ink) -> str:
    """Return the name of the style that draws in `ink`."""
    return f"k{ink.light[1:]}{ink.dark[1:]}"


def ink_rules(plots: Iterable[DvhPlot | None]) -> str:
    """Return one style a colour: classes, because the policy allows no style attributes."""
    all_inks = {ink_class(c.ink): c.ink for plot in plots if plot is not None for c in plot.curves}
    light = "".join(f".{name}{{--k:{ink.light}}}" for name, ink in all_inks.items())
    dark = "".join(f".{name}{{--k:{ink.dark}}}" for name, ink in all_inks.items())
    return f"{light}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n"
