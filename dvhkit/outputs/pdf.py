"""A report printed to PDF: by a headless Chromium where there is one, else by WeasyPrint (extra ``pdf``)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from dvhkit.errors import OutputError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
# Where a browser is installed outside the search path; CHROMIUM or CHROME names any other.
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
_VARIABLES = ("CHROMIUM", "CHROME")
_LONGEST_S = 300
_WEASYPRINT = "weasyprint"


def printer() -> str:
    """Return what prints here: the path of a browser, or ``weasyprint``.

    Raises
    ------
    OutputError
        If there is neither.
    """
    browser = find_browser()
    if browser is not None:
        return browser
    from importlib.util import find_spec

    if find_spec(_WEASYPRINT) is not None:
        return _WEASYPRINT
    raise OutputError(
        "a PDF needs Chromium or WeasyPrint, and neither is here.",
        remedy="Install Chromium or Google Chrome, or: pip install 'dvhkit[pdf]'; or print report.html from a browser.",
    )


def find_browser() -> str | None:
    """Return the path of a Chromium or a relative of it; None where there is none."""
    named = [os.environ[name] for name in _VARIABLES if os.environ.get(name)]
    found = [shutil.which(name) for name in (*named, *_NAMES)]
    return next((path for path in (*found, *_PLACES) if path and Path(path).is_file()), None)


def pdf_of(html: str) -> bytes:
    """Return a page of HTML as PDF, A4 as its styles say.

    Raises
    ------
    OutputError
        If nothing can print here, or what should have failed; the reason is in the message.
    """
    engine = printer()
    data = _by_weasyprint(html) if engine == _WEASYPRINT else _by_browser(engine, html)
    if not data.startswith(b"%PDF-"):
        raise OutputError(f"{Path(engine).name} wrote no PDF.", remedy="Print report.html from a browser.")
    return data


def _by_browser(browser: str, html: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="dvhkit-pdf-") as folder:
        page, sheet = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        words = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer", "--disable-extensions",
            f"--user-data-dir={Path(folder) / 'profile'}", f"--print-to-pdf={sheet}",
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            words.append("--no-sandbox")  # Chromium refuses to run as root with its sandbox
        try:
            run = subprocess.run([*words, page.as_uri()], capture_output=True, timeout=_LONGEST_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutputError(f"{browser} could not print ({error}).", remedy="Print it from a browser.") from error
        if not sheet.exists():
            told = run.stderr.decode("utf-8", "replace").strip().splitlines()
            raise OutputError(f"{browser} could not print: {told[-1] if told else f'exit code {run.returncode}'}.")
        return sheet.read_bytes()


def _by_weasyprint(html: str) -> bytes:
    from weasyprint import HTML

    def refuse(url: str, *_: object, **__: object) -> None:
        raise ValueError(f"{url}: a report asks for nothing from elsewhere")

    data = HTML(string=html, url_fetcher=refuse).write_pdf()
    assert isinstance(data, bytes)
    return data
