"""What all figures share: matplotlib, where it is, and files written whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvhkit.errors import OutputError
from dvhkit.outputs.files import write_bytes_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    "legend.frameon": False,
    "svg.hashsalt": "dvhkit",
    "pdf.fonttype": 42,
}


def new_figure(width_in: float, height_in: float, columns: int = 1) -> tuple[Figure, list[Any]]:
    """Return an empty figure and its axes, side by side.

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
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False, sharey=True)[0]
    return figure, list(axes)


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
