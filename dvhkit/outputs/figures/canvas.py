"""What all figures share: matplotlib, where it is, and files written whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dvhkit.errors import OutputError
from dvhkit.outputs.files import write_bytes_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

# A line of a legend, and a column of it, in inches.
_ROW_IN, _COLUMN_IN = 0.158, 1.5
KINDS = (".png", ".svg", ".pdf")
_DPI = 300
# Any: matplotlib types its settings by a list of all their names.
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e9ec",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.hashsalt": "dvhkit",
    "pdf.fonttype": 42,
}
# Okabe and Ito's set without its yellow, which white swallows, the most unlike first (doi:10.1038/nmeth.1618).
_ON_PAPER = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000", "#e69f00")
# The same set for black ground: white stands for black, and blue, which is too dark there, is left out.
_ON_BLACK = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#ffffff", "#d55e00", "#f0e442")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)), (0, (9, 3)))


class Stroke(NamedTuple):
    """How a line is drawn: told from others by its colour whatever the eye, or by its dashes."""

    colour: str
    dash: Any


def strokes(count: int, *, on_black: bool = False) -> list[Stroke]:
    """Return so many strokes that differ: all colours with a full line, then all dashed, and so on."""
    colours = _ON_BLACK if on_black else _ON_PAPER
    return [Stroke(colours[n % len(colours)], _DASHES[n // len(colours) % len(_DASHES)]) for n in range(count)]


def add_legend(figure: Figure, keys: Sequence[Any]) -> None:
    """Place a legend right of the axes, never over a curve; what is too much for one column widens the figure."""
    width, height = figure.get_size_inches()
    rows = max(1, int((height - 0.2) / _ROW_IN))
    columns = -(-len(keys) // rows)
    if columns > 1:
        figure.set_size_inches(width + _COLUMN_IN * (columns - 1), height)
    if keys:
        figure.legend(
            handles=keys, loc="outside right upper", ncols=columns, fontsize=7.5, frameon=False, handlelength=2.8
        )


def new_figure(width_in: float, height_in: float, *, is_picture: bool = False) -> tuple[Figure, Any]:
    """Return an empty figure and its axes; those of a picture keep the picture's shape.

    Raises
    ------
    OutputError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OutputError("Figures need matplotlib.", remedy="pip install 'dvhkit[plot]'") from error
    with rc_context(_STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="compressed" if is_picture else "constrained")
        axes = figure.subplots()
    return figure, axes


def new_panels(count: int) -> tuple[Figure, list[Any]]:
    """Return an empty figure with `count` axes of one kind, three beside each other."""
    columns = min(count, 3)
    rows = -(-count // columns)
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OutputError("Figures need matplotlib.", remedy="pip install 'dvhkit[plot]'") from error
    with rc_context(_STYLE):
        figure = Figure(figsize=(max(3.6, 2.5 * columns), 0.7 + 2.1 * rows), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the end of its name, whole or not at all."""
    from matplotlib import rc_context

    kind = path.suffix.lower()
    if kind not in KINDS:
        raise OutputError(f"A figure ends in {', '.join(KINDS)}, not in {kind or 'nothing'}.", path=path)
    stream = io.BytesIO()
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(kind)
    with rc_context(_STYLE):
        figure.savefig(stream, format=kind[1:], dpi=_DPI, metadata=metadata)
    write_bytes_whole(path, stream.getvalue())


def plain(text: str) -> str:
    """Return a text that matplotlib shows as it is: a dollar begins no formula."""
    return text.replace("$", r"\$")
