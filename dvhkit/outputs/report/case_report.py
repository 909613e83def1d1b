"""The report: one page of HTML that needs nothing else, on screen and on paper.

The page asks the network for nothing, and its content security policy forbids it to: styles and the script are in the
page and named by their hashes. Without the script everything is there but the readout under the pointer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from dvhkit.outputs.language import Catalogue, say, speaking
from dvhkit.outputs.report.article import Article, ink_class, ink_rules, inks_of, make_article
from dvhkit.outputs.report.attached import attached_bytes, attached_views
from dvhkit.outputs.report.page import page_environment, page_policy, page_source, page_words
from dvhkit.outputs.report.seal import inputs_of, record_sha256, seal_lines, sealed
from dvhkit.outputs.report.viewer.bundle import Bundle, make_bundle
from dvhkit.outputs.report.views import case_view

_SCRIPT_STRING = re.compile(r'("[^"\n]*")')
# Around + and - only where no other sign stands beside, from which a space would part it.
_IDLE_SPACE = re.compile(r" ?([{}()\[\],;:?=<>*&|!]) ?")
_IDLE_SIGN_SPACE = re.compile(r"(?<=[\w)\]]) ([+\-/%]) (?=[\w(\[.])")
# After these a line goes on, or has ended whether or not the next one begins anew.
_IDLE_LINE_END = re.compile(r"(?<=[;,{(])\n")

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def report_of(articles: Sequence[Article], digest: str) -> str:
    """Return `html_report` of cases that are drawn already, in the language of the environment."""
    with speaking(None):
        return _page(articles, digest)


def _full_report(listed: list[AuditRecord], digest: str, scene: Scene | None, attachments: Sequence[Attachment]) -> str:
    if len(listed) != 1:
        return _page([make_article(record) for record in listed], digest)
    taken = attached_bytes(attachments)
    bundle = make_bundle(scene, taken_bytes=taken) if scene is not None else None
    shown, remarks = (scene, bundle.remarks) if bundle else (None, ())
    article = make_article(listed[0], scene=shown, remarks=remarks, attached=attached_views(attachments))
    return _page([article], digest, bundle, images=bool(taken))


def _page(articles: Sequence[Article], digest: str, bundle: Bundle | None = None, *, images: bool = False) -> str:
    styles = (
        page_source("report.css")
        + (page_source("viewer.css") if bundle else "")
        + ink_rules(ink for one in articles for ink in one.inks)
    )
    script = page_source("say.js") + page_source("report.js") + (viewer_script() if bundle else "")
    page = page_environment().get_template("report.html.j2")
    return sealed(
        page.render(
            cases=articles,
            title=_page_title([one.name for one in articles]),
            # Not escaped: our own files, and colours made of six hexadecimal digits.
            styles=Markup(styles),
            script=Markup(script),
            policy=page_policy(styles, script, images=images),
            bundle=bundle is not None,
            # JSON without any '<', and letters that mean nothing to HTML.
            bundle_facts=Markup(bundle.facts if bundle else ""),
            bundle_arrays=Markup(bundle.arrays if bundle else ""),
            # Hashes, and roles that are escaped there.
            seal=Markup(seal_lines((file for one in articles for file in one.inputs), digest)),
            digest=digest,
            **page_words("dvh", *(("viewer", "window") if bundle else ())),
        )
    )


def _short_report(records: list[AuditRecord], digest: str) -> str:
    cases = [case_view(record, anchor=f"case-{number}") for number, record in enumerate(records, start=1)]
    styles = page_source("report.css") + page_source("short.css") + ink_rules(inks_of(case.plot for case in cases))
    page = page_environment().get_template("short.html.j2")
    return sealed(
        page.render(
            cases=cases,
            title=_page_title([case.name for case in cases]),
            styles=Markup(styles),
            policy=page_policy(styles),
            ink_class=ink_class,
            seal=Markup(seal_lines(inputs_of(records), digest)),
            digest=digest,
            listed=lambda pairs: "; ".join(f"{code} ({why})" for code, why in pairs),
            **page_words(),
            **_SHORT_LIMITS,
        )
    )


def _page_title(names: Sequence[str]) -> str:
    if len(names) == 1:
        return say("page.title_one", case=names[0])
    return say("page.title_many", n=len(names))


def viewer_script() -> str:
    """Return the viewer's script, small files one after the other, without comments and idle spaces."""
    lines = "".join(page_source(name) for name in ("unpack.js", "scene.js", "panes.js", "viewer.js")).splitlines()
    stripped = (line.strip() for line in lines)
    code = "".join(f"{line}\n" for line in stripped if line and not line.startswith("//"))
    parts = _SCRIPT_STRING.split(code)  # every second one is a string, which stays as it is
    parts[::2] = [_IDLE_SPACE.sub(r"\1", _IDLE_SIGN_SPACE.sub(r"\1", part)) for part in parts[::2]]
    return _IDLE_LINE_END.sub("", "".join(parts))
