"""Counts and lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_SHOWN = 8


def counted(number: int, noun: str) -> str:
    """Return ``1 structure`` or ``3 structures``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(values: Sequence[object]) -> str:
    """Return the first values, each once, separated by commas, and how many more there are."""
    shown = list(dict.fromkeys(str(value) for value in values))
    rest = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + rest


def shown(path: Path, root: Path) -> str:
    """Return how a message names a file: by its way from the folder that was searched, since names repeat in archives.

    A file from elsewhere is named by its name alone.
    """
    return path.relative_to(root).as_posix() if root.is_dir() and path.is_relative_to(root) else path.name


def candidates_text(plans: Sequence[str]) -> str:
    """Return that plans may be the one that a dose means, each shown as it is called; nothing where there are none."""
    if not plans:
        return ""
    them, have = ("Plan", "has") if len(plans) == 1 else ("Plans", "have")
    return (
        f" {them} {listed(plans)} of the same study and frame of reference {have} another UID: if it is the one, "
        "name it with --rtplan."
    )
