"""What an ROI is by type and name: one list of targets' kinds, of what is drawn round each, of bodies' names."""

from __future__ import annotations

import re

TARGET_KINDS = ("GTV", "CTV", "ITV", "PTV")
BODY = "EXTERNAL"
# What each kind is widened to, nearest first.
OUTER_KINDS = {"GTV": ("CTV", "ITV", "PTV"), "CTV": ("ITV", "PTV"), "ITV": ("PTV",), "PTV": (BODY,)}
# The surest first: what is called skin is the outline in some systems and a rind under it in others.
BODY_NAMES = ("body", "external", "bodycontour", "patient", "outline", "skin")
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
    named = next((kind for kind in TARGET_KINDS if name.upper().startswith(kind)), None)
    return named or (rt_roi_type if rt_roi_type in TARGET_KINDS else None)
