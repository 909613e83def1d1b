"""Make the pictures of README anew: the first screen and the slice viewer of the demo plan's report.

They cannot go stale unseen: beside them stands the digest of what the report says, which a test compares with today's.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dvhkit.outputs.pdf import find_browser  # noqa: E402
from scripts.report_digest import demo_report, report_digest  # noqa: E402

FOLDER = ROOT / "docs" / "img"
DIGEST = FOLDER / "report.sha256"


def main() -> None:
    """Write the pictures and the digest."""
    from playwright.sync_api import sync_playwright

    browser = find_browser()
    if browser is None:
        sys.exit("The pictures need Chromium on the path (Debian: apt-get install chromium).")
    html = demo_report()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        path = Path(folder) / "report.html"
        path.write_text(html, encoding="utf-8")
        chromium = play.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport={"width": 1240, "height": 1180})
        page.goto(path.as_uri())
        page.evaluate("() => dvhkit.ready")
        page.screenshot(path=FOLDER / "report.png")
        page.locator("section.viewer").screenshot(path=FOLDER / "viewer.png")
        chromium.close()
    DIGEST.write_text(report_digest(html) + "\n", encoding="ascii")
    print(f"wrote report.png, viewer.png and {DIGEST.name} in {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
