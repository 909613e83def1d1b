"""What an ROI is by type and name: one list of targets' kinds, of what is drawn round each, of bodies' names."""

from __future__ import annotations

import re

TARGET_KINDS = ("GTV", "CTV", "ITV", "PTV")
BODY = "EXTERNAL"
# What each kind is widened to, nearest first.
OUTER_KINDS = {"GTV": ("CTV", "ITV", "PTV"), "CTV": ("ITV", "PTV"), "ITV": ("PTV",), "PTV": (BODY,)}
# The surest first: what is called skin is the outline in some systems and a rind under it in others.
BODY_NAMES = ("body", "external", "bodycontour", "patient", "outline", "skin")
# What may follow the kind without a mark between: a classifier of TG-263 or a site in a few letters, or a longer word.
_BEGINS = re.compile(r"(?P<internal>i(?=[gc]tv))?(?P<kind>[gcip]tv)(?P<word>[a-z]*)", re.IGNORECASE)
_SHORT_WORD = 4
_TARGET_WORDS = (
    "boost", "brain", "breast", "cervix", "final", "kidney", "liver", "local", "mediast", "nodal", "node", "nodul",
    "pancreas", "pelvi", "phase", "prima", "prostat", "spine", "subcl", "total", "tumo", "verteb",
)  # fmt: skip
_HELPERS = re.compile(r"(^z|_?opt|ring|minus|[-_]eval|prv|dvh|^pseudo|shell)", re.IGNORECASE)


def body_rank(name: str, rt_roi_type: str = "") -> int | None:
    """Return how surely an ROI is the body's outline, 0 the surest (by its type); None for any that is not."""
    letters = re.sub(r"[^a-z]", "", name.lower())
    if rt_roi_type.upper() == BODY:
        return 0
    return 1 + BODY_NAMES.index(letters) if letters in BODY_NAMES else None


def is_body(name: str, rt_roi_type: str = "") -> bool:
    """Whether an ROI is the body's outline, by its type or its name."""
    return body_rank(name, rt_roi_type) is not None


def kind_by_name(name: str, rt_roi_type: str = "") -> str | None:
    """Return GTV, CTV, ITV, PTV or EXTERNAL, by type and name; None for anything else, and for planning helpers."""
    name = name.strip()
    if is_body(name, rt_roi_type):
        return BODY
    if _HELPERS.search(name):
        return None
    typed = rt_roi_type if rt_roi_type in TARGET_KINDS else None
    began = _BEGINS.match(name)
    if began is None:
        return typed
    kind, word = began["kind"].upper(), began["word"]
    is_new_word = word[:1].isupper() and word[1:].islower()  # PTVLeber
    plain = len(word) <= _SHORT_WORD or is_new_word or word.lower().startswith(_TARGET_WORDS)
    if began["internal"]:
        return (typed or "ITV") if plain else typed
    # A word that begins with the letters by chance (CTVision) is no target; what the system calls one is.
    return kind if plain or typed is not None else None
