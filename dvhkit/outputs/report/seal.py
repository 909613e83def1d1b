"""What tells whether a report was altered: a hash over the whole page, one over the record, and who signed it.

The seal shows changes by accident, by an editor, or by a hand that does not know it; it is no cryptographic signature:
who can run dvhkit can seal a page of any content.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import escape

from dvhkit.outputs.records import audit_document, json_text
from dvhkit.outputs.text import clean, clean_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.results.audit import AuditRecord

_OPEN = "0" * 64
_SEAL = re.compile(r'(<meta name="dvhkit-page-sha256" content=")([0-9a-f]{64})(">)')
_RECORD = re.compile(r'<meta name="dvhkit-record-sha256" content="([0-9a-f]{64})">')
_INPUTS = re.compile(r'<meta name="dvhkit-inputs" content="([^"]*)">')
_SIGNATURES = "<!-- signatures -->"
_SIGNED = re.compile(r'<li class="signature" data-record="([0-9a-f]{64})">(.*?)</li>', re.DOTALL)
_LONGEST = 120
_LONGEST_ROLE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature in a page: the words that it shows, and the hash of the record that it was given for."""

    text: str
    record_sha256: str


def record_sha256(records: Iterable[AuditRecord]) -> str:
    """Return the hash of what was judged: that of the ``audit.json`` of the same records."""
    return text_sha256(json_text(audit_document(records)))


def text_sha256(audit_json: str) -> str:
    """Return `record_sha256` of the records whose ``audit.json`` is at hand."""
    return hashlib.sha256(audit_json.encode("utf-8", "replace")).hexdigest()


def inputs_of(records: Iterable[AuditRecord]) -> list[tuple[str, str]]:
    """Return role and SHA-256 of the files that records were made from."""
    return [
        (clean_name(file.role, _LONGEST_ROLE), clean_name(file.sha256, 64))
        for record in records
        if record.provenance
        for file in record.provenance.inputs
    ]


def seal_lines(inputs: Iterable[tuple[str, str]], digest: str) -> str:
    """Return the lines of a page's head that `sealed` and `page_faults` work with.

    `inputs` are those of its records, `digest` is their `record_sha256`.
    """
    text = escape(json.dumps(list(inputs), separators=(",", ":")))
    return (
        f'<meta name="dvhkit-page-sha256" content="{_OPEN}">\n'
        f'<meta name="dvhkit-record-sha256" content="{digest}">\n'
        f'<meta name="dvhkit-inputs" content="{text}">'
    )


def sealed(page: str) -> str:
    """Return the page with its own hash in it: taken while the place for it holds zeros."""
    opened = _SEAL.sub(rf"\g<1>{_OPEN}\g<3>", page, count=1)
    return _SEAL.sub(rf"\g<1>{_sha256(opened)}\g<3>", opened, count=1)


def with_signature(page: str, *, name: str, role: str, date: str) -> str:
    """Return a sealed page with one more signature."""
    record = _RECORD.search(page)
    parts = (clean(part, longest=_LONGEST) for part in (name, role, date))
    words = " · ".join(str(escape(part)) for part in parts if part)
    item = f'<li class="signature" data-record="{record[1] if record else _OPEN}">{words}</li>\n{_SIGNATURES}'
    return sealed(page.replace(_SIGNATURES, item, 1))


def signatures(page: str) -> list[Signature]:
    """Return the signatures in a page."""
    return [Signature(text=html.unescape(m[2]), record_sha256=m[1]) for m in _SIGNED.finditer(page)]


def is_report(page: str) -> bool:
    """Whether a page is a report of ours that can be verified."""
    return len(_SEAL.findall(page)) == 1 and len(_RECORD.findall(page)) == 1 and len(_INPUTS.findall(page)) == 1


def page_faults(page: str) -> list[str]:
    """Return what is wrong with a page, in sentences; nothing where it is as it was sealed."""
    faults = []
    seal, record = _SEAL.search(page), _RECORD.search(page)
    opened = _SEAL.sub(rf"\g<1>{_OPEN}\g<3>", page, count=1)
    if seal is None or seal[2] != _sha256(opened):
        faults.append("The page is not as it was sealed: a value, verdict, signature or something else was altered.")
    faults += [
        f"The signature of {clean(one.text, longest=_LONGEST)} was given for another record."
        for one in signatures(page)
        if record is None or one.record_sha256 != record[1]
    ]
    return faults


def page_inputs(page: str) -> list[tuple[str, str]]:
    """Return role and SHA-256 of the files that the page's record was made from."""
    found = _INPUTS.search(page)
    try:
        listed = json.loads(html.unescape(found[1])) if found else []
        return [(str(role), str(digest)) for role, digest in listed]
    except (ValueError, TypeError):
        return []


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
