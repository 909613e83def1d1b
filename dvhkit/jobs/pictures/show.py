"""A case in a notebook: the slice viewer in one cell, with nothing to be asked of any server."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.jobs.pictures.scene import gather_scene
from dvhkit.outputs.files import write_text_whole
from dvhkit.outputs.report.compared import viewer_page

if TYPE_CHECKING:
    from dvhkit.model.case import Case

_HEIGHT_PX = 760


@dataclass(frozen=True, slots=True)
class CaseView:
    """The viewer of a case: Jupyter shows it; `html` is the page, and `save` writes it to a file."""

    label: str
    html: str

    def _repr_html_(self) -> str:
        # A frame of its own: its styles and script meet nothing of the notebook, and it may open or ask for nothing.
        return (
            f'<iframe title="Slices of {escape(self.label, quote=True)}" sandbox="allow-scripts" width="100%" '
            f'height="{_HEIGHT_PX}" frameborder="0" srcdoc="{escape(self.html, quote=True)}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<CaseView {self.label!r}: {len(self.html) / 1e6:.1f} MB of HTML; .save('file.html') writes it>"

    def save(self, path: Path | str) -> None:
        """Write the page to a file, whole or not at all."""
        write_text_whole(path, self.html)


def show_case(case: Case) -> CaseView:
    """Return the slice viewer of `case`: image, contours, dose and structures, as in the case report."""
    return CaseView(case.label, viewer_page(gather_scene(case), title=case.label))
