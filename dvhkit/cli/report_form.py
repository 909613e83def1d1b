"""What reports look like, by the words of the command line, and how they come to paper."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.results.attachment import Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What reports look like: with slices (None: where there is one plan), one page a case, printed, with files."""

    pictures: bool | None = None
    short: bool = False
    pdf: bool = False
    attachments: tuple[Attachment, ...] = ()

    def require_printer(self) -> None:
        """Refuse at once what could only be refused when all is computed."""
        if self.pdf:
            from dvhkit.outputs.pdf import printer

            printer()

    def print_in(self, folder: Path) -> list[str]:
        """Print the report in a folder to report.pdf where that was asked for, and return what was written.

        An old PDF of another report is taken away.
        """
        page, printed = folder / "report.html", folder / "report.pdf"
        if not self.pdf or not page.exists():
            printed.unlink(missing_ok=True)
            if self.pdf:
                raise InputError(
                    "there are too many cases for one report: nothing was printed.",
                    remedy="Use --short, or fewer cases.",
                )
            return []
        from dvhkit.outputs.files import write_bytes_whole
        from dvhkit.outputs.pdf import pdf_of

        write_bytes_whole(printed, pdf_of(page.read_text(encoding="utf-8")))
        return ["report.pdf"]
