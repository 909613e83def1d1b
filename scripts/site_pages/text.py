"""Plain text from code as Markdown."""

from __future__ import annotations

import inspect
import re


def cell(text: str) -> str:
    """Return text for one cell of a table: one line, nothing in it that Markdown or HTML would act on."""
    one_line = " ".join(text.split())
    for letter in "&<>|*_[":
        one_line = one_line.replace(letter, f"&#{ord(letter)};")
    return one_line


def docstring(thing: object) -> str:
    """Return the docstring of a function, its sections as bold lines and its formulas as they stand."""
    text = inspect.getdoc(thing) or ""
    return re.sub(r"(?m)^([A-Z][A-Za-z ]+)\n-{3,}$", r"**\1**\n", text).replace("``", "`")


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table; the cells are taken as they are."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"
